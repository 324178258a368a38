"""How a run's product is pruned: by which criterion, ranked how, in how many rounds; and what each layer bears."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import torch
from torch import Tensor, nn

from netsmith.compress.choice import Scope
from netsmith.compress.criteria import Criterion
from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.engine.source import Source
from netsmith.measure.parameters import count_parameters
from netsmith.report.figures import Curve
from netsmith.report.run_page import Chart
from netsmith.workflows.judging import judge

if TYPE_CHECKING:
    from netsmith.api.run import Run
    from netsmith.compress.surgery import SurgeryLog

__all__ = ["Pruning", "pruned", "sensitivity_chart"]

_BATCHES = 8  # of training data, for gradients
_JUDGED = 512  # examples each masked network is judged on
_PARTS = (0.25, 0.5, 0.75)

Tune = Callable[[nn.Module, "SurgeryLog", int], "Run"]
"""Trains a cut network between rounds (its number is the third) as a run of its own."""


@dataclass(frozen=True)
class Pruning:
    """How channels are cut.

    Attributes:
        ratio: Share of the channels that goes; 0 for none.
        criterion: See :func:`~netsmith.compress.criteria.score_units`.
        scope: See :func:`~netsmith.compress.prune.prune`.
        rounds: Cuts with fine-tuning between them.
        protect: Modules whose channels stay, by name (of the layer or a parent).

    Raises:
        ConfigError: An unknown name, no round, or a choice of how to cut where nothing is.
    """

    ratio: float = 0.5
    criterion: Criterion = "l2"
    scope: Scope = "global"
    rounds: int = 1
    protect: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, value, known in (("criterion", self.criterion, Criterion), ("scope", self.scope, Scope)):
            if value not in get_args(known):
                raise ConfigError(f"--{name} {value}: expected one of {', '.join(get_args(known))}")
        if self.rounds < 1:
            raise ConfigError(f"--iterations {self.rounds}: expected at least 1")
        if not self.ratio and self.options():
            raise ConfigError(f"{self.options()}: says how channels are cut, and --prune 0 cuts none")

    def options(self) -> str:
        """Return the options of ``netsmith compress`` that say the same, those at their default left out."""
        given = (("criterion", self.criterion, "l2"), ("scope", self.scope, "global"), ("iterations", self.rounds, 1))
        how = [f"--{name} {value}" for name, value, default in given if value != default]
        return " ".join([*how, *(f"--protect {shlex.quote(name)}" for name in self.protect)])


def pruned(
    run: Run, source: Source, how: Pruning, *, tune: Tune, notice: Callable[[str], None]
) -> tuple[nn.Module, SurgeryLog] | None:
    """Prune a copy of the product; None, and one line, where nothing of it can be cut.

    Args:
        run: A finished run.
        source: Its data, for the criterion ``taylor``.
        how: What goes.
        tune: Called between rounds; the next one judges the weights that it left.
        notice: Where one-line notices go.

    Raises:
        ProofError: A cut that cannot be proven.
    """
    from netsmith.compress.prune import kept_by_code, prune_iteratively
    from netsmith.compress.surgery import SurgeryLog

    network, done = run.network, 0
    so_far = SurgeryLog(())

    def fine_tune(module: nn.Module, cut: SurgeryLog) -> None:
        nonlocal so_far, done
        so_far, done = so_far.then(cut), done + 1
        notice(f"round {done} of {how.rounds}: {count_parameters(module):,} parameters are left")
        module.load_state_dict(tune(module, so_far, done).network.module.state_dict())

    try:
        smaller, log = prune_iteratively(
            network.module,
            network.module_example(2),
            ratio=how.ratio,
            rounds=how.rounds,
            fine_tune=fine_tune,
            criterion=how.criterion,
            scope=how.scope,
            protect=how.protect,
            gradients=(lambda module: _gradients(run, source, module)) if how.criterion == "taylor" else None,
            generator=torch.Generator().manual_seed(run.found.config.seed),
        )
    except UnsupportedError as error:
        notice(f"pruning is left out: {error}")
        return None
    before, after = count_parameters(network.module), count_parameters(smaller)
    notice(
        f"pruned {how.ratio:.0%} of the channels: {before:,} to {after:,} parameters, proven equal to the masked one"
    )
    if kept := kept_by_code(log):
        notice(kept)
    return smaller, log


def sensitivity_chart(run: Run, source: Source, criterion: Criterion) -> Chart:
    """Return what accuracy is left when one layer alone loses channels, of the layers that lose most.

    Args:
        run: A finished run whose product can be cut.
        source: Its data.
        criterion: By what the channels are chosen.
    """
    from netsmith.api.network import Network
    from netsmith.compress.sensitivity import sensitivity

    network = run.network
    split = "dev" if "dev" in source.splits() else "train"
    judged = judge(network, source, split, most=_JUDGED)

    def accuracy(module: nn.Module) -> float:
        masked = Network(module.eval(), network.spec, task=network.task)
        return float(judged.right(masked(judged.raw)).double().mean())

    found = sensitivity(
        network.module,
        network.module_example(2),
        accuracy,
        ratios=_PARTS,
        criterion=criterion,
        gradients=_gradients(run, source, network.module) if criterion == "taylor" else None,
        generator=torch.Generator().manual_seed(run.found.config.seed),
    )
    return Chart(
        "What a layer alone loses",
        [Curve(*line) for line in found.series(most=4)],
        percent=True,
        x_label="part of the channels that goes",
        y_label=f"accuracy on {split}",
        caption=f"Sensitivity by the criterion {criterion}, masked and not trained, on {len(judged.targets)} labels; "
        "the layers that lose most.",
    )


def _gradients(run: Run, source: Source, module: nn.Module) -> Mapping[str, Tensor]:
    """Return the gradient of the mean loss over some training batches, statistics as they were learned."""
    task = run.network.task
    if task is None:
        raise UnsupportedError("the criterion taylor needs the loss, and this run's task is not known; take l2")
    named = {name: p for name, p in module.named_parameters() if p.requires_grad}
    mode, totals, weight = module.training, {name: torch.zeros_like(p) for name, p in named.items()}, 0.0
    module.eval()
    for indices in source.order("train", seed=0, epoch=0)[:_BATCHES]:
        batch = source.load("train", indices)
        loss = task.loss(module(batch.inputs), batch.targets, batch.weights)
        found = torch.autograd.grad(loss.total, list(named.values()), allow_unused=True)
        for total, part in zip(totals.values(), found, strict=True):
            total += 0 if part is None else part
        weight += float(loss.weight)
    module.train(mode)
    return {name: total / weight for name, total in totals.items()}
