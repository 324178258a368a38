"""The support vector machine in the plane: its margin where classes are apart, and what C trades where they overlap."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.extras import require
from netsmith.core.findings import Findings, Grid, Lines, Number, Points, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig
from netsmith.models.foundations.svm import Svm

__all__ = ["CARD", "Machine", "MaximumMargin", "hull_distance", "machine"]

CARD = {
    "title": "The widest margin",
    "paper": "Cortes & Vapnik 1995, Machine Learning 20, 273-297; Bennett & Bredensteiner 2000 (ICML)",
    "shows": "boundary, margin and support vectors of linear machines, hard and soft, and how they depend on C",
    "quick": {"points": 12, "strengths": [0.1, 10.0], "sweep": 3},
}

_HARD = 1e6  # C: no point of classes that are apart pays so much for a wider margin
_NEAR = 0.01  # of a support vector's y f from 1: what still counts as on the margin
_SIZE = 0.015  # radius of the rings around support vectors, of the longer side of the picture


class Machine(NamedTuple):
    r"""What a linear machine of two classes found, y = 1 for the first and -1 for the second.

    Attributes:
        normal: w, ``(2,)``.
        offset: b.
        sides: ``y f(x)`` of each training point, ``(N,)``.
        alphas: ``(S,)``, the dual's variables of the support vectors.
        support: ``(S, 2)``.
        support_sides: ``y f(x)`` of the support vectors, ``(S,)``.
        primal: :math:`\frac12 |w|^2 + C \sum_i \max(0, 1 - y_i f(x_i))`; of a hard margin half of the squared length of
            w after it is stretched until each y f is at least 1.
        dual: :math:`\sum_s \alpha_s - \frac12 |w|^2`.
    """

    normal: Tensor
    offset: float
    sides: Tensor
    alphas: Tensor
    support: Tensor
    support_sides: Tensor
    primal: float
    dual: float

    @property
    def margin(self) -> float:
        """The distance between the lines where f is 1 and -1, 2 / |w|."""
        return 2 / float(self.normal.norm())

    @property
    def on_margin(self) -> int:
        """How many support vectors have ``y f(x) = 1``."""
        return int(((self.support_sides - 1).abs() <= _NEAR).sum())


def machine(x: Tensor, y: Tensor, *, strength: float | None) -> Machine:
    """Fit a linear machine to points of two classes.

    Args:
        x: ``(N, 2)`` float64.
        y: ``(N,)`` of 0 and 1.
        strength: C; None for a hard margin, of points that a line parts.
    """
    model = Svm.Config(kernel="linear", strength=strength or _HARD, in_features=2, num_classes=2).build()
    model.fit(x, y)
    signed = model.coefficients[:, 0]  # y alpha
    normal = signed @ model.support
    sides = (1.0 - 2.0 * y) * model.decision_values(x)[:, 0]
    half = float(normal @ normal) / 2
    support_sides = signed.sign() * model.decision_values(model.support)[:, 0]
    if strength is None:
        primal = half / min(1.0, float(sides.min())) ** 2
    else:
        primal = half + strength * float((1 - sides).clamp(min=0).sum())
    dual = float(signed.abs().sum()) - half
    return Machine(normal, float(model.offset), sides, signed.abs(), model.support, support_sides, primal, dual)


def hull_distance(one: Tensor, other: Tensor) -> float:
    """Return the least distance between the convex hulls of two sets of points ``(N, 2)`` that a line separates.

    It is that of a point of one from a segment between two of the other: no machine and no optimization is in it.

    Example:
        >>> hull_distance(torch.tensor([[0.0, -1.0], [0.0, 1.0]]), torch.tensor([[3.0, 0.0], [4.0, 0.0]]))
        3.0
    """
    least = math.inf
    for points, ends in ((one, other), (other, one)):
        first, second = (ends[list(at)] for at in zip(*itertools.product(range(len(ends)), repeat=2), strict=True))
        way = second - first  # (M * M, 2)
        share = ((points[:, None] - first) * way).sum(2) / way.square().sum(1).clamp(min=torch.finfo(way.dtype).tiny)
        nearest = first + share.clamp(0, 1)[..., None] * way
        least = min(least, float((points[:, None] - nearest).norm(dim=2).min()))
    return least


class MaximumMargin:
    r"""Fit linear support vector machines to two classes of normal points, far apart and then close together.

    .. math:: \min_{w, b} \tfrac12 |w|^2 + C \sum_i \max(0, 1 - y_i (w \cdot x_i + b))

    Where a line separates the classes and C is large this is the hard margin, the widest strip between them, and its
    width 2 / |w| the distance of their convex hulls (Bennett & Bredensteiner 2000), which is also measured point by
    point. Where they overlap, C says what a point inside the strip costs. Each answer is checked by the dual problem,
    whose value is never above the primal's, and the same at the optimum.

    Raises:
        ConfigError: In :meth:`run`: ``apart`` is too small for a line between the classes.
    """

    class Config(LabConfig):
        """The points and the machines.

        Attributes:
            points: Of both classes together.
            apart: Distance of the classes' means for the hard margin, in their standard deviations.
            close: The same for the soft one.
            strengths: C of the machines that are drawn, ascending.
            sweep: Values of C between the first and the last of these, ends among them, for the curves.
            seed: Of the points.
        """

        points: int = Field(default=80, ge=6, le=400)
        apart: float = Field(default=6.0, gt=0, le=100)
        close: float = Field(default=2.5, ge=0, le=100)
        strengths: tuple[Annotated[float, Field(gt=0, le=1000)], ...] = Field(
            default=(0.01, 0.1, 10.0), min_length=2, max_length=4
        )
        sweep: int = Field(default=13, ge=2, le=100)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: MaximumMargin.Config) -> None:
        if list(config.strengths) != sorted(set(config.strengths)):
            raise ConfigError(f"strengths={config.strengths}: expected values of C, ascending, each once")
        self.config = config

    def run(self) -> Findings:
        """Return margins, support vectors, checks of each machine, and pictures."""
        config = self.config
        x, y = self._points(config.apart)
        if not _parted(x, y):
            raise ConfigError(
                f"apart={config.apart:g}: no line lies between the classes of these {config.points} points, so they "
                "have no hard margin; raise apart"
            )
        hard = machine(x, y, strength=None)
        distance = hull_distance(x[y == 0], x[y == 1])
        close_x, close_y = self._points(config.close)
        soft = {strength: machine(close_x, close_y, strength=strength) for strength in config.strengths}
        low, high = math.log10(config.strengths[0]), math.log10(config.strengths[-1])
        swept = tuple(torch.logspace(low, high, config.sweep, dtype=torch.float64).tolist())
        curve = [machine(close_x, close_y, strength=strength) for strength in swept]
        numbers: dict[str, Number | tuple[Number, ...]] = {"hull_distance": distance}
        rows = []
        every = [("hard", _HARD, hard), *((f"C = {strength:g}", strength, one) for strength, one in soft.items())]
        for name, strength, one in every:
            gap = (one.primal - one.dual) / one.primal
            bound = int((one.alphas >= strength * (1 - 1e-9)).sum())
            inside, wrong = int((one.sides < 1 - _NEAR).sum()), int((one.sides <= 0).sum())
            found = {
                "margin": one.margin,
                "support_vectors": len(one.alphas),
                "on_margin": one.on_margin,
                "at_bound": bound,
                "inside": inside,
                "wrong": wrong,
                "duality_gap": gap,
            }
            numbers |= {f"{label}/{name}": value for label, value in found.items()}
            rows.append((name, *found.values()))
        numbers["sweep/strengths"] = swept
        numbers["sweep/margin"] = tuple(one.margin for one in curve)
        numbers["sweep/support_vectors"] = tuple(len(one.alphas) for one in curve)
        table = Grid(
            "The machines",
            ("machine", "margin", "support vectors", "on the margin", "alpha = C", "inside it", "wrong", "duality gap"),
            tuple(rows),
            f"Hard: C = {_HARD:g} on classes that are apart; the others on those that are close. On the margin: y f "
            f"within {_NEAR:g} of 1; inside it: below that. Gap: of primal and dual value, in shares of the primal.",
        )
        figures = (
            self._picture("hard", "Hard margin", x, y, hard),
            *(
                self._picture(f"soft_{number}", f"Soft margin, C = {strength:g}", close_x, close_y, one)
                for number, (strength, one) in enumerate(soft.items(), 1)
            ),
            Lines(
                "margin",
                "Width of the margin by C",
                "C",
                "2 / |w|",
                (Series("Width of the margin by C", swept, tuple(one.margin for one in curve)),),
                log_x=True,
                log_y=True,
            ),
            Lines(
                "support",
                "Support vectors by C",
                "C",
                "support vectors",
                (Series("Support vectors by C", swept, tuple(float(len(one.alphas)) for one in curve)),),
                log_x=True,
            ),
        )
        return Findings(numbers, figures, (table,), self._remarks(hard, distance, soft, numbers))

    def _points(self, distance: float) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(key(self.config.seed, "points"))
        noise = torch.randn(self.config.points, 2, generator=generator, dtype=torch.float64)
        y = torch.arange(self.config.points) % 2
        direction = torch.tensor([math.cos(0.5), math.sin(0.5)], dtype=torch.float64)
        return noise + (y - 0.5)[:, None] * distance * direction, y

    def _picture(self, name: str, title: str, x: Tensor, y: Tensor, one: Machine) -> Points:
        edges = _joined([_line(one, level, x) for level in (1.0, -1.0)])
        angles = torch.linspace(0, 2 * math.pi, 25, dtype=torch.float64)
        ring = _SIZE * float((x.amax(0) - x.amin(0)).max()) * torch.stack([angles.cos(), angles.sin()], 1)
        return Points(
            name,
            title,
            "first coordinate",
            "second coordinate",
            tuple(
                Series(f"class {label}", tuple(x[y == label, 0].tolist()), tuple(x[y == label, 1].tolist()))
                for label in (0, 1)
            ),
            (
                Series("boundary", *_joined([_line(one, 0.0, x)])),
                Series("margin", *edges),
                Series("support vectors", *_joined([place + ring for place in one.support])),
            ),
            equal=True,
            caption=f"Margin {one.margin:.3g} wide, {len(one.alphas)} support vectors of {len(x)} points.",
        )

    def _remarks(
        self,
        hard: Machine,
        distance: float,
        soft: dict[float, Machine],
        numbers: dict[str, Number | tuple[Number, ...]],
    ) -> tuple[str, ...]:
        gaps = [value for name, value in numbers.items() if name.startswith("duality_gap/")]
        (first, loose), *_, (last, tight) = soft.items()
        return (
            f"Hard margin: 2 / |w| is {hard.margin:.4f}, the distance of the classes' convex hulls {distance:.4f}; of "
            f"{len(hard.alphas)} support vectors {hard.on_margin} lie on the margin, and y f is at least "
            f"{float(hard.sides.min()):.4f} everywhere.",
            f"Primal and dual values differ by at most {100 * max(gaps):.2g} %, for all machines in the table.",
            f"Soft margin: from C = {first:g} to {last:g} the margin goes from {loose.margin:.3g} to "
            f"{tight.margin:.3g}, the number of support vectors from {len(loose.alphas)} to {len(tight.alphas)}, and "
            f"that of points on the wrong side from {numbers[f'wrong/C = {first:g}']} to "
            f"{numbers[f'wrong/C = {last:g}']}.",
        )


def _parted(x: Tensor, y: Tensor) -> bool:
    """Say whether a line parts the classes: whether ``y (w x + b) >= 1`` has a solution, a linear program."""
    rows = (1 - 2 * y)[:, None] * torch.cat([x, torch.ones_like(x[:, :1])], 1)
    program = require("scipy.optimize", extra="classic").linprog
    return program([0.0] * 3, A_ub=-rows.numpy(), b_ub=[-1.0] * len(rows), bounds=(None, None)).status == 0


def _line(one: Machine, level: float, x: Tensor) -> Tensor:
    """Return the part of the line where f is ``level`` that lies in a window around the points, ``(2 or 0, 2)``."""
    low, high = x.amin(0) - 0.3, x.amax(0) + 0.3
    start = (level - one.offset) * one.normal / one.normal.square().sum()
    way = torch.stack([-one.normal[1], one.normal[0]]) / one.normal.norm()
    ends = torch.stack([(low - start) / way, (high - start) / way])  # where it meets the window's sides
    enter, leave = float(ends.amin(0).max()), float(ends.amax(0).min())
    return torch.stack([start + enter * way, start + leave * way]) if enter < leave else x[:0]


def _joined(parts: list[Tensor]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return the coordinates of lines as one, with a break after each."""
    xs = [value for part in parts if len(part) for value in (*part[:, 0].tolist(), math.nan)]
    ys = [value for part in parts if len(part) for value in (*part[:, 1].tolist(), math.nan)]
    return tuple(xs), tuple(ys)
