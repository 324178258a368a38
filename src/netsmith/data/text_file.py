"""One's own text for language models: a file of any length, streamed into the numbers of its words or characters."""

from __future__ import annotations

import codecs
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Step
from netsmith.data._files import open_plain
from netsmith.data._frequency import most_frequent
from netsmith.data._streams import StreamFields, StreamSource, twin_lines
from netsmith.data._text_files import refuse_null
from netsmith.layers.tokenize import END, PADDING, UNKNOWN, cutter

__all__ = ["TextFile"]

_READ = 2**16  # bytes
_HELD = 2**20  # characters that wait for a blank
_LONGEST = 256  # characters of a token that is known
_SPLITS: tuple[str, ...] = ("train", "dev", "test")


class TextFile(StreamSource):
    """Running text of one's own, in UTF-8: the beginning is for training, the last parts are for dev and test.

    The file is read twice, to count and to number its tokens, and never held. Neither are the counts nor the numbers
    where they are many: they wait in temporary files (folder ``TMPDIR``; one byte a token for up to 256 known ones, two
    up to 32,768). What runs on for more than 256 characters is no word, and unknown. So a text may be longer than
    memory. Parts begin with a line, where lines are shorter than 64 KiB. A line break stands for the mark that ends a
    line.

    Raises:
        ConfigError: No ``path`` and no ``twin``, or a pattern that is not a regular expression.
        DataError: A file that is missing or too short for its parts, or bytes that are not UTF-8; names the line.
    """

    class Config(StreamFields):
        r"""The file, and what a token is.

        Attributes:
            path: The file.
            unit: Whether a token is a ``word`` (or a mark alone), or a ``character``, blanks and line breaks included.
            pattern: Regular expression of one word; what it leaves out is lost. ``\S+``: all that blanks separate.
            lowercase: Lower the case first.
            vocabulary_size: The most tokens that are known.
            dev: Share of the file, near its end, for dev; 0 for none.
            test: Share of the file, at its end, for test; 0 for none.
        """

        path: str = ""
        unit: Literal["word", "character"] = "word"
        pattern: str = r"\w+|[^\w\s]"
        lowercase: bool = False
        vocabulary_size: Annotated[int, Field(gt=3)] = 10_000
        dev: Annotated[float, Field(ge=0, lt=0.5)] = 0.05
        test: Annotated[float, Field(ge=0, lt=0.5)] = 0.05

        @model_validator(mode="after")
        def _check_pattern(self) -> Self:
            if self.unit == "character" and self.pattern != type(self).model_fields["pattern"].default:
                raise ValueError("pattern is for words; leave it out where the unit is a character")
            return self

    def __init__(self, config: Config) -> None:
        step = Step(
            name="tokenize",
            pattern=r"[\s\S]" if config.unit == "character" else config.pattern,
            lowercase=config.lowercase,
        )
        cutter(step)  # a wrong pattern is refused here, before the file is read
        end = "\n" if config.unit == "character" else END
        text = _Twin() if config.twin else _File(config)
        special = (PADDING, UNKNOWN, end)
        train = _tokens(text, "train", step, end)
        vocabulary = (*special, *most_frequent(train, config.vocabulary_size - len(special), but=special))
        super().__init__(
            config,
            dataset="text_file" if config.twin else Path(config.path).name,
            tokens={split: _tokens(text, split, step, end) for split in text.splits},
            step=step,
            end=end,
            made=_made(config.dev, config.test),
            vocabulary=vocabulary,
        )


def _made(dev: float, test: float) -> str:
    """Return how the file was parted."""
    before = f" before last {test:.3g}" if test else ""
    parts = [f"last {dev:.3g}{before} dev"] * (dev > 0) + [f"last {test:.3g} test"] * (test > 0)
    return ", ".join(parts) or "all of it"


class _Twin:
    """Lines of the twin by split, each as a part that is ended."""

    splits = _SPLITS

    def parts(self, split: str) -> Iterator[str]:
        for line in twin_lines("text_file")[split]:
            yield " ".join(line) + "\n"


class _File:
    """A file whose splits are stretches of bytes; parts of 64 KiB at most are read at a time."""

    def __init__(self, config: TextFile.Config) -> None:
        if not config.path:
            raise ConfigError("TextFile.Config.path is empty; expected a text file (--data PATH)")
        self.path = Path(config.path)
        with open_plain(self.path) as file:
            size = file.seek(0, 2)
            first, second = (int(share * size) for share in (1 - config.dev - config.test, 1 - config.test))
            ends = [0]
            for wanted in (first, second):
                before = file.seek(max(0, wanted - 1))
                cut = size if wanted == size else before + _to_boundary(file.read(_READ), config.unit)
                ends.append(max(ends[-1], cut))
            ends.append(size)
        shares = {"train": 1.0, "dev": config.dev, "test": config.test}
        edges = zip(_SPLITS, itertools.pairwise(ends), strict=True)
        self._edges: dict[str, tuple[int, int]] = {split: edge for split, edge in edges if shares[split]}
        self.splits = tuple(self._edges)
        if any(start >= end for start, end in self._edges.values()):
            what = ", ".join(self.splits[:-1]).replace("train", "training") + f" and {self.splits[-1]}"
            wanted = f"too few lines for {what}" if self.splits[1:] else "no text"
            raise DataError(f"has {size} bytes, {wanted}; expected {len(self.splits)} or more lines", self.path)

    def parts(self, split: str) -> Iterator[str]:
        start, end = self._edges[split]
        with open_plain(self.path) as file:
            decoder = codecs.getincrementaldecoder("utf-8-sig" if start == 0 else "utf-8")()
            file.seek(start)
            row, held = 1, ""
            while start < end and (raw := file.readline(min(_READ, end - start))):
                start += len(raw)
                try:
                    part = held + decoder.decode(raw, final=start == end)
                except UnicodeDecodeError as error:
                    row += self._rows_before(self._edges[split][0])
                    what = f"holds the byte 0x{error.object[error.start]:02x}, not UTF-8; save it as UTF-8"
                    raise DataError(what, self.path, row) from None
                if "\0" in part:
                    refuse_null(part, self.path, row + self._rows_before(self._edges[split][0]))
                row += raw.endswith(b"\n")
                held = "\r" if part.endswith("\r") and start < end else ""  # of a break that the next part ends
                yield part.removesuffix(held).replace("\r\n", "\n")

    def _rows_before(self, end: int) -> int:
        rows = 0
        with open_plain(self.path) as file:
            while end > 0 and (raw := file.read(min(_HELD, end))):
                rows, end = rows + raw.count(b"\n"), end - len(raw)
        return rows


def _to_boundary(ahead: bytes, unit: str) -> int:
    """Return how many bytes it is to where a line begins, else to behind the next blank, else to the next character."""
    line = ahead.find(b"\n")
    if line >= 0:
        return line + 1
    blank = re.search(rb"\s", ahead)
    if blank and unit == "word":
        return blank.end()
    return next((at for at, byte in enumerate(ahead) if byte & 0xC0 != 0x80), 0)


def _tokens(text: _File | _Twin, split: str, step: Step, end: str) -> Iterator[str]:
    """Yield the tokens of a split; words never end where a part of a line does."""
    cut = cutter(step)
    if end == "\n":
        for part in text.parts(split):
            yield from part.lower() if step.lowercase else part
        return
    rest = ""
    for part in text.parts(split):
        rest += part
        if part.endswith("\n"):
            yield from _bounded(cut(rest))
            yield end
            rest = ""
        elif len(rest) > _HELD or any(sign.isspace() for sign in part):
            whole = rest if len(rest) > _HELD else rest[: len(rest) - len(re.split(r"\s", rest)[-1])]
            yield from _bounded(cut(whole))
            rest = rest[len(whole) :]
    if rest:
        yield from _bounded(cut(rest))
        yield end


def _bounded(tokens: list[str]) -> list[str]:
    """Return tokens, those that are no words in any language unknown: they would fill memory and the vocabulary."""
    if max(map(len, tokens), default=0) <= _LONGEST:
        return tokens
    return [token if len(token) <= _LONGEST else UNKNOWN for token in tokens]
