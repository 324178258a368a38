"""A lexicon of sentiment: how good or bad, how personal, and how strengthening each word is; free of torch."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from netsmith.core.errors import DataError

__all__ = ["Entry", "Language", "Lexicon", "entry", "with_modifiers"]

Language = Literal["en", "zh"]

_NEGATIONS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "en": frozenset(("no", "not", "n't", "never", "neither", "nor", "cannot", "without")),
        "zh": frozenset(
            ("不", "没", "没有", "無", "无", "未", "别", "非", "不是", "不会", "不能", "並不", "并不", "不太")
        ),
    }
)
_MODIFIERS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        "en": MappingProxyType(
            {
                "very": 1.3, "really": 1.3, "extremely": 1.6, "incredibly": 1.6, "absolutely": 1.6, "so": 1.2,
                "too": 1.2, "most": 1.4, "more": 1.2, "quite": 1.1, "totally": 1.4, "highly": 1.4, "deeply": 1.4,
                "fairly": 0.9, "rather": 0.9, "somewhat": 0.7, "slightly": 0.5, "barely": 0.5, "hardly": 0.5,
                "less": 0.7, "almost": 0.8, "mildly": 0.6, "partly": 0.6,
            }
        ),
        "zh": MappingProxyType(
            {
                "很": 1.3, "非常": 1.5, "太": 1.4, "十分": 1.5, "特别": 1.5, "极": 1.7, "极其": 1.7, "最": 1.6,
                "挺": 1.2, "更": 1.2, "相当": 1.3, "超": 1.5, "真": 1.2, "比较": 0.9, "还算": 0.7,
                "稍": 0.6, "稍微": 0.6, "有点": 0.6, "有些": 0.6, "略": 0.6,
            }
        ),
    }
)  # fmt: skip


class Entry(NamedTuple):
    """What a lexicon says of a word.

    Attributes:
        polarity: -1 (bad) to 1 (good).
        subjectivity: 0 (a fact) to 1 (an opinion).
        intensity: The factor on the word that follows, above 0.
        modifies: Whether the word strengthens or weakens the one that follows.
        judges: Whether it is an opinion by itself; a mere modifier is none.
    """

    polarity: float
    subjectivity: float
    intensity: float = 1.0
    modifies: bool = False
    judges: bool = True


@dataclasses.dataclass(frozen=True)
class Lexicon:
    """Words with their entries.

    Attributes:
        name: Where it is from.
        entries: By word in lower case; a phrase has single spaces between its words.
        negations: Words that turn around what follows.
        language: ``en``: words between spaces; ``zh``: words found by the longest match.
    """

    name: str
    entries: Mapping[str, Entry]
    negations: frozenset[str]
    language: Language = "en"

    @functools.cached_property
    def longest(self) -> int:
        """The longest entry: in words, of Chinese in signs."""
        words = (*self.entries, *self.negations)
        return max((len(word) if self.language == "zh" else word.count(" ") + 1 for word in words), default=1)


def entry(
    polarity: float, subjectivity: float | None = None, intensity: float = 1.0, *, modifies: bool | None = None
) -> Entry:
    """Return a checked entry.

    Args:
        polarity: -1 to 1.
        subjectivity: 0 to 1; where it is not known, the strength of the polarity stands for it.
        intensity: Above 0, at most 10.
        modifies: Whether it changes what follows; by default where its intensity is not 1.

    Raises:
        DataError: A number out of its range.

    Example:
        >>> entry(-0.5)
        Entry(polarity=-0.5, subjectivity=0.5, intensity=1.0, modifies=False, judges=True)
    """
    found = Entry(polarity, abs(polarity) if subjectivity is None else subjectivity, intensity)
    for name, value, low, high in (("polarity", found.polarity, -1.0, 1.0), ("subjectivity", found.subjectivity, 0, 1)):
        if not low <= value <= high:  # so is NaN refused
            raise DataError(f"has the {name} {value:g}; expected {low:g} to {high:g}")
    if not (math.isfinite(intensity) and 0 < intensity <= 10):
        raise DataError(f"has the intensity {intensity:g}; expected a factor above 0 and at most 10")
    return found._replace(modifies=intensity != 1.0 if modifies is None else modifies)


def with_modifiers(name: str, entries: Mapping[str, Entry], *, language: Language) -> Lexicon:
    """Return a lexicon of some entries, with the usual negations and, where it has none, modifiers of the language."""
    own = any(one.modifies for one in entries.values())
    added = {} if own else {word: Entry(0.0, 0.0, by, True, False) for word, by in _MODIFIERS[language].items()}
    merged = dict(entries)
    for word, modifier in added.items():
        known = merged.get(word)
        merged[word] = modifier if known is None else known._replace(intensity=modifier.intensity, modifies=True)
    negations = _NEGATIONS[language]
    return Lexicon(name, MappingProxyType(merged), negations, language)
