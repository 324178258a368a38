"""Whether an exported file answers as the module does: at other batch sizes, and at other lengths where it says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as pytree

from netsmith.core.errors import ProofError, UserError, shorten
from netsmith.core.keys import key
from netsmith.measure.example import random_like, tensors
from netsmith.measure.session import open_session, run_session

__all__ = ["Axes", "Parity", "first_line", "longer", "prove", "trials_of"]

Axes = tuple[tuple[int, ...], ...]
"""Axes of each tensor of an example."""


@dataclass(frozen=True)
class Parity:
    """One comparison of the module and the file.

    Attributes:
        batch: Examples in it.
        error: ``max |file - module| / max |module|``, the worst of the outputs.
    """

    batch: int
    error: float


def trials_of(given: tuple[Any, ...], size: int, dynamic: bool, free: Axes) -> list[tuple[int, Any]]:
    """Return the inputs to compare on: the example, and random ones (at other batch sizes, and of other lengths)."""
    generator = torch.Generator().manual_seed(key(0, "export", "parity"))
    others = sorted({1, size + 1} - {size}) if dynamic else [size]
    found = [(size, given), *((n, random_like(given, n, generator=generator)) for n in others)]
    if any(free):
        found.append((size, longer(given, free)))
    return found


def longer(example: Any, free: Axes) -> Any:
    """Return an example with one position more along the free axes: its first one again."""
    flat, form = pytree.tree_flatten(example)
    grown = []
    for tensor, axes in zip(flat, free, strict=True):
        for axis in axes:
            tensor = torch.cat([tensor, tensor.narrow(axis, 0, 1)], dim=axis)
        grown.append(tensor)
    return pytree.tree_unflatten(grown, form)


def prove(module: nn.Module, path: Path, trials: list[tuple[int, Any]], tolerance: float) -> tuple[Parity, ...]:
    session = open_session(path)
    found = []
    for size, given in trials:
        expected = [t.detach().cpu().numpy() for t in tensors(module(*given))]
        try:
            got = run_session(session, [t.detach().cpu().numpy() for t in tensors(given)])
        except UserError as error:
            raise ProofError(f"the file does not run at batch {size}: {first_line(error)}") from None
        shapes = [a.shape for a in expected], [b.shape for b in got]
        if shapes[0] != shapes[1]:
            raise ProofError(f"at batch {size} the file returns shapes {shapes[1]}, expected {shapes[0]}")
        error = max((_relative_error(a, b) for a, b in zip(expected, got, strict=True)), default=0.0)
        if not error <= tolerance:
            raise ProofError(
                f"at batch {size} the file differs by {error:.2e} relative; at most {tolerance:.0e} allowed"
            )
        found.append(Parity(size, error))
    return tuple(found)


def _relative_error(expected: np.ndarray, got: np.ndarray) -> float:
    if not expected.size:
        return 0.0
    a, b = expected.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(a)
    if not np.array_equal(a[~finite], b[~finite], equal_nan=True):
        return float("inf")
    if not finite.any():
        return 0.0
    scale = max(float(np.abs(a[finite]).max()), float(np.finfo(np.float32).tiny))
    return float(np.abs(a[finite] - b[finite]).max()) / scale


def first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return shorten(text.splitlines()[0], 200)
