"""From what a person has (a picture, a text, a row, numbers) to the raw array a shipped network takes."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from netsmith.api.raw import Raw, read_graphs
from netsmith.core.config import AUTO, Config
from netsmith.core.errors import DataError, UnsupportedError, shorten
from netsmith.core.extras import require
from netsmith.core.spec import Inputs
from netsmith.data._files import is_visible, read_capped
from netsmith.data._listing import is_picture
from netsmith.data._pictures import Told, decode_picture, read_picture, silent
from netsmith.data._sounds import is_sound, read_sound
from netsmith.data._tables import Grid, parse_table
from netsmith.data._text_files import text_of
from netsmith.data.conll import CONLL_SUFFIXES, conll_texts
from netsmith.data.table import Table
from netsmith.data.text_table import TextTable
from netsmith.layers.candidates import encode_candidates
from netsmith.layers.rows import encode_rows, read_number
from netsmith.layers.token_features import encode_with_features, tokens_in
from netsmith.layers.tokenize import encode as encode_texts
from netsmith.layers.tokenize import joint_of, tokenizer_of

__all__ = [
    "Missing", "Rows", "decode_image", "encode", "missing_policy", "open_image", "picture_size",
    "read_bytes", "read_file", "text_column",
]  # fmt: skip

Missing = Literal["refuse", "mean"]
_FILE_CAP = 2**28
_PIXEL_CAP = 50_000_000
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")


class Rows(list):
    """Examples that remember the file and the rows they came from and how it was read, so that messages can say so."""

    def __init__(self, values: Sequence[Any], *, path: str, at: Sequence[int], form: str = "") -> None:
        super().__init__(values)
        self.path = path
        self.at = list(at)
        self.form = form


def missing_policy(data: Config) -> Missing:
    """Return what a run does with an empty number, as its data's config says."""
    return data.missing if isinstance(data, Table.Config) else "refuse"


def text_column(data: Config) -> str:
    """Return the column that holds a run's texts where its data's config names one, else ``""``."""
    return "" if not isinstance(data, TextTable.Config) or data.text == AUTO else data.text


def encode(values: Any, inputs: Inputs, *, missing: Missing = "refuse", told: Told = silent) -> Raw:
    """Return the raw batch for some values.

    Args:
        values: A tensor or array with a batch axis, or a list of examples: images as nested lists or arrays
            ``(C, H, W)`` (or ``(H, W)``), file paths or the bytes of a picture or a sound, texts, rows by column name,
            graphs (see :func:`netsmith.api.raw.read_graphs`), queries with their documents
            (:func:`netsmith.layers.candidates.encode_candidates`), lists of numbers.
        inputs: The schema's inputs.
        missing: An empty number in a table: ``refuse`` it, or take the training ``mean``.
        told: Is called with every change that a picture's file needed, and the file's name.

    Raises:
        DataError: A value of another kind, shape or range; its position is named.
    """
    if isinstance(values, (str, bytes, dict, Path)):
        values = [values]
    array = isinstance(values, (Tensor, np.ndarray))
    if not isinstance(values, (list, tuple)) and not (array and values.ndim):
        raise DataError(f"expected a list of examples or an array with a batch axis, got {type(values).__name__}")
    if not len(values):
        raise DataError("nothing to predict: the list of inputs is empty")
    first = values[0]
    if inputs.features and isinstance(first, str):
        return encode_with_features(list(values), inputs)
    if inputs.candidates and isinstance(first, (str, dict)):
        return encode_candidates(list(values), inputs)
    if inputs.kind == "text" and isinstance(first, str):
        return encode_texts(list(values), inputs)
    if inputs.kind == "table" and isinstance(first, dict):
        at, path = (values.at, values.path) if isinstance(values, Rows) else (None, None)
        return encode_rows(list(values), inputs, missing=missing, unknown="zeros", at=at, path=path)
    if inputs.kind == "image" and isinstance(first, (str, Path, bytes)):
        name = values.path if isinstance(values, Rows) else ""
        pictures = enumerate(values, start=1)
        return torch.stack([_picture(value, inputs, name or f"picture {n}", told) for n, value in pictures])
    if inputs.kind == "audio" and isinstance(first, (str, Path, bytes)):
        name = values.path if isinstance(values, Rows) else ""
        return torch.stack([_sound(value, inputs, name or f"sound {n}") for n, value in enumerate(values, start=1)])
    if inputs.kind == "graph":
        return read_graphs(values, inputs)
    return _numbers(values, inputs, missing=missing)


def _sound(value: Any, inputs: Inputs, name: str) -> Tensor:
    if isinstance(value, bytes):
        return read_sound(value, inputs, name=name)
    if not isinstance(value, (str, Path)):
        raise DataError(f"{name}: expected a path or bytes, got {type(value).__name__}")
    return read_sound(read_capped(Path(value), limit=_FILE_CAP), inputs, name=Path(value).name)


def _picture(value: Any, inputs: Inputs, name: str, told: Told) -> Tensor:
    if isinstance(value, bytes):
        return decode_image(value, inputs, name=name, told=told)
    if not isinstance(value, (str, Path)):
        raise DataError(f"{name}: expected a path or bytes, got {type(value).__name__}")
    return open_image(Path(value), inputs, told=told)


def _numbers(values: Any, inputs: Inputs, *, missing: Missing) -> Tensor:
    dtype = np.int64 if inputs.kind in ("text", "tokens") else np.float32
    try:
        array = np.asarray(values.tolist() if isinstance(values, Tensor) else values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        shown = shorten(" ".join(repr(values[0]).split()), 60)
        shown += _read_as(values)
        raise DataError(f"expected {inputs.kind} inputs as numbers of one shape, got {shown}") from None
    expected = _raw_shape(inputs)
    if array.ndim == len(expected) and _fits(array.shape, expected):
        array = array[None]
    plane = inputs.kind in ("image", "audio") and array.ndim == len(expected) and expected[0] == 1
    if plane and _fits(array.shape[1:], expected[1:]):
        array = array[:, None]
    if array.ndim != len(expected) + 1 or not _fits(array.shape[1:], expected):
        wanted = ", ".join(map(str, expected))
        raise DataError(f"expected inputs of shape (batch, {wanted}), got {array.shape}{_read_as(values)}")
    bad = np.isinf(array) if inputs.kind == "table" and missing == "mean" else ~np.isfinite(array)
    if bad.any():
        where = int(np.argwhere(bad)[0][0]) + 1
        raise DataError(f"input {where} holds NaN or infinity; expected finite numbers")
    _check_categories(array, inputs)
    words = _words_of(array, inputs)
    low, high = _range(inputs)
    if inputs.kind in ("image", "audio", "text", "tokens") and words.size and (words.min() < low or words.max() > high):
        raise DataError(f"expected values in {low:g}..{high:g}, got {words.min():g}..{words.max():g}")
    if dtype is np.int64 and (array != np.floor(array)).any():
        raise DataError("a token is not a whole number; expected positions in the vocabulary")
    if inputs.kind == "text" and not (some := words.reshape(len(words), math.prod(words.shape[1:])).any(1)).all():
        raise DataError(f"input {int(np.argmin(some)) + 1} has no token: its numbers are all 0, which is padding")
    if np.abs(array[np.isfinite(array)]).max(initial=0) > np.finfo(np.float32).max:
        raise DataError("a number does not fit into 32 bits")
    return torch.from_numpy(array.astype(dtype))


def _read_as(values: Any) -> str:
    return f" ({values.path}, read as {values.form})" if isinstance(values, Rows) and values.form else ""


def _check_categories(array: np.ndarray, inputs: Inputs) -> None:
    """Refuse a number in a column of texts that is no position among its texts (-1 is one never seen)."""
    for column, texts in enumerate(inputs.categories):
        given = array[:, column]
        if texts and not (np.isin(given, np.arange(-1, len(texts))) | np.isnan(given)).all():
            name = shorten(inputs.columns[column], 40)
            raise DataError(f"column {name!r} holds texts; expected a position from 0 to {len(texts) - 1}, or its text")


def _words_of(array: np.ndarray, inputs: Inputs) -> np.ndarray:
    """Return the numbers of the tokens without those of their features, which are refused where there is no value."""
    for place, feature in enumerate(inputs.features, start=1):
        given = array[..., place]
        if given.min() < 0 or given.max() > len(feature.values):
            raise DataError(
                f"{feature.name}: expected numbers from 0 (none that training has) to {len(feature.values)}, got "
                f"{given.min():g}..{given.max():g}"
            )
    return tokens_in(array, inputs)


def _range(inputs: Inputs) -> tuple[float, float]:
    """Return the smallest and the largest raw value; tokens are positions in the vocabulary where there is one."""
    low = -math.inf if inputs.low is None else inputs.low
    high = math.inf if inputs.high is None else inputs.high
    if inputs.kind in ("text", "tokens"):
        low = max(low, 0)
        if inputs.vocabulary:
            high = min(high, len(inputs.vocabulary) - 1)
    return low, high


def _raw_shape(inputs: Inputs) -> tuple[int, ...]:
    if inputs.kind == "table" and inputs.columns:
        return (len(inputs.columns),)
    return inputs.shape


def _fits(shape: tuple[int, ...], expected: tuple[int, ...]) -> bool:
    return len(shape) == len(expected) and all(want in (-1, size) for size, want in zip(shape, expected, strict=True))


def open_image(path: Path, inputs: Inputs, *, told: Told = silent) -> Tensor:
    """Read a picture's file as the raw array ``(C, H, W)`` in the schema's range and size; see :func:`decode_image`.

    Raises:
        DataError: Not a picture, damaged, or with too many pixels.
    """
    return decode_image(read_capped(path, limit=_FILE_CAP), inputs, name=str(path), told=told)


def picture_size(data: bytes, *, name: str, formats: Sequence[str] = _FORMATS) -> tuple[int, int]:
    """Return the height and width of a picture from its header alone; nothing is decoded.

    Raises:
        DataError: No picture of one of the formats.
    """
    image_module = require("PIL.Image", extra="data")
    try:
        with image_module.open(io.BytesIO(data), formats=formats) as image:
            return image.height, image.width
    except Exception:  # Pillow's readers raise anything on damaged data
        raise DataError(f"not a readable picture; expected {' or '.join(formats)}", name) from None


def _shown_size(data: bytes, *, name: str) -> tuple[int, int]:
    """Return the height and width after the turn that the picture's EXIF asks for."""
    height, width = picture_size(data, name=name)
    if height * width > _PIXEL_CAP:
        raise DataError(f"has {width} x {height} pixels; expected at most {_PIXEL_CAP} in all", name)
    try:
        with require("PIL.Image", extra="data").open(io.BytesIO(data), formats=_FORMATS) as image:
            orientation = image.getexif().get(0x0112, 1)
    except Exception as error:  # as above: a PNG is decoded to its end for its EXIF
        raise DataError(f"is a damaged picture: {error}", name) from None
    return (width, height) if orientation in (5, 6, 7, 8) else (height, width)


def decode_image(data: bytes, inputs: Inputs, *, name: str, told: Told = silent) -> Tensor:
    """Decode a picture as the raw array ``(C, H, W)`` in the schema's range and size, as in training.

    Args:
        data: The file's contents.
        inputs: The schema's.
        name: The file's name, for messages.
        told: Is called with every change that was made, and the name.

    Raises:
        DataError: Not a picture, damaged, or with too many pixels.
        UnsupportedError: The network's images have neither 1 nor 3 channels.
    """
    channels, *size = inputs.shape
    if channels not in (1, 3) or len(size) != 2:
        raise UnsupportedError(f"a picture does not fit inputs of shape {inputs.shape}; give numbers of that shape")
    if inputs.dtype == "uint8" and -1 not in size:
        return read_picture(data, inputs, name=name, told=told).to(torch.float32)
    height, width = (s if free == -1 else free for s, free in zip(_shown_size(data, name=name), size, strict=True))
    pixels = decode_picture(data, channels=channels, size=(height, width), name=name, told=told).to(torch.float32)
    low, high = inputs.low or 0.0, 255.0 if inputs.high is None else inputs.high
    return pixels if (low, high) == (0.0, 255.0) else pixels * ((high - low) / 255) + low


def read_file(path: Path, inputs: Inputs, *, text: str = "", encoding: str = "") -> tuple[list[str], list[Any]]:
    """Read what to predict from a file or a folder.

    Args:
        path: A picture, a WAV file or a folder of them, a CSV, TSV, JSONL or Parquet table, JSON, sentences in the
            first column of CoNLL's form, or a text per line.
        inputs: The schema's inputs.
        text: The column of text, where the run names one.
        encoding: Of a text file; ``""`` for UTF-8, where there is no option ``--encoding`` to advise.

    Returns:
        A name for each example, and the examples as :func:`encode` takes them.

    Raises:
        DataError: Nothing there that fits the schema.
    """
    if path.is_dir():
        if inputs.kind not in ("image", "audio"):
            raise DataError(f"is a folder; this network takes {inputs.kind} inputs: give a file", path)
        wanted, what = (is_picture, "pictures") if inputs.kind == "image" else (is_sound, "WAV files")
        shown = (file for file in path.rglob("*") if is_visible(file.relative_to(path).as_posix()))
        files = sorted(file for file in shown if wanted(file.name) and file.is_file())
        if not files:
            raise DataError(f"holds no {what}", path)
        return [str(file.relative_to(path)) for file in files], [str(file) for file in files]
    data = read_capped(path, limit=_FILE_CAP)
    if is_picture(path.name):
        if inputs.kind != "image":
            raise DataError(f"is a picture; this network takes {inputs.kind} inputs", path)
        return [path.name], [str(path)]
    if is_sound(path.name):
        if inputs.kind != "audio":
            raise DataError(f"is a sound; this network takes {inputs.kind} inputs", path)
        return [path.name], [str(path)]
    return read_bytes(data, inputs, name=path.name, text=text, encoding=encoding)


def read_bytes(
    data: bytes, inputs: Inputs, *, name: str = "stdin", text: str = "", encoding: str = ""
) -> tuple[list[str], list[Any]]:
    """Read examples from the contents of a file, or from what came through a pipe (a name without an ending).

    Raises:
        DataError: A line that does not fit; its number is named.
    """
    suffix = Path(name).suffix.lower()
    if inputs.kind == "image" and (is_picture(name) or (not suffix and data.lstrip()[:1] not in (b"", b"[", b"{"))):
        return [name], Rows([data], path=name, at=[1])
    if inputs.kind == "audio" and data.startswith(b"RIFF"):
        return [name], Rows([data], path=name, at=[1])
    rows = inputs.kind == "table" and bool(inputs.columns)
    if suffix == ".parquet":
        return _cells(parse_table(data, name), inputs, text=text)
    content = text_of(data, name, encoding=encoding)
    data = content.encode()
    filled = [(number, line.strip()) for number, line in enumerate(content.split("\n"), start=1) if line.strip()]
    if not filled:
        raise DataError("is empty; expected examples", name)
    if inputs.kind == "text" and suffix in CONLL_SUFFIXES:
        sentences = conll_texts(data, name, inputs.features, joint=joint_of(tokenizer_of(inputs)))
        at = [row for row, _ in sentences]
        return [f"row {row}" for row in at], Rows([text for _, text in sentences], path=name, at=at)
    head = filled[0][1][0]
    if suffix in (".csv", ".tsv") or (rows and suffix not in (".json", ".jsonl", ".ndjson") and head not in "[{"):
        return _cells(parse_table(data, name if suffix in (".csv", ".tsv") else f"{name}.csv"), inputs, text=text)
    document = None if suffix else _document(content, inputs)
    if rows and head == "{" and suffix != ".json" and document is None:
        return _cells(parse_table(data, name if suffix in (".jsonl", ".ndjson") else f"{name}.jsonl"), inputs)
    if suffix == ".json" or document is not None:
        whole = _parsed(content, name, None) if document is None else document
        several = isinstance(whole, list) and not _is_one(whole, inputs)
        found = list(enumerate(whole if several else [whole], start=1))
        form = f"one JSON list of {len(found)} examples" if several else "one example in JSON"
    elif inputs.kind == "text" and not (suffix in (".jsonl", ".ndjson") or (not suffix and head in '{"')):
        found, form = filled, f"{len(filled)} lines of text"
    else:
        found = [(number, _parsed(line, name, number)) for number, line in filled]
        form = f"{len(found)} lines of JSON, an example each"
    values = [_inside(value, inputs, name, number) for number, value in found]
    return [f"row {number}" for number, _ in found], Rows(values, path=name, at=[n for n, _ in found], form=form)


def _document(text: str, inputs: Inputs) -> Any:
    """Return what a pipe holds if it is one JSON document, as in a file, or None: then each line is an example."""
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    try:
        whole = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if isinstance(whole, dict):  # on one line it is a line of JSON, which a table reads by its columns
        return whole if "\n" in text.strip() else None
    texts = inputs.kind == "text"
    return None if texts and not (whole and all(isinstance(value, (str, dict, list)) for value in whole)) else whole


def _is_one(value: list[Any], inputs: Inputs) -> bool:
    """Say whether a list of numbers is one example, not a list of examples."""
    try:
        shape = np.asarray(value, dtype=np.float64).shape
    except (TypeError, ValueError, OverflowError):
        return False
    expected = _raw_shape(inputs)
    plane = inputs.kind in ("image", "audio") and expected[0] == 1
    return _fits(shape, expected) or (plane and _fits(shape, expected[1:]))


def _parsed(text: str, name: str, row: int | None) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        problem = "nested too deeply" if isinstance(error, RecursionError) else error
        raise DataError(f"is not JSON: {problem}", name, row) from None


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")


def _inside(value: Any, inputs: Inputs, name: str, row: int) -> Any:
    """Return the example within ``{"text": ...}`` or ``{"inputs": ...}``."""
    graph = inputs.kind == "graph" and isinstance(value, dict) and "nodes" in value
    query = inputs.candidates and isinstance(value, dict) and "query" in value
    if isinstance(value, dict) and inputs.kind != "table" and not graph and not query:
        key = next((key for key in ("text", "inputs", "input") if key in value), None)
        if key is None:
            raise DataError("has no key 'text' or 'inputs'", name, row)
        value = value[key]
    if inputs.kind == "text" and not query and not isinstance(value, (str, list)):
        raise DataError(f"holds {type(value).__name__}; expected a text", name, row)
    return value


def _cells(grid: Grid, inputs: Inputs, *, text: str = "") -> tuple[list[str], list[Any]]:
    """Return the examples of a table: by column name, its texts, or each row's numbers."""
    if inputs.kind == "table" and inputs.columns:
        known = [column for column in grid.columns if column in inputs.columns]
        cells = [grid.column(column) for column in known]
        values: list[Any] = [dict(zip(known, row, strict=True)) for row in zip(*cells, strict=True)]
        values = values or [{} for _ in grid.rows]
    elif inputs.kind == "text":
        column = next((c for c in (text, "text") if c in grid.columns), grid.columns[0])
        if column not in (text, "text") and len(grid.columns) > 1:
            columns = ", ".join(map(repr, grid.columns[:8]))
            raise DataError(f"has the columns {columns}; expected one named {text or 'text'!r}", grid.name, 1)
        values = grid.column(column)
        for value, row in zip(values, grid.rows, strict=True):
            if not isinstance(value, str) or not value.strip():
                raise DataError(f"the column {column!r} holds {shorten(repr(value), 40)}, no text", grid.name, row)
    else:
        return _numeric(grid, inputs)
    return [f"row {row}" for row in grid.rows], Rows(values, path=grid.name, at=grid.rows)


def _numeric(grid: Grid, inputs: Inputs) -> tuple[list[str], list[Any]]:
    shape = _raw_shape(inputs)
    count = math.prod(shape)
    if count < 0 or len(grid.columns) != count:
        wanted = f"{count} columns, a number each" if count >= 0 else "JSON lines: the examples have a free length"
        raise DataError(f"has {len(grid.columns)} columns; expected {wanted}", grid.name, 1)
    table = list(zip(*grid.cells, strict=True))
    at = list(grid.rows)
    if all(read_number(name) is not None for name in grid.columns):  # no header: its first row are numbers too
        table, at = [grid.columns, *table], [1, *at]
    values = []
    for row, cells in zip(at, table, strict=True):
        numbers = [read_number(cell) for cell in cells]
        bad = next((cell for cell, number in zip(cells, numbers, strict=True) if number is None), None)
        if None in numbers:
            raise DataError(f"holds {shorten(repr(bad), 40)}; expected numbers", grid.name, row)
        values.append(np.asarray(numbers, dtype=np.float64).reshape(shape).tolist())
    return [f"row {row}" for row in at], Rows(values, path=grid.name, at=at)
