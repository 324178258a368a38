"""Transfer: begin with another run's weights, hold some of them, let go from the top (Yosinski 2014; Howard 2018)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.errors import ConfigError, UnknownNameError, shorten
from netsmith.core.spec import Spec
from netsmith.engine.checkpoint import tensors_sha256
from netsmith.engine.experiment import Experiment
from netsmith.engine.method import Feed, Logs, Update
from netsmith.layers.layer_groups import layer_groups
from netsmith.methods._order import from_first_to_last, landmarks_of
from netsmith.methods.supervised import Supervised

__all__ = ["FineTuning", "begin_with"]

_TRANSFERRED = "transferred"  # in freeze: all that is taken over


class FineTuning(Supervised):
    r"""Supervised learning that begins with the weights of a run on other data.

    Its first ``layers`` layers are taken over (Yosinski et al. 2014, arXiv:1411.1792: the first k of n), the others are
    as freshly drawn; by default all but a head that has other labels. What counts as a layer says
    :func:`~netsmith.layers.layer_groups.layer_groups`. Then

    - ``freeze`` holds parts for good: no gradient, and normalizations in evaluation mode, so that weights and
      statistics stay bit for bit;
    - ``unfreeze_every`` thaws from the top (gradual unfreezing, Howard & Ruder 2018, arXiv:1801.06146, section 3.3): at
      step t the last :math:`1 + \lfloor t / s \rfloor` layers learn; theirs is s = one epoch;
    - the optimizer's ``layer_decay`` gives lower layers lower rates (their discriminative fine-tuning).

    The weights come from outside (:func:`begin_with`; ``netsmith train ... --from RUN``). Their hash and the number of
    layers taken go into the config, so a run says what it began with.

    Raises:
        UnknownNameError: ``freeze`` names no part of the network.
        ConfigError: Everything is frozen; in ``step``: no weights were brought.
    """

    class Config(Supervised.Config):
        """What is learned, and what is held.

        Attributes:
            model: The network: of the form of the run it begins with, its head aside.
            task: What its output means.
            start: SHA-256 of the weights it begins with; filled in when they are brought, and checked where given.
            layers: How many of the first layers are taken over; 0 for all that fit.
            freeze: Names of modules, landmarks (``stem``, ``features``), or ``transferred``: all that is taken over.
            unfreeze_every: Steps after which one more layer learns, from the top; 0: all from the beginning.
        """

        start: str = ""
        layers: int = Field(default=0, ge=0)
        freeze: tuple[str, ...] = ()
        unfreeze_every: int = Field(default=0, ge=0)

    config: FineTuning.Config

    def __init__(self, config: FineTuning.Config, *, spec: Spec) -> None:
        super().__init__(config, spec=spec)
        self.begun = False
        self.steps_taken = 0
        tensors = self.model.state_dict(keep_vars=True)
        landmarks = landmarks_of(self.model)
        self.groups = layer_groups(tensors, head=landmarks.get("head", ""), entry=landmarks.get("entry", ""))
        if config.layers > len(self.groups):
            raise ConfigError(f"layers={config.layers}, but {config.model.kind_name()} has {len(self.groups)}")
        self._held: frozenset[str] = frozenset()
        self._hold()

    # -- what it begins with ----------------------------------------------------------------------------------------

    def adopt(self, weights: Mapping[str, Tensor], *, same_answers: bool) -> None:
        """Copy the first layers from a network's state, and note in the config what was taken.

        Args:
            weights: The state of a network of this form.
            same_answers: Whether its head answers what this one is to answer; else the last layer stays fresh.

        Raises:
            ConfigError: Another hash than the config's, layers that are not there or of another shape.
        """
        config, digest = self.config, tensors_sha256(weights)
        if config.start and config.start != digest:
            raise ConfigError(f"method.start={config.start[:12]}..., but these weights have SHA-256 {digest[:12]}...")
        most = len(self.groups) if same_answers else len(self.groups) - 1
        if config.layers > most:
            raise ConfigError(
                f"layers={config.layers}: the last of {len(self.groups)} layers answers other labels than these data "
                f"have; take at most {most}"
            )
        count = config.layers or most
        held = self.model.state_dict(keep_vars=True)
        names = list(itertools.chain.from_iterable(self.groups[:count]))
        for name in names:
            theirs = weights.get(name)
            if theirs is None or theirs.shape != held[name].shape:
                shown = "missing" if theirs is None else tuple(theirs.shape)
                raise ConfigError(
                    f"the weights to begin with do not fit {shorten(repr(config.model), 120)}: {name} is {shown}, "
                    f"expected {tuple(held[name].shape)}. Take the same network and inputs, or fewer layers "
                    "(method.layers)"
                )
        with torch.no_grad():
            for name in names:
                held[name].copy_(weights[name])
        self.config = config.derive(start=digest, layers=count)
        self.begun = True
        self._hold()

    # -- what is held -----------------------------------------------------------------------------------------------

    def _hold(self) -> None:
        """Find what is frozen for good."""
        tensors = self.model.state_dict(keep_vars=True)
        landmarks = landmarks_of(self.model)
        modules = [name for name, _ in self.model.named_modules() if name]
        held: set[str] = set()
        for wanted in self.config.freeze:
            if wanted == _TRANSFERRED:
                held.update(itertools.chain.from_iterable(self.groups[: self.config.layers]))
                continue
            place = landmarks.get(wanted, wanted)
            if place not in modules:
                raise UnknownNameError("part of the network", wanted, [_TRANSFERRED, *landmarks, *modules])
            held.update(name for name in tensors if name.startswith(f"{place}."))
        self._held = frozenset(held)
        self._thaw()
        if not any(parameter.requires_grad for parameter in self.model.parameters()):
            raise ConfigError(
                f"freeze={list(self.config.freeze)}: nothing is left to learn at the first step; keep the head open"
            )

    def _learned(self) -> dict[str, nn.Parameter]:
        named = ((name, p) for name, p in self.named_parameters() if name.removeprefix("model.") not in self._held)
        return from_first_to_last(named, self.model)

    def players(self) -> dict[str, dict[str, nn.Parameter]]:
        """Return all that is not frozen for good, whether it learns already or not yet."""
        return {"model": self._learned()}

    def undecomposable(self) -> str:
        """Say why a batch may not be cut; a batch normalization that thaws later counts from the beginning."""
        for name, module in self.model.named_modules():
            rests = any(f"{name}.{part}" in self._held for part in module._buffers)
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and not rests:
                return f"batch normalization (model.{name}) couples the examples of a batch"
        return super().undecomposable()

    def _open(self) -> int:
        """Return how many layers learn at this step, counted from the top."""
        every = self.config.unfreeze_every
        return 1 + self.steps_taken // every if every else len(self.groups)

    def _thaw(self) -> None:
        """Let gradients reach what learns at this step, and nothing else; what rests is in evaluation mode."""
        closed = set(itertools.chain.from_iterable(self.groups[: max(0, len(self.groups) - self._open())]))
        still = closed | self._held
        for name, tensor in self.model.named_parameters():
            tensor.requires_grad_(name not in still)
        for name, module in self.model.named_modules():
            if any((f"{name}.{part}" if name else part) in still for part in module._buffers):
                module.training = False  # a normalization at rest keeps its statistics

    def train(self, mode: bool = True) -> FineTuning:
        """Set the mode of what learns; the rest stays in evaluation mode."""
        super().train(mode)
        self._thaw()
        return self

    def step(self, feed: Feed, update: Update) -> Logs:
        if not self.begun:
            raise ConfigError(
                "there are no weights to begin with: give a finished run with --from RUN (in Python: begin_with)"
            )
        if self.config.unfreeze_every and self.steps_taken % self.config.unfreeze_every == 0:
            self.train(self.training)
        logs = super().step(feed, update)
        self.steps_taken += 1
        return logs

    def state(self) -> dict[str, Any]:
        """Return the buffers, the frozen weights, and how far the run is."""
        return {**super().state(), "steps_taken": self.steps_taken, "begun": self.begun}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`state` returned."""
        super().restore(state)
        self.steps_taken, self.begun = int(state["steps_taken"]), bool(state["begun"])
        self.train(self.training)


def begin_with(experiment: Experiment, weights: Mapping[str, Tensor], *, same_answers: bool) -> None:
    """Bring a trained network's weights into a fresh experiment, and note in its config what was taken.

    Args:
        experiment: Its method is :class:`FineTuning`.
        weights: The state of a network of the same form.
        same_answers: Whether both answer the same labels in the same order.

    Raises:
        ConfigError: The method takes no weights, or they do not fit.
    """
    method = experiment.method
    if not isinstance(method, FineTuning):
        raise ConfigError(f"{type(method).__name__} begins with fresh weights; take the method fine_tuning")
    method.adopt(weights, same_answers=same_answers)
    experiment.config = experiment.config.derive(method=method.config)
