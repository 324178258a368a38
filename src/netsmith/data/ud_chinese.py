"""Universal Dependencies' Chinese treebank (GSD), release 1.4: 5,000 sentences in words, in traditional characters.

Nivre et al., "Universal Dependencies v1", LREC 2016.
"""

from __future__ import annotations

from netsmith.core.errors import DataError, shorten
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._text_files import decoded
from netsmith.data._words import WordFields, WordSource, twin_words

__all__ = ["UdChinese", "conllu_words"]

_FILES = {
    "train": OfficialFile(
        "zh-ud-train.conllu", 3281947, "94c1ad7f8f7d545169bafbef367852b965ec5eada13d614d8e8b6b9297ee6d0d"
    ),
    "dev": OfficialFile("zh-ud-dev.conllu", 422074, "574a2c826fc4207530be65b9cd9d8d9611a9749716ab1e3349ec681b93c7a42f"),
    "test": OfficialFile(
        "zh-ud-test.conllu", 400666, "c5fe2733ca4a118725fc06d6a7dbce9952254a4a174f3bd75e13ab4d504e9970"
    ),
}
_MIRRORS = ("https://raw.githubusercontent.com/UniversalDependencies/UD_Chinese-GSD/r1.4",)
_TWIN = {"train": 300, "dev": 80, "test": 80}


class UdChinese(WordSource):
    """Where words begin and end: each character has the tag of its place in its word (B, M, E, S).

    The official parts: 3,997 sentences for training, 500 for dev, 500 for test; the words of its dependency trees,
    which are shorter than the bakeoff's (suffixes are words).

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(WordFields):
        """The official files, from ``$NETSMITH_DATA/ud-chinese-1.4``, the cache, or the network."""

    def __init__(self, config: Config) -> None:
        super().__init__(
            config,
            dataset="ud-chinese-1.4",
            words=twin_words("ud_chinese", _TWIN) if config.twin else _official(),
            made=dict.fromkeys(_TWIN, "official"),
        )


def _official() -> dict[str, list[list[str]]]:
    contents = official_contents("ud-chinese-1.4", tuple(_FILES.values()), mirrors=_MIRRORS)
    return {split: conllu_words(contents[file.name], file.name) for split, file in _FILES.items()}


def conllu_words(data: bytes, name: str) -> list[list[str]]:
    """Return the words of each sentence of a CoNLL-U file; blanks within words are left out.

    Comments, the lines of ranges (``3-4``) and of empty nodes (``5.1``) are no words.

    Raises:
        DataError: Another encoding, or a line without ten columns; names the row.
    """
    found: list[list[str]] = []
    words: list[str] = []
    for row, line in enumerate([*decoded(data, name).split("\n"), ""], start=1):
        columns = line.rstrip("\r").split("\t")
        if columns == [""]:
            found += [words] if words else []
            words = []
        elif not line.startswith("#"):
            if len(columns) != 10:
                raise DataError(f"has {len(columns)} columns, {shorten(repr(line), 40)}; expected 10", name, row)
            word = "".join(columns[1].split())
            words += [word] if columns[0].isdigit() and word else []
    if not found:
        raise DataError("has no sentence", name)
    return found
