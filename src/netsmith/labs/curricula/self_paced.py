"""What a network chooses to learn from while it may leave out what is hard for it."""

from __future__ import annotations

import statistics
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Bar, Bars, Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig, ModelConfig, SourceConfig
from netsmith.data._arrays import FixedSource
from netsmith.data.shapes import Shapes
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.method import Logs
from netsmith.methods.self_paced import SelfPaced as Method
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "SelfPaced"]

CARD = {
    "title": "Self-paced learning: the easy now, the hard later",
    "paper": "Kumar, Packer & Koller 2010, Self-paced learning for latent variable models (NIPS)",
    "shows": "the share of the training examples whose loss is below the threshold, by their difficulty, and the "
    "accuracy beside plain training",
}

_QUARTERS = ("easiest quarter", "second", "third", "hardest quarter")


class SelfPaced:
    """A network that chooses its examples by their loss, on shapes whose difficulty is known but not told to it.

    At the end of each epoch all training examples are looked at: those whose loss lies below the threshold of that
    moment would be learned from. Plain training takes all, for as many steps. About 45 s on one core.
    """

    class Config(LabConfig):
        """Data, pace and network.

        Attributes:
            data: A source that grades its examples.
            model: The network.
            warm_up: Epochs in which all examples count, before the threshold has a say.
            growth: What the threshold is multiplied by once an epoch.
            full_from: Share of the run after which all examples count.
            epochs: Of each run.
            rate: The largest learning rate of a cycle.
            seeds: How many runs of each kind.
            seed: Of the first.
        """

        data: SourceConfig = Shapes.Config(size=1500, batch=50)
        model: ModelConfig = SmallCNN.Config(channels=(6, 12, 24, 24))
        warm_up: int = Field(default=2, ge=1)
        growth: float = Field(default=1.3, gt=1)
        full_from: float = Field(default=0.8, gt=0, le=1)
        epochs: int = Field(default=10, ge=2)
        rate: float = Field(default=0.02, gt=0)
        seeds: int = Field(default=4, ge=2)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: SelfPaced.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return what was chosen by difficulty, and accuracies."""
        config = self.config
        source = config.data.build()
        task = Classify.Config()
        quarters = _quarters(source.difficulty("train"))
        chosen: list[list[list[float]]] = []
        ends: dict[str, list[float]] = {"plain": [], "paced": []}
        curves: dict[str, list[list[float]]] = {"plain": [], "paced": []}
        every = len(source.order("train", seed=0, epoch=0))
        paced = Method.Config(
            model=config.model,
            task=task,
            warm_up=config.warm_up * every,
            growth=config.growth,
            every=every,
            full_from=config.full_from,
        )
        for number in range(config.seeds):
            for name, method in (("plain", Supervised.Config(model=config.model, task=task)), ("paced", paced)):
                experiment = Experiment.Config(
                    method=method,
                    data=config.data,
                    optimizers={"model": AdamW.Config(lr=config.rate, weight_decay=0.01, schedule=OneCycle.Config())},
                    epochs=config.epochs,
                    seed=config.seed + number,
                )
                watch = _Choices(source, quarters, every)
                engine = Engine(Experiment(experiment, source=source), hooks=[watch])
                engine.fit()
                ends[name].append(engine.evaluate("test")["test/accuracy"])
                curves[name].append([found["dev/accuracy"] for _, found in engine.history])
                if watch.rows:
                    chosen.append(watch.rows)
        mean = torch.tensor(chosen).mean(0)  # (epochs, 4)
        epochs = tuple(float(epoch) for epoch in range(1, config.epochs + 1))
        shares = [tuple(column) for column in mean.T.tolist()]
        numbers: dict[str, Any] = {f"chosen/{at}": row for at, row in enumerate(shares, 1)}
        numbers |= {f"test/{name}": tuple(row) for name, row in ends.items()}
        numbers |= {f"mean/{name}": statistics.fmean(row) for name, row in ends.items()}
        for name, rows in curves.items():
            numbers[f"dev/{name}"] = tuple(map(statistics.fmean, zip(*rows, strict=True)))
        names = {"plain": "all examples", "paced": "self-paced"}
        seeds = f"Means of {config.seeds} seeds."
        figures = (
            Lines(
                "chosen",
                "Share of the training examples below the threshold",
                "epoch",
                "share (%)",
                tuple(
                    Series(name, epochs, tuple(100 * value for value in row))
                    for name, row in zip(_QUARTERS, shares, strict=True)
                ),
                caption=f"{seeds} The threshold begins after {config.warm_up} epochs, grows by a factor of "
                f"{config.growth:g} an epoch, and is infinite from {100 * config.full_from:.0f} % of the run on.",
            ),
            Lines(
                "dev",
                "Accuracy on held-out shapes",
                "epoch",
                "accuracy (%)",
                tuple(
                    Series(text, epochs, tuple(100 * value for value in numbers[f"dev/{name}"]))
                    for name, text in names.items()
                ),
                caption=seeds,
            ),
            Bars(
                "test",
                "Test accuracy at the end",
                "accuracy (%)",
                tuple(f"seed {config.seed + number}" for number in range(config.seeds)),
                tuple(Bar(text, tuple(100 * value for value in ends[name])) for name, text in names.items()),
            ),
        )
        table = Grid(
            "Share of the training examples below the threshold (%)",
            ("epoch", *_QUARTERS),
            tuple(
                (int(epoch), *(100 * value for value in row)) for epoch, row in zip(epochs, mean.tolist(), strict=True)
            ),
        )
        return Findings(numbers, figures, (table,), _remarks(shares, ends))


class _Choices(Hook):
    """At the end of each epoch: which share of each quarter has a loss below lambda."""

    def __init__(self, source: FixedSource, quarters: Tensor, every: int) -> None:
        self.source, self.quarters, self.every = source, quarters, every
        self.rows: list[list[float]] = []

    def after_step(self, engine: Engine, logs: Logs) -> None:  # noqa: ARG002
        method = engine.method
        if not isinstance(method, Method) or engine.step % self.every:
            return
        method.steps_taken -= 1  # lambda of the step that was just made
        limit = method.limit(int(engine.config.steps))
        method.steps_taken += 1
        method.eval()
        found = []
        with torch.no_grad():
            for at in torch.arange(len(self.quarters)).split(500):
                batch = engine.move(self.source.load("train", at))
                found.append(method.losses(method.model(batch.inputs), batch) < limit)
        method.train()
        below = torch.cat(found).double().cpu()
        self.rows.append([float(below[self.quarters == quarter].mean()) for quarter in range(4)])


def _quarters(difficulty: Tensor) -> Tensor:
    """Return which quarter, 0 the easiest, each example belongs to."""
    ranks = torch.argsort(torch.argsort(difficulty, stable=True))
    return ranks * 4 // len(difficulty)


def _remarks(shares: list[tuple[float, ...]], ends: dict[str, list[float]]) -> tuple[str, ...]:
    begun = next((epoch for epoch, row in enumerate(zip(*shares, strict=True)) if max(row) < 1), 0)
    first = [f"{100 * row[begun]:.0f} %" for row in shares]
    apart = [100 * (a - b) for a, b in zip(ends["paced"], ends["plain"], strict=True)]
    wider = [100 * (easy - hard) for easy, hard in zip(shares[0], shares[-1], strict=True)]
    most = max(range(len(wider)), key=wider.__getitem__)
    error = statistics.stdev(apart) / len(apart) ** 0.5
    full = next((at for at, row in enumerate(zip(*shares, strict=True), 1) if at > begun and min(row) == 1), None)
    return (
        f"After epoch {begun + 1} {', '.join(first)} of the quarters are below the threshold, from the easiest to the "
        "hardest.",
        f"The easiest quarter is ahead of the hardest by {wider[most]:.1f} points at most (epoch {most + 1}), by "
        f"{min(wider):.1f} at least.",
        f"All examples are below it from epoch {full} on." if full else "At no epoch are all examples below it.",
        f"Self-paced against all examples: {statistics.fmean(apart):+.2f} points of test accuracy in the mean "
        f"(standard error {error:.2f}), ahead in {sum(value > 0 for value in apart)} of {len(apart)} seeds.",
    )
