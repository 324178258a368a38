"""What a pointer network looks at while it sorts numbers and finds convex hulls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Picture, Pictures, Points, Series
from netsmith.core.roles import LabConfig
from netsmith.data._pointing import PlaceFields
from netsmith.data.convex_hull import ConvexHull
from netsmith.data.sorting import Sorting
from netsmith.engine.experiment import Experiment
from netsmith.labs._training import train
from netsmith.layers.evaluating import evaluating
from netsmith.layers.polygons import same_cycle
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.writing import Writing
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.sequence.pointer_network import PointerNetwork
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.point import Point

__all__ = ["CARD", "Answer", "PointingLab", "remarks_of"]

CARD = {
    "title": "Where a pointer network points",
    "paper": "Vinyals, Fortunato & Jaitly 2015, arXiv:1506.03134",
    "shows": "the distribution over the input's places at each step of sorting and of a convex hull, and how accuracy "
    "falls with more elements than training had",
    "quick": {"sorting_steps": 3, "hull_steps": 3, "hidden_size": 8, "judged": 20, "largest": 9, "shown": 1},
}

_MEASURED = {"sorting": "exact", "hull": "polygon"}


class PointingLab:
    """Train one pointer network to sort, one to find hulls, and look at their attention, which is their answer.

    Columns of the pictures are brought into the order of the true answer, so that who is right points along the
    diagonal. About 60 seconds on a slow core.
    """

    class Config(LabConfig):
        """The networks and the sets.

        Attributes:
            hidden_size: Units of both networks.
            sorting_steps: Training steps of the one that sorts.
            hull_steps: Training steps of the one that finds hulls.
            batch: Sets of a step.
            lr: Adam's peak rate, of one cycle.
            least: Fewest elements in training.
            most: Most elements in training.
            largest: Most elements in the test.
            judged: Test sets of each size.
            shown: How many sets of each kind are drawn.
            seed: Of weights and examples.
        """

        hidden_size: int = Field(default=64, ge=1, le=1000)
        sorting_steps: int = Field(default=400, ge=2, le=1_000_000)
        hull_steps: int = Field(default=1200, ge=2, le=1_000_000)
        batch: int = Field(default=128, ge=1, le=10_000)
        lr: float = Field(default=3e-3, gt=0)
        least: int = Field(default=5, ge=3, le=100)
        most: int = Field(default=8, ge=3, le=100)
        largest: int = Field(default=12, ge=3, le=200)
        judged: int = Field(default=500, ge=1, le=100_000)
        shown: int = Field(default=4, ge=1, le=20)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> PointingLab.Config:
            if not self.least <= self.most <= self.largest:
                raise ValueError(
                    f"least={self.least}, most={self.most}, largest={self.largest}: expected least <= most <= largest"
                )
            return self

    def __init__(self, config: PointingLab.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return pictures of the attention, a hull, the accuracy by size, and what they show."""
        config = self.config
        found = [
            self._trained("sorting", Sorting.Config(), steps=config.sorting_steps),
            self._trained("hull", ConvexHull.Config(), steps=config.hull_steps),
        ]
        pictures = [
            Picture(f"{one.name} {number}: {'right' if right else 'wrong'}", weights)
            for one in found
            for number, (weights, right) in enumerate(zip(one.weights, one.right, strict=True), start=1)
        ]
        sizes = tuple(float(size) for size in self._sizes())
        figures = (
            Pictures(
                "weights",
                f"Attention to {config.most} elements, step by step",
                tuple(pictures),
                0.0,
                1.0,
                columns=config.shown,
                caption="A row is a step of the answer; one that is dark names the end. Columns stand in the order of "
                "the true answer, elements that are no corner last. White is 1.",
            ),
            _drawn(found[1], config.most),
            Lines(
                "accuracy",
                "Whole answers that are right",
                "elements of a set",
                "share of test sets",
                tuple(Series(one.name, sizes, one.accuracy) for one in found),
                caption=f"Training had {config.least} to {config.most} elements. {config.judged} sets of each size; "
                f"one seed, {config.seed}.",
            ),
        )
        rows = tuple((size, *(one.accuracy[at] for one in found)) for at, size in enumerate(self._sizes()))
        table = Grid("Right answers by size", ("elements", "sorting", "hull"), rows)
        numbers: dict[str, float | tuple[float, ...]] = {f"accuracy/{one.name}": one.accuracy for one in found}
        numbers |= {f"on the answer/{one.name}": one.on_answer for one in found}
        remarks = remarks_of(found, sizes=self._sizes(), least=config.least, most=config.most)
        return Findings(numbers, figures, (table,), remarks)

    def _sizes(self) -> range:
        return range(self.config.least, self.config.largest + 1)

    def _trained(self, name: str, data: PlaceFields, *, steps: int) -> Answer:
        config = self.config
        hull = name == "hull"
        engine = train(
            Experiment.Config(
                method=TeacherForcing.Config(
                    model=PointerNetwork.Config(hidden_size=config.hidden_size, repeats=hull),
                    task=Point.Config(figures="polygon" if hull else "order"),
                    beams=1,
                    longest=config.largest + 1,
                ),
                data=data.derive(least=config.least, most=config.most, batch=config.batch, batches=steps),
                optimizers={"model": Adam.Config(lr=config.lr, schedule=OneCycle.Config())},
                steps=steps,
                clip_norm=2.0,
                seed=config.seed,
            )
        ).engine
        method = engine.method
        product = method.product()
        assert isinstance(product, Writing)
        accuracy = []
        with evaluating(method), torch.no_grad():
            for size in self._sizes():
                batch = data.derive(least=size, most=size).build().load("test", torch.arange(config.judged))
                metrics = method.metrics()
                method.evaluate(batch, metrics)
                accuracy.append(metrics[_MEASURED[name]].compute())
                if size == config.most:
                    kept = batch
            source, targets = kept.inputs["source"], kept.targets["written"]
            tokens = product(source)
            weights = product.attended(source, tokens)
        assert weights is not None
        chosen = weights.gather(2, (tokens - END_NUMBER - 1).clamp(min=0)[..., None])[..., 0]
        shown = range(min(config.shown, config.judged))
        same = same_cycle if hull else list.__eq__
        return Answer(
            name=name,
            accuracy=tuple(accuracy),
            weights=tuple(_ordered(weights[at], tokens[at], targets[at]) for at in shown),
            right=tuple(same(_places(tokens[at]), _places(targets[at])) for at in shown),
            on_answer=float(chosen[tokens > END_NUMBER].mean()) if bool((tokens > END_NUMBER).any()) else 0.0,
            points=source[0, :, :-1],
            found=_places(tokens[0]),
            true=_places(targets[0]),
        )


class Answer(NamedTuple):
    """What one network learned.

    Attributes:
        name: Of its task.
        accuracy: Share of right answers for each size.
        weights: Of each set that is shown, a row for each step and a column for each element.
        right: Whether each of them is right.
        on_answer: The mean weight of the place that was named.
        points: ``(L, F)``, the first of them.
        found: Places named for it.
        true: The true ones.
    """

    name: str
    accuracy: tuple[float, ...]
    weights: tuple[tuple[tuple[float, ...], ...], ...]
    right: tuple[bool, ...]
    on_answer: float
    points: Tensor
    found: list[int]
    true: list[int]


def remarks_of(found: Sequence[Answer], *, sizes: Sequence[int], least: int, most: int) -> tuple[str, ...]:
    """Return what the numbers show, in sentences.

    Args:
        found: What each network learned.
        sizes: Elements of the test sets.
        least: Fewest elements in training.
        most: Most elements in training.
    """
    remarks = []
    for one in found:
        inside = [value for size, value in zip(sizes, one.accuracy, strict=True) if size <= most]
        text = f"{one.name}: of {least} to {most} elements, as in training, {sum(inside) / len(inside):.1%} of the "
        text += "answers are right"
        if sizes[-1] > most:
            text += f"; of {sizes[-1]}, which it never saw, {one.accuracy[-1]:.1%}"
        remarks.append(f"{text}. The place it names has {one.on_answer:.2f} of its attention on average.")
    return tuple(remarks)


def _places(numbers: Tensor) -> list[int]:
    return [number - END_NUMBER - 1 for number in numbers.tolist() if number > END_NUMBER]


def _ordered(weights: Tensor, tokens: Tensor, target: Tensor) -> tuple[tuple[float, ...], ...]:
    """Return the rows of an answer's steps, its end included, the columns in the order of the true answer."""
    true = _places(target)
    others = [place for place in range(weights.shape[1]) if place not in true]
    steps = int((tokens != 0).sum())
    return tuple(tuple(row) for row in weights[:steps, true + others].tolist())


def _drawn(one: Answer, count: int) -> Points:
    """Return the first hull and what was found."""

    def way(name: str, places: Sequence[int]) -> Series:
        corners = one.points[[*places, *places[:1]]] if places else one.points[:0]
        return Series(name, tuple(corners[:, 0].tolist()), tuple(corners[:, 1].tolist()))

    points = Series("points", tuple(one.points[:, 0].tolist()), tuple(one.points[:, 1].tolist()))
    return Points(
        "hull",
        f"The first test set of {count} points",
        "x",
        "y",
        (points,),
        (way("its hull", one.true), way("found", one.found)),
        equal=True,
        caption="Where both ways are one, the one that was found lies on top.",
    )
