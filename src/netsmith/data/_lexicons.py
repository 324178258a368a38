"""Lexicons of sentiment in the files that people have: Pattern's XML, VADER, AFINN, CSV, JSON, lists of words."""

from __future__ import annotations

import importlib.util
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from xml.etree import ElementTree

from netsmith.core.errors import DataError, MissingExtraError, UnknownNameError, shorten
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._files import read_capped
from netsmith.data._tables import parse_table
from netsmith.data._text_files import text_of
from netsmith.layers.lexicon import Entry, Language, Lexicon, entry, with_modifiers

__all__ = ["OFFICIAL_LEXICONS", "official_lexicon", "read_lexicon", "write_lexicon"]

_CAP = 2**26
_PATTERN_NEGATIONS = frozenset(("no", "not", "n't", "never"))
_TEXTBLOB = ("en", "en-sentiment.xml")
_VADER, _AFINN = 4.0, 5.0  # their largest scores
_COLUMNS = ("word", "polarity", "subjectivity", "intensity")
_SIGNS = ((re.compile(r"(?i)(^|[^a-z])neg|消极|负面"), -1.0), (re.compile(r"(?i)(^|[^a-z])pos|积极|正面"), 1.0))

OFFICIAL_LEXICONS: Mapping[str, tuple[Language, str, tuple[OfficialFile, ...]]] = MappingProxyType(
    {
        "vader": (
            "en",
            "https://raw.githubusercontent.com/cjhutto/vaderSentiment/master/vaderSentiment",
            (
                OfficialFile(
                    "vader_lexicon.txt", 426786, "ec636f884f36b5de6a4d681b2f61c08c2ec90eeb440472033f3307d0d6fa8bc9"
                ),
            ),
        ),
        "afinn": (
            "en",
            "https://raw.githubusercontent.com/fnielsen/afinn/master/afinn/data",
            (
                OfficialFile(
                    "AFINN-en-165.txt", 39467, "3a06ace6047b203fc1adff0dd3d498ff68528d9206b84242fbce4fc2083a389b"
                ),
            ),
        ),
        "ntusd": (
            "zh",
            "",
            (
                OfficialFile(
                    "NTUSD_positive_simplified.txt",
                    29314,
                    "ce9272cc888adf187fdbd1c97132e6fc9684c4d097c1b9821f1c16b3a7faf381",
                ),
                OfficialFile(
                    "NTUSD_negative_simplified.txt",
                    89090,
                    "e2eae287576dab3cc0526eae63b8ceed1e89b655fa7539faac569188b45ab43c",
                ),
            ),
        ),
        "fannix": (
            "zh",
            "https://raw.githubusercontent.com/fannix/Chinese-Sentiment-Lexicon/master",
            (
                OfficialFile(
                    "positive_submit.txt", 31522, "ff00140c16d8c6a98e5afd937a6c92fca54a5cb4445ac3673753ea7d9e1ff69d"
                ),
                OfficialFile(
                    "negative_submit.txt", 46932, "3c5419f1822243bfa132084990f0b9e8e7ea9a981f31f321045a41c5550f6240"
                ),
            ),
        ),
    }
)
"""Public lexicons by name: their language, where they are published, and their files."""


def official_lexicon(name: str) -> Lexicon:
    """Return a public lexicon, from ``$NETSMITH_DATA/sentiment-lexicons/NAME``, the cache, or the network.

    ``textblob`` is the one within the installed package of that name, which is read and never run.

    Raises:
        UnknownNameError: None of that name.
        DataError: Its files are neither at hand nor to be downloaded, or are damaged.
        MissingExtraError: TextBlob is not installed.
    """
    if name == "textblob":
        spec = importlib.util.find_spec("textblob")
        if spec is None or not spec.submodule_search_locations:
            raise MissingExtraError("textblob", "test")
        return read_lexicon(Path(spec.submodule_search_locations[0]).joinpath(*_TEXTBLOB))
    if name not in OFFICIAL_LEXICONS:
        raise UnknownNameError("lexicon", name, (*OFFICIAL_LEXICONS, "textblob"))
    language, mirror, files = OFFICIAL_LEXICONS[name]
    contents = official_contents(f"sentiment-lexicons/{name}", files, mirrors=(mirror,) if mirror else ())
    return _merged(name, contents.items(), language=language)


def read_lexicon(*paths: Path, language: Language = "en") -> Lexicon:
    """Read a lexicon of one or more files, each in the form its ending and its first lines tell.

    - ``.xml``: Pattern's and TextBlob's, ``<word form= pos= polarity= subjectivity= intensity= />``: the mean over a
      word's senses; an adverb (``RB``) modifies what follows, and each adjective makes an adverb in -ly;
    - ``.json``: ``{"word": 0.5}`` or ``{"word": {"polarity": 0.5, "subjectivity": 1, "intensity": 1}}``;
    - ``.csv``, ``.tsv``, ``.jsonl``: the columns ``word``, ``polarity`` and, if there, ``subjectivity``, ``intensity``;
    - text: VADER (word, mean, deviation, votes between tabs; -4 to 4), AFINN (word, score; -5 to 5), ``word polarity
      [subjectivity [intensity]]`` between spaces, or a word per line, where the file's name says ``pos`` or ``neg``.

    A word in several files has the mean of them.

    Raises:
        DataError: A file of no such form; names the row.
    """
    return _merged(paths[0].name, ((path.name, read_capped(path, limit=_CAP)) for path in paths), language=language)


def write_lexicon(entries: Mapping[str, Entry]) -> str:
    """Return a lexicon as CSV, which :func:`read_lexicon` takes back; strongest words first."""
    lines = [",".join(_COLUMNS)]
    for word, one in sorted(entries.items(), key=lambda item: (-abs(item[1].polarity), item[0])):
        quoted = f'"{word.replace(chr(34), chr(34) * 2)}"' if set(word) & set('",\n') else word
        lines.append(f"{quoted},{one.polarity:.6g},{one.subjectivity:.6g},{one.intensity:.6g}")
    return "\n".join(lines) + "\n"


def _merged(name: str, files: Iterable[tuple[str, bytes]], *, language: Language) -> Lexicon:
    several: dict[str, list[Entry]] = defaultdict(list)
    for file, data in files:
        if file.lower().endswith(".xml"):
            return Lexicon(name, MappingProxyType(_from_xml(data, file)), _PATTERN_NEGATIONS)
        for word, one in _from_file(data, file).items():
            several[word].append(one)
    entries = {word: _mean(of) for word, of in several.items()}
    if not entries:
        raise DataError("holds no word; expected a word and its polarity per line", name)
    return with_modifiers(name, entries, language=language)


def _mean(of: list[Entry]) -> Entry:
    polarity, subjectivity, intensity = (sum(one[at] for one in of) / len(of) for at in range(3))
    return Entry(polarity, subjectivity, intensity, any(one.modifies for one in of))


def _from_file(data: bytes, name: str) -> dict[str, Entry]:
    suffix = Path(name).suffix.lower()
    if suffix in (".csv", ".tsv", ".jsonl", ".ndjson"):
        return _from_table(data, name)
    text = text_of(data, name)
    if suffix == ".json":
        return _from_json(text, name)
    sign = next((value for pattern, value in _SIGNS if pattern.search(Path(name).stem)), 0.0)
    found: dict[str, Entry] = {}
    scored = [_number(line.partition("\t")[2]) for line in text.split("\n")]
    scale = _AFINN if any(score is not None and abs(score) > 1 for score in scored) else 1.0
    for row, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or (line.startswith(("#", ";")) and sign == 0.0 and "\t" not in line):
            continue
        word, numbers = _fields(line.strip("\r"), name, row, sign=sign, scale=scale)
        found[word] = _checked(numbers, name, row)
    return found


def _fields(line: str, name: str, row: int, *, sign: float, scale: float) -> tuple[str, list[float | None]]:
    """Return the word of a line and its polarity, subjectivity and intensity."""
    word, *rest = line.split("\t")
    if len(rest) == 3 and rest[2].startswith("["):  # VADER
        score = _number(rest[0])
        return word.lower(), [None if score is None else score / _VADER]
    if len(rest) == 1 and _number(rest[0]) is not None:  # AFINN where the file's scores go beyond 1
        return word.lower(), [(_number(rest[0]) or 0.0) / scale]
    parts = line.split()
    numbers = [_number(part) for part in parts]
    first = next((at for at, number in enumerate(numbers) if at and number is not None), len(parts))
    if first == len(parts) and sign:
        return " ".join(parts).lower(), [sign]
    if first == len(parts) or len(parts) - first > len(_COLUMNS) - 1:
        raise DataError(
            f"holds {shorten(line, 40)!r}; expected 'word polarity [subjectivity [intensity]]', or a word per line in "
            "a file with pos or neg in its name",
            name,
            row,
        )
    return " ".join(parts[:first]).lower(), numbers[first:]


def _checked(numbers: Iterable[float | None], name: str, row: int) -> Entry:
    given = list(numbers)
    if None in given:
        raise DataError("holds a text in place of a number", name, row)
    try:
        return entry(*(number for number in given if number is not None))
    except DataError as error:
        raise DataError(str(error), name, row) from None


def _from_table(data: bytes, name: str) -> dict[str, Entry]:
    grid = parse_table(data, name)
    for column in _COLUMNS[:2]:
        if column not in grid.columns:
            raise DataError(f"has no column {column!r}; expected {', '.join(_COLUMNS)}", name, 1)
    columns = [grid.column(column) if column in grid.columns else None for column in _COLUMNS[1:]]
    found: dict[str, Entry] = {}
    for at, (word, row) in enumerate(zip(grid.column("word"), grid.rows, strict=True)):
        if not isinstance(word, str) or not word.strip():
            raise DataError("has no word", name, row)
        polarity, subjectivity, intensity = (None if c is None else _number(c[at]) for c in columns)
        size = abs(polarity or 0.0) if subjectivity is None else subjectivity
        known = " ".join(word.lower().split())
        one = _checked([polarity, size, 1.0 if intensity is None else intensity], name, row)
        if found.setdefault(known, one) != one:
            raise DataError(
                f"the word {shorten(known, 40)!r} comes again with other numbers; expected it once", name, row
            )
    return found


def _from_json(text: str, name: str) -> dict[str, Entry]:
    try:
        whole: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not JSON: {error}", name) from None
    if not isinstance(whole, dict):
        raise DataError('expected one object, {"word": polarity, ...}', name)
    found: dict[str, Entry] = {}
    for row, (word, value) in enumerate(whole.items(), start=1):
        fields = value if isinstance(value, dict) else {"polarity": value}
        numbers = [fields.get(column) for column in _COLUMNS[1:]]
        if isinstance(fields.get("polarity"), bool) or any(
            number is not None and not isinstance(number, (int, float)) for number in numbers
        ):
            raise DataError(f"the word {shorten(word, 40)!r} has {shorten(str(value), 40)}; expected numbers", name)
        polarity, subjectivity, intensity = (None if number is None else float(number) for number in numbers)
        size = abs(polarity or 0.0) if subjectivity is None else subjectivity
        found[" ".join(word.lower().split())] = _checked(
            [polarity, size, 1.0 if intensity is None else intensity], name, row
        )
    return found


def _from_xml(data: bytes, name: str) -> dict[str, Entry]:
    """Read Pattern's form: averages over the senses of each part of speech, then over the parts of speech."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:  # nothing that expands itself
        raise DataError("declares a document type or entities; expected plain elements <word ... />", name)
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise DataError(f"is not XML: {error}", name) from None
    senses: dict[str, dict[str, list[Entry]]] = defaultdict(lambda: defaultdict(list))
    for row, element in enumerate(root.iter("word"), start=1):
        word = element.get("form", "").lower()
        if not word or " " in word:  # Pattern looks single words up: a phrase is never found there
            continue
        values = [element.get(column, "0" if column != "intensity" else "1") for column in _COLUMNS[1:]]
        part = element.get("pos", "")
        one = _checked([_number(value) for value in values], f"{name}, word {row}", row)
        senses[word][part].append(one._replace(modifies=part == "RB"))
    if not senses:
        raise DataError("holds no element <word form=... polarity=... />", name)
    means = {word: {part: _mean(of) for part, of in parts.items()} for word, parts in senses.items()}
    found = {word: _mean(list(parts.values())) for word, parts in means.items()}
    for word, parts in means.items():
        if "JJ" in parts:  # "terrible" gives "terribly"
            stem = word[:-1] + "i" if word.endswith("y") else word.removesuffix("le")
            found[stem + "ly"] = parts["JJ"]._replace(modifies=True)
    return found


def _number(cell: Any) -> float | None:
    """Return a cell's number, None where it is none."""
    if isinstance(cell, bool) or not isinstance(cell, (str, int, float)):
        return None
    try:
        return float(cell)
    except ValueError:
        return None
