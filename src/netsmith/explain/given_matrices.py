"""Dissimilarity matrices from CSV files: a brain region's, a person's judgments, another laboratory's model.

A file holds N lines of N numbers, or the same with the names of the conditions in its first line and first column (and
nothing, or a word, in the corner). A file that is no dissimilarity matrix is refused with its row: half a matrix or a
similarity would give a curve, too.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import DataError, UserError, shorten
from netsmith.explain.dissimilarity import check_matrices

__all__ = [
    "GivenMatrix", "matrix_text", "moment_files", "parse_matrix", "read_matrices", "read_matrix", "read_subjects",
]  # fmt: skip

_SIZE_LIMIT = 256 * 2**20


class GivenMatrix(NamedTuple):
    """A matrix as read.

    Attributes:
        values: ``(N, N)`` float64; of a stack ``(T, N, N)``, of several subjects ``(S, T, N, N)``.
        names: The N conditions; ``()`` where the file does not name them.
    """

    values: Tensor
    names: tuple[str, ...]


def read_matrix(path: str | Path) -> GivenMatrix:
    """Read one matrix from a CSV file (UTF-8; separated by comma, semicolon or tab).

    Raises:
        DataError: The file is missing, too large or no text; a cell that is no finite number; a matrix that is not
            square, not symmetric, or with something on its diagonal. Numbers below zero are taken: cross-validated
            distances have them.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise DataError("does not exist or is no plain file; expected a CSV file with a matrix", path)
        if path.stat().st_size > _SIZE_LIMIT:
            raise DataError(f"has {path.stat().st_size} bytes; expected at most {_SIZE_LIMIT}", path)
        data = path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"cannot be read: {getattr(error, 'strerror', None) or error}", path) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError("is not UTF-8; save it as UTF-8", path, data.count(b"\n", 0, error.start) + 1) from None
    return parse_matrix(text, path.name)


def read_matrices(paths: Sequence[str | Path]) -> GivenMatrix:
    """Read a stack, one file per moment (or subject), in the order given: ``(T, N, N)``.

    Raises:
        DataError: As :func:`read_matrix`, or files of different conditions.
    """
    if not paths:
        raise UserError("no files were given; expected one CSV file per moment")
    found = [read_matrix(path) for path in paths]
    for path, matrix in zip(paths, found, strict=True):
        if matrix.values.shape != found[0].values.shape:
            sizes = f"{len(matrix.values)} conditions, {Path(paths[0]).name} has {len(found[0].values)}"
            raise DataError(f"has {sizes}; expected the same in every file", path)
        if matrix.names != found[0].names:
            raise DataError(f"names other conditions than {Path(paths[0]).name}, or in another order", path, 1)
    return GivenMatrix(torch.stack([matrix.values for matrix in found]), found[0].names)


def read_subjects(folders: Sequence[str | Path]) -> GivenMatrix:
    """Read a time course of several subjects, a folder each, of CSV files by their names (``t2`` before ``t10``).

    Raises:
        DataError: As :func:`read_matrices`, an empty folder, or subjects with other moments or conditions.
    """
    stacks: list[GivenMatrix] = []
    for folder in map(Path, folders):
        files = moment_files(folder)
        stacks.append(read_matrices(files))
        mine, first, name = stacks[-1], stacks[0], Path(folders[0]).name
        if mine.values.shape != first.values.shape:
            sizes = f"{tuple(mine.values.shape[:2])}, {name} {tuple(first.values.shape[:2])}"
            raise DataError(f"has (moments, conditions) {sizes}; expected the same for every subject", folder)
        if mine.names != first.names:
            raise DataError(f"names other conditions than {name}", folder)
    if not stacks:
        raise UserError("no folders were given; expected one per subject")
    return GivenMatrix(torch.stack([stack.values for stack in stacks]), stacks[0].names)


def moment_files(folder: Path) -> list[Path]:
    """Return a folder's CSV files, one per moment, in the order of their names; numbers in them count as numbers.

    Raises:
        DataError: There are none.
    """
    files = list(folder.glob("*.csv"))
    signed = len({bool(re.search(r"[^\W\d_]-\d", file.stem)) for file in files}) > 1  # t-50 beside t0, not sub-01
    files.sort(key=lambda file: (_natural(file.stem, signed=signed), file.name))
    if not files:
        raise DataError("holds no *.csv; expected one matrix per moment", folder)
    return files


def parse_matrix(text: str, name: str) -> GivenMatrix:
    """Parse the text of a CSV file; see :func:`read_matrix`.

    Args:
        text: The contents.
        name: The file's name, for messages.
    """
    head = text.lstrip("\r\n").partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), strict=True)
    try:
        filled = (record for record in reader if any(cell.strip() for cell in record))
        lines = [(reader.line_num, [cell.strip() for cell in record]) for record in filled]
    except csv.Error as error:
        raise DataError(f"is no CSV: {error}", name, reader.line_num) from None
    if not lines:
        raise DataError("is empty; expected N lines of N numbers", name)
    names: tuple[str, ...] = ()
    if not _reads_as_number(lines[0][1][0]):  # the corner over the names, which may be numbers themselves
        row, header = lines.pop(0)
        names, given = tuple(header[1:]), tuple(cells[0] for _, cells in lines)
        if names != given:
            raise DataError("the names in the first line and in the first column are not the same", name, row)
        if len(set(names)) != len(names) or not all(names):
            raise DataError("a condition has no name, or one that is there twice", name, row)
        lines = [(row, cells[1:]) for row, cells in lines]
    rows = []
    for row, cells in lines:
        if len(cells) != len(lines):
            raise DataError(f"has {len(lines)} lines of a matrix and here {len(cells)} numbers; not square", name, row)
        wrong = next((cell for cell in cells if not _is_number(cell)), None)
        if wrong is not None:
            raise DataError(f"holds {shorten(wrong, 30)!r}; expected a finite number in every cell", name, row)
        rows.append([float(cell) for cell in cells])
    values = torch.tensor(rows, dtype=torch.float64)
    try:
        check_matrices(values, what="the matrix")
    except UserError as error:
        raise DataError(str(error), name) from None
    return GivenMatrix(values, names)


def matrix_text(values: Tensor, names: Sequence[str] = ()) -> str:
    """Return a matrix as CSV text that :func:`parse_matrix` reads back to the last bit.

    Args:
        values: ``(N, N)``.
        names: The N conditions, or none.
    """
    check_matrices(values)
    if names and len(names) != len(values):
        raise UserError(f"got {len(names)} names for {len(values)} conditions; expected as many")
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    if names:
        writer.writerow(["", *names])
    for number, row in enumerate(values.tolist()):
        writer.writerow([*([names[number]] if names else []), *(repr(cell) for cell in row)])
    return file.getvalue()


def _natural(stem: str, *, signed: bool) -> list[tuple[str, float]]:
    """Return a key: ``t2`` is before ``t10``, ``-50`` before ``0``, and ``t-50`` before ``t0`` if ``signed``."""
    before = r"(?<!\d)" if signed else r"(?<![^\W_])"
    pieces = re.split(rf"((?:{before}-)?\d+(?:\.\d+)?)", stem)
    numbers = [*pieces[1::2], "0"]
    return [(text, float(number)) for text, number in zip(pieces[::2], numbers, strict=True)]


def _is_number(text: str) -> bool:
    return _reads_as_number(text) and math.isfinite(float(text))


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
