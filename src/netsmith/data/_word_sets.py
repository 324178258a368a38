"""Questions to word vectors that the field asks: analogies to complete, and pairs of words that people judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from netsmith.core.errors import DataError, shorten
from netsmith.data._download import OfficialFile, official_contents

__all__ = ["Question", "SetName", "analogies_of", "is_of_language", "language_of", "pairs_of", "word_set"]

SetName = Literal[
    "analogies", "ca8_semantic", "ca8_morphological", "men", "ws353", "ws353_similarity", "ws353_relatedness", "rg65",
    "mc30",
]  # fmt: skip

_GOOGLE = OfficialFile(
    "questions-words.txt", 603955, "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36"
)
_CA8 = MappingProxyType(
    {
        "ca8_morphological": OfficialFile(
            "CA8/morphological.txt", 341904, "ed47740c28d5ce052f205e7ffff8e28dfefe451fcd39867bbe98ef710cc6bf4f"
        ),
        "ca8_semantic": OfficialFile(
            "CA8/semantic.txt", 265603, "aed64568e6350ce08f7b9e4af2bd8aadd7ff0498b812cd94c660638ed8ad1f4a"
        ),
    }
)
_PAIRS = MappingProxyType(
    {
        "men": OfficialFile(
            "EN-MEN-TR-3k.txt", 53593, "3df21751d8f69d51619ec62251c045da70815f3fad27736db7c1fc99ff3bfacf"
        ),
        "ws353": OfficialFile(
            "EN-WS-353-ALL.txt", 7405, "ce12919b240af45bdf46d243601eaca2b6212b159b5e7e9b435ee7ee40c5619c"
        ),
        "ws353_similarity": OfficialFile(
            "EN-WS-353-SIM.txt", 4002, "f1da938998863c94e53f72f984a5c6e215f0b46c323aae8f0f4930703a339107"
        ),
        "ws353_relatedness": OfficialFile(
            "EN-WS-353-REL.txt", 5134, "66a7c88100624d0a391605ff61ce84e11d11ee620d51ec0298da49592838f8fa"
        ),
        "rg65": OfficialFile("EN-RG-65.txt", 1208, "24b6856dbd54357ac7a14ab00c86073dcdf88be2a0914bcf30500845f9e4c147"),
        "mc30": OfficialFile("EN-MC-30.txt", 543, "205fb45762e080668517a82a0efa68fdafd4a108f73c79782ab585c13581e8be"),
    }
)
_MIRRORS = MappingProxyType(
    {
        "google": ("https://raw.githubusercontent.com/tmikolov/word2vec/master",),
        "ca8": ("https://raw.githubusercontent.com/Embedding/Chinese-Word-Vectors/master/testsets",),
        "pairs": ("https://raw.githubusercontent.com/mfaruqui/word-vector-demo/master/data",),
    }
)
_COMMON = MappingProxyType({"English": ("the", "of", "and"), "Chinese": ("的", "是", "了")})
_OFTEN = 0.02  # in English of many kinds the three are 5 to 12 of 100 words, in German or French none


class Question(NamedTuple):
    """A question to word vectors.

    Attributes:
        kind: The collection it counts for.
        words: Two words to be compared, or four: the first is to the second as the third is to the fourth.
        score: How alike or related people hold two words to be, in the collection's own unit; 0 for an analogy.
    """

    kind: str
    words: tuple[str, ...]
    score: float = 0.0


def word_set(name: SetName) -> list[Question]:
    """Return a collection, from ``$NETSMITH_DATA/word-analogy`` or ``word-similarity``, the cache, or the network.

    ``analogies`` are the 19,544 of Mikolov et al. (2013, arXiv:1301.3781), of the kinds ``semantic`` (8,869) and
    ``syntactic`` (10,675); ``ca8_semantic`` and ``ca8_morphological`` the 7,636 and 10,177 Chinese ones of Li et al.
    (2018, P18-2023). ``ws353`` are the pairs of Finkelstein et al. (2002), with the parts ``ws353_similarity`` and
    ``ws353_relatedness`` of Agirre et al. (2009); ``men`` the 3,000 of Bruni et al. (2014), ``rg65`` those of
    Rubenstein & Goodenough (1965), ``mc30`` those of Miller & Charles (1991).

    Raises:
        NotAtHandError: The official file is neither at hand nor to be downloaded.
        DataError: It is damaged.
    """
    if name in _PAIRS:
        file = _PAIRS[name]
        content = official_contents("word-similarity", (file,), mirrors=_MIRRORS["pairs"])[file.name]
        return pairs_of(content, name, file.name)
    file = _CA8.get(name, _GOOGLE)
    mirrors = _MIRRORS["ca8" if name in _CA8 else "google"]
    content = official_contents("word-analogy", (file,), mirrors=mirrors)[file.name]
    return analogies_of(content, name if name in _CA8 else "", file.name)


def language_of(name: SetName) -> str:
    """Return the language of a collection.

    Example:
        >>> language_of("men"), language_of("ca8_semantic")
        ('English', 'Chinese')
    """
    return "Chinese" if name in _CA8 else "English"


def is_of_language(language: str, shares: Mapping[str, float]) -> bool:
    """Say whether a running text is of a language: at least 2 of 100 words are its three commonest.

    Args:
        language: As :func:`language_of` names it.
        shares: The share of the text that a word has, 0..1.

    Example:
        >>> is_of_language("English", {"the": 0.05, "die": 0.001}), is_of_language("English", {"die": 0.04})
        (True, False)
    """
    return sum(shares.get(word, 0.0) for word in _COMMON[language]) >= _OFTEN


def analogies_of(content: bytes, kind: str, path: str) -> list[Question]:
    """Return the analogies of a file: lines of four words, under lines ``: section``.

    Args:
        content: The file.
        kind: What they count for; "" for ``syntactic`` where the section's name begins with gram, else ``semantic``.
        path: Its name, for errors.

    Raises:
        DataError: A line is none of that, or not UTF-8; names it.
    """
    found, section = [], ""
    for row, line in enumerate(_lines(content, path), start=1):
        if line.startswith(":"):
            section = line[1:].strip()
        elif words := tuple(line.split()):
            if len(words) != 4:
                raise DataError(f"expected four words, got {shorten(line, 60)!r}", path, row)
            found.append(Question(kind or ("syntactic" if section.startswith("gram") else "semantic"), words))
    return found


def pairs_of(content: bytes, kind: str, path: str) -> list[Question]:
    """Return the pairs of a file: lines of two words and a number; what follows is passed over.

    Args:
        content: The file.
        kind: What they count for.
        path: Its name, for errors.

    Raises:
        DataError: A line is none of that, or not UTF-8; names it.
    """
    found = []
    for row, line in enumerate(_lines(content, path), start=1):
        if not line.strip():
            continue
        parts = line.split()
        try:
            score = float(parts[2])
        except (IndexError, ValueError):
            score = math.nan
        if not math.isfinite(score):
            raise DataError(f"expected two words and a number, got {shorten(line, 60)!r}", path, row)
        found.append(Question(kind, (parts[0], parts[1]), score))
    return found


def _lines(content: bytes, path: str) -> list[str]:
    try:
        return content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8 text", path, content[: error.start].count(b"\n") + 1) from None
