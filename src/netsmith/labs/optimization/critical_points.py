"""Critical points of functions of two numbers, named by their Hessians and found by Newton's method."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Bar, Bars, Findings, Grid, Number, Surface
from netsmith.core.roles import LabConfig
from netsmith.explain.critical_points import CriticalPoint, critical_point

__all__ = ["CARD", "CriticalPoints", "newton"]

CARD = {
    "title": "Critical points and their names",
    "paper": "Dauphin et al. 2014, arXiv:1406.2572",
    "shows": "minima, maxima and saddles named by the eigenvalues of the Hessian, and where Newton's method ends",
    "quick": {"starts": 5},
}


class _Function(NamedTuple):
    formula: str
    value: Callable[[Tensor], Tensor]


def _himmelblau(p: Tensor) -> Tensor:
    return (p[0] ** 2 + p[1] - 11) ** 2 + (p[0] + p[1] ** 2 - 7) ** 2


def _camel(p: Tensor) -> Tensor:
    x, y = p[0], p[1]
    return (4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (-4 + 4 * y**2) * y**2


_AT_ZERO = (
    _Function("x² + y²", lambda p: p[0] ** 2 + p[1] ** 2),
    _Function("-x² - y²", lambda p: -(p[0] ** 2) - p[1] ** 2),
    _Function("x² - y²", lambda p: p[0] ** 2 - p[1] ** 2),
    _Function("x y", lambda p: p[0] * p[1]),
    _Function("x² + y⁴", lambda p: p[0] ** 2 + p[1] ** 4),
    _Function("x² - y⁴", lambda p: p[0] ** 2 - p[1] ** 4),
    _Function("x³ - 3 x y² (monkey saddle)", lambda p: p[0] ** 3 - 3 * p[0] * p[1] ** 2),
    _Function("x + y²", lambda p: p[0] + p[1] ** 2),
)


class _Sample(NamedTuple):
    title: str
    formula: str
    value: Callable[[Tensor], Tensor]
    window: tuple[float, float, float, float]


_SAMPLES: Mapping[str, _Sample] = MappingProxyType(
    {
        "himmelblau": _Sample(
            "Himmelblau's function", "(x² + y - 11)² + (x + y² - 7)²", _himmelblau, (-5.5, 5.5, -5.5, 5.5)
        ),
        "camel": _Sample(
            "The six-hump camel", "(4 - 2.1 x² + x⁴/3) x² + x y + (4 y² - 4) y²", _camel, (-2.0, 2.0, -1.1, 1.1)
        ),
    }
)
_KINDS = ("minimum", "saddle", "maximum", "degenerate")
_SAME = 1e-6  # points nearer to each other are one
_GRID = 121


class CriticalPoints:
    """Name critical points by definite and indefinite Hessians, and find all of a surface's with Newton's method.

    Newton's step solves the Hessian's linear system, so it goes to whatever critical point is near, a maximum or a
    saddle as well as a minimum. With the absolute values of the Hessian's eigenvalues (saddle-free Newton, Dauphin et
    al. 2014, section 5) saddles repel, as they do gradient descent.
    """

    class Config(LabConfig):
        """The surface and the starts.

        Attributes:
            surface: ``himmelblau`` or ``camel``.
            starts: Starts along each side of the window.
            steps: Of Newton's method from each, at most.
        """

        surface: Literal["himmelblau", "camel"] = "himmelblau"
        starts: int = Field(default=21, ge=1, le=101)
        steps: int = Field(default=100, ge=1, le=10_000)

    def __init__(self, config: CriticalPoints.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the named points, the shares of starts that end at each kind, and what they show."""
        config = self.config
        sample = _SAMPLES[config.surface]
        low_x, high_x, low_y, high_y = sample.window
        # Off the lattice of round numbers, where symmetries of a surface could hold a start on a line.
        xs = torch.linspace(low_x, high_x, config.starts + 2, dtype=torch.float64)[1:-1] + 1e-3
        ys = torch.linspace(low_y, high_y, config.starts + 2, dtype=torch.float64)[1:-1] + 2e-3
        starts = torch.cartesian_prod(xs, ys)
        ends = {
            "Newton": newton(sample.value, starts, steps=config.steps),
            "saddle-free Newton": newton(sample.value, starts, steps=config.steps, saddle_free=True),
        }
        named = {name: _named(sample.value, found) for name, found in ends.items()}
        points = _distinct(sample, named["Newton"])
        kinds = Counter(point.name for _, point in points)
        shares = {name: _shares([point.name for _, point in found]) for name, found in named.items()}
        zero = [(one.formula, critical_point(one.value, torch.zeros(2, dtype=torch.float64))) for one in _AT_ZERO]
        numbers: dict[str, Number | tuple[Number, ...]] = {f"count/{kind}": kinds[kind] for kind in _KINDS}
        numbers["index_sum"] = kinds["minimum"] + kinds["maximum"] - kinds["saddle"]
        for name, share in shares.items():
            numbers |= {f"share/{name}/{kind}": value for kind, value in share.items()}
        numbers |= {f"at_zero/{formula}": point.name for formula, point in zero}
        bars = Bars(
            "ends",
            "Where starts end",
            "share of starts (%)",
            (*_KINDS, "nowhere"),
            tuple(
                Bar(name, tuple(100 * share.get(kind, 0.0) for kind in (*_KINDS, "nowhere")))
                for name, share in shares.items()
            ),
            caption=f"{len(starts)} starts on a grid over the window, {config.steps} steps at most.",
        )
        return Findings(
            numbers,
            (self._surface(sample, points), bars),
            (self._named(zero), self._found(sample, points)),
            self._remarks(sample, points, kinds, shares, zero),
        )

    def _surface(self, sample: _Sample, points: list[tuple[Tensor, CriticalPoint]]) -> Surface:
        low_x, high_x, low_y, high_y = sample.window
        xs = torch.linspace(low_x, high_x, _GRID, dtype=torch.float64)
        ys = torch.linspace(low_y, high_y, _GRID, dtype=torch.float64)
        values = sample.value(torch.stack(torch.meshgrid(xs, ys, indexing="xy")))  # (G, G), a row for each y
        # A contour through each saddle, where lines cross, and some at even shares of the window.
        shares = torch.linspace(0.03, 0.9, 9, dtype=torch.float64)
        levels = {float(level) for level in torch.quantile(values.flatten(), shares)}
        levels |= {float(sample.value(place)) for place, point in points if point.name == "saddle"}
        return Surface(
            "points",
            f"{sample.title}: critical points",
            "x",
            "y",
            tuple(xs.tolist()),
            tuple(ys.tolist()),
            tuple(map(tuple, values.tolist())),
            tuple(sorted(levels)),
            marks=tuple((point.name, *place.tolist()) for place, point in points),
            caption=f"f = {sample.formula}. A contour line goes through each saddle.",
        )

    def _named(self, zero: list[tuple[str, CriticalPoint]]) -> Grid:
        rows = tuple(
            (formula, point.name, *(float(value) for value in point.eigenvalues), point.gradient_norm)
            for formula, point in zero
        )
        return Grid(
            "Named at (0, 0)",
            ("f", "name", "eigenvalue 1", "eigenvalue 2", "norm of the gradient"),
            rows,
            "Degenerate: an eigenvalue is 0 and the others are of one sign, so that second derivatives do not decide.",
        )

    def _found(self, sample: _Sample, points: list[tuple[Tensor, CriticalPoint]]) -> Grid:
        rows = tuple(
            (
                point.name,
                *(round(value, 6) for value in place.tolist()),
                float(sample.value(place)),
                *(float(value) for value in point.eigenvalues),
            )
            for place, point in points
        )
        columns = ("name", "x", "y", "f", "eigenvalue 1", "eigenvalue 2")
        return Grid(f"Found by Newton's method: {sample.title}", columns, rows, f"f = {sample.formula}.")

    def _remarks(
        self,
        sample: _Sample,
        points: list[tuple[Tensor, CriticalPoint]],
        kinds: Counter[str],
        shares: Mapping[str, Mapping[str, float]],
        zero: list[tuple[str, CriticalPoint]],
    ) -> tuple[str, ...]:
        counts = ", ".join(f"{kind} {kinds[kind]} times" for kind in _KINDS if kinds[kind])
        index = kinds["minimum"] + kinds["maximum"] - kinds["saddle"]
        undecided = [formula for formula, point in zero if point.name == "degenerate"]
        told = [
            f"{sample.title} has {len(points)} critical points found in the window: {counts or 'none'}.",
            f"Minima and maxima less saddles make {index}; of a smooth function that rises in every direction far out, "
            "with no degenerate point, all of them make 1 (Poincaré and Hopf)"
            + (
                "; this count does not speak against having found all."
                if index == 1 and not kinds["degenerate"] and len(kinds) > 1
                else "."
            ),
        ]
        for name, share in shares.items():
            parts = [f"{100 * share[kind]:.3g} % at a {kind}" for kind in (*_KINDS[:3],)]
            rest = share["degenerate"] + share["nowhere"]
            told.append(
                f"{name}: of the starts {', '.join(parts)}"
                + (f", {100 * rest:.3g} % elsewhere." if rest > 1e-9 else ".")
            )
        if undecided:
            told.append(f"The Hessian does not decide at (0, 0) of {'; '.join(undecided)}.")
        return tuple(told)


def newton(value: Callable[[Tensor], Tensor], starts: Tensor, *, steps: int, saddle_free: bool = False) -> Tensor:
    r"""Return where Newton's method ends from each start.

    .. math:: p \leftarrow p - H^{-1} \nabla f, \qquad \text{saddle-free: } p \leftarrow p - |H|^{-1} \nabla f

    with :math:`|H|` the Hessian with the absolute values of its eigenvalues. Where plain Newton's Hessian is singular
    its least-squares step is taken.

    Args:
        value: A function of ``(2,)``.
        starts: ``(N, 2)`` float64.
        steps: At most so many; a start whose gradient is 0 stays.
        saddle_free: Take the absolute values.

    Returns:
        ``(N, 2)``; not finite where it left all bounds.
    """
    places = starts.clone()
    slope = torch.func.vmap(torch.func.grad(value))
    bend = torch.func.vmap(torch.func.jacrev(torch.func.grad(value)))
    for _ in range(steps):
        gradients = slope(places)
        if bool((gradients.norm(dim=1).nan_to_num() < 1e-12).all()):
            break
        values, vectors = torch.linalg.eigh(bend(places).nan_to_num())
        sizes = values.abs() if saddle_free else values
        inverse = torch.where(values.abs() > 1e-12, 1 / sizes, 0.0)
        along = (vectors.mT @ gradients[..., None]).squeeze(-1) * inverse
        places = places - (vectors @ along[..., None]).squeeze(-1)
    return places


def _named(value: Callable[[Tensor], Tensor], ends: Tensor) -> list[tuple[Tensor, CriticalPoint]]:
    """Return each end with what it is; ends that lie together are looked at once."""
    found: list[tuple[Tensor, CriticalPoint]] = []
    seen: list[tuple[Tensor, CriticalPoint]] = []
    for end in ends:
        near = [one for one in seen if float((one[0] - end).norm()) < _SAME]
        if not near and bool(end.isfinite().all()) and float(end.abs().max()) < 1 / _SAME:
            near = [(end, critical_point(value, end, gradient_tolerance=_SAME))]
            seen += near
        found.append(near[0] if near else (end, CriticalPoint("no critical point", math.nan, end, 0.0)))
    return found


def _shares(names: list[str]) -> dict[str, float]:
    counts = Counter(names)
    return {kind: counts[kind] / len(names) for kind in _KINDS} | {"nowhere": counts["no critical point"] / len(names)}


def _distinct(sample: _Sample, named: list[tuple[Tensor, CriticalPoint]]) -> list[tuple[Tensor, CriticalPoint]]:
    """Return the different critical points within the window, the lowest first."""
    low_x, high_x, low_y, high_y = sample.window
    found: dict[tuple[float, ...], tuple[Tensor, CriticalPoint]] = {}
    for place, point in named:
        x, y = place.tolist()
        if point.name != "no critical point" and low_x <= x <= high_x and low_y <= y <= high_y:
            found[x, y] = (place, point)
    return sorted(found.values(), key=lambda one: float(sample.value(one[0])))
