"""The loss around trained weights: along random directions, in a plane, and under the way of the training."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Findings, Grid, Lines, Series, Surface
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig, ModelConfig, OptimizerConfig, SourceConfig
from netsmith.data.digits import Digits
from netsmith.explain import landscape
from netsmith.explain.landscape import loss_surface, random_directions, straight_line
from netsmith.explain.trajectory import trajectory_plane
from netsmith.labs.optimization._fits import Weights, around, classifier, examples, fit
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD

__all__ = ["CARD", "LossLandscape"]

CARD = {
    "title": "The loss landscape of a small network",
    "paper": "Li, Xu, Taylor, Studer & Goldstein 2018, arXiv:1712.09913; Goodfellow, Vinyals & Saxe 2015, "
    "arXiv:1412.6544",
    "shows": "the loss along lines and over planes through trained weights, and the way of the training over it",
    "quick": {"data.twin": True, "model.hidden": [3], "epochs": 1, "examples": 64, "steps": 5},
}

_LINES = 4  # random directions that are drawn
_KEPT = 60  # weights of the training that make its plane
_MARGIN = 0.3  # of the way's extent, shown around it
_BEYOND = 0.25  # of the straight line, on both sides
_CONTOURS = 12


class LossLandscape:
    """Train a network, then look at its loss where the training did not go, and under where it went.

    Random directions are fitted to the weights filter by filter (``normalize``), so that the same step means the same
    to layers of any scale; biases stay in place. The plane of the training is that of its first two principal
    components. Every loss is the mean over the same training examples, and every point of a plane has the trained
    network's running statistics where it has any; along the straight line these go from first to last as weights do.

    Raises:
        ConfigError: In :meth:`run`: a ``span`` at which losses are infinite.
    """

    class Config(LabConfig):
        """What is trained, and what is looked at.

        Attributes:
            data: Examples of classes.
            model: The network.
            optimizer: How it is trained.
            epochs: For how long.
            examples: Training examples that every loss is the mean of.
            steps: Points along each direction of a plane; lines have twice as many, less one.
            span: Points run from ``-span`` to ``span``; 1 moves every filter by its own norm.
            normalize: What random directions are fitted to.
            seed: Of the training and the directions.
        """

        data: SourceConfig = Digits.Config(batch=64)
        model: ModelConfig = MLP.Config(hidden=(32,))
        optimizer: OptimizerConfig = SGD.Config(lr=0.05, momentum=0.9)
        epochs: int = Field(default=20, ge=1)
        examples: int = Field(default=1024, ge=1)
        steps: int = Field(default=41, ge=5, le=201)
        span: float = Field(default=1.0, gt=0)
        normalize: Literal["filter", "layer", "none"] = "filter"
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: LossLandscape.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the lines, the planes, and what they show."""
        config = self.config
        source = config.data.build()
        setting = classifier(config.model, config.data, config.optimizer, epochs=config.epochs, seed=config.seed)
        found = fit(setting, source=source, kept=_KEPT)
        first, last = found.states[0], found.states[-1]
        batches = examples(source, count=config.examples)
        seen = {"module": found.module, "loss": F.cross_entropy, "batches": batches}
        generator = torch.Generator().manual_seed(key(config.seed, "directions"))
        directions = random_directions(found.module, generator=generator, count=_LINES, normalize=config.normalize)
        fine = 2 * config.steps - 1
        lines = [loss_surface(directions=[one], steps=fine, span=config.span, **seen) for one in directions]
        way = straight_line(first=first, second=last, steps=fine, span=around(found.module, _BEYOND), **seen)
        plane = loss_surface(directions=directions[:2], steps=config.steps, span=config.span, **seen)
        names = [name for name, _ in found.module.named_parameters()]
        broken = sum(one.non_finite for one in (*lines, plane))
        if broken:
            raise ConfigError(
                f"span={config.span:g}: {broken} of {sum(one.losses.numel() for one in (*lines, plane))} losses along "
                "random directions are infinite or NaN; take a smaller span"
            )
        moved = trajectory_plane(found.states, names=names)
        spans = [_margins(along.tolist()) for along in moved.coordinates.T]
        under = loss_surface(directions=moved.directions, steps=config.steps, span=spans, **seen)
        center = float(lines[0].losses[fine // 2])
        rises = tuple(float(one.losses[[0, -1]].mean()) - center for one in lines)
        falls = [float(b - a) for a, b in pairwise(way.losses[_inside(way.axes[0])])]
        share = _share(directions[:2], {name: first[name] for name in names}, last)
        numbers = {
            "loss": center,
            "accuracy/train": found.figure("accuracy", "train"),
            "accuracy/test": found.figure("accuracy", "test"),
            "rise": rises,
            "lowest_on_plane": float(plane.losses.min()),
            "lowest_under_way": float(under.losses.min()),
            "straight_line/losses": tuple(way.losses.tolist()),
            "straight_line/greatest_rise": max(0.0, *falls),
            "explained": tuple(moved.explained.tolist()),
            "seen_on_random_plane": share,
            "non_finite": sum(one.non_finite for one in (*lines, way, plane, under)),
        }
        fitted = {"filter": "each filter moves by its norm at 1", "layer": "each layer moves by its norm at 1"}
        unit = fitted.get(config.normalize, "directions as drawn")
        xs = tuple(lines[0].axes[0].tolist())
        figures = (
            Lines(
                "lines",
                "Loss along random directions",
                f"step along the direction ({unit})",
                "loss",
                tuple(Series(f"direction {at}", xs, _finite(one.losses)) for at, one in enumerate(lines, 1)),
                log_y=True,
                caption=f"Mean cross entropy of the same {sum(map(len, batches))} training examples; trained "
                "weights at 0.",
            ),
            Lines(
                "straight_line",
                "Loss from the first weights to the trained ones",
                "share of the way (0: first weights, 1: trained)",
                "loss",
                (Series("Loss from the first weights to the trained ones", *_curve(way)),),
                log_y=True,
            ),
            _contours("plane", "Loss over a random plane", ("direction 1", "direction 2"), plane, found.steps),
            _contours(
                "way",
                "Loss under the way of the training",
                tuple(f"component {at} ({100 * part:.1f} %)" for at, part in enumerate(moved.explained.tolist(), 1)),
                under,
                found.steps,
                tuple(map(tuple, moved.coordinates.T.tolist())),
            ),
        )
        rows = tuple((f"direction {at}", rise) for at, rise in enumerate(rises, 1))
        table = Grid(f"Rise of the loss at a distance of {config.span:g}", ("direction", "mean of both sides"), rows)
        return Findings(numbers, figures, (table,), self._remarks(numbers, found.steps[-1]))

    def _remarks(self, numbers: dict[str, float | tuple[float, ...]], steps: int) -> tuple[str, ...]:
        rises, explained = numbers["rise"], numbers["explained"]
        lower = numbers["lowest_on_plane"] < numbers["loss"]
        rise = numbers["straight_line/greatest_rise"]
        return (
            f"Trained for {steps} steps: loss {numbers['loss']:.3g} on the examples looked at, accuracy "
            f"{numbers['accuracy/train']:.3f} on the training split and {numbers['accuracy/test']:.3f} on the test "
            "split.",
            f"At a distance of {self.config.span:g} along {len(rises)} random directions the loss is "
            f"{min(rises):.3g} to {max(rises):.3g} above that of the trained weights.",
            f"On the random plane {'a' if lower else 'no'} point has a lower loss than the trained weights"
            + (f": {numbers['lowest_on_plane']:.3g}." if lower else "."),
            "On the straight line from the first weights to the trained ones the loss "
            + (f"rises by at most {rise:.2g}" if rise else "never rises")
            + " from one point to the next.",
            f"Two principal components hold {100 * sum(explained):.1f} % of the variance of the weights along the "
            f"training; of the way from first to last (squared length) a random plane shows "
            f"{100 * numbers['seen_on_random_plane']:.2g} %.",
            f"In the plane of the training the lowest loss on the grid is {numbers['lowest_under_way']:.3g}, "
            f"{numbers['lowest_under_way'] / numbers['loss']:.2g} of that of the trained weights.",
        )


def _margins(places: list[float]) -> tuple[float, float]:
    low, high = min(places), max(places)
    return low - _MARGIN * (high - low), high + _MARGIN * (high - low)


def _inside(axis: Tensor) -> Tensor:
    return (axis >= -1e-9) & (axis <= 1 + 1e-9)


def _share(directions: list[Weights], first: Weights, last: Weights) -> float:
    """Return which share of the squared way from first to last lies in the plane of the directions."""
    way = torch.cat([(last[name] - tensor).double().flatten() for name, tensor in first.items()])
    rows = [
        torch.cat([one.get(n, torch.zeros_like(t)).double().flatten() for n, t in first.items()]) for one in directions
    ]
    basis = torch.linalg.qr(torch.stack(rows, 1)).Q  # (P, 2)
    return float((basis.T @ way).square().sum() / way.square().sum())


def _finite(losses: Tensor) -> tuple[float, ...]:
    """Return losses to draw: where one is not finite, the greatest that is."""
    finite = losses[losses.isfinite()]
    top = float(finite.max()) if len(finite) else 0.0
    return tuple(losses.nan_to_num(nan=top, posinf=top, neginf=top).tolist())


def _curve(found: landscape.Surface) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(found.axes[0].tolist()), _finite(found.losses)


def _contours(
    name: str,
    title: str,
    labels: tuple[str, ...],
    found: landscape.Surface,
    steps: tuple[int, ...],
    way: tuple[tuple[float, ...], ...] = (),
) -> Surface:
    rows = torch.tensor(_finite(found.losses.T.flatten()), dtype=torch.float64).reshape(found.losses.T.shape)
    low, high = max(float(rows.min()), 1e-6), float(rows.max())
    # Even steps of the logarithm: a loss has no scale of its own.
    levels = torch.logspace(math.log10(low), math.log10(high), _CONTOURS + 2, dtype=torch.float64)[1:-1].tolist()
    shown = tuple(float(f"{level:.2g}") for level in levels)
    levels = tuple(sorted(set(shown)))
    paths = (Series(f"training, {steps[-1]} steps", *way),) if way else ()
    start = (("first weights", way[0][0], way[1][0]),) if way else ()
    return Surface(
        name=name,
        title=title,
        x_label=labels[0],
        y_label=labels[1],
        xs=tuple(found.axes[0].tolist()),
        ys=tuple(found.axes[1].tolist()),
        values=tuple(map(tuple, rows.tolist())),
        levels=levels,
        paths=paths,
        marks=(*start, ("trained", 0.0, 0.0)),
        caption=f"Contour lines, the lowest the darkest, at losses {', '.join(f'{level:.2g}' for level in levels)}; "
        f"lowest on the grid {float(found.losses.min()):.3g}.",
    )
