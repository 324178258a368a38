"""One's own judged texts as files: a table of queries and texts, or a collection with queries and judgments."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netsmith.core.config import AUTO
from netsmith.core.errors import ConfigError, DataError, did_you_mean, shorten
from netsmith.core.spec import Step
from netsmith.data._columns import read_grids
from netsmith.data._files import Tree, open_tree
from netsmith.data._judged import Collection, Document, Query
from netsmith.data._listing import SPLIT_NAMES
from netsmith.data._tables import TABLE_LIMIT, TABLE_SUFFIXES, Grid, utf8_text
from netsmith.data._tsv import parse_texts
from netsmith.layers.tokenize import tokenize

__all__ = ["read_judged", "table_collection"]

_COLUMNS = {
    "query": ("query", "question", "q"),
    "text": ("text", "document", "passage", "sentence", "answer"),
    "grade": ("grade", "label", "relevance", "score", "judgment"),
}
_IDS = ("_id", "id", "docid", "doc_id", "docno", "pid", "qid", "query_id", "query-id")
_TEXTS = ("text", "query", "question", "contents", "body", "passage")
_DOCUMENTS = ("documents", "docs", "corpus", "collection")
_QUERIES = ("queries", "topics")
_WHOLE = re.compile(r"[+-]?\d+")
_HIGHEST = 1000


def read_judged(path: str, *, columns: Mapping[str, str], header: bool | str, step: Step) -> dict[str, Collection]:
    """Read queries, texts and judgments, by the splits that are given; ``train`` is among them and comes first.

    Args:
        path: A table with a query, a text and a grade in each row; a folder or archive of ``train``, ``val`` and
            ``test`` tables; or one of a collection (below).
        columns: The names of the columns ``query``, ``text`` and ``grade``, or ``auto``.
        header: Whether the first row of TSV and CSV names the columns; ``auto``: where it holds no whole number.
        step: How texts are cut into words: each has one at least.

    A collection is, in one folder:

    - ``documents`` (or ``docs``, ``corpus``, ``collection``): a table with the columns ``id`` and ``text`` (and
      ``title``, which stands before the text; the id comes first in TSV and CSV), or a folder with a text file for
      each;
    - ``queries`` (or ``topics``): a table with the columns ``id`` and ``text``;
    - ``qrels``: judgments as TREC's (query, a column that says nothing, document, grade) or with three columns; one
      file, or one for each of ``train``, ``dev`` and ``test``: ``qrels/test.tsv`` as BEIR's, or ``qrels.test.tsv``.

    Raises:
        ConfigError: Columns or a header are said of a collection.
        DataError: Another layout, a row that breaks its form, a text without a word, a pair judged twice and
            differently, a judgment of what is not there; names file and row.
    """
    place = Path(path)
    if place.is_file() and place.suffix.lower() in TABLE_SUFFIXES:
        return _tables(path, columns, header, step)
    tree = open_tree(place, besides=f" nor a table ({', '.join(TABLE_SUFFIXES)})")
    judged = _judgments(tree)
    if judged:
        said = [name for name, value in (*columns.items(), ("header", header)) if value != AUTO]
        if said:
            raise ConfigError(
                f"data.{said[0]} says how a table is read, and {place.name} is a collection with qrels; leave it out"
            )
        return _collection(tree, judged, step)
    if any(SPLIT_NAMES.get(name.partition(".")[0].lower()) == "train" for name in tree.files):
        return _tables(path, columns, header, step)
    raise DataError(
        "holds neither train.tsv (.csv, .jsonl, .parquet) with a query, a text and a grade in each row, nor qrels with "
        "queries and documents",
        place,
    )


def table_collection(grid: Grid, *, columns: Mapping[str, str], step: Step) -> Collection:
    """Return the queries of a table with their own texts, which are their names, too.

    Raises:
        DataError: As :func:`read_judged`.
    """
    names = _find_columns(grid, columns)
    documents: dict[str, Document] = {}
    grades: dict[str, dict[str, int]] = {}
    seen: dict[tuple[str, str], int] = {}
    sides = (grid.column(names[role]) for role in _COLUMNS)
    for row, query, text, cell in zip(grid.rows, *sides, strict=True):
        for role, value in (("query", query), ("text", text)):
            _check_text(value, names[role], grid.name, row, step)
        grade = _grade(cell, f"column {shorten(names['grade'], 40)!r}", grid.name, row)
        of = grades.setdefault(query, {})
        if of.setdefault(text, grade) != grade:
            was = f"{of[text]} in row {seen[query, text]}"
            raise DataError(f"judges this query and text {grade}, which is {was}; keep one", grid.name, row)
        seen.setdefault((query, text), row)
        documents.setdefault(text, Document(text, "", text))
    return Collection(grid.name, documents, tuple(Query(text, text, of) for text, of in grades.items()), True)


def _tables(path: str, columns: Mapping[str, str], header: bool | str, step: Step) -> dict[str, Collection]:
    def parse(data: bytes, name: str) -> Grid:
        told = header if isinstance(header, bool) else not _holds_number(data, name)
        return parse_texts(data, name, header=told, what="row")

    grids = read_grids(path, kind="JudgedTexts", parse=parse)
    return {split: table_collection(grid, columns=columns, step=step) for split, grid in grids.items()}


def _first_rows(data: bytes, name: str) -> list[list[str]]:
    """Return the first row of TSV or CSV that is not blank, by each delimiter that such a file may have."""
    suffix = Path(name).suffix.lower()
    found = []
    for sign in {".tsv": "\t", ".csv": ",;\t"}.get(suffix, ""):
        ends = "\n" if suffix == ".tsv" else ""
        lines = io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", errors="replace", newline=ends)
        rows = (line.split(sign) for line in lines) if suffix == ".tsv" else csv.reader(lines, delimiter=sign)
        with contextlib.suppress(csv.Error):  # what reads the whole file names the row
            found.append(next(([cell.strip() for cell in row] for row in rows if "".join(row).strip()), [""]))
    return found


def _holds_number(data: bytes, name: str) -> bool:
    return any(_WHOLE.fullmatch(cell) for row in _first_rows(data, name) for cell in row)


def _find_columns(grid: Grid, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return the columns by their roles: as they are said, else by name, else, where none is known, in order."""
    found = dict(wanted)
    for name in found.values():
        if name != AUTO and name not in grid.columns:
            raise DataError(f"has no column {name!r}{did_you_mean(name, grid.columns)}", grid.name, 1)
    said = list(found.values())
    for role, known in _COLUMNS.items():
        free = {column.lower(): column for column in grid.columns if column not in found.values()}
        if found[role] == AUTO:
            found[role] = next((free[name] for name in known if name in free), AUTO)
    left = [column for column in grid.columns if column not in found.values() and column.lower() not in _IDS]
    open_roles = [role for role, name in found.items() if name == AUTO]
    if open_roles and (len(left) != len(open_roles) or list(found.values()) != said):
        shown = shorten(", ".join(map(repr, grid.columns)), 80)
        sets = " ".join(f"--set data.{role}=NAME" for role in open_roles)
        raise DataError(f"has the columns {shown}; say which is {' and '.join(open_roles)}: {sets}", grid.name, 1)
    found |= dict(zip(open_roles, left, strict=False))
    if len(set(found.values())) < len(found):
        raise DataError(f"takes one column for two of {', '.join(found)}; expected three", grid.name, 1)
    return found


def _check_text(value: Any, column: str, file: str, row: int, step: Step) -> None:
    if not isinstance(value, str) or not tokenize(value, step):
        shown = "is empty" if value is None or value == "" else f"holds {shorten(repr(value), 40)}, which has no word"
        raise DataError(f"column {shorten(column, 40)!r} {shown}; expected a text", file, row)


def _grade(cell: Any, what: str, file: str, row: int) -> int:
    """Return a grade; below 0, as TREC marks what is no document at all, is 0."""
    if isinstance(cell, str):
        value = int(cell) if _WHOLE.fullmatch(cell.strip()) and len(cell.strip()) < 10 else None
    else:
        value = int(cell) if isinstance(cell, (int, float)) and cell == cell // 1 else None
    if value is None or value > _HIGHEST:
        raise DataError(
            f"{what} holds {shorten(repr(cell), 40)}; expected a whole number of at most {_HIGHEST}, above 0 where the "
            "text answers",
            file,
            row,
        )
    return max(0, value)


# -- a collection --------------------------------------------------------------------------------------------------


def _judgments(tree: Tree) -> dict[str, str]:
    """Return the files of judgments by split: qrels/test.tsv, qrels.test.tsv, qrels.test; qrels.txt is of train."""
    found: dict[str, str] = {}
    for name in tree.files:
        bare = re.sub(r"\.(txt|tsv)$", "", name.lower())
        word = "train" if bare == "qrels" else bare[6:]
        if bare[:6] not in ("qrels", "qrels.", "qrels/") or "/" in word:
            continue
        if word not in SPLIT_NAMES:
            if bare == name.lower() and "." in name:
                continue  # another form of file: qrels.md5
            raise DataError(f"holds {name}, which names no split; expected train, dev or test", tree.path)
        split = SPLIT_NAMES[word]
        if split in found:
            raise DataError(f"{name} and {found[split]} are both judgments of {split!r}; keep one", tree.path)
        found[split] = name
    if found and "train" not in found:
        raise DataError(f"holds {', '.join(found.values())} but no judgments of train (qrels/train.tsv)", tree.path)
    return {split: found[split] for split in ("train", "dev", "test") if split in found}


def _collection(tree: Tree, judged: Mapping[str, str], step: Step) -> dict[str, Collection]:
    folder = [name for name in tree.files if name.partition("/")[0].lower() in _DOCUMENTS and "/" in name]
    tables = _tables_named(tree, _DOCUMENTS)
    if folder and tables:
        shown = f"{tables[0]} and {folder[0]}"
        raise DataError(f"holds {shown}; expected texts in a table or in a folder, not in both", tree.path)
    documents = _text_files(tree, folder, step) if folder else _texts(tree, _DOCUMENTS, step)
    queries = _texts(tree, _QUERIES, step)
    held = {name: Document(name, "", text) for name, text in documents.items()}
    parts: dict[str, Collection] = {}
    for split, file in judged.items():
        grades = _grades(tree.read(file, limit=TABLE_LIMIT), file, queries, documents)
        asked = tuple(Query(name, queries[name], of) for name, of in grades.items())
        parts[split] = Collection(file, held, asked, False)
    return parts


def _tables_named(tree: Tree, stems: Sequence[str]) -> list[str]:
    files = [name for name in tree.files if name.lower().endswith(TABLE_SUFFIXES) and "/" not in name]
    return [name for name in files if name.partition(".")[0].lower() in stems]


def _texts(tree: Tree, stems: Sequence[str], step: Step) -> dict[str, str]:
    """Return the texts of a table by their ids; a first row that begins with the name of an id names the columns."""
    files = _tables_named(tree, stems)
    if len(files) != 1:
        expected = f"{stems[0]}.tsv (.csv, .jsonl, .parquet)" + (f" or a folder {stems[0]}" if stems[1:2] else "")
        raise DataError(f"holds {', '.join(files) or 'qrels'}; expected beside qrels one of {expected}", tree.path)
    data = tree.read(files[0], limit=TABLE_LIMIT)
    header = any(row[0].lower() in _IDS for row in _first_rows(data, files[0]))
    grid = parse_texts(data, files[0], header=header, what="row")
    lower = {column.lower(): column for column in grid.columns}
    one = next((lower[name] for name in _IDS if name in lower), grid.columns[0])
    text = next((lower[name] for name in _TEXTS if name in lower and lower[name] != one), grid.columns[-1])
    if one == text:
        raise DataError(f"has the column {shorten(one, 40)!r} alone; expected an id and a text", grid.name, 1)
    title = lower.get("title", text)
    titles = grid.column(title) if title != text else [""] * len(grid.rows)
    found: dict[str, str] = {}
    for row, name, before, value in zip(grid.rows, grid.column(one), titles, grid.column(text), strict=True):
        key = str(name).strip()
        if name is None or not key or key in found:
            raise DataError(
                f"the id {shorten(repr(name), 40)} is {'empty' if key not in found else 'there twice'}", grid.name, row
            )
        whole = f"{before} {value}" if before and isinstance(value, str) else value
        _check_text(whole, text, grid.name, row, step)
        found[key] = whole
    return found


def _text_files(tree: Tree, files: Sequence[str], step: Step) -> dict[str, str]:
    """Return the texts of a folder, by the files' names without ``.txt``."""
    found: dict[str, str] = {}
    given: dict[str, str] = {}
    for name in files:
        key = name.partition("/")[2].removesuffix(".txt")
        if given.setdefault(key, name) != name:
            raise DataError(f"{given[key]} and {name} are both the text {key!r}; keep one", tree.path)
        found[key] = utf8_text(tree.read(name), name)
        if not tokenize(found[key], step):
            raise DataError("has no word; expected a text", name)
    return found


def _grades(
    data: bytes, file: str, queries: Mapping[str, str], documents: Mapping[str, str]
) -> dict[str, dict[str, int]]:
    """Return the grades of documents by query, in the order of the judgments."""
    found: dict[str, dict[str, int]] = {}
    first = True
    for row, line in enumerate(utf8_text(data, file).split("\n"), start=1):
        cells = line.strip().split("\t") if line.strip().count("\t") == 2 else line.split()
        if not cells:
            continue
        query, document = cells[0].strip(), cells[-2:][0].strip()
        head = first and not _WHOLE.fullmatch(cells[-1]) and query not in queries and document not in documents
        first = False
        if head:
            continue
        if len(cells) not in (3, 4):
            shown = f"{shorten(line, 40)!r} has {len(cells)} columns"
            raise DataError(f"{shown}; expected query, document and grade, or TREC's four", file, row)
        for kind, name, known in (("query", query, queries), ("document", document, documents)):
            if name not in known:
                raise DataError(f"judges the {kind} {shorten(name, 40)!r}, which is not there", file, row)
        grade = _grade(cells[-1], "the last column", file, row)
        of = found.setdefault(query, {})
        if of.setdefault(document, grade) != grade:
            raise DataError(f"judges {query!r} and {document!r} {grade}, and {of[document]} above; keep one", file, row)
    return found
