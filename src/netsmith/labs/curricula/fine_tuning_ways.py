"""Four ways to tune a network that was trained on other classes, at equal steps on few images."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Bar, Bars, Findings, Grid
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig, SourceConfig
from netsmith.data.class_subset import ClassSubset
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.engine import Engine
from netsmith.engine.source import Source
from netsmith.labs.curricula._transfer import halves, trained
from netsmith.methods.fine_tuning import FineTuning
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "FineTuningWays"]

CARD = {
    "title": "How to fine-tune: all layers, the head alone, thawing from the top, or lower rates below",
    "paper": "Howard & Ruder 2018, arXiv:1801.06146 (sections 3.2 and 3.3)",
    "shows": "the accuracy on new classes with few images, by what may learn when and how fast, against fresh weights",
    "quick": {
        "data": {"kind": "digits", "twin": True, "batch": 20},
        "channels": [4, 4],
        "source_per_class": 10,
        "per_class": 4,
        "source_steps": 4,
        "steps": 6,
    },
}


class _Way(NamedTuple):
    key: str
    name: str
    frozen: bool = False
    thaws: bool = False
    decays: bool = False


_WAYS = (
    _Way("all", "all at one rate"),
    _Way("head", "the head alone", frozen=True),
    _Way("gradual", "thawing", thaws=True),
    _Way("decay", "lower rates below", decays=True),
)


class FineTuningWays:
    """Train a network on one half of the classes, then tune it on few images of the other half in four ways.

    All begin with the same weights below a fresh head, see the same batches, and take equally many steps at the same
    largest rate: all layers learn at it; only the head does, the rest is frozen; one more layer thaws, from the top,
    after an equal share of the steps; or each layer's rate is that above it over ``decay``. A network with fresh
    weights learns beside them. Nothing is tuned to a way; the test images are read once by each. About 30 s on one
    core.
    """

    class Config(LabConfig):
        """Data and network.

        Attributes:
            data: The images; which classes are the source's and which the target's is drawn.
            channels: Of each convolution of the network; a head comes after them.
            source_per_class: Training images of each class of the source.
            source_steps: Of the training on them.
            per_class: Training images of each class of the target.
            steps: Of each way on the target.
            rate: The largest learning rate of a cycle.
            decay: What a layer's rate is divided by for the layer below.
            repeats: How often all is done, each time with other halves and weights.
            seed: Of the first.
        """

        data: SourceConfig = FashionMnist.Config(batch=25, dev=0.0)
        channels: tuple[int, ...] = (8, 12, 16, 16)
        source_per_class: int = Field(default=400, ge=1)
        source_steps: int = Field(default=320, ge=1)
        per_class: int = Field(default=10, ge=1)
        steps: int = Field(default=100, ge=1)
        rate: float = Field(default=0.01, gt=0)
        decay: float = Field(default=2.6, gt=1)
        repeats: int = Field(default=4, ge=1)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: FineTuningWays.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return accuracies by way."""
        config = self.config
        found: dict[str, list[float]] = {"fresh": [], **{way.key: [] for way in _WAYS}}
        for repeat in range(config.repeats):
            seed = config.seed + repeat
            source, target = self._sources(seed)
            supervised = Supervised.Config(model=self._model, task=Classify.Config())
            begun = self._train(source, supervised, seed, steps=config.source_steps).method.product().state_dict()
            again = key(seed, "again") % 2**31  # of all ways, so that they have the same first head and batches
            fresh = self._train(target, supervised, again, steps=config.steps)
            found["fresh"].append(fresh.evaluate("test")["test/accuracy"])
            for way in _WAYS:
                method = FineTuning.Config(
                    model=self._model,
                    task=Classify.Config(),
                    freeze=("transferred",) if way.frozen else (),
                    unfreeze_every=max(1, config.steps // (len(config.channels) + 1)) if way.thaws else 0,
                )
                decay = config.decay if way.decays else 1.0
                engine = self._train(target, method, again, steps=config.steps, weights=begun, decay=decay)
                found[way.key].append(engine.evaluate("test")["test/accuracy"])
        numbers: dict[str, Any] = {f"each/{name}": tuple(values) for name, values in found.items()}
        numbers |= {f"mean/{name}": statistics.fmean(values) for name, values in found.items()}
        names = {"fresh": "fresh weights", **{way.key: way.name for way in _WAYS}}
        means = tuple(100 * numbers[f"mean/{name}"] for name in names)
        spreads = tuple(100 * statistics.pstdev(found[name]) for name in names)
        chart = Bars(
            "ways",
            "Accuracy on the new classes",
            "accuracy (%)",
            tuple(names.values()),
            (Bar("test images", means, spreads),),
            caption=f"Mean and standard deviation of {config.repeats} draws of the halves of "
            f"{config.data.kind_name()}; {config.per_class} training images of each new class, {config.steps} steps.",
        )
        table = Grid(
            "Accuracy by draw (%)",
            ("draw", *names.values()),
            tuple((n + 1, *(100 * found[name][n] for name in names)) for n in range(config.repeats)),
            caption=f'Each layer\'s rate under "lower rates below" is that above it over {config.decay:g}.',
        )
        return Findings(numbers, (chart,), (table,), _remarks(found))

    @property
    def _model(self) -> SmallCNN.Config:
        return SmallCNN.Config(channels=self.config.channels)

    def _sources(self, seed: int) -> tuple[Source, Source]:
        config = self.config
        first, second = halves(config.data, seed=seed)
        many = ClassSubset.Config(data=config.data, classes=first, per_class=config.source_per_class)
        few = ClassSubset.Config(data=config.data, classes=second, per_class=config.per_class, seed=seed)
        return many.build(), few.build()

    def _train(
        self,
        source: Source,
        method: Supervised.Config,
        seed: int,
        *,
        steps: int,
        weights: Mapping[str, Tensor] | None = None,
        decay: float = 1.0,
    ) -> Engine:
        data, rate = self.config.data, self.config.rate
        return trained(method, source, data=data, rate=rate, seed=seed, steps=steps, weights=weights, decay=decay)


def _remarks(found: Mapping[str, list[float]]) -> tuple[str, ...]:
    means = {name: 100 * statistics.fmean(values) for name, values in found.items()}
    draws = len(found["all"])
    texts = [f"With fresh weights: {means['fresh']:.1f} %. All layers at one rate: {means['all']:.1f} %."]
    for way in _WAYS[1:]:
        apart = [100 * (ours - all_) for ours, all_ in zip(found[way.key], found["all"], strict=True)]
        ahead = sum(value > 0 for value in apart)
        texts.append(
            f"{way.name[0].upper()}{way.name[1:]}: {means[way.key]:.1f} %, {statistics.fmean(apart):+.1f} points "
            f"against all at one rate (from {min(apart):+.1f} to {max(apart):+.1f}), ahead in {ahead} of {draws} draws."
        )
    return tuple(texts)
