"""Functions of two numbers whose minima are known, and walks down them through the engine's updater."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from netsmith.core.config import Config
from netsmith.core.errors import DivergedError
from netsmith.core.roles import OptimizerConfig
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.ranks import Ranks
from netsmith.engine.task import Loss
from netsmith.engine.updater import Updater, UpdaterSettings

__all__ = ["SURFACES", "Name", "Plane", "Walk", "contours", "named", "walk"]

Name = Literal["beale", "rosenbrock", "valley", "saddle"]
_GRID = 161
_FAR = 1e6  # a walk beyond it is over


@dataclass(frozen=True)
class Plane:
    """A function of two numbers.

    Attributes:
        title: Its name.
        formula: As text.
        value: Of two tensors of any shape, elementwise.
        minima: All its lowest points.
        start: Where walks begin.
        window: What is drawn: least and greatest x, least and greatest y.
        reach: Distance from a minimum that counts as arrived.
    """

    title: str
    formula: str
    value: Callable[[Tensor, Tensor], Tensor]
    minima: tuple[tuple[float, float], ...]
    start: tuple[float, float]
    window: tuple[float, float, float, float]
    reach: float = 0.01

    def distance(self, x: float, y: float) -> float:
        """Return the distance to the nearest minimum."""
        return min(math.hypot(x - a, y - b) for a, b in self.minima)


def _beale(x: Tensor, y: Tensor) -> Tensor:
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


def _rosenbrock(x: Tensor, y: Tensor) -> Tensor:
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def _valley(x: Tensor, y: Tensor) -> Tensor:
    return 0.5 * (x**2 / 50 + y**2)


def _saddle(x: Tensor, y: Tensor) -> Tensor:
    return 0.5 * x**2 - 0.5 * y**2 + 0.25 * y**4


SURFACES: Mapping[Name, Plane] = MappingProxyType(
    {
        "beale": Plane(
            "Beale's function",
            "(1.5 - x + xy)² + (2.25 - x + xy²)² + (2.625 - x + xy³)²",
            _beale,
            ((3.0, 0.5),),
            (1.0, 1.5),
            (-0.5, 4.5, -2.0, 2.0),
        ),
        "rosenbrock": Plane(
            "Rosenbrock's function",
            "(1 - x)² + 100 (y - x²)²",
            _rosenbrock,
            ((1.0, 1.0),),
            (-1.2, 1.0),
            (-1.75, 1.75, -0.75, 2.25),
        ),
        "valley": Plane(
            "A long valley", "(x²/50 + y²) / 2", _valley, ((0.0, 0.0),), (-4.5, 1.2), (-5.0, 2.0, -1.75, 1.75)
        ),
        "saddle": Plane(
            "A saddle between two minima",
            "x²/2 - y²/2 + y⁴/4",
            _saddle,
            ((0.0, 1.0), (0.0, -1.0)),
            (1.5, 0.001),
            (-1.5, 2.0, -1.75, 1.75),
        ),
    }
)


class Walk(NamedTuple):
    """Where an optimizer went.

    Attributes:
        xs: The first number before the first step, and after each.
        ys: The second.
        distances: To the nearest minimum.
        diverged: Whether it ended because the loss or the way grew beyond all bounds.
    """

    xs: tuple[float, ...]
    ys: tuple[float, ...]
    distances: tuple[float, ...]
    diverged: bool

    def arrived(self, reach: float) -> int | None:
        """Return the step from which on all distances are at most ``reach``; None where it does not stay there."""
        if self.diverged or self.distances[-1] > reach:
            return None
        return max((step + 1 for step, distance in enumerate(self.distances) if distance > reach), default=0)


class _Point(nn.Module):
    def __init__(self, plane: Plane) -> None:
        super().__init__()
        self.plane = plane
        self.place = nn.Parameter(torch.tensor(plane.start, dtype=torch.float64))

    def forward(self) -> Tensor:
        return self.plane.value(self.place[0], self.place[1])


class _Descend(Method):
    """The smallest method there is: one player whose parameters are the place, and whose loss is the height there."""

    def __init__(self, plane: Plane) -> None:
        super().__init__()
        self.model = _Point(plane)

    def step(self, feed: Feed, update: Update) -> Logs:
        return update("model", lambda batch: Loss(self.model(), len(batch)), next(feed))


def walk(plane: Plane, optimizer: OptimizerConfig, steps: int, *, clip_norm: float = 0.0) -> Walk:
    """Return the way of an optimizer from the surface's start, in double precision, without noise."""
    method = _Descend(plane)
    settings = UpdaterSettings(steps=steps, seed=0, clip_norm=clip_norm)
    update = Updater(method, {"model": optimizer}, settings=settings, ranks=Ranks())
    feed = iter(lambda: Batch(inputs=torch.zeros(1)), None)
    places = [plane.start]
    diverged = False
    for step in range(steps):
        update.begin(step)
        try:
            method.step(feed, update)
        except DivergedError:
            diverged = True
            break
        x, y = method.model.place.tolist()
        if not max(abs(x), abs(y)) < _FAR:
            diverged = True
            break
        places.append((x, y))
    xs, ys = zip(*places, strict=True)
    return Walk(xs, ys, tuple(plane.distance(x, y) for x, y in places), diverged)


def contours(plane: Plane) -> dict[str, Any]:
    """Return grid, heights, levels and marks of a surface: the fields of a figure."""
    low_x, high_x, low_y, high_y = plane.window
    xs = torch.linspace(low_x, high_x, _GRID, dtype=torch.float64)
    ys = torch.linspace(low_y, high_y, _GRID, dtype=torch.float64)
    values = plane.value(xs[None, :], ys[:, None])
    bottom = min(float(plane.value(torch.tensor(x), torch.tensor(y))) for x, y in plane.minima)
    above = (values - bottom).flatten().sort().values
    # As many lines as there are steps of the square root of what part of the window lies below them: valleys get more.
    shares = torch.linspace(0.12, 0.97, 13, dtype=torch.float64) ** 2
    levels = [bottom + float(above[int(share * (len(above) - 1))]) for share in shares]
    return {
        "x_label": "x",
        "y_label": "y",
        "xs": tuple(xs.tolist()),
        "ys": tuple(ys.tolist()),
        "values": tuple(map(tuple, values.tolist())),
        "levels": tuple(sorted(set(levels))),
        "marks": tuple(("minimum", x, y) for x, y in plane.minima),
    }


def named(config: Config) -> str:
    """Return a config's kind and what is not at its default, but for the rate: ``sgd(momentum=0.9)``."""
    parts = []
    for name, field in type(config).model_fields.items():
        value = getattr(config, name)
        if name in ("lr", "schedule") or (not field.is_required() and value == field.default):
            continue
        shown = named(value) if isinstance(value, Config) else str(value) if value is not True else ""
        parts.append(f"{name}={shown}" if shown and not isinstance(value, Config) else shown or name)
    return config.kind_name() + (f"({', '.join(parts)})" if parts else "")
