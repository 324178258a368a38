"""One vector and one linear map, told in two bases."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Points
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import Entry, Matrix, floats, listed, rounded, series

__all__ = ["CARD", "ChangeOfBasis", "in_basis"]

CARD = {
    "title": "Change of basis",
    "paper": "Strang, Introduction to Linear Algebra, sections 6.2 and 8.3",
    "shows": "coordinates of a vector in another basis, and a map that only stretches in the basis of its eigenvectors",
    "quick": {"trials": 5},
}

_ZERO = 1e-12
_MOST = 12  # steps that are drawn each way


def in_basis(matrix: NDArray[np.float64], basis: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a map as it is told in another basis, ``B^-1 A B``; the basis vectors are B's columns."""
    return np.linalg.solve(basis, matrix @ basis)


class ChangeOfBasis:
    r"""Tell a vector and a map in a basis of your own.

    .. math:: v_B = B^{-1} v, \qquad A_B = B^{-1} A B, \qquad A^k = B A_B^k B^{-1}

    By default the basis holds the map's eigenvectors, and the map is diagonal in it.
    """

    class Config(LabConfig):
        """The map, the basis and the vector.

        Attributes:
            matrix: Rows of A.
            basis: Rows of B: the basis vectors are its columns.
            vector: v, in the standard basis.
            power: k.
            trials: Random maps and bases of size 4, on which trace, determinant and eigenvalues are compared.
            seed: Of the random ones.
        """

        matrix: Matrix = ((3.0, 1.0), (0.0, 2.0))
        basis: Matrix = ((1.0, -1.0), (0.0, 1.0))
        vector: tuple[Entry, Entry] = (-1.0, 3.0)
        power: int = Field(default=10, ge=0, le=100)
        trials: int = Field(default=200, ge=1, le=10_000)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> ChangeOfBasis.Config:
            (a, b), (c, d) = self.basis
            if abs(a * d - b * c) < _ZERO:
                raise ValueError(f"basis={self.basis}: its columns lie on one line; expected two directions")
            return self

    def __init__(self, config: ChangeOfBasis.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the vector and the map in both bases."""
        matrix, basis, vector = map(np.array, (self.config.matrix, self.config.basis, self.config.vector))
        told, coordinates = in_basis(matrix, basis), np.linalg.solve(basis, vector)
        back = float(np.abs(basis @ coordinates - vector).max())
        power = np.linalg.matrix_power(matrix, self.config.power)
        short = basis @ np.linalg.matrix_power(told, self.config.power) @ np.linalg.inv(basis)
        apart = float(np.abs(power - short).max() / max(1.0, np.abs(power).max()))
        other = max(abs(told[0, 1]), abs(told[1, 0]))
        lasting = self._invariants()
        numbers: dict[str, float | tuple[float, ...]] = {"coordinates": floats(coordinates), "back_error": back}
        numbers |= {"in_basis": floats(told.ravel()), "power_error": apart, "off_diagonal": float(other)}
        numbers |= {f"{name}_apart": value for name, value in lasting.items()}
        rows = tuple(
            (name, *("; ".join(listed(row) for row in one) for one in (matrix, told)))
            if name == "map (rows)"
            else (name, *values)
            for name, values in (
                ("map (rows)", ()),
                ("vector", (listed(vector), listed(coordinates))),
                ("trace", (rounded(np.trace(matrix)), rounded(np.trace(told)))),
                ("determinant", (rounded(np.linalg.det(matrix)), rounded(np.linalg.det(told)))),
            )
        )
        diagonal = other < _ZERO
        remarks = (
            f"The vector {listed(vector)} has the coordinates {listed(coordinates)} in the basis "
            f"{listed(basis[:, 0])}, {listed(basis[:, 1])}.",
            f"In that basis the map is {'; '.join(listed(row) for row in told)}: "
            + (
                f"diagonal, it only stretches, by {rounded(told[0, 0])} and {rounded(told[1, 1])}."
                if diagonal
                else f"not diagonal, up to {rounded(other)} beside the diagonal."
            ),
            f"Its power {self.config.power}, taken in that basis and told back, differs from the product of "
            f"{self.config.power} maps by {apart:.2g} of the largest entry.",
            f"Over {self.config.trials} random maps and bases of size 4 the bases differ in "
            + " and ".join(f"the {name} by {value:.2g}" for name, value in lasting.items())
            + " at most.",
        )
        table = Grid("In both bases", ("", "standard basis", "your basis"), rows)
        figures = (_coordinates(basis, vector, coordinates), _mapped(matrix, basis))
        return Findings(numbers, figures, (table,), remarks)

    def _invariants(self) -> dict[str, float]:
        generator = np.random.default_rng(self.config.seed)
        most = dict.fromkeys(("trace", "determinant", "spectrum"), 0.0)
        for _ in range(self.config.trials):
            matrix = generator.normal(size=(4, 4))
            basis = np.linalg.qr(generator.normal(size=(4, 4)))[0] * generator.uniform(0.5, 2, size=4)
            told = in_basis(matrix, basis)
            values = (np.sort_complex(np.linalg.eigvals(one)) for one in (matrix, told))
            pairs = ((np.trace(matrix), np.trace(told)), (np.linalg.det(matrix), np.linalg.det(told)), tuple(values))
            for name, (a, b) in zip(most, pairs, strict=True):
                most[name] = max(most[name], float(np.abs(a - b).max()))
        return most


def _coordinates(basis: NDArray[np.float64], vector: NDArray[np.float64], told: NDArray[np.float64]) -> Points:
    """Return the way to the vector along both basis vectors."""
    corner = basis[:, 0] * told[0]
    lines = [
        series(name, *np.array(places).T)
        for name, places in (
            (f"{rounded(told[0])} times the first", (np.zeros(2), corner)),
            (f"{rounded(told[1])} times the second", (corner, vector)),
            ("vector", (np.zeros(2), vector)),
        )
    ]
    reach = [range(min(0, math.floor(one)), max(0, math.ceil(one)) + 1) for one in told]
    steps = np.array([basis @ (i, j) for i in reach[0][:_MOST] for j in reach[1][:_MOST]])
    groups = (series("whole steps in your basis", *steps.T),)
    return Points("coordinates", "The vector in your basis", "x", "y", groups, tuple(lines), equal=True)


def _mapped(matrix: NDArray[np.float64], basis: NDArray[np.float64]) -> Points:
    """Return the cells of both bases and what the map makes of them."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]).T
    cells = (("standard cell", corners), ("your cell", basis @ corners))
    lines = [series(name, *one) for cell, at in cells for name, one in ((cell, at), (f"{cell}, mapped", matrix @ at))]
    title = "A cell of each basis under the map"
    caption = "Where your basis holds eigenvectors, the sides of its cell keep their lines."
    return Points("mapped", title, "x", "y", (), tuple(lines), equal=True, caption=caption)
