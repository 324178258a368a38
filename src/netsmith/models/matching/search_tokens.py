"""Words as a search compares them: lower case, without plural endings, Chinese by signs and pairs of signs."""

from __future__ import annotations

import re
from collections.abc import Collection

from netsmith.layers.plurals import singular
from netsmith.layers.sentences import words

__all__ = ["search_tokens"]

_CHINESE_RUN = re.compile(r"[\u3400-\u9fff]{2,}")


def search_tokens(text: str, *, stem: bool = True, skip: Collection[str] = ()) -> list[str]:
    """Return the tokens of a text that a search counts.

    Args:
        text: A text, English or Chinese; of several Chinese signs in a row each pair is a token, too.
        stem: Whether plurals count as their singulars.
        skip: Words that do not count, in lower case.

    Example:
        >>> search_tokens("The flows over wings", skip=("the",))
        ['flow', 'over', 'wing']
        >>> search_tokens("搜索词")
        ['搜', '索', '词', '搜索', '索词']
    """
    found = [word for word in words(text) if word not in skip]
    if stem:
        found = [singular(word) for word in found]
    for match in _CHINESE_RUN.finditer(text):
        run = match.group()
        found += [run[at : at + 2] for at in range(len(run) - 1)]
    return found
