"""English words without their plural endings."""

from __future__ import annotations

__all__ = ["singular"]


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
