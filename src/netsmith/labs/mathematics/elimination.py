"""Gaussian elimination step by step, as a factorization, and what becomes of it without a choice of pivots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from netsmith.core.errors import DataError
from netsmith.core.findings import Findings, Grid, Lines
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import floats, listed, rounded, series

__all__ = ["CARD", "Elimination", "Factors", "eliminate"]

CARD = {
    "title": "Gaussian elimination and its pivots",
    "paper": "Trefethen & Bau 1997, Numerical Linear Algebra, lectures 20-22",
    "shows": "a system solved row by row, and the error of its solution with and without exchanging rows",
    "quick": {"sizes": [5, 10], "repeats": 2},
}

_HALF_UNIT = 2.0**-53  # an error of 0 is drawn here
_SYSTEM = ((2.0, 1.0, -1.0), (-3.0, -1.0, 2.0), (-2.0, 1.0, 2.0))


class Factors(NamedTuple):
    """What elimination leaves: ``matrix[order] = lower @ upper``.

    Attributes:
        lower: The factors by which rows were taken off others, with ones on the diagonal.
        upper: The last matrix.
        order: The rows as they were exchanged.
        steps: What was done, and the rows after it.
    """

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    order: NDArray[np.int_]
    steps: tuple[tuple[str, NDArray[np.float64]], ...]

    def solve(self, right: ArrayLike) -> NDArray[np.float64]:
        """Return x of ``matrix x = right``: down through the lower factor, up through the upper one."""
        x = np.asarray(right, dtype=np.float64)[self.order]
        for row in range(len(x)):
            x[row] -= self.lower[row, :row] @ x[:row]
        for row in reversed(range(len(x))):
            x[row] = (x[row] - self.upper[row, row + 1 :] @ x[row + 1 :]) / self.upper[row, row]
        return x


def eliminate(matrix: ArrayLike, *, pivoting: bool = True) -> Factors:
    """Return the factors of a square matrix.

    Args:
        matrix: ``(n, n)``.
        pivoting: Exchange rows so that the largest number of a column is the pivot; otherwise take what comes.

    Raises:
        DataError: A pivot is exactly 0.
    """
    upper = np.array(matrix, dtype=np.float64)
    size = len(upper)
    lower, order = np.eye(size), np.arange(size)
    steps: list[tuple[str, NDArray[np.float64]]] = [("as given", upper.copy())]
    for at in range(size - 1):
        best = at + int(np.abs(upper[at:, at]).argmax()) if pivoting else at
        if best != at:
            upper[[at, best]], order[[at, best]] = upper[[best, at]], order[[best, at]]
            lower[[at, best], :at] = lower[[best, at], :at]
            steps.append((f"exchange rows {at + 1} and {best + 1}", upper.copy()))
        if upper[at, at] == 0:
            raise DataError(f"pivot {at + 1} is 0; expected a matrix of full rank, or pivoting=True")
        lower[at + 1 :, at] = upper[at + 1 :, at] / upper[at, at]
        upper[at + 1 :, at:] -= np.outer(lower[at + 1 :, at], upper[at, at:])
        upper[at + 1 :, at] = 0
        taken = ", ".join(
            f"{rounded(factor)} from row {at + 2 + row}" for row, factor in enumerate(lower[at + 1 :, at])
        )
        steps.append((f"row {at + 1} times {taken}", upper.copy()))
    if upper[-1, -1] == 0:
        raise DataError(f"pivot {size} is 0; expected a matrix of full rank")
    return Factors(lower, upper, order, tuple(steps))


class Elimination:
    r"""Solve systems whose solution is known, with the largest pivot and with the first that comes.

    The first system's pivot goes to 0: :math:`\epsilon x + y = 1,\; x + y = 2`. Its solution goes to (1, 1), and the
    matrix stays well conditioned: what is lost is lost by elimination.
    """

    class Config(LabConfig):
        """The systems.

        Attributes:
            matrix: Of the system that is solved step by step.
            right: Its right side.
            sizes: Of random systems (normal numbers).
            repeats: Random systems of each size.
            seed: Of the random systems.
        """

        matrix: tuple[tuple[float, ...], ...] = _SYSTEM
        right: tuple[float, ...] = (8.0, -11.0, -3.0)
        sizes: tuple[int, ...] = (10, 20, 50, 100, 200)
        repeats: int = Field(default=9, ge=1, le=1000)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> Elimination.Config:
            if not self.right or {len(self.matrix), *map(len, self.matrix)} != {len(self.right)}:
                raise ValueError(f"expected a square matrix of {len(self.right)} rows, as many as `right` has numbers")
            if not self.sizes or min(self.sizes) < 2 or max(self.sizes) > 500:
                raise ValueError(f"sizes={self.sizes}: expected some of 2 to 500")
            return self

    def __init__(self, config: Elimination.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the steps, and errors with and without pivoting."""
        matrix, right = np.array(self.config.matrix), np.array(self.config.right)
        found = eliminate(matrix)
        x = found.solve(right)
        residual = float(np.abs(matrix @ x - right).max())
        apart = float(np.abs(found.lower @ found.upper - matrix[found.order]).max())
        pivots = 10.0 ** -np.arange(0.5, 20.5, 0.5)
        small = {name: [_small(pivot, one) for pivot in pivots] for name, one in _WAYS}
        sizes = {name: list(errors) for name, errors in zip(_NAMES, self._random(), strict=True)}
        numbers = {"solution": floats(x), "residual": residual, "factors_apart": apart, "pivots": floats(pivots)}
        numbers |= {f"small_pivot/{name}": tuple(errors) for name, errors in small.items()}
        numbers |= {f"random/{name}": tuple(errors) for name, errors in sizes.items()}
        labels = "greatest error of the solution"
        figures = (
            Lines(
                "small_pivot",
                "ε x + y = 1, x + y = 2",
                "pivot ε",
                labels,
                tuple(series(name, pivots, np.maximum(errors, _HALF_UNIT)) for name, errors in small.items()),
                log_x=True,
                log_y=True,
                caption="Against the exact solution. An error of 0 is drawn at half a unit of the last place, 1.1e-16.",
            ),
            Lines(
                "random",
                "Random systems by size",
                "number of unknowns",
                f"{labels} (median)",
                tuple(series(name, self.config.sizes, errors) for name, errors in sizes.items()),
                log_x=True,
                log_y=True,
                caption=f"Normal numbers, solution (1, ..., 1), {self.config.repeats} systems of each size.",
            ),
        )
        rows = tuple((what, *(listed(row) for row in at)) for what, at in found.steps)
        table = Grid("Step by step", ("step", *(f"row {at + 1}" for at in range(len(matrix)))), rows)
        return Findings(numbers, figures, (table,), _remarks(x, residual, pivots, small, self.config.sizes, sizes))

    def _random(self) -> NDArray[np.float64]:
        """Return the median error by way of solving and size: ``(3, S)``."""
        generator = np.random.default_rng(self.config.seed)
        errors = np.empty((3, len(self.config.sizes), self.config.repeats))
        for at, size in enumerate(self.config.sizes):
            for turn in range(self.config.repeats):
                matrix = generator.normal(size=(size, size))
                right = matrix.sum(1)
                answers = [eliminate(matrix, pivoting=one).solve(right) for _, one in _WAYS]
                answers.append(np.linalg.solve(matrix, right))
                errors[:, at, turn] = [np.abs(x - 1).max() for x in answers]
        return np.median(errors, axis=2)


_WAYS = (("with pivoting", True), ("without", False))
_NAMES = ("with pivoting", "without", "numpy (LAPACK)")


def _small(pivot: float, pivoting: bool) -> float:
    exact = np.array([1 / (1 - pivot), (1 - 2 * pivot) / (1 - pivot)])
    return float(np.abs(eliminate([[pivot, 1], [1, 1]], pivoting=pivoting).solve([1, 2]) - exact).max())


def _remarks(
    x: NDArray[np.float64],
    residual: float,
    pivots: NDArray[np.float64],
    small: Mapping[str, list[float]],
    sizes: tuple[int, ...],
    errors: Mapping[str, list[float]],
) -> tuple[str, ...]:
    lost = [float(pivot) for pivot, error in zip(pivots, small["without"], strict=True) if error > 0.5]
    return (
        f"The solution is {listed(x, 6)}; put into the system it misses the right side by at most {residual:.2g}.",
        f"Pivots from {pivots[0]:.2g} down to {pivots[-1]:.2g}: the greatest error is "
        f"{max(small['with pivoting']):.2g} with pivoting, and {max(small['without']):.2g} without"
        + (
            f"; without, it is above 0.5 for {len(lost)} of {len(pivots)} pivots, the largest {max(lost):.2g}."
            if lost
            else "."
        ),
        f"Random systems of {sizes[-1]} unknowns: the median error without pivoting is "
        f"{errors['without'][-1] / errors['with pivoting'][-1]:.3g} times that with pivoting, and numpy's "
        f"{errors[_NAMES[2]][-1] / errors['with pivoting'][-1]:.3g} times.",
    )
