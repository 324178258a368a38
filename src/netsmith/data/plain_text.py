"""The user's own text file, for language models and word vectors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import Field

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Step
from netsmith.data._streams import StreamFields, StreamSource, twin_lines
from netsmith.data._text_files import checked_encoding, guessed_encoding, text_lines
from netsmith.layers.tokenize import END, tokenize

__all__ = ["PlainText"]


class PlainText(StreamSource):
    """One file, line by line: the last lines are for test, those before for dev, all others for training.

    The file is read as a stream and never held as a whole; what is held are its tokens, four bytes each. A line is what
    a window of words or an n-gram does not reach beyond.

    Raises:
        DataError: The file is missing, not text, or too short for three parts.
        ConfigError: The pattern is no regular expression; no such encoding.
    """

    class Config(StreamFields):
        r"""Which file, and what its tokens are.

        Attributes:
            path: The file.
            pattern: Regular expression of one token: ``\S+`` for what blanks separate, ``\S`` for characters.
            lowercase: Lower the case first.
            encoding: Of the file; "" finds it.
            dev: Share of the lines for dev.
            test: Share of the lines for test.
        """

        path: str = ""
        pattern: str = r"\S+"
        lowercase: bool = False
        encoding: str = ""
        dev: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
        test: Annotated[float, Field(gt=0, lt=0.5)] = 0.05

    def __init__(self, config: Config) -> None:
        step = Step(name="tokenize", pattern=config.pattern, lowercase=config.lowercase)
        try:
            re.compile(config.pattern)
        except re.error as error:
            raise ConfigError(f"the token pattern {config.pattern!r} is not a regular expression: {error}") from None
        if config.twin:
            tokens = {
                split: (token for line in lines for token in (*tokenize(" ".join(line), step), END))
                for split, lines in twin_lines("plain_text").items()
            }
            super().__init__(config, dataset="plain_text", tokens=tokens, step=step)
            return
        path = Path(config.path)
        if not config.path or not path.is_file():
            raise DataError("is no file; expected a text (data.path=FILE)", config.path or None)
        try:
            encoding = checked_encoding(config.encoding) if config.encoding else guessed_encoding(path)
            if not encoding:
                raise DataError("is not text (it has null bytes or many control characters)", path)
            count = sum(1 for _ in text_lines(path, encoding))
            edges = _edges(count, config, path)
            tokens = {split: _tokens(path, encoding, step, begin, end) for split, (begin, end) in edges.items()}
            super().__init__(
                config,
                dataset=path.name,
                tokens=tokens,
                step=step,
                made=f"first lines; then {config.dev:.0%} for dev and {config.test:.0%} for test",
            )
        except UnicodeDecodeError as error:
            raise DataError(
                f"is not {error.encoding} (byte {error.start + 1} of a block); give its encoding", path
            ) from None
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror or error}", path) from None


def _edges(count: int, config: PlainText.Config, path: Path) -> dict[str, tuple[int, int]]:
    """Return the first line of each split, and the one behind its last."""
    dev, test = max(1, round(config.dev * count)), max(1, round(config.test * count))
    if count - dev - test < 1:
        raise DataError(f"has {count} lines; expected at least 3, for training, dev and test", path)
    first = count - dev - test
    return {"train": (0, first), "dev": (first, first + dev), "test": (first + dev, count)}


def _tokens(path: Path, encoding: str, step: Step, begin: int, end: int) -> Iterator[str]:
    for _, line in islice(text_lines(path, encoding), begin, end):
        yield from tokenize(line, step)
        yield END
