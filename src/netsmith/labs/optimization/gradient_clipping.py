"""A cliff in the loss of a recurrent network, and what clipping the gradient does there."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Series, Surface
from netsmith.core.roles import LabConfig
from netsmith.labs.optimization._surfaces import Plane, Walk, contours, walk
from netsmith.optim.clip_value import ClipValue
from netsmith.optim.sgd import SGD

__all__ = ["CARD", "GradientClipping", "cliff"]

CARD = {
    "title": "Clipping the gradient at a cliff",
    "paper": "Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063, section 2.3 and Fig. 6",
    "shows": "gradient descent over the cliff of a recurrent unit's loss: as it is, clipped by norm, clipped by value",
    "quick": {"starts": 2, "steps": 10, "time_steps": 5},
}

_GOAL = 0.7
_FIRST = 0.5
_KEYS = ("plain", "norm", "value")
_MOVED = 1e-6  # a shorter step has no direction to speak of in double precision
_LAST = 20  # steps whose lowest loss is told: beside the wall it jumps from step to step
_FAINT = 1e-6  # shorter gradients are drawn so long
_STRAIGHT = 0.01  # degrees
_WINDOW = (3.0, 7.0, -4.0, -1.0)


def cliff(weight: Tensor, bias: Tensor, *, steps: int) -> Tensor:
    r"""Return the loss of one recurrent unit without inputs, whose answer after some steps is to be 0.7.

    .. math:: h_t = w \, \sigma(h_{t-1}) + b, \qquad h_0 = 0.5, \qquad L = (\sigma(h_T) - 0.7)^2

    Args:
        weight: w, of any shape.
        bias: b, of the same.
        steps: T.
    """
    state = torch.full_like(weight + bias, _FIRST)
    for _ in range(steps):
        state = weight * torch.sigmoid(state) + bias  # Eq. 2
    return (torch.sigmoid(state) - _GOAL) ** 2


class GradientClipping:
    """Descend from several places in three ways; only the gradient's length is treated differently.

    Where the unit's memory changes from one fixed point to another, the loss has a wall: the gradient there is
    thousands of times as long as elsewhere, and one step throws the weights away. Clipped by the norm, it keeps its
    direction; clipped by value, it may turn.
    """

    class Config(LabConfig):
        """The unit, the starts, the descent.

        Attributes:
            time_steps: T, how often the unit's state is renewed.
            weight: Where w starts.
            bias: Where b starts: so many places, evenly from the first to the last number.
            starts: How many.
            lr: The rate.
            limit: Of the norm, and of each number's absolute value.
            steps: Of each descent.
        """

        time_steps: int = Field(default=50, ge=1, le=1000)
        weight: float = 6.0
        bias: tuple[float, float] = (-2.8, -2.4)
        starts: int = Field(default=10, ge=1, le=1000)
        lr: float = Field(default=0.1, gt=0)
        limit: float = Field(default=0.5, gt=0)
        steps: int = Field(default=300, ge=2, le=10_000)

    def __init__(self, config: GradientClipping.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the paths, losses and gradients by step, and what they show."""
        config = self.config
        low, high = config.bias
        share = [at / max(1, config.starts - 1) for at in range(config.starts)]
        planes = [self._plane((config.weight, low + (high - low) * part)) for part in share]
        ways = {name: [walk_it(plane) for plane in planes] for name, walk_it in self._walks().items()}
        facts = {name: [_facts(*one) for one in zip(planes, found, strict=True)] for name, found in ways.items()}
        numbers: dict[str, tuple[float, ...]] = {}
        for key, found in zip(_KEYS, facts.values(), strict=True):
            for name in ("longest", "largest_step", "loss", "cosine"):
                numbers[f"{name}/{key}"] = tuple(fact[name] for fact in found)
        plain = numbers["largest_step/plain"]
        shown = plain.index(max(plain))
        table = Grid(
            f"{config.steps} steps from {config.starts} places",
            (
                "gradient",
                "longest gradient",
                "largest step",
                f"median of the lowest loss of the last {_LAST} steps",
                "its highest",
                "least cosine with descent",
            ),
            tuple(
                (
                    name,
                    max(numbers[f"longest/{key}"]),
                    max(numbers[f"largest_step/{key}"]),
                    statistics.median(numbers[f"loss/{key}"]),
                    max(numbers[f"loss/{key}"]),
                    min(numbers[f"cosine/{key}"]),
                )
                for key, name in zip(_KEYS, ways, strict=True)
            ),
        )
        figures = self._figures(
            planes[shown],
            {name: found[shown] for name, found in ways.items()},
            {name: found[shown] for name, found in facts.items()},
        )
        return Findings(numbers, figures, (table,), self._remarks(list(ways), numbers))

    def _plane(self, start: tuple[float, float]) -> Plane:
        def value(weight: Tensor, bias: Tensor) -> Tensor:
            return cliff(weight, bias, steps=self.config.time_steps)

        return Plane("The loss of a recurrent unit", "", value, (start,), start, _WINDOW)

    def _walks(self) -> dict[str, Callable[[Plane], Walk]]:
        config = self.config
        plain, steps = SGD.Config(lr=config.lr), config.steps
        by_value = ClipValue.Config(inner=plain, limit=config.limit)
        return {
            "as it is": lambda plane: walk(plane, plain, steps),
            f"norm at most {config.limit:g}": lambda plane: walk(plane, plain, steps, clip_norm=config.limit),
            f"values at most {config.limit:g}": lambda plane: walk(plane, by_value, steps),
        }

    def _figures(
        self, plane: Plane, ways: Mapping[str, Walk], facts: Mapping[str, Mapping[str, Any]]
    ) -> tuple[Surface | Lines, ...]:
        base = contours(plane) | {"x_label": "w", "y_label": "b", "marks": (("start", *plane.start),)}
        surface = Surface(
            name="paths",
            title="Descent over the loss of a recurrent unit",
            paths=tuple(Series(name, way.xs, way.ys) for name, way in ways.items()),
            caption=f"h = w s(h) + b, {self.config.time_steps} times from h = {_FIRST}; loss (s(h) - {_GOAL})², s the "
            f"logistic function. The start, b = {plane.start[1]:.3g}, is that of the largest step; a path may leave "
            "the window; dots at every tenth of the steps.",
            **base,
        )
        charts = tuple(
            Lines(
                name,
                title,
                "step",
                label,
                tuple(
                    Series(way, tuple(map(float, range(len(fact[name])))), fact[name]) for way, fact in facts.items()
                ),
                log_y=True,
                caption=f"From b = {plane.start[1]:.3g}."
                + (f" Gradients shorter than {_FAINT:g} are drawn there." if name == "norms" else ""),
            )
            for name, title, label in (
                ("losses", f"Lowest loss of the last {_LAST} steps", "loss"),
                ("norms", "Gradient by step, before clipping", "norm of the gradient"),
            )
        )
        return (surface, *charts)

    def _remarks(self, names: list[str], numbers: Mapping[str, tuple[float, ...]]) -> tuple[str, ...]:
        told = []
        for key, name in zip(_KEYS, names, strict=True):
            losses = numbers[f"loss/{key}"]
            told.append(
                f"Gradient {name}: the longest one met from any start is {max(numbers[f'longest/{key}']):.3g} and the "
                f"largest step {max(numbers[f'largest_step/{key}']):.3g}; the lowest loss of the last {_LAST} "
                f"steps is {min(losses):.2g} to {max(losses):.2g}, its median {statistics.median(losses):.2g}."
            )
        for key, name in list(zip(_KEYS, names, strict=True))[1:]:
            turned = math.degrees(math.acos(min(1.0, min(numbers[f"cosine/{key}"]))))
            told.append(
                f"With {name} no step turns away from the gradient's own direction."
                if turned < _STRAIGHT
                else f"With {name} a step turns away from the gradient's own direction by up to {turned:.3g} degrees."
            )
        return tuple(told)


def _facts(plane: Plane, way: Walk) -> dict[str, Any]:
    places = torch.tensor(list(zip(way.xs, way.ys, strict=True)), dtype=torch.float64)  # (T, 2)
    places.requires_grad_()
    losses = plane.value(places[:, 0], places[:, 1])
    (slopes,) = torch.autograd.grad(losses.sum(), places)
    moves = places.detach().diff(dim=0)
    cosines = -(moves * slopes[:-1]).sum(1) / (moves.norm(dim=1) * slopes[:-1].norm(dim=1)).clamp(min=1e-300)
    moved = moves.norm(dim=1) > _MOVED
    each = losses.detach().tolist()
    lowest = tuple(min(each[max(0, at - _LAST + 1) : at + 1]) for at in range(len(each)))
    return {
        "losses": lowest,
        "norms": tuple(slopes.norm(dim=1).clamp(min=_FAINT).tolist()),
        "longest": float(slopes.norm(dim=1).max()),
        "largest_step": float(moves.norm(dim=1).max()) if len(moves) else 0.0,  # the first step left the plane
        "loss": lowest[-1],
        "cosine": float(cosines[moved].min()) if bool(moved.any()) else 1.0,
    }
