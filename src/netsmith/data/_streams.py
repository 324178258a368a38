"""What sources of running text share: one stream of tokens, read side by side in rows, a window at a time."""

from __future__ import annotations

import array
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import DataError, UnknownNameError
from netsmith.core.keys import key as named_key
from netsmith.core.roles import Batches, SourceConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Split, Step
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._numbers import Numbers, smallest
from netsmith.data._places import Places
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys
from netsmith.engine.source import Source
from netsmith.engine.task import UNLABELED
from netsmith.layers.frequency import by_frequency
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.tokenize import END, PADDING, UNKNOWN

__all__ = ["StreamFields", "StreamSource", "split_words", "twin_lines", "words_of"]

_LONGEST = 100_000  # tokens of one text that is handed in for a prediction
_JUDGED = 2**20  # tokens of each row in a batch of dev or test, so that it needs no more memory in a longer text
_TWIN = {"train": 1600, "dev": 160, "test": 160}


class StreamFields(SourceConfig):
    """The fields of every source of running text.

    Attributes:
        batch: Rows that the training text is cut into; they are read side by side.
        bptt: Tokens of each row in a training batch: how far back the gradient goes.
        evaluation_batch: Rows that dev and test are cut into. Each begins knowing nothing, so 1 is what papers report.
        characters: Whether its tokens are characters.
    """

    gives: ClassVar[Batches] = "windows"
    characters: ClassVar[bool] = False

    batch: Annotated[int, Field(gt=0)] = 20
    bptt: Annotated[int, Field(gt=0)] = 20
    evaluation_batch: Annotated[int, Field(gt=0)] = 1


class StreamSource(Source):
    r"""Abstract: a text as one stream :math:`w_0, w_1, \ldots`; each token is predicted from those before it.

    Training cuts it into ``batch`` rows of equal length (fewer than ``batch`` tokens at the end are left out). Step t
    of an epoch holds the t-th window of ``bptt`` tokens of every row, the last window what is left, so a network's
    state at the end of one batch is that at the beginning of the next. The order is the same in every epoch.

    A batch has ``inputs`` ``(B, T)``, the tokens before the ``targets`` ``(B, T)``, both int64; before the first token
    of a split stands the mark that ends a line, so every token is predicted once. ``indices`` are the places of the
    windows' first targets in the stream: a window goes on where the one before it in its row ended. Dev and test are
    one batch of ``evaluation_batch`` whole rows, or several if rows have more than a million tokens; at the end of the
    last one stand padding and ``UNLABELED`` targets.

    Tokens are numbered 0 for padding, 1 unknown, 2 the mark that ends a line, then by frequency in training.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        tokens: The tokens of each split in order, ``train`` first; passed through once.
        end: The token that ends a line.
        step: How a text that is handed in is cut into such tokens.
        made: How the splits were made.
        vocabulary: Tokens by number, where they are known beforehand; the first two are padding and unknown.

    Raises:
        DataError: A split has no token, or training fewer than rows.
    """

    in_order: ClassVar[bool] = True

    def __init__(
        self,
        config: StreamFields,
        *,
        dataset: str,
        tokens: Mapping[str, Iterable[str]],
        step: Step,
        end: str = END,
        made: str = "official",
        vocabulary: tuple[str, ...] = (),
    ) -> None:
        self.config = config
        if vocabulary:
            numbers = {token: number for number, token in enumerate(vocabulary) if number > 1}
            code = smallest(len(vocabulary))
            streams = {name: Numbers((numbers.get(one, 1) for one in of), code) for name, of in tokens.items()}
        else:
            streams, vocabulary = _numbered(tokens, end)
        for name, stream in streams.items():
            least = config.batch if name == "train" else 1
            if len(stream) < least:
                raise DataError(f"the split {name!r} of {dataset} has {len(stream)} tokens; expected at least {least}")
        self.spec = Spec(
            dataset=dataset,
            inputs=Inputs(
                kind="text",
                shape=(-1,),
                dtype="int64",
                preprocessing=(step,),
                vocabulary=vocabulary,
                max_length=_LONGEST,
            ),
            outputs=Outputs(kind="tokens", names=vocabulary, size=len(vocabulary)),
            splits=tuple(
                Split(name=name, size=len(stream), made=made, sha256=_sha256(stream))
                for name, stream in streams.items()
            ),
        )
        self._streams = streams

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:  # noqa: ARG002
        """Return where the windows of each batch begin; the same for every seed and epoch."""
        length = self._row(split)
        rows = torch.arange(0, len(self._held(split)), length)
        if split == "train":
            rows = rows[: self.config.batch]
        steps = range(0, length, self._window(split))
        return Places(len(steps), lambda number: rows + steps[number])

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        """Return the windows whose first targets stand at some places of the stream, as long as all of them can be."""
        stream, row = self._held(split), self._row(split)
        length = min(self._window(split), row - int((indices % row).max()))
        seen = stream.windows(indices - 1, length + 1)
        outside = seen[:, 1:] < 0
        targets = seen[:, 1:].masked_fill(outside, UNLABELED).contiguous()
        inputs = seen[:, :-1].masked_fill(seen[:, :-1] < 0, END_NUMBER).masked_fill(outside, 0).contiguous()
        return Batch(inputs, targets, keys=example_keys(0 if key is None else key, indices), indices=indices)

    def _row(self, split: str) -> int:
        """Return how many tokens each row has."""
        size = len(self._held(split))
        return size // self.config.batch if split == "train" else -(-size // self.config.evaluation_batch)

    def _window(self, split: str) -> int:
        return self.config.bptt if split == "train" else _JUDGED

    def stream(self, split: str) -> Tensor:
        """Return the tokens of a split as they stand in the text, ``(N,)`` int32."""
        return torch.cat([piece.int() for piece in self.pieces(split)])

    def pieces(self, split: str) -> Iterator[Tensor]:
        """Yield the tokens of a split as they stand in the text, a million at a time, int64."""
        return self._held(split).pieces()

    def _held(self, split: str) -> Numbers:
        if split not in self._streams:
            raise UnknownNameError(f"split of {self.spec.dataset}", split, self._streams)
        return self._streams[split]


def _numbered(tokens: Mapping[str, Iterable[str]], end: str) -> tuple[dict[str, Numbers], tuple[str, ...]]:
    """Return the streams and the vocabulary, which is that of the first split."""
    splits = iter(tokens.items())
    first = {PADDING: 0, UNKNOWN: 1, end: 2}
    fixed = len(first)
    name, train = next(splits)
    seen = array.array("i", (first.setdefault(token, len(first)) for token in train))
    counts = np.bincount(np.array(seen), minlength=len(first)).tolist()
    known = [word for word, _ in by_frequency({word: counts[old] for word, old in first.items() if old >= fixed})]
    vocabulary = (PADDING, UNKNOWN, end, *known)
    final = {token: number for number, token in enumerate(vocabulary)}
    renumbered = [final[token] for token in first]
    code = smallest(len(vocabulary))
    streams = {name: Numbers(map(renumbered.__getitem__, seen), code)}
    return streams | {name: Numbers((final.get(token, 1) for token in of), code) for name, of in splits}, vocabulary


def _sha256(stream: Numbers) -> str:
    """Return the digest of the stream as a tensor of int64, a million tokens at a time."""
    total = hashlib.sha256(f"<i8({len(stream)},)".encode())
    for piece in stream.pieces():
        total.update(piece.numpy().astype("<i8").data)
    return total.hexdigest()


def words_of(content: bytes, path: str) -> Iterator[str]:
    """Yield the words of a text line by line, each line ended by :data:`~netsmith.layers.tokenize.END`.

    Raises:
        DataError: A line is not UTF-8; names it.
    """
    for row, line in enumerate(content.split(b"\n")[:-1] if content.endswith(b"\n") else content.split(b"\n"), start=1):
        try:
            words = line.decode().split()
        except UnicodeDecodeError as error:
            raise DataError(f"is not UTF-8 text (byte {error.start + 1} of the line)", path, row) from None
        yield from words
        yield END


def split_words(
    dataset: str, files: Mapping[str, OfficialFile], *, mirrors: Sequence[str], twin: str = ""
) -> dict[str, Iterator[str]]:
    """Return the words of each split, lines ended as :func:`words_of` does.

    Args:
        dataset: Folder of the official files.
        files: The official file of each split.
        mirrors: Where they are to be had.
        twin: Name of the lines of :func:`twin_lines` to take in their place.

    Raises:
        DataError: The files are neither at hand nor to be downloaded, or are damaged.
    """
    if twin:
        lines = twin_lines(twin)
        contents = {split: "\n".join(" ".join(line) for line in of).encode() for split, of in lines.items()}
    else:
        found = official_contents(dataset, tuple(files.values()), mirrors=mirrors)
        contents = {split: found[file.name] for split, file in files.items()}
    return {split: words_of(content, files[split].name) for split, content in contents.items()}


def twin_lines(name: str) -> dict[str, list[str]]:
    """Make lines of letters that a language model can learn: two languages, told apart by a line's first sign.

    After ``+`` each letter is followed by the 7th after it in the alphabet, after ``-`` by the 12th, and one in ten by
    any. A letter alone leaves two ways to go on; the line's first sign, or two letters, tell which.

    Args:
        name: Which data set; other names give other lines.

    Returns:
        Lines by split.
    """
    letters = "abcdefghijklmnopqrstuvwxyz"
    generator = torch.Generator().manual_seed(named_key(0, "twin", name))
    found: dict[str, list[str]] = {}
    for split, count in _TWIN.items():
        found[split] = []
        for _ in range(count):
            language, length, at, *draws = torch.randint(0, 2**31, (19,), generator=generator).tolist()
            line = "+-"[language % 2]
            for draw in draws[: 6 + length % 11]:
                at = draw // 10 if draw % 10 == 0 else at + (7, 12)[language % 2]
                line += letters[at % 26]
            found[split].append(line)
    return found
