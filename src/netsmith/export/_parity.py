"""Whether an exported file answers as the module does: at other batch sizes, and at other lengths where it says so."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from netsmith.core.errors import ProofError, UserError, first_line
from netsmith.core.keys import key
from netsmith.measure.example import called, random_like, taken_apart, tensors
from netsmith.measure.session import open_session, run_session

__all__ = ["Axes", "Parity", "Trial", "longer", "prove", "trials_of"]

Axes = tuple[tuple[int, ...], ...]
"""Axes of each tensor of an example."""


class Trial(NamedTuple):
    """An input to compare on, its batch size, and the lengths of its free axes."""

    given: Any
    batch: int
    lengths: tuple[int, ...]


@dataclass(frozen=True)
class Parity:
    """One comparison of the module and the file.

    Attributes:
        batch: Examples in it.
        lengths: The lengths of the free axes, in the order of the inputs.
        error: ``max |file - module| / max |module|``, the worst of the outputs.
    """

    batch: int
    error: float
    lengths: tuple[int, ...] = ()


def trials_of(module: nn.Module, given: tuple[Any, ...], size: int | None, dynamic: bool, free: Axes) -> list[Trial]:
    """Return the inputs to compare on: the example, random ones at other batch sizes, and those of other lengths.

    Free axes are longer all together, and input by input where the module takes that: it may want some to be equal.
    """
    generator = torch.Generator().manual_seed(key(0, "export", "parity"))
    others = sorted({1, size + 1} - {size}) if dynamic and size is not None else [size]
    forms = [given, *(random_like(given, n, generator=generator) for n in others)]
    if any(free):
        forms.append(longer(given, free))
    several = [place for place, axes in enumerate(free) if axes]
    for place in several if len(several) > 1 else ():
        alone = longer(given, tuple(axes if place == at else () for at, axes in enumerate(free)))
        with contextlib.suppress(Exception):  # a module may be anyone's
            module(*alone)
            forms.append(alone)
    return [Trial(form, *_sizes(form, free)) for form in forms]


def _sizes(form: Any, free: Axes) -> tuple[int, tuple[int, ...]]:
    flat = tensors(form)
    return len(flat[0]), tuple(tensor.shape[axis] for tensor, axes in zip(flat, free, strict=True) for axis in axes)


def longer(example: Any, free: Axes) -> Any:
    """Return an example with one position more along the free axes: its first one again."""
    flat, put_together = taken_apart(example)
    grown = []
    for tensor, axes in zip(flat, free, strict=True):
        for axis in axes:
            tensor = torch.cat([tensor, tensor.narrow(axis, 0, 1)], dim=axis)
        grown.append(tensor)
    return put_together(grown)


def prove(module: nn.Module, path: Path, trials: list[Trial], tolerance: float) -> tuple[Parity, ...]:
    session = open_session(path)
    found = []
    for given, size, lengths in trials:
        place = f"batch {size}" + (f" and lengths {lengths}" if lengths else "")
        expected = [t.detach().cpu().numpy() for t in tensors(called(module, given))]
        try:
            got = run_session(session, [t.detach().cpu().numpy() for t in tensors(given)])
        except UserError as error:
            raise ProofError(f"the file does not run at {place}: {first_line(error)}") from None
        shapes = [a.shape for a in expected], [b.shape for b in got]
        if shapes[0] != shapes[1]:
            raise ProofError(f"at {place} the file returns shapes {shapes[1]}, expected {shapes[0]}")
        error = max((_relative_error(a, b) for a, b in zip(expected, got, strict=True)), default=0.0)
        if not error <= tolerance:
            raise ProofError(f"at {place} the file differs by {error:.2e} relative; at most {tolerance:.0e} allowed")
        found.append(Parity(size, error, lengths))
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
