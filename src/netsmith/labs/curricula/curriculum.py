"""Easy examples first, hard ones first, or any: the same network, as many steps."""

from __future__ import annotations

import statistics
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Bar, Bars, Findings, Grid, Lines, Picture, Pictures, Series
from netsmith.core.roles import LabConfig, ModelConfig, SourceConfig
from netsmith.data.curriculum import Curriculum as Ordered
from netsmith.data.shapes import Shapes
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.labs._training import train
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "Curriculum"]

CARD = {
    "title": "A curriculum: from regular shapes to distorted ones",
    "paper": "Bengio, Louradour, Collobert & Weston 2009 (ICML; section 5)",
    "shows": "the accuracy with easy examples first, hard ones first, any first, and all from the beginning",
    "quick": {
        "data": {"kind": "shapes", "twin": True},
        "model": {"kind": "mlp", "hidden": [8]},
        "epochs": 3,
        "full_epoch": 2,
        "seeds": 2,
    },
}

_By = Literal["easy", "hard", "random"]
_WAYS: tuple[tuple[str, str, _By, bool], ...] = (
    ("all", "all at once", "random", True),
    ("easy", "easy first", "easy", False),
    ("random", "any first", "random", False),
    ("hard", "hard first", "hard", False),
)


class Curriculum:
    """A convolutional network learns to tell triangles, rectangles and ellipses; which of them it sees when differs.

    ``any first`` lets examples in at the same pace as the curriculum, in an order that has nothing to do with their
    difficulty: what the two differ by is due to the order alone.
    The paper has a perceptron of three hidden layers, two sets of 10,000 images, and one change from one to the other.
    About 50 s on one core.
    """

    class Config(LabConfig):
        """Data, pace and network.

        Attributes:
            data: A source that grades its examples.
            start: Share of the examples in reach in the first epoch.
            full_epoch: From this epoch on all are.
            epochs: Of each run.
            model: The network.
            rate: The largest learning rate of a cycle.
            seeds: How many runs of each kind.
            seed: Of the first.
        """

        data: SourceConfig = Shapes.Config(size=1500, batch=50)
        start: float = Field(default=0.2, gt=0, le=1)
        full_epoch: int = Field(default=5, ge=1)
        epochs: int = Field(default=10, ge=2)
        model: ModelConfig = SmallCNN.Config(channels=(6, 12, 24, 24))
        rate: float = Field(default=0.02, gt=0)
        seeds: int = Field(default=3, ge=2)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: Curriculum.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return accuracies by epoch and at the end."""
        config = self.config
        curves: dict[str, list[tuple[float, ...]]] = {}
        ends: dict[str, list[float]] = {}
        hardest: dict[str, tuple[float, float]] = {}
        for key, _, by, at_once in _WAYS:
            data = Ordered.Config(
                data=config.data, by=by, start=1.0 if at_once else config.start, full_epoch=config.full_epoch
            )
            source = data.build()
            grades = source.inner.difficulty("test")
            curves[key], ends[key], halves = [], [], []
            for number in range(config.seeds):
                experiment = Experiment.Config(
                    method=Supervised.Config(model=config.model, task=Classify.Config()),
                    data=data,
                    optimizers={"model": AdamW.Config(lr=config.rate, weight_decay=0.01, schedule=OneCycle.Config())},
                    epochs=config.epochs,
                    seed=config.seed + number,
                )
                engine = train(experiment, source=source).engine
                curves[key].append(tuple(found["dev/accuracy"] for _, found in engine.history))
                right = _right(engine, source)
                ends[key].append(float(right.mean()))
                halves.append([float(right[which].mean()) for which in (grades < 0.5, grades >= 0.5)])
            easy, hard = zip(*halves, strict=True)
            hardest[key] = statistics.fmean(easy), statistics.fmean(hard)
        means = {key: statistics.fmean(row) for key, row in ends.items()}
        spread = {key: statistics.stdev(row) for key, row in ends.items()}
        numbers: dict[str, Any] = {f"test/{key}": tuple(row) for key, row in ends.items()}
        numbers |= {f"mean/{key}": value for key, value in means.items()}
        numbers |= {f"sd/{key}": value for key, value in spread.items()}
        numbers |= {f"easy_half/{key}": pair[0] for key, pair in hardest.items()}
        numbers |= {f"hard_half/{key}": pair[1] for key, pair in hardest.items()}
        epochs = tuple(float(epoch) for epoch in range(1, config.epochs + 1))
        lines = []
        for key, name, _, _ in _WAYS:
            mean = tuple(statistics.fmean(each) for each in zip(*curves[key], strict=True))
            numbers[f"dev/{key}"] = mean
            lines.append(Series(name, epochs, tuple(100 * value for value in mean)))
        caption = (
            f"Means of {config.seeds} seeds. {100 * config.start:.0f} % of the examples in reach at first, all from "
            f"epoch {config.full_epoch + 1} on; each epoch has as many steps."
        )
        figures = (
            _examples(source),
            Lines("dev", "Accuracy on all held-out shapes", "epoch", "accuracy (%)", tuple(lines), caption=caption),
            Bars(
                "test",
                "Test accuracy at the end",
                "accuracy (%)",
                tuple(name for _, name, _, _ in _WAYS),
                (
                    Bar(
                        "all test images",
                        tuple(100 * means[key] for key, *_ in _WAYS),
                        tuple(100 * spread[key] for key, *_ in _WAYS),
                    ),
                ),
                caption=f"Mean and standard deviation of {config.seeds} seeds.",
            ),
        )
        table = Grid(
            "Test accuracy (%)",
            ("order", "mean", "standard deviation", "easier half", "harder half"),
            tuple(
                (name, 100 * means[key], 100 * spread[key], *(100 * value for value in hardest[key]))
                for key, name, _, _ in _WAYS
            ),
        )
        return Findings(numbers, figures, (table,), _remarks(ends, means))


@torch.no_grad()
def _right(engine: Engine, source: Ordered) -> Tensor:
    """Return for each test image whether it is told right, ``(N,)`` of 0 and 1."""
    network = engine.method.product().eval()
    found = []
    for at in source.order("test", seed=0, epoch=0):
        batch = engine.move(source.load("test", at))
        found.append(network(batch.inputs).argmax(1) == batch.targets)
    return torch.cat(found).double().cpu()


def _examples(source: Ordered) -> Pictures:
    """Return one image of each class at five difficulties."""
    grades, labels = source.inner.difficulty("train"), source.inner.load("train", torch.arange(600)).targets
    pictures = []
    for label, name in enumerate(source.spec.outputs.names):
        for wanted in (0.0, 0.25, 0.5, 0.75, 1.0):
            apart = (grades[:600] - wanted).abs() + (labels != label) * 9.0
            at = apart.argmin()
            rows = source.raw("train", at[None])[0, 0].tolist()
            pictures.append(Picture(f"{name} {float(grades[at]):.2f}", tuple(map(tuple, rows))))
    return Pictures("examples", "Shapes and their difficulty", tuple(pictures), 0.0, 255.0, columns=5)


def _remarks(ends: dict[str, list[float]], means: dict[str, float]) -> tuple[str, ...]:
    names = {key: name for key, name, _, _ in _WAYS}
    ranked = sorted(means, key=means.__getitem__, reverse=True)
    texts = ["Mean test accuracy: " + "; ".join(f"{names[key]} {100 * means[key]:.1f} %" for key in ranked) + "."]
    for other in ("random", "all", "hard"):
        apart = [100 * (a - b) for a, b in zip(ends["easy"], ends[other], strict=True)]
        wins = sum(value > 0 for value in apart)
        error = statistics.stdev(apart) / len(apart) ** 0.5
        texts.append(
            f"Easy first against {names[other]}: {statistics.fmean(apart):+.2f} points in the mean (standard error "
            f"{error:.2f}), ahead in {wins} of {len(apart)} seeds."
        )
    return tuple(texts)
