"""Chains whose steps all have the same transitions, packed: what a linear-chain CRF answers.

A packed chain is ``(B, L + K, K)``: L rows of emissions, a score of each tag at each place, then the K rows of the
transitions, from the tag of the row to that of the column. Padding is rows of :data:`SEALED`. Where potentials take
``B L K^2`` numbers (:mod:`netsmith.layers.chain`), this takes ``B (L + K) K``, and sums are products with one matrix.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "SEALED",
    "Packed",
    "best_rows",
    "linear_marginals",
    "linear_sum",
    "pack",
    "row_scores",
    "unpack",
    "with_ends",
]

SEALED = -1e9
"""The score of a step that cannot be taken: its exponential is 0, and it is finite, so that no difference is NaN."""


class Packed(NamedTuple):
    """The parts of a packed chain.

    Attributes:
        emissions: ``(B, L, K)``.
        transitions: ``(B, K, K)``, the same for every example.
        inside: ``(B, L)`` bool, where the sequences are.
    """

    emissions: Tensor
    transitions: Tensor
    inside: Tensor


def pack(
    emissions: Tensor, transitions: Tensor, inside: Tensor, *, start: Tensor | None = None, end: Tensor | None = None
) -> Tensor:
    """Return the packed chain whose score of a sequence is the sum of its emissions and transitions.

    Args:
        emissions: ``(B, l, K)``, the score of each tag at each place; l is at most L, and reaches the longest one.
        transitions: ``(K, K)``, from the tag of the row to that of the column.
        inside: ``(B, L)`` bool, where the sequences are: each fills a beginning of its row.
        start: ``(K,)``, added at the first place; None for zeros.
        end: ``(K,)``, added at the last place of each sequence; None for zeros.

    Returns:
        ``(B, L + K, K)``.

    Example:
        >>> pack(torch.zeros(1, 2, 2), torch.eye(2), torch.tensor([[True, True]]), start=torch.ones(2))
        tensor([[[1., 1.],
                 [0., 0.],
                 [1., 0.],
                 [0., 1.]]])
    """
    emissions = with_ends(emissions.to(transitions.dtype), inside, start=start, end=end)
    emissions = torch.where(inside[..., None], emissions, SEALED)
    return torch.cat([emissions, transitions.expand(emissions.shape[0], -1, -1)], 1)


def with_ends(emissions: Tensor, inside: Tensor, *, start: Tensor | None = None, end: Tensor | None = None) -> Tensor:
    """Return emissions ``(B, L, K)`` with the scores of the first and of the last tag of each sequence added.

    Args:
        emissions: ``(B, l, K)``, l at most L; a graph that is traced or compiled has them as long as ``inside``.
        inside: ``(B, L)`` bool, where the sequences are.
        start: ``(K,)``, added at the first place; None for zeros.
        end: ``(K,)``, added at the last place of each sequence, or ``(B, L, K)``; None for zeros.
    """
    if not (torch.jit.is_tracing() or torch.compiler.is_compiling()):
        emissions = F.pad(emissions, (0, 0, 0, inside.shape[1] - emissions.shape[1]))
    if start is not None:
        emissions = torch.cat([emissions[:, :1] + start, emissions[:, 1:]], 1)
    if end is not None:
        last = inside & ~F.pad(inside[:, 1:], (0, 1))
        emissions = emissions + last[..., None] * end
    return emissions


def unpack(packed: Tensor) -> Packed:
    """Return the parts of a packed chain."""
    length = packed.shape[1] - packed.shape[2]
    emissions = packed[:, :length]
    return Packed(emissions, packed[:, length:], (emissions != SEALED).any(2))


def row_scores(packed: Tensor, tags: Tensor) -> Tensor:
    """Return the score of one sequence each, ``(B,)``.

    Args:
        packed: ``(B, L + K, K)``.
        tags: ``(B, L)`` int64; at padding any tag.
    """
    emissions, transitions, inside = unpack(packed)
    each = emissions.gather(2, tags[..., None])[..., 0]  # (B, L)
    pairs = (tags[:, :-1] * packed.shape[2] + tags[:, 1:])[:, : inside.shape[1]]
    steps = transitions.flatten(1).gather(1, pairs)  # (B, L - 1)
    return (each * inside).sum(1) + (steps * inside[:, 1:]).sum(1)


def linear_sum(packed: Tensor, tags: Tensor | None = None) -> Tensor:
    r"""Return :math:`\log \sum_y \exp s(y)` of each chain, less the score of one sequence where ``tags`` are given.

    The forward algorithm; its gradient, the probability of each step, is given by the backward algorithm at once. Where
    scores lie within a range whose exponentials the type holds, both are products with the matrix of exponentials of
    transitions; elsewhere sums are taken of logarithms, step by step.

    Args:
        packed: ``(B, L + K, K)``, L at least 1, finite.
        tags: ``(B, L)`` int64; at padding any tag.

    Returns:
        ``(B,)`` nats.

    Example:
        >>> linear_sum(torch.zeros(1, 5, 2)).exp()  # eight sequences of three tags
        tensor([8.])
    """
    if not len(packed):
        return packed.sum((1, 2))
    emissions, transitions, inside = unpack(packed)
    limit = 0.45 * -math.log(torch.finfo(packed.dtype).tiny)
    reach = emissions.detach().amax(2) - emissions.detach().amin(2)
    spread = torch.where(inside, reach, 0.0).max() + transitions.detach().max() - transitions.detach().min()
    alike = bool((transitions[1:] == transitions[:1]).all())
    if not alike or not float(spread) + math.log(packed.shape[2]) <= limit:
        total = _in_logarithms(packed)
        return total if tags is None else total - row_scores(packed, tags)
    return _Sum.apply(packed, tags)


def linear_marginals(packed: Tensor) -> Tensor:
    """Return the probability of each tag at each place, ``(B, L, K)``; at padding that of the last tag goes on."""
    with torch.enable_grad():
        free = packed.detach().requires_grad_()
        (found,) = torch.autograd.grad(linear_sum(free).sum(), free)
    inside = unpack(packed).inside
    last = torch.where(inside, torch.arange(inside.shape[1], device=inside.device), 0).cummax(1).values
    return found.gather(1, last[..., None].expand(-1, -1, packed.shape[2]))


def best_rows(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Return score ``(B,)`` and tags ``(B, L)`` of the best sequence of each chain; at padding the last tag goes on."""
    parts = unpack(packed.detach().to(torch.promote_types(packed.dtype, torch.float32)).cpu())
    inside = parts.inside.numpy().T  # (L, B)
    emissions, steps = parts.emissions.numpy().transpose(1, 0, 2), parts.transitions.numpy().transpose(1, 0, 2)
    length, count, states = emissions.shape
    values = np.empty((length, count, states), emissions.dtype)
    sums = np.empty((states, count, states), emissions.dtype)
    values[0] = np.where(inside[0][:, None], emissions[0], np.eye(1, states) - 1)  # of no place the score is 0
    for at in range(1, length):
        if not inside[at].any():
            values[at:] = values[at - 1]
            break
        np.add(values[at - 1].T[:, :, None], steps, out=sums)  # maxima over the outermost axis are taken side by side
        np.maximum.reduce(sums, axis=0, out=values[at])
        values[at] += emissions[at]
        np.copyto(values[at], values[at - 1], where=~inside[at][:, None])
    path, rows = np.empty((length, count), np.int64), np.arange(count)
    path[-1] = values[-1].argmax(1)
    for at in range(length - 1, 0, -1):
        before = (values[at - 1] + steps[:, rows, path[at]].T).argmax(1)
        path[at - 1] = np.where(inside[at], before, path[at])
    scores = torch.from_numpy(values[-1].max(1))
    return scores.to(packed), torch.from_numpy(path.T.copy()).to(packed.device)


class _Sum(torch.autograd.Function):
    """The logarithm of the sum over all sequences, less the score of one where one is given."""

    @staticmethod
    def forward(ctx: Any, packed: Tensor, tags: Tensor | None) -> Tensor:
        total, slopes = _in_products(packed, tags, wanted=ctx.needs_input_grad[0])
        if slopes is not None:
            ctx.save_for_backward(packed, *slopes, tags)
        return total if tags is None else total - row_scores(packed, tags)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        packed, rows, before, after, tags = ctx.saved_tensors
        (grad,) = grads
        if torch.is_grad_enabled():  # a second derivative is asked for
            total = _in_logarithms(packed)
            total = total if tags is None else total - row_scores(packed, tags)
            return torch.autograd.grad(total, packed, grad, create_graph=True)[0], None
        length, states = rows.shape[1], packed.shape[2]
        found = torch.zeros_like(packed)
        found[:, :length] = rows * grad[:, None, None]
        here = before.flatten(0, 1).T @ (after * grad[:, None, None]).flatten(0, 1)  # (K, K)
        steps = here * _raised(packed[0, packed.shape[1] - states :])[0]
        if tags is not None and length > 1:
            pairs = tags[:, : length - 1] * states + tags[:, 1:length]
            taken = unpack(packed).inside[:, 1:length] * grad[:, None]
            steps = steps.flatten().scatter_add(0, pairs.flatten(), -taken.flatten().to(steps.dtype)).view_as(steps)
        found[0, packed.shape[1] - states :] = steps  # they are one matrix: the first example's share is all of it
        return found, None


def _raised(scores: Tensor) -> tuple[Tensor, Tensor]:
    """Return the exponentials of scores less their maximum, none below the normal numbers, and the maximum."""
    high = scores.max()
    return (scores - high).clamp(min=math.log(torch.finfo(scores.dtype).tiny) + 1).exp(), high


def _in_products(
    packed: Tensor, tags: Tensor | None, *, wanted: bool
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor] | None]:
    """Sum by products of matrices of exponentials, of which each row is made to add up to 1.

    Returns:
        The logarithm of the sum, ``(B,)``, and where ``wanted`` the slopes: those of the emissions ``(B, l, K)``, and
        of the transitions as two factors: their sum of products over all places, times the exponentials.
    """
    emissions, transitions, inside = unpack(packed)
    length = max(1, int(inside.any(0).sum()))  # what is padding in every row changes nothing
    emissions, inside = emissions[:, :length], inside[:, :length]
    matrix, high = _raised(transitions[0])  # (K, K)
    highs = emissions.amax(2, keepdim=True)
    steps = (emissions - highs).clamp(min=math.log(torch.finfo(packed.dtype).tiny) + 1).exp()
    each = steps.unbind(1)  # (B, K) per place
    sums, forward, scales = each[0], list[Tensor](), list[Tensor]()
    for place in range(length):
        if place:
            sums = torch.mm(sums, matrix) * each[place]
        scales.append(sums.sum(1, keepdim=True))
        sums = sums / scales[-1]
        forward.append(sums)
    taken = torch.cat(scales, 1)  # (B, l); behind the end of a sequence they are of no use
    counts = inside.sum(1)
    total = torch.where(inside, taken.log() + highs[..., 0], 0.0).sum(1) + (counts - 1).clamp(min=0) * high
    if not wanted:
        return total, None
    sums = torch.ones_like(sums)
    backward = [sums]
    for place in range(length - 1, 0, -1):
        found = torch.mm(sums * each[place], matrix.T)
        sums = torch.where(inside[:, place, None], found / found.sum(1, keepdim=True), sums)
        backward.append(sums)
    ahead, behind = torch.stack(backward[::-1], 1), torch.stack(forward, 1)  # (B, l, K)
    shares = behind * ahead
    whole = shares.sum(2, keepdim=True)
    rows = shares / whole * inside[..., None]
    if tags is not None:
        rows.scatter_add_(2, tags[:, :length, None], -inside[..., None].to(rows.dtype))
    # The share of a step from i to j is behind[t - 1, i] matrix[i, j] (steps * ahead)[t, j] / (scale whole)[t].
    after = (steps * ahead / (whole * taken[..., None]))[:, 1:] * inside[:, 1:, None]
    return total, (rows, behind[:, :-1].contiguous(), after)


def _in_logarithms(packed: Tensor) -> Tensor:
    """Sum step by step by differentiable operations, whatever the range."""
    emissions, transitions, inside = unpack(packed)
    nothing = torch.full_like(emissions[:, 0], SEALED)
    nothing[:, 0] = 0.0
    sums = torch.where(inside[:, :1], emissions[:, 0], nothing)
    for place in range(1, emissions.shape[1]):
        if not bool(inside[:, place].any()):
            break
        found = (sums[..., None] + transitions).logsumexp(1) + emissions[:, place]
        sums = torch.where(inside[:, place, None], found, sums)
    return sums.logsumexp(1)
