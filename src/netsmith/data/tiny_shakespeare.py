"""Tiny Shakespeare: 1.1 million characters of his plays, the text of Karpathy's char-rnn (2015)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from netsmith.core.errors import DataError
from netsmith.core.spec import Step
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._streams import StreamFields, StreamSource, twin_lines

__all__ = ["TinyShakespeare"]

_FILE = OfficialFile("input.txt", 1115394, "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed")
_MIRRORS = ("https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare",)
_MADE = "first 90 % train, next 5 % dev, last 5 % test"


class TinyShakespeare(StreamSource):
    """A text small enough to learn in minutes, character by character: who speaks, lines of verse, spelling.

    There are no official parts: the first 90 % are for training (1,003,854 characters), then 55,770 for dev and 55,770
    for test. Each of the 65 characters is a token; the line break stands for the mark that ends a line.

    Raises:
        DataError: The official file is neither at hand nor to be downloaded, or is damaged.
    """

    class Config(StreamFields):
        """The official file, from ``$NETSMITH_DATA/tinyshakespeare``, the cache, or the network."""

        characters: ClassVar[bool] = True

    def __init__(self, config: Config) -> None:
        texts = _twin() if config.twin else _official()
        step = Step(name="tokenize", pattern=r"[\s\S]")
        super().__init__(config, dataset="tiny-shakespeare", tokens=texts, step=step, end="\n", made=_MADE)


def _official() -> Mapping[str, str]:
    content = official_contents("tinyshakespeare", (_FILE,), mirrors=_MIRRORS)[_FILE.name]
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise DataError(f"is not ASCII text (byte {error.start + 1})", _FILE.name) from None
    first = int(0.9 * len(text))
    second = first + (len(text) - first) // 2
    return {"train": text[:first], "dev": text[first:second], "test": text[second:]}


def _twin() -> Mapping[str, str]:
    return {split: "".join(f"{line}\n" for line in lines) for split, lines in twin_lines("tiny_shakespeare").items()}
