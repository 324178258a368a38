"""What language a network of several is to write, said by a mark in front of the source; and which one it wrote."""

from __future__ import annotations

import collections
import itertools
import math
import re
from collections.abc import Iterable, Mapping, Sequence

from netsmith.core.errors import DataError
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.subwords import BLANK

__all__ = ["LanguageWords", "asked_for", "target_languages"]

_MARK = re.compile(r"<2(\w+)>")
_WORD = re.compile(r"[^\W\d_]+")


def target_languages(vocabulary: Sequence[str]) -> tuple[str, ...]:
    """Return the languages that a network can be asked for: the marks behind the end mark in its vocabulary.

    Example:
        >>> target_languages(("<pad>", "<unk>", "<eos>", "▁<2de>", "▁<2fr>", "▁a"))
        ('de', 'fr')
    """
    marks = (_MARK.fullmatch(token.removeprefix(BLANK)) for token in vocabulary[END_NUMBER + 1 :])
    return tuple(mark[1] for mark in itertools.takewhile(bool, marks) if mark)


def asked_for(text: str) -> str:
    """Return the language that a text asks for by the mark it begins with; empty where there is none.

    Example:
        >>> asked_for("<2de> A man sleeps."), asked_for("A man sleeps.")
        ('de', '')
    """
    found = _MARK.match(text.lstrip())
    return found[1] if found else ""


class LanguageWords:
    r"""Tells which of some languages a text is in, by how often each has its words.

    .. math:: \arg\max_l \sum_w \log \frac{n_l(w) + 1}{N_l + V}

    over the words w of a text, lower-cased, that any of the languages has; V is how many those are. Texts that say the
    same in all languages make it fair.

    Args:
        texts: Of each language some texts.

    Raises:
        DataError: Fewer than two languages, or one without a word.

    Example:
        >>> words = LanguageWords({"de": ["ein Mann schläft"], "fr": ["un homme dort"]})
        >>> words.guess("Der Mann dort schläft"), words.guess("7 %")
        ('de', '')
    """

    def __init__(self, texts: Mapping[str, Iterable[str]]) -> None:
        self._counts = {
            language: collections.Counter(itertools.chain.from_iterable(map(_words, some)))
            for language, some in texts.items()
        }
        empty = [language for language, counts in self._counts.items() if not counts]
        if len(self._counts) < 2 or empty:
            raise DataError(f"expected texts of two or more languages, each with words; got {sorted(self._counts)}")
        self._size = len(set().union(*self._counts.values()))
        self._totals = {language: counts.total() for language, counts in self._counts.items()}

    def guess(self, text: str) -> str:
        """Return the likeliest language of a text; empty where none of its words is known, or two are as likely."""
        known = [word for word in _words(text) if any(word in counts for counts in self._counts.values())]
        scores = {language: self._score(known, language) for language in self._counts}
        best, second = sorted(scores.values(), reverse=True)[:2]
        return "" if not known or best == second else max(scores, key=scores.__getitem__)

    def _score(self, words: Iterable[str], language: str) -> float:
        counts, total = self._counts[language], self._totals[language] + self._size
        return sum(math.log((counts[word] + 1) / total) for word in words)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
