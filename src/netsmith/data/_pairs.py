"""What sources of pairs of texts share: subwords, vocabularies, batches of like lengths, the schema."""

from __future__ import annotations

import array
import collections
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, NamedTuple, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.errors import DataError, UnknownNameError
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Inputs, Outputs, Spec, Split, Step
from netsmith.data._arrays import BatchFields, digest
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys
from netsmith.engine.source import Source
from netsmith.engine.task import UNLABELED
from netsmith.layers.frequency import by_frequency
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.subwords import BLANK, PIECES, learn_merges, marked, subwords, whole
from netsmith.layers.tokenize import END, PADDING, UNKNOWN, cutter, numbered

__all__ = ["PairFields", "PairSource", "Pairs"]

_WORDS = r"\w+|[^\w\s]"
_MARKS = (PADDING, UNKNOWN, END)


class Pairs(NamedTuple):
    """The pairs of one split.

    Attributes:
        sources: The texts that are read.
        targets: The texts that are to be written.
        name: What an error names: a file.
        rows: The row of each pair in it, 1-based.
        made: How the split was made.
        seed: The seed, where it was drawn.
    """

    sources: Sequence[str]
    targets: Sequence[str]
    name: str
    rows: Sequence[int]
    made: str = "official"
    seed: int = 0


class PairFields(BatchFields):
    """The fields of every source of pairs of texts.

    Attributes:
        batch: Pairs per training batch.
        evaluation_batch: Pairs per evaluation batch.
        merges: The most byte-pair merges that each side's tokens are made of (Sennrich et al. 2016); 0: tokens are
            words.
        shared: Both sides have one vocabulary, and one list of merges, of the texts of both.
        vocabulary_size: The most tokens that are known of a side.
        min_count: How often a token must come in training to be known.
        pattern: Regular expression of one piece, which merges never leave (of one token, where there are none);
            ``auto``: a word with the blank before it, or one sign.
        lowercase: Lower the case first, of both sides: what is written is then in lower case.
        longest: Training pairs with more tokens on a side are left out.
        copies: A word that the shared vocabulary does not know has a number of its own in each pair whose source has
            it: for models that copy. See :attr:`netsmith.core.spec.Step.copies`.
        max_length: How many tokens of a text are read; in dev and test also of a target.
        bucket: Batches that are sorted by length together, so that the texts of a batch are about as long; 1 leaves
            them to chance.
    """

    batch: Annotated[int, Field(gt=0)] = 64
    evaluation_batch: Annotated[int, Field(gt=0)] = 100
    merges: Annotated[int, Field(ge=0, le=1_000_000)] = 8000
    shared: bool = False
    vocabulary_size: Annotated[int, Field(gt=3)] = 50_000
    min_count: Annotated[int, Field(gt=0)] = 1
    pattern: str = "auto"
    lowercase: bool = False
    copies: bool = False
    longest: Annotated[int, Field(gt=0)] = 100
    max_length: Annotated[int, Field(gt=0, le=100_000)] = 512
    bucket: Annotated[int, Field(gt=0)] = 50

    @model_validator(mode="after")
    def _check_lengths(self) -> Self:
        if self.copies and not self.shared:
            raise ValueError("copies needs one vocabulary for both sides; set shared=true")
        if self.longest > self.max_length:
            raise ValueError(
                f"longest={self.longest} is more than max_length={self.max_length}, what is read of a text"
            )
        return self


class PairSource(Source):
    r"""Abstract: texts, and what is to be written on reading each (a translation).

    A batch has ``inputs`` ``{"source": (B, L), "written": (B, T)}`` and ``targets`` ``(B, T)``, all int64. Tokens are
    numbered 0 for padding, 1 unknown, 2 the end of a text, then the marks as given, then by frequency in training (ties
    by letter). ``written`` is 2 and then all targets but the last, which is 2; behind it stand 0 and ``UNLABELED``.
    Merges and vocabularies are fitted on the training part. Each batch is as long as its longest text.

    Training order: all pairs are shuffled by (seed, epoch), cut into stretches of ``bucket`` batches, each sorted by
    length and cut into batches, and the batches are shuffled; a last batch that is not full is left out.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        pairs: The pairs of each split, ``train`` first.
        marks: Words that begin texts and are tokens whatever the merges: ``<2de>``.

    Attributes:
        left_out: How many training pairs were longer than ``longest``.

    Raises:
        ConfigError: The pattern is not a regular expression.
        DataError: A split without a pair (in training: one short enough), or a text without a token; names file and
            row.
    """

    def __init__(
        self, config: PairFields, *, dataset: str, pairs: Mapping[str, Pairs], marks: Sequence[str] = ()
    ) -> None:
        self.config = config
        train = pairs["train"]
        if config.shared:
            source_step, source_words = _fitted((*train.sources, *train.targets), config, marks)
            target_step, target_words = source_step, source_words
        else:
            source_step, source_words = _fitted(train.sources, config, marks)
            target_step, target_words = _fitted(train.targets, config, ())
        self.left_out = 0
        self._pairs = dict(pairs)
        self._sources: dict[str, _Ragged] = {}
        self._targets: dict[str, _Ragged] = {}
        splits: list[Split] = []
        for split, these in pairs.items():
            most = config.max_length + (split == "train")  # one more tells which pairs are too long
            sources = _numbers(these, these.sources, source_step, source_words, most=most)
            targets = _numbers(these, these.targets, target_step, target_words, most=most)
            if config.copies:  # what stands behind the end of what is read cannot be copied
                past = len(target_words) + sources.lengths.repeat_interleave(targets.lengths)
                targets = targets._replace(values=targets.values.where(targets.values < past, 1))
            made = these.made
            if split == "train":
                fits = (sources.lengths <= config.longest) & (targets.lengths <= config.longest)
                self.left_out = int((~fits).sum())
                if self.left_out:
                    made += f", without {self.left_out} pairs of more than {config.longest} tokens"
                    at = fits.nonzero()[:, 0].tolist()
                    sources, targets = sources.some(at), targets.some(at)
                    self._pairs[split] = _some(these, at)
            if not len(sources.lengths):
                raise DataError(
                    f"has no pair for {split}; expected one at least{made.removeprefix(these.made)}", these.name
                )
            self._sources[split], self._targets[split] = sources, targets.ended(END_NUMBER)
            sha256 = digest(sources.values, sources.lengths, targets.values, targets.lengths)
            splits.append(Split(name=split, size=len(sources.lengths), made=made, seed=these.seed, sha256=sha256))
        self.spec = Spec(
            dataset=dataset,
            inputs=Inputs(
                kind="text",
                shape=(-1,),
                dtype="int64",
                preprocessing=(source_step,),
                vocabulary=source_words,
                max_length=config.max_length,
            ),
            outputs=Outputs(kind="tokens", names=target_words, size=len(target_words), steps=(target_step,)),
            splits=tuple(splits),
        )

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:
        """Return the index batches of an epoch; in training, of pairs that are about as long."""
        lengths = self._side(self._sources, split).lengths
        if split != "train":
            return torch.arange(len(lengths)).split(self.config.evaluation_batch)
        generator = torch.Generator().manual_seed(named_key(seed, "order", epoch))
        order = torch.randperm(len(lengths), generator=generator)
        batch = self.config.batch
        both = lengths * (self.config.max_length + 2) + self._targets[split].lengths
        batches: list[Tensor] = []
        for stretch in order[: max(batch, len(order) // batch * batch)].split(batch * self.config.bucket):
            batches += stretch[both[stretch].argsort(stable=True)].split(batch)
        return [batches[at] for at in torch.randperm(len(batches), generator=generator).tolist()]

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Load some pairs, padded to the longest of them."""
        sources = self._side(self._sources, split).rows(indices, padding=0)  # (B, L)
        targets = self._targets[split].rows(indices, padding=UNLABELED)  # (B, T)
        written = torch.nn.functional.pad(targets[:, :-1], (1, 0), value=END_NUMBER).where(targets != UNLABELED, 0)
        keys = example_keys(0 if key is None else key, indices)
        return Batch({"source": sources, "written": written}, targets, keys=keys, indices=indices)

    def texts(self, split: str, indices: Tensor) -> list[tuple[str, str]]:
        """Return some pairs as they stand in the file."""
        self._side(self._sources, split)
        pairs = self._pairs[split]
        return [(pairs.sources[int(index)], pairs.targets[int(index)]) for index in indices]

    def _side(self, side: Mapping[str, _Ragged], split: str) -> _Ragged:
        if split not in side:
            raise UnknownNameError(f"split of {self.spec.dataset}", split, side)
        return side[split]


class _Ragged(NamedTuple):
    """Rows of numbers, one behind the other: ``(sum of lengths,)`` int32, and ``(N,)`` int64."""

    values: Tensor
    lengths: Tensor

    def rows(self, indices: Tensor, *, padding: int) -> Tensor:
        """Return some rows, ``(B, L)`` int64, padded on the right."""
        lengths = self.lengths[indices]
        starts = (self.lengths.cumsum(0) - self.lengths)[indices]
        places = torch.arange(int(lengths.max()))
        inside = places < lengths[:, None]
        return self.values[(starts[:, None] + places).where(inside, 0)].long().where(inside, padding)

    def some(self, at: Sequence[int]) -> _Ragged:
        """Return some of the rows."""
        rows = self.values.split(self.lengths.tolist())
        return _Ragged(torch.cat([rows[row] for row in at] or [self.values[:0]]), self.lengths[list(at)])

    def ended(self, number: int) -> _Ragged:
        """Return the rows with a number behind each."""
        ends = (self.lengths + 1).cumsum(0) - 1
        values = torch.full((len(self.values) + len(self.lengths),), number, dtype=self.values.dtype)
        inner = torch.ones(len(values), dtype=torch.bool)
        inner[ends] = False
        values[inner] = self.values
        return _Ragged(values, self.lengths + 1)


def _numbers(pairs: Pairs, texts: Sequence[str], step: Step, vocabulary: Sequence[str], *, most: int) -> _Ragged:
    values, lengths = array.array("i"), array.array("q")
    rows = numbered(texts, step, vocabulary, sources=None if texts is pairs.sources else pairs.sources)
    for row in pairs.rows:
        try:
            tokens = next(rows)[:most]
        except DataError:
            side = "source" if texts is pairs.sources else "target"
            raise DataError(f"the {side} has no token; expected a text", pairs.name, row) from None
        values.extend(tokens)
        lengths.append(len(tokens))
    return _Ragged(
        torch.from_numpy(np.array(values, dtype=np.int32)), torch.from_numpy(np.array(lengths, dtype=np.int64))
    )


def _some(pairs: Pairs, at: Sequence[int]) -> Pairs:
    sources, targets, rows = ([part[row] for row in at] for part in (pairs.sources, pairs.targets, pairs.rows))
    return pairs._replace(sources=sources, targets=targets, rows=rows)


def _fitted(texts: Iterable[str], config: PairFields, marks: Sequence[str]) -> tuple[Step, tuple[str, ...]]:
    """Return the step that cuts such texts, and the vocabulary: padding, unknown, end, then the most frequent first."""
    pattern = config.pattern if config.pattern != "auto" else PIECES if config.merges else _WORDS
    if marks:
        pattern = f"{BLANK}?(?:{'|'.join(map(re.escape, marks))})|{pattern}"
    step = Step(name="tokenize", pattern=pattern, lowercase=config.lowercase, copies=config.copies)
    cut = cutter(step)
    if not config.merges:
        counts = collections.Counter(itertools.chain.from_iterable(map(cut, texts)))
    else:
        pieces = collections.Counter(itertools.chain.from_iterable(cut(marked(text)) for text in texts))
        kept = [BLANK + mark for mark in marks]
        learned = learn_merges({piece: n for piece, n in pieces.items() if piece not in kept}, config.merges)
        if not learned:
            raise DataError("no two signs come together twice in training; tokens can be words (data.merges=0)")
        step = step.derive(merges=(*itertools.chain.from_iterable(map(whole, kept)), *learned))
        part = subwords(step.merges)
        counts = collections.Counter()
        for piece, often in pieces.items():
            for token in part(piece):
                counts[token] += often
    first = (*_MARKS, *(BLANK + mark if config.merges else mark for mark in marks))
    known = [token for token, count in by_frequency(counts) if count >= config.min_count and token not in first]
    return step, (*first, *known[: max(0, config.vocabulary_size - len(first))])
