"""Points of the plane whose convex hull is wanted: the places of its corners.

Vinyals, Fortunato & Jaitly, "Pointer networks", NIPS 2015 (arXiv:1506.03134, sections 3.1 and 4.2).
"""

from __future__ import annotations

from pydantic import Field
from torch import Tensor

from netsmith.data._pointing import PlaceFields, PlaceSource
from netsmith.layers.polygons import convex_hull

__all__ = ["ConvexHull"]


class ConvexHull(PlaceSource):
    """Points from the unit square; the answer is the hull's corners.

    They are named counterclockwise, from the one given first: any order would do, and one is easier to learn.
    """

    class Config(PlaceFields):
        """The sets; the paper's have 5 to 50 points.

        Attributes:
            least: The fewest points.
        """

        least: int = Field(default=5, ge=3, le=1000)

    def __init__(self, config: ConvexHull.Config) -> None:
        super().__init__(config, dataset="convex_hull", columns=("x", "y"))

    def _answer(self, rows: Tensor) -> list[int]:
        return convex_hull(rows.tolist())
