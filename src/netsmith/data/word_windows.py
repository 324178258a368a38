"""Words of a running text with the words around them, for word vectors; and the questions those are judged by.

Mikolov, Sutskever, Chen, Corrado, Dean, "Distributed representations of words and phrases and their compositionality",
NeurIPS 2013 (arXiv:1310.4546).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.config import later
from netsmith.core.errors import ConfigError, DataError, NotAtHandError, UnknownNameError
from netsmith.core.keys import key as named_key
from netsmith.core.roles import SourceConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Split, Step
from netsmith.data._download import offline
from netsmith.data._numbers import Numbers, smallest
from netsmith.data._places import Places
from netsmith.data._streams import StreamSource
from netsmith.data._word_sets import Question, SetName, is_of_language, language_of, word_set
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.engine.source import Source
from netsmith.layers.reading import END_NUMBER, UNKNOWN_NUMBER
from netsmith.layers.tokenize import PADDING, UNKNOWN

__all__ = ["WordWindows"]

_LINE = 10_000  # words of a longer line are cut, as in the authors' code
_ASKED = 256  # questions of a batch
_LONGEST = 1000  # words of a text that is handed in
_FIRST = 2  # before the words stand padding and the unknown one
_WORDS = 4  # of a question


class WordWindows(Source):
    r"""Each word of a text as an example: what is around it, of which it is to be told.

    Words that come less than ``min_count`` times leave the text, and so does the unknown word. Then, in every epoch
    anew, frequent words are thinned out: one whose share of the text is f stays with probability

    .. math:: \min\left(1, \sqrt{t / f} + t / f\right)

    (as the authors' code has it; Eq. 5 of the paper, :math:`\sqrt{t / f}`, keeps fewer). The window of a word reaches b
    of the words that stayed to each side, b drawn from 1 to ``window`` for each word, so that near words count for
    more; it does not reach beyond its line. A word alone in its line is no example.

    A training batch is some whole lines, in the order of the text, of about ``batch`` words before they are thinned
    out. ``inputs`` ``(B, 2 window)`` int64 are the words around, 0 where there is none, ``targets`` ``(B,)`` the words,
    ``indices`` their places in the text. Both draws are a function of seed, epoch and place.

    Dev and test are questions: ``inputs`` ``(B, 3)``, the word of a pair, or of "a is to b as c is to d" -a, b and c (a
    word to be subtracted has a negative number); ``targets`` as :mod:`netsmith.tasks.word_relations` has them. A word
    that is not known is 1.

    Words are numbered from 2 by how often they come; 0 is padding, 1 any unknown word.

    A long text waits in a temporary file; where its lines begin stays in memory, eight bytes a line and, while it is
    read, five times as much. One's own (``--data FILE``) is read whole, by
    :class:`~netsmith.data.text_file.TextFile`; blanks and marks separate its words, so a text without blanks
    (Chinese) is segmented first.

    Attributes:
        asked: By collection, how many of its questions have all words known, and how many it has.
        left_out: By collection that ``fitting`` leaves out, why.

    Raises:
        ConfigError: The text is no source of running text.
        DataError: Fewer than two words come often enough; questions that are not at hand.
    """

    class Config(SourceConfig):
        """The text, and what is asked.

        Attributes:
            text: A source of running text, of which the training split is read.
            min_count: How often a word must come to be known.
            window: How many words to each side a window has at most.
            sample: t, the share of the text above which words are thinned out; 0 keeps all.
            batch: About how many words of the text are read for a training batch.
            lowercase: Words that differ by case alone are one, in the text and in questions.
            dev: Collections that are asked for the figures of the dev split.
            test: Those of the test split.
            fitting: Leave out collections of another language than the text, and those of which fewer than two
                questions have all their words known.
        """

        text: SourceConfig
        min_count: Annotated[int, Field(ge=1)] = 5
        window: Annotated[int, Field(ge=1, le=1000)] = 5
        sample: Annotated[float, Field(ge=0, le=1)] = 1e-3
        batch: Annotated[int, Field(gt=0)] = 10_000
        lowercase: bool = True
        dev: tuple[SetName, ...] = ("men",)
        test: tuple[SetName, ...] = ("analogies", "ws353", "ws353_similarity", "ws353_relatedness", "rg65", "mc30")
        fitting: bool = later(False)

    def __init__(self, config: Config) -> None:
        self.config = config
        if config.twin:
            lines, asked = _twin()
            names = ["", "", "", *sorted({word for line in lines for word in line})]
            numbers = {word: number for number, word in enumerate(names)}
            tokens = [number for line in lines for number in (*map(numbers.__getitem__, line), END_NUMBER)]
            pieces: Callable[[], Iterable[Tensor]] = lambda: [torch.tensor(tokens)]  # noqa: E731
            dataset, pattern = "word_windows", r"\S+"
        else:
            text = config.text.build()
            if not isinstance(text, StreamSource):
                raise ConfigError(f"text={config.text!r} is no running text; take one such as wikitext2 or text_file")
            names = ["", "", "", *text.spec.inputs.vocabulary[END_NUMBER + 1 :]]
            pieces = functools.partial(text.pieces, "train")
            dataset, pattern = text.spec.dataset, text.spec.inputs.preprocessing[0].pattern
            asked = {}
        if config.lowercase:
            names = [name.lower() for name in names]
        words, counts, numbered = _counted(pieces(), names, config.min_count)
        if len(words) < 2:
            raise DataError(
                f"{dataset}: {len(words)} words come at least {config.min_count} times; expected at least 2 (min_count)"
            )
        self._words, self._starts = _lines((numbered[piece.numpy()] for piece in pieces()), len(words) + _FIRST)
        share = counts / counts.sum()
        stays = np.sqrt(config.sample / share) + config.sample / share if config.sample else np.ones(len(share))
        self._stays = torch.from_numpy(np.concatenate([np.zeros(_FIRST), np.minimum(stays, 1.0)]))
        known = {word: number for number, word in enumerate(words, start=_FIRST)}
        self.asked: dict[str, tuple[int, int]] = {}
        self.left_out: dict[str, str] = {}
        self._questions = {
            split: _numbered(of, known, lower=config.lowercase)
            for split, of in (asked or self._asked(known, dict(zip(words, share.tolist(), strict=True)))).items()
            if of
        }
        vocabulary = (PADDING, UNKNOWN, *words)
        sizes = {"train": len(self._words)} | {split: len(scores) for split, (_, scores) in self._questions.items()}
        hashes = {split: _sha256(*parts) for split, parts in self._questions.items()}
        hashes["train"] = _sha256(self._words, self._starts)
        self.spec = Spec(
            dataset=dataset,
            inputs=Inputs(
                kind="text",
                shape=(-1,),
                dtype="int64",
                preprocessing=(Step(name="tokenize", pattern=pattern, lowercase=config.lowercase),),
                vocabulary=vocabulary,
                max_length=_LONGEST,
                counts=(0, 0, *counts.tolist()),
            ),
            outputs=Outputs(kind="embedding", names=vocabulary, size=len(vocabulary)),
            splits=tuple(Split(name=name, size=size, sha256=hashes[name]) for name, size in sizes.items()),
        )

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:  # noqa: ARG002
        """Return the places of each batch's words; the same for every seed and epoch."""
        if split == "train":
            total = len(self._words)
            starts = self._starts.numpy()
            cuts = np.unique(starts[np.searchsorted(starts, np.arange(0, total, self.config.batch))])
            ends = [*cuts[cuts < total].tolist(), total]
            return Places(len(ends) - 1, lambda number: torch.arange(ends[number], ends[number + 1]))
        return list(torch.arange(len(self._asked_in(split)[1])).split(_ASKED))

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Return words with their windows, or questions.

        Without a key no word is thinned out and every window is whole.
        """
        if split != "train":
            questions, scores = (part[indices] for part in self._asked_in(split))
            pair = questions[:, 3:4] == 0
            inputs = torch.where(pair, questions[:, 1:4] * torch.tensor([1, 0, 0]), questions[:, 1:4])
            inputs[:, :1] *= torch.where(pair, 1, -1)
            return Batch(inputs, (questions, scores), keys=example_keys(0 if key is None else key, indices))
        begin = int(self._starts[self._line(indices.min())])
        end = int(self._starts[self._line(indices.max()) + 1])
        places = torch.arange(begin, end)
        keys = example_keys(0 if key is None else key, places)
        words = self._words.read(begin, end)
        reach = torch.full_like(places, self.config.window)
        if key is not None:
            stay = keyed_uniform(keys, stream="thinning") < self._stays[words]
            reach = 1 + (keyed_uniform(keys, stream="window") * self.config.window).long()
            places, keys, words, reach = places[stay], keys[stay], words[stay], reach[stay]
        around = self._around(words, self._line(places), reach)
        wanted = (around > 0).any(1)
        if len(indices) < end - begin:
            wanted &= torch.isin(places, indices)
        return Batch(around[wanted], words[wanted], keys=keys[wanted], indices=places[wanted])

    def _around(self, words: Tensor, lines: Tensor, reach: Tensor) -> Tensor:
        """Return the words in the window of each, ``(B, 2 window)``, 0 where there is none."""
        window, count = self.config.window, len(words)
        offsets = torch.cat([torch.arange(-window, 0), torch.arange(1, window + 1)])
        at = torch.arange(count)[:, None] + offsets  # (B, 2 window)
        inside = (at >= 0) & (at < count) & (offsets.abs() <= reach[:, None])
        at = at.clamp(0, max(count - 1, 0))
        return words[at].where(inside & (lines[at] == lines[:, None]), 0)

    def _line(self, places: Tensor) -> Tensor:
        return torch.searchsorted(self._starts, places, right=True) - 1

    def _asked(self, known: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, list[Question]]:
        """Return the questions of each split, those of the collections that fit the text."""
        found: dict[str, list[Question]] = {"dev": [], "test": []}
        missing = False
        for split, names in (("dev", self.config.dev), ("test", self.config.test)):
            for name in names:
                language = language_of(name)
                if self.config.fitting and not is_of_language(language, shares):
                    self.left_out[name] = f"{language}, as the text is not"
                    continue
                try:
                    with offline() if missing else contextlib.nullcontext():  # who waited once waits for no other
                        questions = word_set(name)
                except NotAtHandError as error:
                    if not self.config.fitting:
                        raise DataError(f"{error}. Without its questions: leave {name!r} out of data.{split}") from None
                    missing = True
                    self.left_out[name] = "its questions are not at hand"
                    continue
                count = int(
                    (_numbered(questions, known, lower=self.config.lowercase)[0] != UNKNOWN_NUMBER).all(1).sum()
                )
                if self.config.fitting and count < 2:
                    self.left_out[name] = f"{count} questions of known words"
                    continue
                self.asked[name] = (count, len(questions))
                found[split] += questions
        return found

    def _asked_in(self, split: str) -> tuple[Tensor, Tensor]:
        if split not in self._questions:
            raise UnknownNameError(f"split of {self.spec.dataset}", split, ("train", *self._questions))
        return self._questions[split]


def _counted(pieces: Iterable[Tensor], names: Sequence[str], least: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the words that come often enough, their counts, and the number of each token.

    Args:
        pieces: Tokens of the text, numbers of ``names``, piece by piece.
        names: Words, some of them equal; what is named "" is none.
        least: How often a word must come.

    Returns:
        The numbers are 0 for a word that is not known, -1 for the end of a line.
    """
    first: dict[str, int] = {}
    same = np.array([first.setdefault(name, number) for number, name in enumerate(names)])
    each = np.zeros(len(names), dtype=np.int64)
    for piece in pieces:
        each += np.bincount(piece.numpy(), minlength=len(names))
    total = np.bincount(same, weights=each, minlength=len(names)).astype(np.int64)
    often = [number for name, number in first.items() if name and total[number] >= least]
    often.sort(key=lambda number: (-total[number], names[number]))
    numbered = np.zeros(len(names), dtype=np.int64)
    numbered[often] = np.arange(_FIRST, _FIRST + len(often))
    numbered = numbered[same]
    numbered[END_NUMBER] = -1
    return [names[number] for number in often], total[often], numbered


def _lines(pieces: Iterable[np.ndarray], size: int) -> tuple[Numbers, Tensor]:
    """Return the known words one after another, and where lines begin, the end of the last too.

    Args:
        pieces: The text in the words' numbers, piece by piece; 0 for a word that is not known, -1 ends a line.
        size: One more than the largest number.
    """
    begun = [np.zeros(0, dtype=np.int64)]

    def words() -> Iterator[int]:
        count, ended, last = 0, 0, -1
        for piece in pieces:
            known = piece > 0
            lines = (ended + np.cumsum(piece < 0))[known]
            begun.append(count + np.flatnonzero(np.diff(lines, prepend=last)))
            ended, count = ended + int((piece < 0).sum()), count + len(lines)
            last = int(lines[-1]) if len(lines) else last
            yield from piece[known].tolist()

    held = Numbers(words(), smallest(size))
    begins = np.concatenate(begun)
    lengths = np.diff(begins, append=len(held))
    long = lengths > _LINE
    parts = [np.arange(begin, begin + length, _LINE) for begin, length in zip(begins[long], lengths[long], strict=True)]
    return held, torch.from_numpy(np.sort(np.concatenate([begins[~long], *parts, [len(held)]])).astype(np.int64))


def _numbered(questions: Sequence[Question], known: Mapping[str, int], *, lower: bool) -> tuple[Tensor, Tensor]:
    """Return the questions in numbers, ``(Q, 5)`` int64, and their scores, ``(Q,)``."""
    rows = [
        [
            named_key(0, "questions", question.kind),
            *(known.get(word.lower() if lower else word, 1) for word in question.words),
            *[0] * (_WORDS - len(question.words)),
        ]
        for question in questions
    ]
    return torch.tensor(rows), torch.tensor([question.score for question in questions])


def _sha256(*parts: Tensor | Numbers) -> str:
    """Return the digest of tensors; of words as int32, piece by piece."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, Numbers):
            total.update(f"torch.int32{(len(part),)}".encode())
            for piece in part.pieces():
                total.update(piece.int().numpy().data)
        else:
            total.update(f"{part.dtype}{tuple(part.shape)}".encode())
            total.update(part.numpy().data)
    return total.hexdigest()


def _twin() -> tuple[list[list[str]], dict[str, list[Question]]]:
    """Return lines of words about one of six things in one of six ways, and questions about them.

    The word ``bx`` stands where the thing is b and the way x, beside words of the thing (``b1``, ``b2``) and of the way
    (``x1``, ``x2``): so "bx is to by as cx is to cy", and words of one thing are alike.
    """
    things, ways = "bcdfgh", "uvwxyz"
    generator = torch.Generator().manual_seed(named_key(0, "twin", "word_windows"))
    lines = []
    for _ in range(1000):
        draws = torch.randint(0, 2**31, (42,), generator=generator).tolist()
        thing, way = things[draws[0] % 6], ways[draws[1] % 6]
        words = [f"{thing}1", f"{thing}2", f"{way}1", f"{way}2", thing + way]
        lines.append([words[draw % 5] for draw in draws[2:]])
    asked: dict[str, list[Question]] = {"dev": [], "test": []}
    for number, (a, b, x, y) in enumerate((a, b, x, y) for a in things for b in things for x in ways for y in ways):
        split = ("dev", "test")[number % 2]
        if a != b and x != y:
            kind = ("semantic", "syntactic")[number // 2 % 2]
            asked[split].append(Question(kind, (a + x, a + y, b + x, b + y)))
        if (a, x) < (b, y):
            sets = ("men", "ws353", "ws353_similarity", "ws353_relatedness", "rg65", "mc30")
            score = float(a == b) + float(x == y)
            asked[split].append(Question(sets[len(asked[split]) % 6], (a + x, b + y), score))
    return lines, asked
