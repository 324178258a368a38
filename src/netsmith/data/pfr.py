"""The People's Daily of January 1998, segmented by hand: 1.1 million words (Peking University's PFR corpus).

Yu et al., "Specification for corpus processing at Peking University", 2003.
"""

from __future__ import annotations

import io
import re
import zipfile
from typing import Annotated

from pydantic import Field

from netsmith.core.errors import ConfigError, DataError, shorten
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._text_files import decoded
from netsmith.data._words import WordFields, WordSource, narrow, twin_words

__all__ = ["Pfr", "pfr_words"]

_FILE = OfficialFile("199801.zip", 2866875, "aa4d4dd13694c11ec231c926ad9638c4922076954baa63a99d2a773cfbc2b077")
_MEMBER = "199801.txt"
_LIMIT = 64 * 2**20
_BRACKET = re.compile(r"^\[|\][a-zA-Z]+$")
_TWIN = {"train": 300, "dev": 80, "test": 80}


class Pfr(WordSource):
    """Where words begin and end in a newspaper: each character has the tag of its place in its word (B, M, E, S).

    The corpus has no official parts: the first ``train_days`` days of the month are for training, half of the others
    for dev, the last ones for test. So no article is in two parts, and test is of later days. Its words follow rules
    like those of the bakeoff's PKU texts. Names in brackets are read as the words within; wide letters and digits as
    plain ones. Paragraphs are cut into pieces of at most ``max_length`` characters.

    Raises:
        DataError: The file is not at hand (it cannot be downloaded without a form), or damaged; names the row.
        ConfigError: Days that leave none for dev and test.
    """

    class Config(WordFields):
        """The file, from ``$NETSMITH_DATA/pfr-199801`` or the cache.

        Attributes:
            train_days: Days of January 1998 for training; the others are halved.
        """

        train_days: Annotated[int, Field(ge=1, le=31)] = 25

    def __init__(self, config: Config) -> None:
        if config.train_days > 29:
            raise ConfigError(
                f"train_days={config.train_days}: expected at most 29, so that dev and test have a day each"
            )
        super().__init__(
            config,
            dataset="pfr-199801",
            words=twin_words("pfr", _TWIN) if config.twin else _parts(config.train_days),
            made=dict.fromkeys(_TWIN, f"by day: {config.train_days} for training, half of the others for each"),
        )


def pfr_words(data: bytes, name: str = _MEMBER) -> list[tuple[int, list[str]]]:
    """Return the day (1 to 31) and the words of each paragraph.

    Args:
        data: The corpus: on each line its number (``19980101-01-001-001/m``) and words with their parts of speech,
            ``[中央/n 电视台/n]nt`` where several are a name.
        name: Stands in errors.

    Raises:
        DataError: Another encoding than GB18030, or a line of another form; names the row.
    """
    found: list[tuple[int, list[str]]] = []
    for row, line in enumerate(decoded(data, name, encoding="GB18030").split("\n"), start=1):
        number, *tokens = line.split() or [""]
        if not number:
            continue
        day = re.match(r"199801(\d\d)-\d\d-\d{3}-\d{3}/m$", number)
        if day is None:
            raise DataError(f"begins with {shorten(repr(number), 40)}; expected 19980101-01-001-001/m", name, row)
        words = []
        for token in tokens:
            word, slash, _ = _BRACKET.sub("", token).rpartition("/")
            if not slash or not word:
                raise DataError(
                    f"holds {shorten(repr(token), 40)}; expected a word, / and its part of speech", name, row
                )
            words.append(narrow(word))
        if words:
            found.append((int(day[1]), words))
    if not found:
        raise DataError("has no paragraph", name)
    return found


def _parts(days: int) -> dict[str, list[list[str]]]:
    packed = official_contents("pfr-199801", [_FILE], mirrors=())[_FILE.name]
    with zipfile.ZipFile(io.BytesIO(packed)) as archive, archive.open(_MEMBER) as member:
        paragraphs = pfr_words(member.read(_LIMIT))
    middle = days + (31 - days) // 2
    return {
        "train": [words for day, words in paragraphs if day <= days],
        "dev": [words for day, words in paragraphs if days < day <= middle],
        "test": [words for day, words in paragraphs if day > middle],
    }
