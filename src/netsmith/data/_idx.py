"""The idx format of the MNIST files; a file is treated as hostile."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from netsmith.core.errors import DataError

__all__ = ["read_idx"]


def read_idx(path: Path, *, axes: int, limit: int = 256 * 2**20) -> Tensor:
    """Read an idx file of unsigned bytes, gzipped (``.gz``) or not.

    Nothing is allocated on the word of the header alone beyond ``limit``, and never more is unpacked than the header
    announces plus one byte.

    Args:
        path: The file.
        axes: Number of axes expected: 3 for images, 1 for labels.
        limit: The most bytes of values a file may hold.

    Returns:
        uint8 of the shape in the header.

    Raises:
        DataError: Another format or type, a header that contradicts the contents, a damaged file.
    """
    try:
        with path.open("rb") as file:
            if path.suffix != ".gz":
                return _parse(file, path, axes=axes, limit=limit)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _parse(unpacked, path, axes=axes, limit=limit)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot be read: {error}; expected a whole idx file, get it again", path) from None


def _parse(file: IO[bytes], path: Path, *, axes: int, limit: int) -> Tensor:
    header = file.read(4 + 4 * axes)
    if len(header) < 4 or header[:2] != b"\0\0":
        raise DataError(f"starts with {header[:4]!r}; expected an idx file (two zero bytes first)", path)
    if header[2] != 0x08:
        raise DataError(f"holds values of idx type 0x{header[2]:02x}; expected 0x08, unsigned bytes", path)
    if header[3] != axes:
        raise DataError(f"has {header[3]} axes; expected {axes}", path)
    if len(header) < 4 + 4 * axes:
        raise DataError(f"ends inside its header of {4 + 4 * axes} bytes", path)
    sizes = [int.from_bytes(header[4 + 4 * axis : 8 + 4 * axis], "big") for axis in range(axes)]
    count = math.prod(sizes)
    if count == 0 or count > limit:
        raise DataError(f"announces {sizes} values; expected between 1 and {limit} bytes", path)
    values = bytearray()
    while len(values) < count and (piece := file.read(min(count - len(values), 2**22))):
        values += piece
    if len(values) < count:
        raise DataError(f"announces {sizes} values but holds {len(values)} of {count} bytes", path)
    if file.read(1):
        raise DataError(f"announces {sizes} values but holds more than {count} bytes", path)
    return torch.from_numpy(np.frombuffer(values, dtype=np.uint8)).reshape(sizes)
