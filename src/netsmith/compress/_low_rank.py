"""The numbers behind low rank: truncated singular value decomposition, and Tucker-2 of convolution kernels."""

from __future__ import annotations

import torch
from torch import Tensor

from netsmith.core.errors import UnsupportedError

__all__ = ["compose", "fillable", "least_rank", "mode_values", "truncated_svd", "tucker2", "tucker2_energies"]

_SWEEPS = 25
_STILL = 1e-6  # a sweep that gains less than this part of the squared norm is the last


def truncated_svd(
    weight: Tensor, *, rank: int | None = None, energy: float | None = None
) -> tuple[Tensor, Tensor, int]:
    """Return the best product of two thin matrices (Eckart & Young 1936).

    No other matrix of that rank is nearer to ``weight`` in the Frobenius norm, and the squared distance is the sum of
    the squared singular values that are left out.

    Args:
        weight: ``(O, I)``.
        rank: Size of the middle; give this or ``energy``.
        energy: Keep the least rank whose squared singular values sum to this part of all.

    Returns:
        ``(O, rank)``, ``(rank, I)`` (the singular values shared between them) and the rank.
    """
    if (rank is None) == (energy is None):
        raise UnsupportedError(f"give a rank or an energy, got rank={rank} and energy={energy}")
    left, values, right = torch.linalg.svd(weight.detach().double(), full_matrices=False)
    if energy is not None:
        rank = least_rank(values, energy)
    assert rank is not None
    if not 1 <= rank <= len(values):
        raise UnsupportedError(f"rank must be in 1..{len(values)} for a weight of {tuple(weight.shape)}, got {rank}")
    root = values[:rank].sqrt()
    return (left[:, :rank] * root).to(weight), (root[:, None] * right[:rank]).to(weight), rank


def least_rank(values: Tensor, energy: float) -> int:
    """Return how many of the largest singular values hold this part of the sum of all squares.

    Raises:
        UnsupportedError: The part is not in (0, 1].
    """
    if not 0 < energy <= 1:
        raise UnsupportedError(f"energy must be in (0, 1], got {energy}")
    parts = values.square().cumsum(0) / values.square().sum().clamp(min=torch.finfo(torch.float64).tiny)
    return min(int((parts < energy * (1 - 1e-12)).sum()) + 1, len(values))


def mode_values(weight: Tensor, mode: int) -> Tensor:
    """Return the singular values of a kernel's unfolding along its outputs (mode 0) or its inputs (mode 1)."""
    return torch.linalg.svdvals(_unfold(weight.detach().double(), mode))


def tucker2(weight: Tensor, ranks: tuple[int, int], *, sweeps: int = _SWEEPS) -> tuple[Tensor, Tensor, Tensor]:
    r"""Return a convolution kernel as a small kernel between two changes of channels (Kim et al. 2016).

    .. math:: K_{o,i,k} \approx \sum_{p=1}^{R_o} \sum_{q=1}^{R_i} C_{p,q,k} \, U^{out}_{o,p} \, U^{in}_{i,q}

    Both factors have orthonormal columns. They start as the leading singular vectors of the unfoldings (HOSVD: De
    Lathauwer, De Moor & Vandewalle 2000a) and are improved in turn (higher-order orthogonal iteration, 2000b), which
    never adds to the error. Only the two modes of channels are cut: kernels are small in the others.

    Args:
        weight: ``(O, I, *K)``.
        ranks: Of the outputs and of the inputs. One that is all of its channels leaves that mode alone (its factor is
            the identity); one that the other and the kernel cannot fill (``R_o > R_i * prod(K)``) is lowered to that.
        sweeps: At most so many improvements; 0 leaves the HOSVD.

    Returns:
        ``(O, R_o)``, the core ``(R_o, R_i, *K)`` and ``(I, R_i)``, all float64.

    Raises:
        UnsupportedError: A rank out of range.
    """
    whole = weight.detach().double()
    for size, rank in zip(whole.shape[:2], ranks, strict=True):
        if not 1 <= rank <= size:
            raise UnsupportedError(
                f"ranks must be in 1..{whole.shape[0]} and 1..{whole.shape[1]} for a kernel of {tuple(whole.shape)}, "
                f"got {tuple(ranks)}"
            )
    outer, inner = fillable(tuple(whole.shape), ranks)
    left, right = _leading(_unfold(whole, 0), outer), _leading(_unfold(whole, 1), inner)
    core = _project(_project(whole, right, 1), left, 0)
    kept, all_of_it = core.square().sum(), whole.square().sum()
    for _ in range(sweeps):
        left = _leading(_unfold(_project(whole, right, 1), 0), outer)
        half = _project(whole, left, 0)
        right = _leading(_unfold(half, 1), inner)
        core = _project(half, right, 1)
        before, kept = kept, core.square().sum()
        if kept - before <= _STILL * all_of_it:
            break
    return left, core, right


def fillable(shape: tuple[int, ...], ranks: tuple[int, int]) -> tuple[int, int]:
    """Return ranks that a kernel of this shape can fill: what goes beyond would be columns of zeros."""
    outer, inner = ranks
    places = 1
    for size in shape[2:]:
        places *= size
    if outer < shape[0]:
        outer = min(outer, inner * places)
    if inner < shape[1]:
        inner = min(inner, outer * places)
    return outer, inner


def tucker2_energies(weight: Tensor) -> Tensor:
    """Return ``(O, I)``: at ``[p - 1, q - 1]`` the part of the squares that the HOSVD of ranks (p, q) keeps.

    The HOSVD's core at full ranks holds them all: its leading block is the core at smaller ranks. A kernel of zeros
    keeps all of nothing.
    """
    whole = weight.detach().double()
    left, right = _basis(_unfold(whole, 0)), _basis(_unfold(whole, 1))
    squares = _project(_project(whole, right, 1), left, 0).square().flatten(2).sum(2)
    total = squares.sum()
    return squares.cumsum(0).cumsum(1) / total if total > 0 else torch.ones_like(squares)


def compose(first: Tensor, second: Tensor) -> Tensor:
    """Return the weight that does what two layers in a row do: ``(R, I, *K)``, then ``(O, R, *L)``.

    One of the kernels is of size 1 in each axis; matrices have none.
    """
    return torch.einsum("or...,ri...->oi...", second, first)


def _unfold(tensor: Tensor, mode: int) -> Tensor:
    return tensor.transpose(0, mode).flatten(1)


def _project(tensor: Tensor, factor: Tensor, mode: int) -> Tensor:
    """Multiply a mode by the factor's transpose: its channels become coordinates in the factor's columns."""
    return torch.einsum("or,o...->r...", factor, tensor.transpose(0, mode)).transpose(0, mode)


def _leading(matrix: Tensor, rank: int) -> Tensor:
    if rank == len(matrix):
        return torch.eye(rank, dtype=matrix.dtype, device=matrix.device)
    return _basis(matrix)[:, :rank]


def _basis(matrix: Tensor) -> Tensor:
    """Return all left singular vectors, the leading first, by the Gram matrix: unfoldings are far wider than high.

    Squaring blurs directions of less than 1e-8 of the largest singular value, which hold 1e-16 of its energy.
    """
    return torch.linalg.eigh(matrix @ matrix.T)[1].flip(1)
