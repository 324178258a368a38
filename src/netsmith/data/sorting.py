"""Numbers to be sorted: the places of a set in rising order.

Vinyals, Bengio & Kudlur, "Order matters: sequence to sequence for sets", 2016 (arXiv:1511.06391, section 4.2).
"""

from __future__ import annotations

from torch import Tensor

from netsmith.data._pointing import PlaceFields, PlaceSource

__all__ = ["Sorting"]


class Sorting(PlaceSource):
    """Numbers from U(0, 1); the answer is where the smallest stands, the next one, ..., and the end."""

    class Config(PlaceFields):
        """The sets; the paper's have 5, 10 or 15 numbers each."""

    def __init__(self, config: Sorting.Config) -> None:
        super().__init__(config, dataset="sorting", columns=("number",))

    def _answer(self, rows: Tensor) -> list[int]:
        return rows[:, 0].argsort(stable=True).tolist()
