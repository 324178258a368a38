"""The first k of n layers, moved from one half of the classes to the other."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from typing import Any, NamedTuple

from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Series
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

__all__ = ["CARD", "TransferLayers"]

CARD = {
    "title": "How transferable are layers? The first k of n, between two halves of the classes",
    "paper": "Yosinski et al. 2014, arXiv:1411.1792 (section 4.1, figure 2)",
    "shows": "the accuracy on classes B with the first k layers of a network for classes A, or for B itself, frozen or "
    "fine-tuned",
    "quick": {"data": {"kind": "digits", "twin": True, "batch": 20}, "channels": [4, 4], "per_class": 10, "epochs": 1},
}


class _Way(NamedTuple):
    key: str
    name: str
    own: bool
    frozen: bool


_WAYS = (
    _Way("BnB", "from B, frozen (BnB)", own=True, frozen=True),
    _Way("BnB+", "from B, fine-tuned (BnB+)", own=True, frozen=False),
    _Way("AnB", "from A, frozen (AnB)", own=False, frozen=True),
    _Way("AnB+", "from A, fine-tuned (AnB+)", own=False, frozen=False),
)


class TransferLayers:
    """Train a network on one half of the classes; give its first k layers to a fresh one that learns the other half.

    Frozen layers show how general they are; the same with layers from the other half's own network (BnB) shows what
    cutting a network in two costs by itself. Every network learns for the same number of steps. The test images are
    read once by each. About 45 s on one core.
    """

    class Config(LabConfig):
        """Data and network.

        Attributes:
            data: The images; which classes are A and which are B is drawn.
            channels: Of each convolution of the network; a head comes after them.
            per_class: Training images of each class.
            epochs: Passes over them.
            rate: The largest learning rate of a cycle.
            repeats: How often all is done, each time with other halves and weights.
            seed: Of the first.
        """

        data: SourceConfig = FashionMnist.Config(batch=50, dev=0.0)
        channels: tuple[int, ...] = (8, 12, 16, 16)
        per_class: int = Field(default=200, ge=1)
        epochs: int = Field(default=4, ge=1)
        rate: float = Field(default=0.01, gt=0)
        repeats: int = Field(default=2, ge=1)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: TransferLayers.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return accuracies by k for each way."""
        config = self.config
        found: dict[str, list[list[float]]] = {way.key: [] for way in _WAYS}
        base: list[float] = []
        learned = []
        for repeat in range(config.repeats):
            seed = config.seed + repeat
            sources = self._sources(seed)
            learned.append(sources[1].spec.outputs.names)
            states = []
            for number, source in enumerate(sources):
                engine = self._train(source, Supervised.Config(model=self._model, task=Classify.Config()), seed)
                states.append(engine.method.product().state_dict())
                if number:
                    base.append(engine.evaluate("test")["test/accuracy"])
            for way in _WAYS:
                row = []
                for layers in range(1, len(config.channels) + 1):
                    method = FineTuning.Config(
                        model=self._model,
                        task=Classify.Config(),
                        layers=layers,
                        freeze=("transferred",) if way.frozen else (),
                    )
                    # other first weights and order than those of the network that the layers are from
                    engine = self._train(sources[1], method, key(seed, "again") % 2**31, states[int(way.own)])
                    row.append(engine.evaluate("test")["test/accuracy"])
                found[way.key].append(row)
        means = {name: [statistics.fmean(each) for each in zip(*rows, strict=True)] for name, rows in found.items()}
        alone = statistics.fmean(base)
        numbers: dict[str, Any] = {f"accuracy/{name}": tuple(row) for name, row in means.items()}
        numbers |= {"accuracy/base": alone, "each/base": tuple(base)}
        numbers |= {f"each/{name}/{n}": tuple(row) for name, rows in found.items() for n, row in enumerate(rows, 1)}
        ks = tuple(float(k) for k in range(1, len(config.channels) + 1))
        series = (
            Series("base B", ks, (100 * alone,) * len(ks)),
            *(Series(way.name, ks, tuple(100 * value for value in means[way.key])) for way in _WAYS),
        )
        chart = Lines(
            "layers",
            f"Accuracy on B by transferred layers (of {len(ks) + 1})",
            "k, layers taken over",
            "accuracy (%)",
            series,
            caption=f"Mean of {config.repeats} draws of the halves of {config.data.kind_name()}, {config.per_class} "
            f"training images of each class, {config.epochs} epochs; test images.",
        )
        table = Grid(
            "Accuracy on B (%)",
            ("k", *(way.key for way in _WAYS)),
            tuple((int(k), *(100 * means[way.key][at] for way in _WAYS)) for at, k in enumerate(ks)),
            caption=f"Base B, nothing transferred: {100 * alone:.1f} %, by draw "
            f"{', '.join(f'{100 * value:.1f}' for value in base)}. Classes of B: {'; '.join(map(', '.join, learned))}.",
        )
        return Findings(numbers, (chart,), (table,), _remarks(means, alone, base))

    @property
    def _model(self) -> SmallCNN.Config:
        return SmallCNN.Config(channels=self.config.channels)

    def _sources(self, seed: int) -> list[Source]:
        """Return the sources of A and B."""
        data, each = self.config.data, self.config.per_class
        subsets = [ClassSubset.Config(data=data, classes=half, per_class=each) for half in halves(data, seed=seed)]
        return [subset.build() for subset in subsets]

    def _train(
        self, source: Source, method: Supervised.Config, seed: int, weights: Mapping[str, Tensor] | None = None
    ) -> Engine:
        config = self.config
        return trained(
            method, source, data=config.data, rate=config.rate, seed=seed, epochs=config.epochs, weights=weights
        )


def _remarks(means: dict[str, list[float]], alone: float, base: list[float]) -> tuple[str, ...]:
    last = len(means["AnB"])
    apart = f" (its draws lie {100 * (max(base) - min(base)):.1f} points apart)" if len(base) > 1 else ""
    texts = [f"Without transfer: {100 * alone:.1f} %{apart}."]
    for way in _WAYS:
        row = [100 * (value - alone) for value in means[way.key]]
        best = max(range(last), key=row.__getitem__)
        text = f"{row[0]:+.1f} points with 1 layer, {row[-1]:+.1f} with {last}"
        texts.append(f"{way.name[0].upper()}{way.name[1:]}: {text}; best with {best + 1} ({row[best]:+.1f}).")
    gap = [100 * (own - other) for own, other in zip(means["BnB"], means["AnB"], strict=True)]
    texts.append(
        "Frozen layers from B are ahead of frozen layers from A by "
        f"{', '.join(f'{value:+.1f}' for value in gap)} points at k = 1 to {last}."
    )
    return tuple(texts)
