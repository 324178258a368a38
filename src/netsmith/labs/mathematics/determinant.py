"""The determinant: by what factor a linear map changes areas and volumes, and whether it turns them over."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from netsmith.core.findings import Findings, Grid, Points
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import Matrix, rounded, series

__all__ = ["CARD", "Determinant", "leibniz", "shoelace", "solid_volume"]

CARD = {
    "title": "The determinant as a factor of area and volume",
    "paper": "Strang, Introduction to Linear Algebra, chapter 5",
    "shows": "a letter under linear maps: its measured area against the determinant, and its sense of turning",
    "quick": {"pairs": 5},
}

_LETTER = np.array(  # an F, counterclockwise: no symmetry of it hides a reflection
    [(0, 0), (0.3, 0), (0.3, 0.6), (0.8, 0.6), (0.8, 0.9), (0.3, 0.9), (0.3, 1.2), (1, 1.2), (1, 1.5), (0, 1.5)]
)
_CUBE = np.array([(x, y, z) for x in (0.0, 1.0) for y in (0.0, 1.0) for z in (0.0, 1.0)])
_FACES = np.array(  # two triangles a side, each counterclockwise seen from outside
    [
        *((0, 1, 3), (0, 3, 2), (4, 6, 7), (4, 7, 5), (0, 4, 5), (0, 5, 1)),
        *((2, 3, 7), (2, 7, 6), (0, 2, 6), (0, 6, 4), (1, 5, 7), (1, 7, 3)),
    ]
)
_TURN = math.radians(40)
_MAPS: tuple[tuple[str, Matrix], ...] = (
    ("stretch", ((1.5, 0.0), (0.0, 0.5))),
    ("shear", ((1.0, 0.8), (0.0, 1.0))),
    ("rotation", ((math.cos(_TURN), -math.sin(_TURN)), (math.sin(_TURN), math.cos(_TURN)))),
    ("reflection", ((-1.0, 0.0), (0.0, 1.0))),
    ("projection", ((0.8, 0.4), (0.4, 0.2))),
)
_FLAT = 1e-12


def leibniz(matrix: ArrayLike) -> float:
    r"""Return the determinant as its definition has it: :math:`\sum_\pi \mathrm{sign}(\pi) \prod_i a_{i \pi(i)}`."""
    rows = np.asarray(matrix, dtype=np.float64)
    total = 0.0
    for order in permutations(range(len(rows))):
        swaps = sum(a > b for at, a in enumerate(order) for b in order[at + 1 :])
        total += (-1) ** swaps * math.prod(rows[row, column] for row, column in enumerate(order))
    return total


def shoelace(corners: NDArray[np.float64]) -> float:
    """Return a polygon's area, negative where its corners ``(N, 2)`` run clockwise."""
    x, y = corners.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def solid_volume(corners: NDArray[np.float64], faces: NDArray[np.int_]) -> float:
    """Return a solid's volume from its surface of triangles: a pyramid over each, with the tip at the origin."""
    a, b, c = (corners[faces[:, at]] for at in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


class Determinant:
    r"""Map the outline of a letter, and measure the area of what comes out.

    .. math:: \mathrm{area}(A S) = |\det A|\; \mathrm{area}(S), \qquad \det(AB) = \det A \det B
    """

    class Config(LabConfig):
        """The maps.

        Attributes:
            matrix: One of your own, beside the five that are always drawn.
            pairs: Random 3x3 matrices, for volumes and products.
            seed: Of the random matrices.
        """

        matrix: Matrix = ((1.5, 0.5), (0.5, 1.0))
        pairs: int = Field(default=200, ge=1, le=10_000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: Determinant.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return areas before and after each map."""
        numbers: dict[str, float | int | str | None] = {}
        figures, rows, remarks = [], [], []
        before = shoelace(_LETTER)
        for name, matrix in (*_MAPS, ("yours", self.config.matrix)):
            image = _LETTER @ np.array(matrix).T
            factor, after = leibniz(matrix), shoelace(image)
            numbers |= {f"determinant/{name}": factor, f"area_ratio/{name}": after / before}
            entries = "; ".join(", ".join(map(rounded, row)) for row in matrix)
            rows.append((name, entries, factor, before, abs(after), after / before))
            remarks.append(f"{name}: {_told(factor, after / before)}")
            outlines = [series(who, *np.vstack([at, at[:1]]).T) for who, at in (("letter", _LETTER), ("image", image))]
            title = f"{name}: det = {rounded(factor)}"
            figures.append(Points(f"map_{name}", title, "x", "y", (), tuple(outlines), equal=True))
        remarks.append(self._random(numbers))
        columns = ("map", "matrix (rows)", "determinant", "area before", "area after", "ratio with orientation")
        caption = "Areas are measured from the corners (shoelace formula), without the determinant."
        return Findings(numbers, tuple(figures), (Grid("Areas", columns, tuple(rows), caption),), tuple(remarks))

    def _random(self, numbers: dict[str, float | int | str | None]) -> str:
        generator = np.random.default_rng(self.config.seed)
        pairs = generator.normal(size=(self.config.pairs, 2, 3, 3))
        volumes = max(abs(solid_volume(_CUBE @ a.T, _FACES) - leibniz(a)) for a, _ in pairs)
        products = max(abs(leibniz(a @ b) - leibniz(a) * leibniz(b)) for a, b in pairs)
        numbers |= {"volume_error": volumes, "product_error": products}
        return (
            f"Over {self.config.pairs} random 3x3 matrices the volume of the mapped unit cube differs from the "
            f"determinant by at most {volumes:.2g}, and det(AB) from det A det B by at most {products:.2g}."
        )


def _told(factor: float, ratio: float) -> str:
    if abs(ratio) < _FLAT:
        return f"the image has no area left (ratio {rounded(ratio)}), and the determinant is {rounded(factor)}."
    way = "keeps its direction" if ratio > 0 else "runs the other way round"
    return (
        f"the area becomes {rounded(abs(ratio))} times what it was, and the outline {way}; "
        f"the determinant is {rounded(factor)}."
    )
