"""Lanczos with full reorthogonalization: the ends of a symmetric matrix's spectrum from products alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

__all__ = ["lanczos", "lanczos_top"]


def lanczos(
    apply: Callable[[Tensor], Tensor], start: Tensor, locked: Tensor, steps: int
) -> Iterator[tuple[Tensor, Tensor, float, bool]]:
    """Yield (tridiagonal matrix, basis, next off-diagonal element, closed) after each step.

    Orthogonality is lost with every eigenvalue that converges, and copies of it appear; so every vector is made
    orthogonal to all before it.

    Args:
        apply: The symmetric matrix times a vector ``(P,)``.
        start: ``(P,)``, not 0.
        steps: At most so many.
        locked: ``(K, P)`` orthonormal rows; everything stays orthogonal to them.

    Yields:
        ``(m, m)`` float64 on the processor, ``(m, P)``, a number, and whether the basis is closed under ``apply``:
        nothing new comes of it, and this is the last step.
    """
    basis = start.new_zeros(len(locked) + steps, start.numel())
    basis[: len(locked)] = locked
    first = len(locked)
    diagonal: list[float] = []
    beside: list[float] = []
    vector, scale = start, 0.0
    for step in range(steps):
        end = first + step
        for _ in range(2):  # twice is enough (Parlett 1998, section 6.9)
            vector = vector - basis[:end].T @ (basis[:end] @ vector)
            vector = vector / vector.norm()
        basis[end] = vector
        image = apply(vector)
        diagonal.append(float(vector.double() @ image.double()))
        rest = image
        for _ in range(2):
            rest = rest - basis[: end + 1].T @ (basis[: end + 1] @ rest)
        onward = float(rest.double().norm())
        scale = max(scale, float(image.double().norm()))
        closed = onward <= 100 * torch.finfo(start.dtype).eps * scale or first + step + 1 == start.numel()
        off = torch.tensor(beside, dtype=torch.float64)
        matrix = torch.tensor(diagonal, dtype=torch.float64).diag() + off.diag(1) + off.diag(-1)
        yield matrix, basis[first : end + 1], onward, closed
        if closed:
            return
        beside.append(onward)
        vector = rest / onward


def lanczos_top(
    apply: Callable[[Tensor], Tensor], start: Tensor, locked: Tensor, count: int, steps: int, tolerance: float
) -> tuple[list[tuple[float, float, Tensor]], bool]:
    """Return up to ``count`` (value, residual, vector), the largest first, and whether they have converged."""
    pairs: list[tuple[float, float, Tensor]] = []
    good = True
    for matrix, basis, onward, closed in lanczos(apply, start, locked, steps):
        values, vectors = torch.linalg.eigh(matrix)
        residuals = onward * vectors[-1].abs()
        enough = len(values) >= count and bool((residuals[-count:] <= tolerance * values.abs().max()).all())
        if enough or closed or len(values) == steps:
            good = enough or closed
            chosen = list(range(len(values) - 1, max(-1, len(values) - 1 - count), -1))
            pairs = [(float(values[i]), float(residuals[i]), basis.T @ vectors[:, i].to(basis)) for i in chosen]
            break
    return pairs, good
