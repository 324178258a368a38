"""The corpus of malformed files, tables and texts: each says how it is opened and what the answer must name."""

import io
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from netsmith.core.errors import ConfigError
from netsmith.data._sniff import sniff
from netsmith.data.table import Table
from netsmith.data.text_table import TextTable

__all__ = ["CASES", "GOOD", "Case", "case"]


@dataclass(frozen=True)
class Case:
    """One malformed thing.

    Attributes:
        name: What is wrong with it.
        make: Writes it below a folder and returns what opens it.
        says: A regular expression that the message must match: the file and the row, and what is wrong.
        error: The class of the error, where it is not DataError.
    """

    name: str
    make: Callable[[Path], Callable[[], Any]]
    says: str
    error: type[Exception] | None = None


CASES: list[Case] = []


def case(name: str, says: str, error: type[Exception] | None = None) -> Callable[..., Any]:
    def keep(make: Callable[[Path], Callable[[], Any]]) -> Callable[[Path], Callable[[], Any]]:
        CASES.append(Case(name, make, says, error))
        return make

    return keep


# -- tables ------------------------------------------------------------------------------------------------------------

ROWS = "".join(f"{i % 5},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}\n" for i in range(20))
GOOD = "size,color,label\n" + ROWS


def table(name: str, text: str | bytes, says: str, *, file: str = "t.csv", error: Any = None, **fields: Any) -> None:
    def make(base: Path) -> Callable[[], Any]:
        (base / file).write_bytes(text if isinstance(text, bytes) else text.encode())
        return lambda: Table.Config(path=str(base / file), **fields).build()

    CASES.append(Case(name, make, says, error))


table("short row", GOOD + "1,red\n", r"t\.csv, row 22: has 2 values; the header has 3")
table("long row", GOOD + "1,red,yes,no\n", r"t\.csv, row 22: has 4 values")
table("ragged row after a quoted line break", 'size,color,label\n1,"a\nb",yes\n1,2\n', r"t\.csv, row 4: has 2 values")
table("latin-1", GOOD.encode() + "1,grün,yes\n".encode("latin-1"), r"t\.csv, row 22: holds the byte 0xfc, not UTF-8")
table("utf-16", GOOD.encode("utf-16"), r"t\.csv, row 1: is encoded as UTF-16")
table("NUL byte", GOOD + "1,re\0d,yes\n", r"t\.csv, row 22: holds a NUL byte")
table("huge field", GOOD + f"1,{'x' * 200_000},yes\n", r"t\.csv, row 22: is not CSV: field larger than")
table("duplicate header", GOOD.replace("color", "size"), r"t\.csv, row 1: the column 'size' is there twice")
table("empty header name", GOOD.replace("color", " "), r"t\.csv, row 1: column 2 has no name")
table("missing target column", GOOD, r"t\.csv, row 1: has no column 'lable'; did you mean 'label'", target="lable")
table("NaN label", GOOD + "1,red,NaN\n", r"t\.csv, row 22: the target 'label' is empty or NaN")
table("empty label", GOOD + "1,red,\n", r"t\.csv, row 22: the target 'label' is empty")
table("infinite number", GOOD + "inf,red,yes\n", r"row 22: column 'size' holds 'inf', expected a finite number")
table("number too large", GOOD + "1e999,red,yes\n", r"row 22: column 'size' holds '1e999', expected a finite")
table("number too large for float32", GOOD + "1e39,red,yes\n", r"row 22: column 'size' holds '1e39', expected a finite")
table("empty number", GOOD + ",red,yes\n", r"row 22: column 'size' holds '', which is empty")
table("mixed types in a column", GOOD + "big,red,yes\n", r"row 22: column 'size' holds 'big', expected a number")
table("number with underscores", GOOD + "1_0,red,yes\n", r"row 22: column 'size' holds '1_0', expected a number")
table(
    "numbers and texts in the target",
    "x,y\n" + "1,0.5\n" * 9 + "1,high\n",
    r"row 11: the target 'y' holds 'high' among",
)
table("infinite target", "x,y\n" + "1,0.5\n" * 9 + "1,inf\n", r"row 11: the target 'y' holds 'inf'")
table("empty file", "", r"t\.csv: is empty")
table("blank lines only", "\n\n\n", r"t\.csv: holds only blank lines")
table("header only", "size,color,label\n", r"t\.csv: has a header but no rows")
table("one column", "label\nyes\nno\n", r"t\.csv, row 1: has 1 column")
table("single class", GOOD.replace("no\n", "yes\n"), r"t\.csv: the target 'label' has one class only \('yes'\)")
table("too many categories", "c,y\n" + "".join(f"a{i},{i % 2}\n" for i in range(200)), r"'c' holds \d+ different texts")
table("too many classes", "c,y\n" + "".join(f"1,a{i}\n" for i in range(1200)), r"'y' has 1200 classes")
table("unclosed quote", GOOD + '1,"red,yes\n', r"t\.csv, row 22: is not CSV")
table("text after a quote", GOOD + '1,"red"x,yes\n', r"t\.csv, row 22: is not CSV")
table("too few rows", "x,y\n1,a\n2,b\n", r"t\.csv: has 2 rows, too few to draw a dev split")
table("dropped column unknown", GOOD, r"no column 'colour'; did you mean 'color'", error=ConfigError, drop=("colour",))
table("all columns dropped", GOOD, r"t\.csv: has no column besides the target", drop=("size", "color"))
table("shares too large", GOOD, r"leave half of the data", error=ConfigError, dev=0.4, test=0.4)
table("picture named .csv", b"\x89PNG\r\n\x1a\n\xff\xd8", r"t\.csv, row 1: holds the byte 0x89")
table(
    "excel file", b"PK\3\4", r"t\.xlsx: is neither a folder nor an archive .* nor a table \(\.csv, \.tsv", file="t.xlsx"
)

LINES = "".join(json.dumps({"x": i % 4, "y": "ab"[i % 2]}) + "\n" for i in range(12))
for name, line, says in (
    ("JSONL: bad line", '{"x": 1, "y": ', r"t\.jsonl, row 13: is not JSON"),
    ("JSONL: no object", "[1, 2]", r"t\.jsonl, row 13: holds list; expected one object"),
    ("JSONL: nested value", '{"x": {"a": 1}, "y": "a"}', r"t\.jsonl, row 13: 'x' holds a nested value"),
    ("JSONL: NaN", '{"x": NaN, "y": "a"}', r"t\.jsonl, row 13: is not JSON: NaN"),
    ("JSONL: duplicate key", '{"x": 1, "x": 2, "y": "a"}', r"t\.jsonl, row 13: is not JSON: a key is there twice"),
    ("JSONL: nested too deep", '{"x": ' + "[" * 100_000, r"t\.jsonl, row 13: is not JSON"),
    ("JSONL: number of 5000 digits", '{"x": ' + "9" * 5000 + ', "y": "a"}', r"t\.jsonl, row 13: is not JSON"),
    ("JSONL: half a surrogate pair", '{"x": 1, "y": "\\ud800"}', r"t\.jsonl, row 13: is not JSON"),
    ("JSONL: missing target", '{"x": 1}', r"t\.jsonl, row 13: the target 'y' is empty"),
    ("JSONL: missing number", '{"y": "a"}', r"t\.jsonl, row 13: column 'x' holds None, which is empty"),
    ("JSONL: boolean among numbers", '{"x": true, "y": "a"}', r"t\.jsonl, row 13: column 'x' holds True, expected a"),
):
    table(name, LINES + line + "\n", says, file="t.jsonl")
table(
    "JSONL: latin-1",
    LINES.encode() + b'{"x": 1, "y": "\xe4"}\n',
    r"t\.jsonl, row 13: holds the byte 0xe4",
    file="t.jsonl",
)
table("JSONL: an array over lines", json.dumps([{"x": 1}], indent=1), r"t\.jsonl, row 1: is not JSON", file="t.jsonl")


def parquet(columns: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


PARQUET = parquet({"x": [1.0, 2.0] * 50, "y": ["a", "b"] * 50})
damaged = bytearray(PARQUET)
damaged[20:60] = bytes(40)
for name, data, says in (
    ("Parquet: cut off", PARQUET[:-30], r"t\.parquet: is not a whole Parquet file"),
    ("Parquet: damaged pages", bytes(damaged), r"t\.parquet"),
    ("Parquet: really CSV", GOOD.encode(), r"t\.parquet: is not a whole Parquet file"),
    ("Parquet: lists", parquet({"x": [[1], [2]] * 9, "y": ["a", "b"] * 9}), r"t\.parquet: column 'x' holds list<"),
    ("Parquet: bytes", parquet({"x": [b"1", b"2"] * 9, "y": ["a", "b"] * 9}), r"column 'x' holds binary"),
    ("Parquet: null label", parquet({"x": [1, 2] * 9, "y": ["a", None] * 9}), r"t\.parquet, row 2: the target 'y' is"),
    ("Parquet: NaN", parquet({"x": [1.0, float("nan")] * 9, "y": ["a", "b"] * 9}), r"row 2: column 'x' holds nan"),
    (
        "Parquet: no rows",
        parquet({"x": pa.array([], pa.int64()), "y": pa.array([], pa.string())}),
        r"has a header but no",
    ),
):
    table(name, data, says, file="t.parquet")


@case("label that only the test file has", r"test\.csv, row 3: the label 'maybe' is in no row of train\.csv")
def _(base: Path) -> Callable[[], Any]:
    (base / "train.csv").write_text(GOOD)
    (base / "test.csv").write_text("size,color,label\n1,red,yes\n1,red,maybe\n")
    return lambda: Table.Config(path=str(base)).build()


@case("test file with other columns", r"test\.csv, row 1: the column 'color' is not in both")
def _(base: Path) -> Callable[[], Any]:
    (base / "train.csv").write_text(GOOD)
    (base / "test.csv").write_text("size,label\n1,yes\n")
    return lambda: Table.Config(path=str(base)).build()


@case("two test files", r"test\.tsv and test\.csv are both the split 'test'")
def _(base: Path) -> Callable[[], Any]:
    for name in ("train.csv", "test.csv", "test.tsv"):
        (base / name).write_text(GOOD)
    return lambda: Table.Config(path=str(base)).build()


@case("missing file", r"nothing\.csv: does not exist")
def _(base: Path) -> Callable[[], Any]:
    return lambda: sniff(base / "nothing.csv")


@case("a pipe instead of a file", r"t\.csv: is not a plain file")
def _(base: Path) -> Callable[[], Any]:
    os.mkfifo(base / "t.csv")
    return lambda: sniff(base / "t.csv")


@case("free text beside other columns", r"t\.csv: column 'text' is free text beside 1 other columns; choose")
def _(base: Path) -> Callable[[], Any]:
    (base / "t.csv").write_text("text,size,label\n" + "".join(f"a long text number {i},1,{i % 2}\n" for i in range(9)))
    return lambda: sniff(base / "t.csv")


# -- texts -------------------------------------------------------------------------------------------------------------

TEXTS = "text,label\n" + "".join(f"the film number {i},{'good' if i % 2 else 'bad'}\n" for i in range(20))


def text(name: str, content: str, says: str, error: Any = None, **fields: Any) -> None:
    def make(base: Path) -> Callable[[], Any]:
        (base / "t.csv").write_text(content)
        return lambda: TextTable.Config(path=str(base / "t.csv"), **fields).build()

    CASES.append(Case(name, make, says, error))


text("empty text", TEXTS + ",good\n", r"t\.csv, row 22: column 'text' holds '', which has no token")
text("text without a token", TEXTS + "...,good\n", r"t\.csv, row 22: .* has no token", pattern=r"\w+")
text("missing text column", TEXTS, r"t\.csv, row 1: has no column 'body'", text="body")
text("text is the target", TEXTS, r"text and target are both 'label'", ConfigError, text="label")
text("numbers instead of texts", "text,label\n1,a\n2,b\n", r"t\.csv, row 1: has no column of text")
text("pattern that is none", TEXTS, r"is not a regular expression", ConfigError, pattern="(")
