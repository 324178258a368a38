"""How a gradient becomes a step: the one place where ``backward()`` and ``optimizer.step()`` are called."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError, DivergedError, UnsupportedError, did_you_mean
from netsmith.core.keys import key
from netsmith.core.roles import OptimizerConfig
from netsmith.engine.batch import Batch, map_tensors
from netsmith.engine.closure import counted_once
from netsmith.engine.method import Logs, Method
from netsmith.engine.ranks import Ranks
from netsmith.engine.task import Loss

__all__ = ["Updater", "UpdaterSettings", "seed_default_generator"]


@dataclass(frozen=True)
class UpdaterSettings:
    """The engine's settings that concern one update.

    Attributes:
        steps: Length of the run, for the schedules.
        seed: The run's seed.
        micro_batches: Into how many pieces a batch is cut.
        clip_norm: Largest norm of a player's gradient; 0 for none.
        autocast: Device type under which the forward pass runs in bfloat16, or "" for none.
    """

    steps: int
    seed: int
    micro_batches: int = 1
    clip_norm: float = 0.0
    autocast: str = ""


def seed_default_generator(value: int) -> None:
    """Seed torch's default generators (dropout and the like) on every device in use."""
    torch.default_generator.manual_seed(value)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(value)


class _Player:
    """One player's parameters, its optimizer and its schedule."""

    def __init__(self, parameters: Mapping[str, nn.Parameter], config: OptimizerConfig) -> None:
        self.names = list(parameters)
        self.parameters = list(parameters.values())
        self.optimizer: torch.optim.Optimizer = config.build(parameters)
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.schedule: Any = config.schedule.build()  # type: ignore[attr-defined]
        self.needs_closure = config.needs_closure

    def set_rate(self, step: int, steps: int) -> None:
        factor = self.schedule.factor(step, steps)
        for group, base in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = base * factor


class Updater:
    """Makes one optimizer step for one player: right for every method, under accumulation and any number of ranks.

    Each call zeroes the player's gradients, cuts the batch into micro-batches, runs backward for that player's
    parameters only, adds up the ranks, divides by the summed weight, clips, sets the rate of the global step, steps.

    Args:
        method: Whose players are to be stepped.
        optimizers: One config per player.
        settings: The engine's settings.
        ranks: The processes of the run.

    Raises:
        ConfigError: A player without an optimizer, or an optimizer without a player.
        UnsupportedError: Accumulation for a loss that couples the examples of a batch.
    """

    def __init__(
        self, method: Method, optimizers: Mapping[str, OptimizerConfig], *, settings: UpdaterSettings, ranks: Ranks
    ) -> None:
        players = method.players()
        for name in optimizers:
            if name not in players:
                raise ConfigError(f"optimizers[{name!r}]: the method has no such player{did_you_mean(name, players)}")
        missing = [name for name in players if name not in optimizers]
        if missing:
            raise ConfigError(f"no optimizer for player {missing[0]!r}; add optimizers={{{missing[0]!r}: ...}}")
        reason = method.undecomposable()
        if settings.micro_batches > 1 and reason:
            raise UnsupportedError(
                f"micro_batches={settings.micro_batches} would change the result: {reason}; set it to 1"
            )
        self.method = method
        self.settings = settings
        self.ranks = ranks
        self.players = {name: _Player(parameters, optimizers[name]) for name, parameters in players.items()}
        # One player that owns all there is needs no list of whose gradients to compute: torch is quicker without.
        owned = {id(parameter) for one in self.players.values() for parameter in one.parameters}
        trained = {id(parameter) for parameter in method.parameters() if parameter.requires_grad}
        self._alone = len(self.players) == 1 and trained <= owned
        self.step = 0
        self._calls = 0

    @property
    def steps(self) -> int:
        """Length of the run."""
        return self.settings.steps

    def begin(self, step: int) -> None:
        """Tell the updater which global step comes next; the schedules and the noise depend on nothing else."""
        self.step = step
        self._calls = 0

    def __call__(self, player: str, loss_function: Callable[[Batch], Loss], batch: Batch) -> Logs:
        """Step ``player`` once on ``loss_function`` of ``batch``; return the mean loss for the log.

        Raises:
            DivergedError: The loss is NaN or infinite; nothing was changed.
        """
        one = self.players[player]
        call = self._calls
        self._calls += 1
        one.set_rate(self.step, self.settings.steps)

        def gradient() -> float:
            return self._gradient(one, loss_function, batch, call)

        if one.needs_closure:
            loss = float(one.optimizer.step(counted_once(gradient, self.method)))  # type: ignore[arg-type]
        else:
            loss = gradient()
            one.optimizer.step()
        return {"loss" if len(self.players) == 1 else f"{player}/loss": loss}

    def sum_ranks(self, tensors: list[Tensor]) -> None:
        """Add tensors over all ranks in place."""
        self.ranks.sum_(tensors)

    def _gradient(self, one: _Player, loss_function: Callable[[Batch], Loss], batch: Batch, call: int) -> float:
        for parameter in one.parameters:
            parameter.grad = None
        pieces = batch.split(self.settings.micro_batches)
        if len(pieces) == 1 and self.ranks.world == 1:
            loss = self._forward(loss_function, pieces[0], (call, 0))
            weight = float(loss.weight)
            value = loss.total.item() / weight if weight else math.nan
            self._check(value, loss_function, pieces[0], (call, 0), weight=weight)
            # The factor goes in as the gradient of the total: a division in the graph would cost two more operations.
            loss.total.backward(loss.total.new_full((), 1 / weight), inputs=self._owners(one))
        else:
            value = self._accumulate(one, loss_function, pieces, call)
        if self.settings.clip_norm:
            nn.utils.clip_grad_norm_(one.parameters, self.settings.clip_norm)
        return value

    def _owners(self, one: _Player) -> list[nn.Parameter] | None:
        return None if self._alone else one.parameters

    def _accumulate(
        self, one: _Player, loss_function: Callable[[Batch], Loss], pieces: list[Batch], call: int
    ) -> float:
        total, weight = 0.0, 0.0
        for number, piece in enumerate(pieces):
            loss = self._forward(loss_function, piece, (call, number))
            total += loss.total.item()
            weight += float(loss.weight)
            if self.ranks.world == 1:  # with several ranks the sum is checked, so that all of them stop together
                self._check(total, loss_function, piece, (call, number))
            loss.total.backward(inputs=self._owners(one))
        # A parameter that no piece and no rank used keeps no gradient: the optimizer must pass it over, as it does
        # where the batch is not cut (weight decay and momentum would move it otherwise).
        used = [float(parameter.grad is not None) for parameter in one.parameters]
        if self.ranks.world > 1:
            sums = torch.tensor([total, weight, *used], dtype=torch.float64, device=one.parameters[0].device)
            self.ranks.sum_([sums])
            total, weight, *used = sums.tolist()
        value = total / weight if weight else math.nan
        self._check(value, loss_function, pieces[-1], (call, len(pieces) - 1), weight=weight)
        gradients = []
        for parameter, count in zip(one.parameters, used, strict=True):
            if count:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                gradients.append(parameter.grad)
        if gradients:
            self.ranks.sum_(gradients)
            torch._foreach_div_(gradients, weight)
        return value

    def _forward(self, loss_function: Callable[[Batch], Loss], piece: Batch, place: tuple[int, int]) -> Loss:
        parts = (self.step, *place) if self.ranks.world == 1 else (self.step, *place, self.ranks.rank)
        seed_default_generator(key(self.settings.seed, *parts))
        if not self.settings.autocast:
            return loss_function(piece)
        with torch.autocast(self.settings.autocast, torch.bfloat16):
            loss = loss_function(piece)
        return Loss(loss.total.float(), loss.weight)

    def _check(
        self,
        value: float,
        loss_function: Callable[[Batch], Loss],
        piece: Batch,
        place: tuple[int, int],
        *,
        weight: float = 1.0,
    ) -> float:
        if math.isfinite(value):
            return value
        if not weight:
            raise DivergedError(
                f"the loss became {value} at step {self.step}: the batch weighs nothing, since no example of it counts "
                "or none has a label; nothing was updated, and what was saved is good. Look at the data's weights"
            )
        where = self._first_bad(loss_function, piece, place)
        raise DivergedError(
            f"the loss became {value} at step {self.step}, {where}; nothing was updated, and what was "
            "saved is good. Lower the learning rate, warm it up, or clip (clip_norm=1)"
        )

    def _first_bad(self, loss_function: Callable[[Batch], Loss], piece: Batch, place: tuple[int, int]) -> str:
        """Run the same forward pass once more and name the first layer whose output is not finite."""
        for name, parameter in self.method.named_parameters():
            if not torch.isfinite(parameter).all():
                return f"first in the parameter {name}"
        broken: list[bool] = []
        map_tensors(piece.inputs, lambda part: broken.append(not bool(torch.isfinite(part).all())))
        if any(broken):
            return "first in the inputs of the batch"
        bad: list[str] = []

        def watch(name: str) -> Callable[..., None]:
            def look(module: nn.Module, inputs: Any, output: Any) -> None:  # noqa: ARG001
                if isinstance(output, Tensor) and output.is_floating_point() and not torch.isfinite(output).all():
                    bad.append(f"{name} ({type(module).__name__})")

            return look

        leaves = [(n, m) for n, m in self.method.named_modules() if not next(m.children(), None)]
        handles = [module.register_forward_hook(watch(name)) for name, module in leaves]
        try:
            with torch.no_grad(), contextlib.suppress(Exception):
                self._forward(loss_function, piece, place)
        finally:
            for handle in handles:
                handle.remove()
        return f"first in the layer {bad[0]}" if bad else "in the loss itself (or in the targets)"

    # -- what a checkpoint keeps ------------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """Return the optimizers' state by ``player/parameter/entry``."""
        found: dict[str, Tensor] = {}
        for player, one in self.players.items():
            for name, parameter in zip(one.names, one.parameters, strict=True):
                for entry, value in one.optimizer.state.get(parameter, {}).items():
                    if value is None:
                        continue
                    if not isinstance(value, (Tensor, int, float)):
                        raise UnsupportedError(
                            f"{type(one.optimizer).__name__} keeps {entry!r} as a {type(value).__name__}; a checkpoint "
                            "holds tensors and numbers: take another optimizer, or keep no checkpoints"
                        )
                    found[f"{player}/{name}/{entry}"] = torch.as_tensor(value)
        return found

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state` returned, in each parameter's device and memory format."""
        for player, one in self.players.items():
            for name, parameter in zip(one.names, one.parameters, strict=True):
                prefix = f"{player}/{name}/"
                entries = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
                if entries:
                    one.optimizer.state[parameter] = {
                        entry: value.clone() if entry == "step" else _beside(parameter, value)
                        for entry, value in entries.items()
                    }


def _beside(parameter: Tensor, value: Tensor) -> Tensor:
    if parameter.dim() and not value.dim():  # a number; torch keeps its own where they were saved from, on the CPU
        return value.clone()
    if value.shape != parameter.shape:
        return value.to(parameter.device).clone()
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)
