"""The exponential of a matrix, and the four kinds of motion that x' = Mx has in the plane."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines, Points
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import Matrix, floats, series
from netsmith.labs.mathematics._two_by_two import mean_and_product

__all__ = ["CARD", "MatrixExponential", "by_eigenvectors", "exponential"]

CARD = {
    "title": "The matrix exponential and x' = Mx",
    "paper": "Moler & Van Loan 2003, Nineteen Dubious Ways to Compute the Exponential of a Matrix (SIAM Review 45)",
    "shows": "rotation, spiral, saddle and node in the plane, and the errors of two ways to the exponential",
    "quick": {"seconds": 2.0, "starts": 2},
}

_PORTRAITS: MappingProxyType[str, Matrix] = MappingProxyType(
    {
        "rotation": ((0.0, -1.0), (1.0, 0.0)),
        "spiral": ((-0.2, -1.0), (1.0, -0.2)),
        "saddle": ((0.5, 0.5), (0.5, -0.5)),
        "node": ((-1.0, 0.5), (0.0, -0.4)),
    }
)
_TERMS = 18  # of Taylor's series: what is left of a matrix of norm 1/2 is below 1e-22
_GONE = 3.0
_STEPS = 90  # of a drawn orbit
_LARGEST = 300.0  # e^300 squared is still a number


def exponential(matrix: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`e^M = (e^{M / 2^s})^{2^s}`: Taylor's series of a small matrix, squared s times.

    Example:
        >>> exponential([[0, 0], [0, 0]])
        array([[1., 0.],
               [0., 1.]])
    """
    whole = np.asarray(matrix, dtype=np.float64)
    norm = float(np.abs(whole).sum(axis=0).max())
    squarings = max(0, math.ceil(math.log2(2 * norm))) if norm else 0
    small = whole / 2**squarings
    total = term = np.eye(len(whole))
    for order in range(1, _TERMS + 1):
        term = term @ small / order
        total = total + term
    for _ in range(squarings):
        total = total @ total
    return total


def by_eigenvectors(matrix: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`e^M = V e^\Lambda V^{-1}`, of a real matrix that has a basis of eigenvectors."""
    values, vectors = np.linalg.eig(np.asarray(matrix, dtype=np.float64))
    return np.linalg.solve(vectors.T, (vectors * np.exp(values)).T).T.real


class MatrixExponential:
    r"""Follow x' = Mx exactly, :math:`x(t) = e^{Mt} x(0)`, and compare two ways to the exponential.

    The exact exponential of :math:`\begin{pmatrix} 1 & 1 \\ 0 & 1 + \delta \end{pmatrix}` is known; as delta goes to 0
    its eigenvectors fall together.
    """

    class Config(LabConfig):
        """The motion.

        Attributes:
            matrix: One of your own, beside the four that are always drawn.
            seconds: How long it is followed.
            starts: Number of starting points, at most 1 from the origin.
        """

        matrix: Matrix = ((0.1, 1.0), (-2.0, 0.1))
        seconds: float = Field(default=8.0, gt=0, le=100)
        starts: int = Field(default=4, ge=1, le=20)

        @model_validator(mode="after")
        def _check(self) -> MatrixExponential.Config:
            size = max(abs(a) + abs(b) for a, b in self.matrix) * self.seconds
            if size > _LARGEST:
                raise ValueError(f"matrix times seconds has rows of up to {size:g}; expected at most {_LARGEST:g}")
            return self

    def __init__(self, config: MatrixExponential.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return portraits and errors."""
        numbers: dict[str, float | tuple[float, ...]] = {}
        figures: list[Points | Lines] = []
        rows, remarks = [], []
        for name, matrix in (*_PORTRAITS.items(), ("yours", self.config.matrix)):
            values = mean_and_product(matrix)
            whole = exponential(np.multiply(matrix, self.config.seconds))
            area = float(np.linalg.det(whole))
            trace = math.exp(float(np.trace(matrix)) * self.config.seconds)
            numbers |= {f"real/{name}": tuple(one.real for one in values)}
            numbers[f"imaginary/{name}"] = tuple(one.imag for one in values)
            numbers |= {f"determinant/{name}": area, f"exp_trace/{name}": trace}
            text = _text(values)
            rows.append((name, text, _kind(values), area, trace))
            remarks.append(f"{name}: eigenvalues {text}: {_kind(values)}.")
            figures.append(self._portrait(name, matrix, f"Eigenvalues {text}: {_kind(values)}"))
        apart = max(abs(row[3] / row[4] - 1) for row in rows)
        numbers["area_apart"] = apart
        remarks.append(f"The determinant of exp(Mt) is the exponential of the trace of Mt up to a part of {apart:.2g}.")
        chart, remark = self._errors(numbers)
        columns = ("matrix", "eigenvalues", "motion", f"det exp(M t), t = {self.config.seconds:g} s", "exp(trace t)")
        return Findings(numbers, (*figures, chart), (Grid("Motions", columns, tuple(rows)),), (*remarks, remark))

    def _portrait(self, name: str, matrix: Matrix, title: str) -> Points:
        turn = np.arange(self.config.starts) * 2 * math.pi / self.config.starts + 0.3
        place = np.stack((np.cos(turn), np.sin(turn))) * np.linspace(1, 0.4, len(turn))  # (2, starts)
        step = exponential(np.multiply(matrix, self.config.seconds / _STEPS))
        way = [place]
        for _ in range(_STEPS):
            way.append(step @ way[-1])
        states = np.array(way)  # (_STEPS + 1, 2, starts)
        lines = []
        for at in range(self.config.starts):
            one = states[:, :, at]
            out = np.flatnonzero(np.abs(one).max(1) > _GONE)
            lines.append(series(f"orbit {at + 1}", *one[: out[0] if len(out) else None].T))
        caption = f"{self.config.seconds:g} s from each start, within ±{_GONE:g}."
        starts = (series("start", *place),)
        return Points(f"portrait_{name}", title, "x", "y", starts, tuple(lines), equal=True, caption=caption)

    def _errors(self, numbers: dict[str, float | tuple[float, ...]]) -> tuple[Lines, str]:
        """Return how both ways err as the eigenvectors fall together."""
        deltas = 10.0 ** -np.arange(0, 14.5, 0.5)
        errors: dict[str, list[float]] = {"scaling and squaring": [], "eigenvectors": []}
        for delta in deltas:
            matrix, lower = np.array([[1, 1], [0, 1 + delta]]), math.exp(1)
            below = (1 + delta) - 1  # what the matrix holds of delta
            exact = lower * np.array([[1, math.expm1(below) / below], [0, math.exp(below)]])
            for name, way in (("scaling and squaring", exponential), ("eigenvectors", by_eigenvectors)):
                errors[name].append(float(np.abs(way(matrix) - exact).max()))
        numbers |= {f"errors/{name}": floats(ys) for name, ys in errors.items()}
        chart = Lines(
            "errors",
            "Two eigenvectors that fall together",
            "difference of the eigenvalues",
            "greatest error of the exponential",
            tuple(series(name, deltas[::-1], np.maximum(ys, 1e-17)[::-1]) for name, ys in errors.items()),
            log_x=True,
            log_y=True,
            caption="An error of 0 is drawn at 1e-17.",
        )
        texts = [f"by {name} {max(ys):.2g}" for name, ys in errors.items()]
        return chart, f"Eigenvalues {deltas[0]:g} to {deltas[-1]:.0e} apart: the greatest error is {', '.join(texts)}."


def _kind(values: tuple[complex, complex]) -> str:
    """Return what the eigenvalues make of the motion."""
    low, high = sorted(one.real for one in values)
    if low < 0 < high:
        return "saddle"
    grows = "inwards" if high < 0 else "outwards" if low > 0 else ""
    if values[0].imag:
        return f"spiral {grows}" if grows else "closed orbits"
    return f"node {grows}" if grows else "degenerate"


def _text(values: tuple[complex, complex]) -> str:
    if values[0].imag:
        return f"{values[0].real:.3g} ± {values[0].imag:.3g}i"
    return ", ".join(f"{one.real:.3g}" for one in values)
