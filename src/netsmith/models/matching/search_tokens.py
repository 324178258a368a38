"""Words as a search compares them: lower case, without plural endings, Chinese by signs and pairs of signs."""

from __future__ import annotations

import re
from collections.abc import Collection

from netsmith.layers.sentences import words

__all__ = ["search_tokens", "singular"]

_CHINESE_RUN = re.compile(r"[\u3400-\u9fff]{2,}")


def singular(word: str) -> str:
    """Return an English word without its plural ending, by the three rules of the S-stemmer (Harman 1991, JASIS 42:1).

    Words of up to three letters stay as they are: ``gas``, ``its``.

    Example:
        >>> [singular(word) for word in ("queries", "wings", "gas", "stress", "plates", "flies", "radius", "shoes")]
        ['query', 'wing', 'gas', 'stress', 'plate', 'fly', 'radius', 'shoe']
    """
    if len(word) <= 3:
        return word
    if word.endswith("ies") and not word.endswith(("eies", "aies")):
        return word[:-3] + "y"
    if word.endswith("es") and not word.endswith(("aes", "ees", "oes")):
        return word[:-1]
    if word.endswith("s") and not word.endswith(("us", "ss")):
        return word[:-1]
    return word


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
