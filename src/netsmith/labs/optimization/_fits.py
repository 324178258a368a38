"""What labs on trained networks share: fixed examples, a training whose weights are kept, figures over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.roles import ModelConfig, OptimizerConfig, SourceConfig
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.method import Logs
from netsmith.engine.source import Source
from netsmith.methods.supervised import Supervised
from netsmith.tasks.classify import Classify

__all__ = ["Fit", "Weights", "around", "classifier", "examples", "fit"]

_LOOK = 10  # steps between two looks at a loss that ends a training
_PIECE = 512  # examples of one forward pass: they stay in the processor's cache

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Fit:
    """A trained network and its way.

    Attributes:
        engine: After the last step.
        module: The network.
        states: Copies of the parameters and of what normalizations have counted before the first step, every so many
            steps, and after the last.
        steps: The step of each.
    """

    engine: Engine
    module: nn.Module
    states: tuple[Weights, ...]
    steps: tuple[int, ...]

    def figure(self, name: str, split: str) -> float:
        """Return a figure (``loss``, ``accuracy``) of the last weights on a split."""
        return self.engine.evaluate(split)[f"{split}/{name}"]


class _Keep(Hook):
    """Copies the state of a network every so many steps: running statistics belong to their weights."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.states: list[Weights] = []
        self.steps: list[int] = []

    def start(self, engine: Engine) -> None:
        self._keep(engine)

    def after_step(self, engine: Engine, logs: Logs) -> None:  # noqa: ARG002
        if engine.step % self.every == 0:
            self._keep(engine)

    def end(self, engine: Engine) -> None:
        if self.steps[-1] != engine.step:
            self._keep(engine)

    def _keep(self, engine: Engine) -> None:
        state = engine.method.product().state_dict()
        self.states.append({name: tensor.detach().clone() for name, tensor in state.items()})
        self.steps.append(engine.step)


class _Reach(Hook):
    """Ends the training when a look at the loss of fixed examples finds it at most so high."""

    def __init__(self, batches: list[Batch], loss: float, every: int) -> None:
        self.batches = batches
        self.loss = loss
        self.every = every

    @torch.no_grad()
    def after_step(self, engine: Engine, logs: Logs) -> None:  # noqa: ARG002
        if engine.step % self.every == 0:
            module = engine.method.product().eval()
            total = sum(float(F.cross_entropy(module(b.inputs), b.targets, reduction="sum")) for b in self.batches)
            module.train()
            if total <= self.loss * sum(map(len, self.batches)):
                engine.stop("deep enough")


def classifier(
    model: ModelConfig,
    data: SourceConfig,
    optimizer: OptimizerConfig,
    *,
    epochs: int,
    seed: int,
    clip_norm: float = 0.0,
) -> Experiment.Config:
    """Return the experiment of a network that learns classes."""
    method = Supervised.Config(model=model, task=Classify.Config())
    fields = {"epochs": epochs, "seed": seed, "clip_norm": clip_norm, "device": "cpu"}
    return Experiment.Config(method=method, data=data, optimizers={"model": optimizer}, **fields)


def fit(
    config: Experiment.Config, *, source: Source, kept: int = 1, until: tuple[list[Batch], float] | None = None
) -> Fit:
    """Train, and keep the weights before the first step and at about ``kept`` steps after it, the last among them.

    Args:
        config: The experiment; evaluated at its end only.
        source: Its data.
        kept: How many.
        until: Examples and a loss: the training ends where their mean loss, looked at every ten steps, is so low.
    """
    resolved = Experiment(config, source=source).config
    experiment = Experiment(config.derive(evaluate_every=resolved.steps), source=source)
    keep = _Keep(max(1, int(resolved.steps) // kept))
    hooks: list[Hook] = [keep]
    if until is not None:
        hooks.append(_Reach(*until, every=min(_LOOK, int(resolved.steps) // config.epochs)))
    engine = Engine(experiment, hooks=hooks)
    engine.fit()
    return Fit(engine, engine.method.product(), tuple(keep.states), tuple(keep.steps))


def around(module: nn.Module, beyond: float) -> tuple[float, float]:
    """Return the span of a straight line between two states of a network that goes beyond both by a share of the way.

    With running statistics it ends at the states: further out a variance could be negative.
    """
    counted = any(buffer.is_floating_point() for buffer in module.buffers())
    return (0.0, 1.0) if counted else (-beyond, 1 + beyond)


def examples(source: Source, *, split: str = "train", count: int) -> list[Batch]:
    """Return up to ``count`` examples of a split, drawn by a fixed key, without augmentation, in batches."""
    size = next(part.size for part in source.spec.splits if part.name == split)
    chosen = torch.randperm(size, generator=torch.Generator().manual_seed(0))[:count]
    return [source.load(split, part) for part in chosen.split(_PIECE)]
