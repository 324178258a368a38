"""From what a person has (a picture, a text, a row, numbers) to the raw array a shipped network takes."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netsmith.core.errors import DataError, UnsupportedError, shorten
from netsmith.core.extras import require
from netsmith.core.spec import Inputs

__all__ = ["IMAGE_SUFFIXES", "decode_image", "encode", "open_image", "picture_size", "read_file", "read_lines"]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_PIXEL_CAP = 50_000_000
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")


def encode(values: Any, inputs: Inputs) -> Tensor:
    """Return the raw batch for some values.

    Args:
        values: A tensor or array with a batch axis, or a list of examples: images as nested lists or arrays
            ``(C, H, W)`` (or ``(H, W)``) or file paths, texts, rows by column name, lists of numbers.
        inputs: The schema's inputs.

    Raises:
        DataError: A value of another kind, shape or range; its position is named.
        UnsupportedError: A kind of input that has no such form.
    """
    if isinstance(values, (str, bytes, dict)):
        values = [values]
    if not len(values):
        raise DataError("nothing to predict: the list of inputs is empty")
    if inputs.kind == "text" and isinstance(values[0], str):
        from netsmith.layers.tokenize import encode as encode_texts

        return encode_texts(list(values), inputs)
    if inputs.kind == "table" and isinstance(values[0], dict):
        from netsmith.layers.rows import encode_rows

        return encode_rows(list(values), inputs, missing="mean", unknown="zeros")
    if inputs.kind == "image" and isinstance(values[0], (str, Path)):
        return torch.stack([open_image(Path(value), inputs) for value in values])
    if inputs.kind in ("graph", "set", "audio"):
        raise UnsupportedError(f"inputs of kind {inputs.kind!r} cannot be given as plain values yet; use a file")
    return _numbers(values, inputs)


def _numbers(values: Any, inputs: Inputs) -> Tensor:
    dtype = np.int64 if inputs.kind in ("text", "tokens") else np.float32
    try:
        array = np.asarray(values.tolist() if isinstance(values, Tensor) else values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        shown = shorten(repr(values[0] if len(values) else values), 60)
        raise DataError(f"expected {inputs.kind} inputs as numbers of one shape, got {shown}") from None
    expected = _raw_shape(inputs)
    if array.ndim == len(expected) and _fits(array.shape, expected):
        array = array[None]
    if inputs.kind == "image" and array.ndim == 3 and expected[0] == 1 and _fits(array.shape[1:], expected[1:]):
        array = array[:, None]
    if array.ndim != len(expected) + 1 or not _fits(array.shape[1:], expected):
        raise DataError(f"expected inputs of shape (batch, {', '.join(map(str, expected))}), got {array.shape}")
    if not np.isfinite(array).all() and inputs.kind != "table":
        where = np.argwhere(~np.isfinite(array))[0]
        raise DataError(f"input {int(where[0]) + 1} holds NaN or infinity; expected finite numbers")
    if np.isinf(array).any():
        raise DataError("a row holds infinity; expected finite numbers")
    low, high = _range(inputs)
    if inputs.kind in ("image", "text", "tokens") and array.size and (array.min() < low or array.max() > high):
        raise DataError(f"expected values in {low:g}..{high:g}, got {array.min():g}..{array.max():g}")
    if dtype is np.int64 and (array != np.floor(array)).any():
        raise DataError("a token is not a whole number; expected positions in the vocabulary")
    if np.abs(array[np.isfinite(array)]).max(initial=0) > np.finfo(np.float32).max:
        raise DataError("a number does not fit into 32 bits")
    return torch.from_numpy(array.astype(dtype))


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


def open_image(path: Path, inputs: Inputs) -> Tensor:
    """Read a picture's file as the raw array ``(C, H, W)`` in the schema's range and size.

    Raises:
        DataError: Not a picture, damaged, or with too many pixels.
    """
    if not path.is_file():
        raise DataError("no such file; expected a picture", path)
    return decode_image(path.read_bytes(), inputs, name=path.name)


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


def decode_image(data: bytes, inputs: Inputs, *, name: str) -> Tensor:
    """Decode a picture as the raw array ``(C, H, W)`` in the schema's range and size, as in training.

    Raises:
        DataError: Not a picture, damaged, or with too many pixels.
        UnsupportedError: The network's images have neither 1 nor 3 channels.
    """
    from netsmith.data._pictures import decode_picture, read_picture

    channels, *size = inputs.shape
    if channels not in (1, 3) or len(size) != 2:
        raise UnsupportedError(f"a picture does not fit inputs of shape {inputs.shape}; give numbers of that shape")
    if inputs.dtype == "uint8" and -1 not in size:
        return read_picture(data, inputs, name=name).to(torch.float32)
    height, width = (s if free == -1 else free for s, free in zip(_shown_size(data, name=name), size, strict=True))
    pixels = decode_picture(data, channels=channels, size=(height, width), name=name).to(torch.float32)
    low, high = inputs.low or 0.0, 255.0 if inputs.high is None else inputs.high
    return pixels if (low, high) == (0.0, 255.0) else pixels * ((high - low) / 255) + low


def read_file(path: Path, inputs: Inputs) -> tuple[list[str], list[Any]]:
    """Read what to predict from a file or a folder: pictures, or a CSV/TSV/JSONL/text file.

    Returns:
        A name for each example, and the examples as :func:`encode` takes them.

    Raises:
        DataError: Nothing there that fits the schema.
    """
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file())
        if inputs.kind != "image" or not files:
            raise DataError(
                f"expected a folder of pictures for {inputs.kind} inputs, found {len(files)} pictures", path
            )
        return [str(file.relative_to(path)) for file in files], [str(file) for file in files]
    if not path.is_file():
        raise DataError("no such file or folder", path)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        if inputs.kind != "image":
            raise DataError(f"is a picture; this network takes {inputs.kind} inputs", path)
        return [path.name], [str(path)]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"not UTF-8 text (byte {error.start}); save it as UTF-8", path) from None
    return read_lines(text, inputs, name=path.name)


def read_lines(text: str, inputs: Inputs, *, name: str = "stdin") -> tuple[list[str], list[Any]]:
    """Read examples from text: JSON lines, rows of CSV or TSV with a header for tables, else one example per line.

    Raises:
        DataError: A line that does not fit; its number is named.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise DataError("no examples: the input is empty", name)
    if name.endswith((".csv", ".tsv")) or (inputs.kind == "table" and not lines[0].lstrip().startswith(("{", "["))):
        delimiter = "\t" if "\t" in lines[0] else ","
        header, *rows = list(csv.reader(lines, delimiter=delimiter))
        for number, row in enumerate(rows, start=2):
            if len(row) != len(header):
                raise DataError(f"has {len(row)} cells, expected {len(header)}", name, number)
        if inputs.kind == "table" and inputs.columns:
            known = set(inputs.columns)
            values: list[Any] = [
                {column: cell for column, cell in zip(header, row, strict=True) if column in known} for row in rows
            ]
        else:
            values = [_row_value(row, header, inputs, name, number) for number, row in enumerate(rows, start=2)]
        return [str(number) for number in range(1, len(rows) + 1)], values
    values = []
    for number, line in enumerate(lines, start=1):
        if inputs.kind == "text" and not line.lstrip().startswith(("{", "[", '"')):
            values.append(line)
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise DataError(f"not JSON: {error}", name, number) from None
        if isinstance(value, dict) and inputs.kind != "table":
            value = value.get("text", value.get("inputs", value.get("input")))
        values.append(value)
    return [str(number) for number in range(1, len(values) + 1)], values


def _row_value(row: list[str], header: list[str], inputs: Inputs, name: str, number: int) -> Any:
    if inputs.kind == "text":
        return row[header.index("text")] if "text" in header else row[0]
    try:
        return np.asarray([float(cell) for cell in row]).reshape(_raw_shape(inputs)).tolist()
    except ValueError:
        raise DataError(f"expected {math.prod(_raw_shape(inputs))} numbers", name, number) from None


def as_batches(raw: Tensor, size: int) -> Sequence[Tensor]:
    """Cut a raw batch into pieces of at most ``size``."""
    return raw.split(size)
