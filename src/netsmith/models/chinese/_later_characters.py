"""Which characters stand at each later place of the words that begin with one: what cannot be a word is not looked up.

A string of a hundred characters is searched in less time than the tree's next node is fetched from memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

from netsmith.models.chinese._blocks import CODES

if TYPE_CHECKING:
    from netsmith.models.chinese._prefix_dictionary import Node

__all__ = ["LaterCharacters"]


class LaterCharacters:
    """The characters of words by place, for each first character; lists are indexed by its code point.

    Args:
        trees: The dictionary's: code point of the first character -> what follows.
    """

    def __init__(self, trees: Sequence[dict[str, Node]]) -> None:
        self.seconds = [""] * CODES
        """The second characters of all words."""
        self.pairs = [""] * CODES
        """The second characters of words of two."""
        self.thirds = [""] * CODES
        """The third characters of words of three and more."""
        self.further: list[tuple[str, ...]] = [()] * CODES
        """The fourth characters, the fifth, and so on."""
        for code, tree in enumerate(trees):
            if tree:
                self.renew(code, tree)

    def renew(self, code: int, tree: dict[str, Node]) -> None:
        """Take over what has changed below the first character of a code point."""
        self.seconds[code] = "".join(tree)
        self.pairs[code] = "".join([second for second, (weight, _) in tree.items() if weight is not None])
        places: list[str] = []
        level = [below for _, below in tree.values() if below]
        while level:
            places.append("".join(dict.fromkeys(chain.from_iterable(level))))
            level = [below for tree in level for _, below in tree.values() if below]
        self.thirds[code] = places[0] if places else ""
        self.further[code] = tuple(places[1:])
