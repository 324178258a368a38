"""Words as bags of their letter n-grams: a small fixed space that unknown and misspelled words lie in, too.

Huang, He, Gao, Deng, Acero & Heck, "Learning Deep Structured Semantic Models for Web Search using Clickthrough Data",
CIKM 2013, section 3.2.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError

__all__ = ["LetterNgrams", "letter_ngrams", "ngram_collisions"]

_SPECIAL = 2  # padding and unknown: the numbers below it are no words


def letter_ngrams(word: str, *, size: int = 3) -> list[str]:
    """Return the n-grams of a word between two marks; of a word too short for one, the marked word.

    Raises:
        ConfigError: ``size`` is below 1.

    Example:
        >>> letter_ngrams("good")
        ['#go', 'goo', 'ood', 'od#']
        >>> letter_ngrams("a", size=4)
        ['#a#']
    """
    if size < 1:
        raise ConfigError(f"letter n-grams of size {size}; expected 1 or more")
    marked = f"#{word}#"
    return [marked[at : at + size] for at in range(max(1, len(marked) - size + 1))]


def ngram_collisions(words: Iterable[str], *, size: int = 3) -> list[tuple[str, ...]]:
    """Return the groups of different words that have the same bag of n-grams, in the order of their first words.

    Example:
        >>> ngram_collisions(["abab", "baba", "aba"], size=1)
        [('abab', 'baba')]
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for word in dict.fromkeys(words):
        groups.setdefault(tuple(sorted(letter_ngrams(word, size=size))), []).append(word)
    return [tuple(group) for group in groups.values() if len(group) > 1]


class LetterNgrams(nn.Module):
    """Count the letter n-grams of all words of a text: the input of DSSM.

    Nothing is learned. The n-grams are those of the words that are known, in alphabetical order (:attr:`names`); a word
    that is handed in later as text has a vector, too (:meth:`of_words`).

    Args:
        vocabulary: The words by token number; the first two are padding and unknown, which have no n-gram.
        size: Letters of an n-gram, the marks at both ends included.

    Raises:
        ConfigError: No word, or a size below 1.

    Example:
        >>> layer = LetterNgrams(("<pad>", "<unk>", "good", "goo"))
        >>> layer.names
        ('#go', 'goo', 'od#', 'oo#', 'ood')
        >>> layer(torch.tensor([[2, 3, 1, 0]]))
        tensor([[2., 2., 1., 1., 1.]])
    """

    places: Tensor

    def __init__(self, vocabulary: Sequence[str], *, size: int = 3) -> None:
        super().__init__()
        self.size = size
        cut = [letter_ngrams(word, size=size) for word in vocabulary[_SPECIAL:]]
        if not cut:
            raise ConfigError(f"{len(vocabulary)} entries of a vocabulary; expected padding, unknown, a word at least")
        self.names = tuple(sorted(set(itertools.chain.from_iterable(cut))))
        self._numbers = {name: number for number, name in enumerate(self.names, start=1)}
        places = torch.zeros(len(vocabulary), max(map(len, cut)), dtype=torch.int64)  # (V, M), 0 for none
        for row, grams in enumerate(cut, start=_SPECIAL):
            places[row, : len(grams)] = torch.tensor([self._numbers[gram] for gram in grams])
        self.register_buffer("places", places, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the counts of each text.

        Args:
            tokens: ``(B, L)`` int64, padded with 0.

        Returns:
            ``(B, G)`` float, G n-grams.
        """
        found = self.places[tokens].flatten(1)  # (B, L * M)
        counts = torch.zeros(len(tokens), len(self.names) + 1, device=tokens.device)
        return counts.scatter_add(1, found, torch.ones_like(found, dtype=counts.dtype))[:, 1:]

    def of_words(self, words: Sequence[str]) -> Tensor:
        """Return the counts of any words, each on its own, ``(N, G)`` float; n-grams of no known word are left out."""
        counts = torch.zeros(len(words), len(self.names))
        for row, word in enumerate(words):
            for gram, count in collections.Counter(letter_ngrams(word, size=self.size)).items():
                if gram in self._numbers:
                    counts[row, self._numbers[gram] - 1] = count
        return counts
