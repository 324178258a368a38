"""Eigenvalues of a 2x2 matrix from the mean and the product, and the largest one by power iteration."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import Matrix, floats, rounded, series
from netsmith.labs.mathematics._two_by_two import mean_and_product

__all__ = ["CARD", "Eigenvalues", "power_iteration", "with_eigenvalues"]

CARD = {
    "title": "Eigenvalues by mean and product, and by power iteration",
    "paper": "Trefethen & Bau 1997, Numerical Linear Algebra, lecture 27",
    "shows": "where two eigenvalues meet and turn complex, and how fast powers of a matrix find its largest one",
    "quick": {"steps": 20, "matrices": 20},
}

_ROUNDING = 1e-12  # errors below it are left out of rates


def power_iteration(
    matrix: NDArray[np.float64], start: NDArray[np.float64], steps: int
) -> tuple[NDArray[np.float64], list[float]]:
    """Return the last direction, and the Rayleigh quotient before the first step and after each."""
    vector = start / np.linalg.norm(start)
    quotients = [float(vector @ matrix @ vector)]
    for _ in range(steps):
        vector = matrix @ vector
        vector /= np.linalg.norm(vector)
        quotients.append(float(vector @ matrix @ vector))
    return vector, quotients


def with_eigenvalues(values: Sequence[float], generator: np.random.Generator) -> NDArray[np.float64]:
    """Return a symmetric matrix with these eigenvalues, in a random basis."""
    basis, _ = np.linalg.qr(generator.normal(size=(len(values), len(values))))
    return basis * np.array(values) @ basis.T


class Eigenvalues:
    r"""Compare the formula with LAPACK, and the errors of power iteration with what the second eigenvalue says.

    .. math:: |q_k - \lambda_1| = O\left(|\lambda_2 / \lambda_1|^{2k}\right)

    for the Rayleigh quotient :math:`q_k` of a symmetric matrix.
    """

    class Config(LabConfig):
        """The matrices.

        Attributes:
            matrix: The 2x2 matrix whose mean is kept in the figure.
            ratios: Of the second eigenvalue to the first, which is 1; at least 0.01, below 1.
            size: Of the symmetric matrices, whose other eigenvalues lie below the second.
            steps: Of power iteration.
            matrices: Random 2x2 matrices, on which the formula is compared.
            seed: Of the random matrices.
        """

        matrix: Matrix = ((3.0, 1.0), (4.0, 1.0))
        ratios: tuple[float, ...] = (0.5, 0.8, 0.95)
        size: int = Field(default=20, ge=2, le=500)
        steps: int = Field(default=100, ge=4, le=10_000)
        matrices: int = Field(default=1000, ge=1, le=100_000)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> Eigenvalues.Config:
            if not self.ratios or not all(0.01 <= ratio < 1 for ratio in self.ratios):
                raise ValueError(f"ratios={self.ratios}: expected some of 0.01 to below 1")
            return self

    def __init__(self, config: Eigenvalues.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return eigenvalues by product, and the errors of power iteration by step."""
        generator = np.random.default_rng(self.config.seed)
        first, second = mean_and_product(self.config.matrix)
        mean = (first + second).real / 2
        many = generator.normal(size=(self.config.matrices, 2, 2))
        apart = max(_apart(mean_and_product(one), np.linalg.eigvals(one)) for one in many)
        numbers: dict[str, float | tuple[float, ...]] = {"mean": mean, "product": (first * second).real}
        numbers |= {"real": (first.real, second.real), "imaginary": (first.imag, second.imag), "formula_error": apart}
        shown = ", ".join(_text(one) for one in (first, second))
        remarks = [
            f"The matrix has mean {rounded(mean)} and product {rounded((first * second).real)}; its eigenvalues are "
            f"{shown}.",
            f"On {self.config.matrices:,} random matrices the formula differs from LAPACK by at most {apart:.2g}.",
        ]
        lines, rows = [], []
        for ratio in self.config.ratios:
            errors = self._errors(ratio, generator)
            rate = _rate(errors)
            numbers |= {f"errors/{ratio:g}": floats(errors), f"rate/{ratio:g}": rate}
            rows.append((ratio, ratio**2, rate, next((k for k, e in enumerate(errors) if e < _ROUNDING), None)))
            lines.append(series(f"ratio {ratio:g}", range(len(errors)), errors))
            remarks.append(
                f"Second eigenvalue {ratio:g} of the first: a step multiplies the error by {rate:.4f} at last; "
                f"the ratio's square is {ratio**2:.4f}."
            )
        title = f"Power iteration on {self.config.size}x{self.config.size} symmetric matrices"
        power = Lines("power", title, "step", "error of the Rayleigh quotient", tuple(lines), log_y=True)
        columns = ("ratio of eigenvalues", "its square", "measured factor a step", f"first step below {_ROUNDING:g}")
        table = Grid("Power iteration", columns, tuple(rows))
        return Findings(numbers, (_branches(mean), power), (table,), tuple(remarks))

    def _errors(self, ratio: float, generator: np.random.Generator) -> list[float]:
        values = [1.0, ratio, *np.linspace(0, ratio * 0.9, self.config.size)[: self.config.size - 2]]
        start = generator.normal(size=self.config.size)
        _, quotients = power_iteration(with_eigenvalues(values, generator), start, self.config.steps)
        return [abs(1 - one) for one in quotients]


def _branches(mean: float) -> Lines:
    """Return real and imaginary parts of both eigenvalues by their product."""
    products = mean**2 + np.linspace(-4, 4, 201)
    pairs = [mean_and_product(((mean, mean**2 - p), (1.0, mean))) for p in products]
    parts = (("real, larger", [a.real for a, _ in pairs]), ("real, smaller", [b.real for _, b in pairs]))
    imaginary = (("imaginary, +", [a.imag for a, _ in pairs]), ("imaginary, -", [b.imag for _, b in pairs]))
    return Lines(
        "branches",
        f"Eigenvalues of matrices with mean {rounded(mean)}",
        "product (determinant)",
        "part of the eigenvalue",
        tuple(series(name, products, ys) for name, ys in (*parts, *imaginary)),
        caption=f"They meet where the product is the square of the mean, {rounded(mean**2)}.",
    )


def _apart(mine: tuple[complex, complex], theirs: NDArray[np.complex128]) -> float:
    return min(max(abs(mine[a] - theirs[0]), abs(mine[1 - a] - theirs[1])) for a in (0, 1))


def _rate(errors: list[float]) -> float:
    """Return the factor a step has at last, before rounding is reached."""
    above = [error for error in errors if error > _ROUNDING]
    factors = [after / before for before, after in pairwise(above)]
    return float(np.exp(np.log(factors[-max(1, len(factors) // 4) :]).mean())) if factors else 0.0


def _text(value: complex) -> str:
    if not value.imag:
        return rounded(value.real, 6)
    return f"{rounded(value.real, 6)} {'+' if value.imag > 0 else '-'} {rounded(abs(value.imag), 6)}i"
