"""BLEU: how much of what was written stands in a reference, by counts of n-grams that add up over a corpus; torch-free.

Papineni, Roukos, Ward, Zhu, "BLEU: a method for automatic evaluation of machine translation", ACL 2002. Tokens and
smoothing are those of NIST's mteval-v13a; the figure is that of sacrebleu (Post 2018, arXiv:1804.08771) with the
signature ``nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp``.
"""

from __future__ import annotations

import collections
import math
import re
from collections.abc import Iterable

from netsmith.core.errors import DataError

__all__ = ["BleuCounts", "bleu", "bleu_tokens"]

_ORDER = 4
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_RULES = (
    (re.compile(r"""([ !"#$%&()*+/:;<=>?@\[\\\]^_`{|}~])"""), r" \1 "),  # all marks of ASCII but ' , - .
    (re.compile(r"([^0-9])([.,])"), r"\1 \2 "),
    (re.compile(r"([.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)


def bleu_tokens(text: str) -> list[str]:
    """Cut a text into the tokens of mteval-v13a: marks stand alone, but for those inside numbers, ``'`` and ``-``.

    Example:
        >>> bleu_tokens("It's 3.5% of a well-known (1-2) cake, no?")
        ["It's", '3.5', '%', 'of', 'a', 'well-known', '(', '1', '-', '2', ')', 'cake', ',', 'no', '?']
    """
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, sign in _ENTITIES:
        text = text.replace(entity, sign)
    text = f" {text} "
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text.split()


class BleuCounts:
    r"""The counts of a corpus, to which texts are added one by one; those of two corpora add up.

    .. math:: 100 \, \min(1, e^{1 - r/c}) \left( \prod_{n=1}^4 p_n \right)^{1/4}

    with :math:`p_n` the share of n-grams that a reference has (each as often as there at most), c and r the lengths
    of what was written and of the references. The k-th order without a match counts as :math:`2^{-k}` of a match.

    Attributes:
        matches: N-grams found in a reference, by n from 1 to 4.
        totals: N-grams that were written.
        written: Tokens that were written, c.
        wanted: Tokens of the references, r: of several of one text, of the one nearest in length.

    Example:
        >>> counts = BleuCounts()
        >>> counts.add("a man sleeps on the grass .", "a man sleeps in the grass .")
        >>> counts.matches, counts.totals, round(counts.score(), 4)
        ([6, 4, 2, 0], [7, 6, 5, 4], 41.1134)
    """

    def __init__(self) -> None:
        self.matches = [0] * _ORDER
        self.totals = [0] * _ORDER
        self.written = 0
        self.wanted = 0

    def add(self, text: str, *references: str) -> None:
        """Take in a text and what it should be.

        Raises:
            DataError: No reference.
        """
        if not references:
            raise DataError(f"BLEU of {text[:40]!r} has no reference; expected one or more")
        tokens, others = bleu_tokens(text), [bleu_tokens(reference) for reference in references]
        size = len(tokens)
        self.written += size
        self.wanted += min((len(other) for other in others), key=lambda length: (abs(length - size), length))
        for n in range(1, _ORDER + 1):
            most: collections.Counter[tuple[str, ...]] = collections.Counter()
            for other in others:
                most |= _grams(other, n)
            found = _grams(tokens, n)
            self.matches[n - 1] += sum((found & most).values())
            self.totals[n - 1] += max(0, size - n + 1)

    def merge(self, other: BleuCounts) -> None:
        """Take in what another corpus counted."""
        self.matches = [one + more for one, more in zip(self.matches, other.matches, strict=True)]
        self.totals = [one + more for one, more in zip(self.totals, other.totals, strict=True)]
        self.written += other.written
        self.wanted += other.wanted

    def score(self) -> float:
        """Return BLEU, 0..100; NaN if nothing was added."""
        if not self.wanted and not self.written:
            return math.nan
        if not any(self.matches) or not all(self.totals):
            return 0.0
        logs, unmatched = 0.0, 0
        for found, total in zip(self.matches, self.totals, strict=True):
            unmatched += found == 0
            logs += math.log((found or 0.5**unmatched) / total)
        short = min(0.0, 1 - self.wanted / self.written)
        return 100 * math.exp(short + logs / _ORDER)


def _grams(tokens: list[str], n: int) -> collections.Counter[tuple[str, ...]]:
    return collections.Counter(zip(*(tokens[at:] for at in range(n)), strict=False))


def bleu(pairs: Iterable[tuple[str, str]]) -> float:
    """Return the BLEU of a corpus, 0..100.

    Args:
        pairs: What was written, and the reference.
    """
    counts = BleuCounts()
    for text, reference in pairs:
        counts.add(text, reference)
    return counts.score()
