"""Search for the best translation phrase by phrase, with a stack for each number of covered words (Koehn 2004)."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from netsmith.core.errors import ConfigError, DataError
from netsmith.models.language.ngram_scores import NgramScores

__all__ = ["Choices", "Decoded", "StackDecoder"]

_BITS = 40


class Choices(NamedTuple):
    """The ways to translate the phrases of one sentence.

    Attributes:
        start: ``(O,)`` int64, where the source phrase begins, rising.
        length: ``(O,)`` int64, its words, at least 1.
        words: ``(O, W)`` int64, the target words, 0 behind the last one; there may be none.
        score: ``(O,)`` float64, what it is worth, the language model left out.
    """

    start: np.ndarray
    length: np.ndarray
    words: np.ndarray
    score: np.ndarray


class Decoded(NamedTuple):
    """A translation.

    Attributes:
        words: ``(T,)`` int64, without an end mark.
        score: What it is worth.
        chosen: The choices in the order they were written.
    """

    words: np.ndarray
    score: float
    chosen: tuple[int, ...]


class _Hypotheses(NamedTuple):
    """Beginnings of translations, a row of each array for each."""

    gap: np.ndarray  # the first word that is not covered
    mask: np.ndarray  # bit b: whether the word gap + b is covered; bit 0 is not
    state: np.ndarray  # (H, order - 1), the last words
    end: np.ndarray  # behind the last word of the phrase covered last
    score: np.ndarray
    parent: np.ndarray  # row in its stack
    choice: np.ndarray

    def rows(self, which: np.ndarray) -> _Hypotheses:
        return _Hypotheses(*(part[which] for part in self))


@dataclasses.dataclass(frozen=True)
class StackDecoder:
    r"""Find the translation that maximizes what its phrases, its words and its order are worth.

    A translation covers each source word once, by phrases :math:`f_1 \ldots f_I` in the order of the target; with
    :math:`a_i` the first word of a phrase and :math:`b_{i-1}` the last one of the phrase before it,

    .. math:: \sum_i s(f_i, e_i) + \lambda \log P(e) - \delta \sum_i |a_i - b_{i-1} - 1|

    Hypotheses that cover the same number of words share a stack. Of those that agree in the words covered, in the end
    of their last phrase and in the last n - 1 target words only the best goes on, which loses nothing. Of the others
    the ``beam`` best go on, judged together with an estimate of what the rest will cost: for each span left open the
    best split into phrases, each in the language model by itself, without regard to order. With ``beam=0`` all go on,
    and the answer is the best one there is. Paper: Koehn 2004 (AMTA); Koehn, Och & Marcu 2003 (NAACL), section 2.

    Args:
        language: The language model P(e).
        end: Number of the mark that stands before and after a sentence.
        weight: lambda.
        distortion: delta, the cost of each word skipped.
        beam: Hypotheses of a stack that go on; 0 for all.
        limit: How far behind the first word not covered a phrase may begin; 0 keeps the order.

    Raises:
        ConfigError: A negative ``beam`` or ``limit``, or a ``limit`` too wide to be kept in bits.
    """

    language: NgramScores
    _: dataclasses.KW_ONLY
    end: int = 2
    weight: float = 1.0
    distortion: float = 0.5
    beam: int = 50
    limit: int = 5

    def __post_init__(self) -> None:
        if self.beam < 0 or not 0 <= self.limit <= _BITS // 2:
            raise ConfigError(f"beam={self.beam}, limit={self.limit}; expected at least 0, and 0..{_BITS // 2}")

    def decode(self, choices: Choices, length: int, *, count: int = 1) -> list[Decoded]:
        """Translate a sentence.

        Args:
            choices: Ways to translate its phrases; each of its words is a phrase of at least one of them.
            length: Its words, at least 1.
            count: How many translations are wanted.

        Returns:
            At most ``count`` translations, best first. The first one is what the search found; the others are the ways
            to end that it came by, so better ones may be missing. Two may have the same words, by other phrases.

        Raises:
            DataError: The choices cannot cover the sentence, or a phrase is too long.
        """
        _check(choices, length)
        before = self.language.order - 1
        alone = self._entering(choices.words, np.zeros((len(choices.start), before), dtype=np.int64))
        choices = choices._replace(score=choices.score + self._inner(choices.words))
        future = _future(choices, choices.score + alone, length, self.limit)
        first = np.searchsorted(choices.start, np.arange(length + 1))
        zero = np.zeros(1, dtype=np.int64)
        begin = np.zeros((1, before), dtype=np.int64)
        begin[:, -1:] = self.end
        reached: list[list[_Hypotheses]] = [[] for _ in range(length + 1)]
        reached[0] = [_Hypotheses(zero, zero, begin, zero, np.zeros(1), zero, zero)]
        stacks: list[_Hypotheses] = []
        for covered in range(length):
            stack = _recombined(_joined(reached[covered]))
            if self.beam and len(stack.score) > self.beam:
                worth = stack.score + _estimates(stack, future)
                stack = stack.rows(np.argsort(-worth, kind="stable")[: self.beam])
            stacks.append(stack)
            grown = self._grown(stack, choices, first)
            sizes = choices.length[grown.choice]
            for size in np.unique(sizes).tolist():
                reached[covered + size].append(grown.rows(np.flatnonzero(sizes == size)))
        whole = _joined(reached[length])
        score = whole.score + self.weight * self.language(whole.state, np.full(len(whole.score), self.end))
        stacks.append(whole)
        best = np.argsort(-score, kind="stable")[:count]
        return [_traced(stacks, int(row), choices, score=float(score[row])) for row in best]

    def _grown(self, stack: _Hypotheses, choices: Choices, first: np.ndarray) -> _Hypotheses:
        """Return each hypothesis with each phrase that may come next."""
        low = first[stack.gap]
        count = first[np.minimum(stack.gap + self.limit + 1, len(first) - 1)] - low
        owner = np.repeat(np.arange(len(low)), count)
        choice = np.arange(len(owner)) - (np.cumsum(count) - count)[owner] + low[owner]
        bits = ((1 << choices.length) - 1)[choice] << (choices.start[choice] - stack.gap[owner])
        free = (stack.mask[owner] & bits) == 0
        owner, choice, bits = owner[free], choice[free], bits[free]
        start, words = choices.start[choice], choices.words[choice]
        mask = stack.mask[owner] | bits
        ones = np.log2((~mask & (mask + 1)).astype(np.float64)).astype(np.int64)  # covered words in a row, from the gap
        history = np.concatenate([stack.state[owner], words], axis=1)
        last = (words > 0).sum(1)[:, None] + np.arange(stack.state.shape[1])
        score = stack.score[owner] + choices.score[choice] + self._entering(words, stack.state[owner])
        return _Hypotheses(
            gap=stack.gap[owner] + ones,
            mask=mask >> ones,
            state=np.take_along_axis(history, last, axis=1),
            end=start + choices.length[choice],
            score=score - self.distortion * np.abs(start - stack.end[owner]),
            parent=owner,
            choice=choice,
        )

    def _entering(self, words: np.ndarray, states: np.ndarray) -> np.ndarray:
        """Return what the first n - 1 words of phrases are worth after some words."""
        before = states.shape[1]
        history = np.concatenate([states, words], axis=1)
        return self._added(words, history, range(min(before, words.shape[1])))

    def _inner(self, words: np.ndarray) -> np.ndarray:
        """Return what the words after those are worth."""
        before = self.language.order - 1
        history = np.concatenate([np.zeros((len(words), before), dtype=np.int64), words], axis=1)
        return self._added(words, history, range(before, words.shape[1]))

    def _added(self, words: np.ndarray, history: np.ndarray, places: range) -> np.ndarray:
        total = np.zeros(len(words))
        before = history.shape[1] - words.shape[1]
        for place in places:
            rows = np.flatnonzero(words[:, place])
            total[rows] += self.language(history[rows, place : place + before], words[rows, place])
        return self.weight * total


def _traced(stacks: list[_Hypotheses], row: int, choices: Choices, *, score: float) -> Decoded:
    """Return a hypothesis of the last stack as a translation."""
    covered, chosen = len(stacks) - 1, list[int]()
    while covered:
        choice, row = int(stacks[covered].choice[row]), int(stacks[covered].parent[row])
        chosen.append(choice)
        covered -= int(choices.length[choice])
    words = choices.words[chosen[::-1]].ravel()
    return Decoded(words[words > 0], score, tuple(chosen[::-1]))


def _check(choices: Choices, length: int) -> None:
    covered = np.zeros(length, dtype=bool)
    covered[choices.start[choices.length == 1]] = True
    if length < 1 or not covered.all():
        raise DataError(f"{length} words, of which {int((~covered).sum())} have no translation; expected one of each")
    if choices.length.max() > _BITS or (np.diff(choices.start) < 0).any():
        raise DataError(f"expected phrases of 1..{_BITS} words in the order of their places")


def _joined(parts: list[_Hypotheses]) -> _Hypotheses:
    return _Hypotheses(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _recombined(stack: _Hypotheses) -> _Hypotheses:
    """Return the best of each group of hypotheses whose futures are alike."""
    keys = np.stack([stack.gap, stack.mask, stack.end, *stack.state.T])
    order = np.lexsort((-stack.score, *keys))
    keys = keys[:, order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (keys[:, 1:] != keys[:, :-1]).any(0)
    return stack.rows(order[new])


def _future(choices: Choices, score: np.ndarray, length: int, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the most that spans can be worth: ``(length + 1, W)`` by begin and length, and that of all words on."""
    longest = int(choices.length.max())
    one = np.full((length + 1, longest + 1), -np.inf)
    np.maximum.at(one, (choices.start, choices.length), score)
    spans = np.full((length + 1, limit + longest + 1), -np.inf)
    spans[:, 0] = 0
    for size in range(1, spans.shape[1]):
        for head in range(1, min(size, longest, length) + 1):  # words of the first phrase
            rest = one[: length + 1 - head, head] + spans[head:, size - head]
            np.maximum(spans[: len(rest), size], rest, out=spans[: len(rest), size])
    onward = np.zeros(length + 1)
    for start in range(length - 1, -1, -1):
        sizes = np.arange(1, min(longest, length - start) + 1)
        onward[start] = (one[start, sizes] + onward[start + sizes]).max()
    return spans, onward


def _estimates(stack: _Hypotheses, future: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return what the words not covered are worth at most, ``(H,)``."""
    spans, onward = future
    total = np.zeros(len(stack.gap))
    open_ = stack.gap.copy()  # where the span that is not covered begins
    for bit in range(1, int(stack.mask.max()).bit_length()):
        here, before = stack.mask >> bit & 1, stack.mask >> (bit - 1) & 1
        closes, opens = (here > before), (before > here)
        total[closes] += spans[open_[closes], stack.gap[closes] + bit - open_[closes]]
        open_[opens] = stack.gap[opens] + bit
    top = np.frexp(stack.mask.astype(np.float64))[1]  # bits of the mask
    return total + onward[stack.gap + top]
