"""What dropout, normalization, a falling rate, residual connections and depth each give a small CNN."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import mean, stdev
from typing import Any

from pydantic import Field

from netsmith.core.findings import Bar, Bars, Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig, SourceConfig
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.engine.source import Source
from netsmith.labs._training import train
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.schedules.constant import Constant
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "CnnAblation"]

CARD = {
    "title": "A CNN taken apart",
    "paper": "Srivastava et al. 2014; Ioffe & Szegedy 2015; Wu & He 2018; Loshchilov & Hutter 2017; He et al. 2016",
    "shows": "test accuracy of one small CNN with dropout, normalization, rate decay, shortcuts or depth changed",
    "quick": {"steps": 2, "seeds": 2, "channels": [8], "data": {"kind": "digits", "batch": 32}},
}

_RATE = "optimizers.model.schedule"
_CHANGES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("dropout 0.5", {"method.model.dropout": 0.5}),
    ("no normalization", {"method.model.normalization": "none"}),
    ("group normalization", {"method.model.normalization": "group"}),
    ("constant rate", {_RATE: Constant.Config()}),
    ("no shortcuts", {"method.model.residual": False}),
    ("1 layer, no shortcuts", {"method.model.depth": 1, "method.model.residual": False}),
    ("4 layers", {"method.model.depth": 4}),
    ("4 layers, no shortcuts", {"method.model.depth": 4, "method.model.residual": False}),
)
_BASE = "base"


class CnnAblation:
    """Train the same CNN with one thing changed at a time, each with the same seeds, and compare seed by seed.

    The base has two stages of two layers with batch normalization and shortcuts, no dropout, and a rate that falls
    along a cosine. A seed decides first weights and the order of the examples, so differences are taken within a seed.
    By default on Fashion-MNIST: 27 trainings of 300 steps, some ten minutes on one core.
    """

    class Config(LabConfig):
        """What is trained.

        Attributes:
            data: Images with classes.
            steps: Length of each training, in batches.
            lr: Learning rate at its highest, of SGD with momentum 0.9.
            channels: Channels of each stage.
            seeds: How often everything is done.
        """

        data: SourceConfig = FashionMnist.Config(batch=64, dev=0.05)
        steps: int = Field(default=300, ge=2)
        lr: float = Field(default=0.05, gt=0)
        channels: tuple[int, ...] = (16, 32)
        seeds: int = Field(default=3, ge=2, le=100)

    def __init__(self, config: CnnAblation.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return accuracies by change and seed, their differences from the base, and losses by step."""
        source = self.config.data.build()
        found: dict[str, tuple[float, ...]] = {}
        curves: list[Series] = []
        for name, changes in ((_BASE, {}), *_CHANGES):
            tests, losses = [], []
            for seed in range(self.config.seeds):
                trained = train(self._experiment(seed).derive(**changes), source=source)
                tests.append(trained.accuracy("test"))
                losses.append(trained.losses)
            found[name] = tuple(tests)
            curves.append(_smooth(name, [mean(at) for at in zip(*losses, strict=True)]))
        base = found[_BASE]
        apart = {name: tuple(a - b for a, b in zip(found[name], base, strict=True)) for name, _ in _CHANGES}
        numbers = {f"test/accuracy/{name}": values for name, values in found.items()}
        numbers |= {f"difference/{name}": values for name, values in apart.items()}
        rows = [
            (name, 100 * mean(values), 100 * stdev(values), None if name == _BASE else 100 * mean(apart[name]))
            for name, values in found.items()
        ]
        table = Grid(
            "Test accuracy",
            ("network", "mean, %", "standard deviation", "points more than the base"),
            tuple((name, *(None if one is None else round(one, 2) for one in rest)) for name, *rest in rows),
            f"Over {self.config.seeds} seeds, after {self.config.steps} steps of {self._size(source)} images. Each row "
            "changes one thing of the base, or two where its name says so.",
        )
        bars = Bars(
            "differences",
            "What each change gives",
            "points of test accuracy",
            tuple(apart),
            (
                Bar(
                    "What each change gives",
                    tuple(100 * mean(values) for values in apart.values()),
                    tuple(100 * stdev(values) for values in apart.values()),
                ),
            ),
            f"Mean difference from the base within a seed; lines: standard deviation over {self.config.seeds} seeds.",
        )
        charts = tuple(
            Lines(
                f"loss_{number}",
                "Training loss",
                "step",
                "loss, nats",
                (curves[0], *some),
                caption="Mean over seeds, and over neighboring steps.",
            )
            for number, some in enumerate((curves[1:5], curves[5:]), 1)
        )
        return Findings(numbers, (bars, *charts), (table,), (_first(base), *map(_remark, apart, apart.values())))

    def _experiment(self, seed: int) -> Experiment.Config:
        return Experiment.Config(
            method=Supervised.Config(
                model=SmallCNN.Config(channels=self.config.channels, depth=2, residual=True), task=Classify.Config()
            ),
            data=self.config.data,
            optimizers={"model": SGD.Config(lr=self.config.lr, momentum=0.9, schedule=Cosine.Config())},
            steps=self.config.steps,
            seed=seed,
            evaluate_every=self.config.steps,
        )

    def _size(self, source: Source) -> int:
        return len(next(iter(source.order("train", seed=0, epoch=0))))


def _smooth(name: str, losses: list[float]) -> Series:
    """Return the means of at most forty stretches of steps."""
    edges = [len(losses) * at // 40 for at in range(41)]
    parts = [(low, high) for low, high in pairwise(sorted(set(edges)))]
    return Series(
        name, tuple((low + high) / 2 for low, high in parts), tuple(mean(losses[low:high]) for low, high in parts)
    )


def _first(base: tuple[float, ...]) -> str:
    return (
        f"The base reaches {100 * mean(base):.2f} % on the test images (standard deviation {100 * stdev(base):.2f}, "
        f"{len(base)} seeds)."
    )


def _remark(name: str, differences: tuple[float, ...]) -> str:
    points, count = 100 * mean(differences), len(differences)
    above, below = sum(one > 0 for one in differences), sum(one < 0 for one in differences)
    error = 100 * stdev(differences) / math.sqrt(count)
    if count in (above, below):
        seeds = f"{'above' if above else 'below'} the base with each of {count} seeds"
    else:
        seeds = f"above the base with {above} of {count} seeds and below it with {below}: no direction"
    return f"{name}: {points:+.2f} points (standard error {error:.2f}), {seeds}."
