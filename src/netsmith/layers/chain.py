"""Chains of tags: sums, scores, best paths and marginals over all sequences, as HMMs and linear-chain CRFs need them.

A chain over K tags is given by *potentials* ``(B, L, K, K)``: entry ``[b, t, i, j]`` is the score (a logarithm) of tag
j at place t after tag i. At the first place every row holds the scores of its tags. Padding holds the log-identity, 0
on the diagonal and :data:`SEALED` off it, through which sums, maxima and paths pass unchanged.

Where every step has the same transitions, a chain is better *packed*, ``(B, L + K, K)``
(:mod:`netsmith.layers.linear_chain`): each function that takes potentials takes that form, too, told by its three axes.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from netsmith.layers.linear_chain import SEALED, best_rows, linear_marginals, linear_sum, row_scores, unpack, with_ends

__all__ = [
    "Best",
    "best_paths",
    "chain_potentials",
    "cropped",
    "inside_chain",
    "log_partition",
    "marginals",
    "path_scores",
    "step_probabilities",
    "surprisal",
]

_AT_ONCE = 2**18  # numbers that are taken through several operations while they lie in the processor's cache


class Best(NamedTuple):
    """The best sequences.

    Attributes:
        scores: ``(B,)``.
        tags: ``(B, L)`` int64; at padding the last tag goes on.
    """

    scores: Tensor
    tags: Tensor


def chain_potentials(
    emissions: Tensor, transitions: Tensor, inside: Tensor, *, start: Tensor | None = None, end: Tensor | None = None
) -> Tensor:
    """Return the potentials ``emissions[t, j] + transitions[i, j]`` of a chain, or those of steps that differ by place.

    Args:
        emissions: ``(B, l, K)``, the score of each tag at each place; l is at most L, and reaches the longest one.
        transitions: ``(K, K)``, from the tag of the row to that of the column; or ``(B, L, K, K)``, those to each
            place; the first ones are not read.
        inside: ``(B, L)`` bool, where the sequences are: each fills a beginning of its row.
        start: ``(K,)``, added at the first place; None for zeros.
        end: ``(K,)``, added at the last place of each sequence, or ``(B, L, K)``; None for zeros.

    Returns:
        ``(B, L, K, K)``.
    """
    graph = torch.jit.is_tracing() or torch.compiler.is_compiling()
    emissions = with_ends(emissions.to(transitions.dtype), inside, start=start, end=end)
    if graph or transitions.dim() == 4:
        later = torch.arange(inside.shape[1], device=inside.device)[:, None, None] > 0
        steps = torch.where(later, transitions, 0.0)  # (L, K, K), or (B, L, K, K)
        return torch.where(inside[..., None, None], emissions[:, :, None] + steps, _identity(transitions))
    return _Potentials.apply(emissions, transitions, inside)


def cropped(tokens: Tensor) -> Tensor:
    """Return tokens ``(B, L)`` without the places that are padding (0) in every row: what stands there costs no time.

    A graph that is traced or compiled keeps them all.
    """
    if torch.jit.is_tracing() or torch.compiler.is_compiling():
        return tokens
    return tokens[:, : max(1, int((tokens != 0).any(0).sum()))]


def inside_chain(potentials: Tensor) -> Tensor:
    """Return where potentials are no log-identity, ``(B, L)`` bool; it is told by their first row and column.

    Of a single tag every place is inside.
    """
    if potentials.dim() == 3:
        return unpack(potentials).inside
    if potentials.shape[-1] == 1:
        return torch.ones(potentials.shape[:2], dtype=torch.bool, device=potentials.device)
    identity = _identity(potentials)[0]
    return (potentials[..., 0, :] != identity).any(-1) | (potentials[..., 0] != identity).any(-1)


def path_scores(potentials: Tensor, tags: Tensor) -> Tensor:
    r"""Return the score of one sequence each, :math:`\sum_t P_t(y_{t-1}, y_t)`.

    Args:
        potentials: ``(B, L, K, K)``.
        tags: ``(B, L)`` int64; at padding the last tag goes on.

    Returns:
        ``(B,)``.
    """
    if potentials.dim() == 3:
        return row_scores(potentials, tags)
    return potentials.flatten(2).gather(2, _steps(tags, potentials.shape[-1])).sum((1, 2))


def log_partition(potentials: Tensor) -> Tensor:
    r"""Return the logarithm of the sum over all sequences, :math:`\log \sum_y \exp \sum_t P_t(y_{t-1}, y_t)`.

    The forward algorithm (Baum et al. 1970; Lafferty, McCallum & Pereira 2001, section 3). Its gradient is the
    probability of each step, which the backward algorithm gives at once: no graph of L steps is kept (padding is a
    constant, of gradient 0). Where the scores
    of each step lie within a range whose exponentials the type holds, sums are products of matrices; elsewhere they
    are taken of logarithms, step by step.

    Args:
        potentials: ``(B, L, K, K)``, L at least 1, finite.

    Returns:
        ``(B,)``.

    Example:
        >>> log_partition(torch.zeros(1, 3, 2, 2)).exp()  # eight sequences of three tags
        tensor([8.])
    """
    return linear_sum(potentials) if potentials.dim() == 3 else _Sum.apply(potentials, None)


def surprisal(potentials: Tensor, tags: Tensor) -> Tensor:
    r"""Return :math:`-\log p(y \mid x)` of one sequence each: :func:`log_partition` less :func:`path_scores`.

    The loss of a CRF in one operation: its gradient is the probability of each step, less 1 where the sequence takes
    it.

    Args:
        potentials: ``(B, L, K, K)``, L at least 1, finite.
        tags: ``(B, L)`` int64; at padding the last tag goes on.

    Returns:
        ``(B,)`` nats.
    """
    return linear_sum(potentials, tags) if potentials.dim() == 3 else _Sum.apply(potentials, tags)


def step_probabilities(potentials: Tensor) -> Tensor:
    """Return the probability of each step, ``(B, L, K, K)``; at the first place all of it lies in the first row."""
    with torch.no_grad():
        _, steps = _forward_backward(potentials, wanted=True)
        assert steps is not None
        return steps


def marginals(potentials: Tensor) -> Tensor:
    """Return the probability of each tag at each place, ``(B, L, K)``; at padding that of the last tag goes on."""
    return linear_marginals(potentials) if potentials.dim() == 3 else step_probabilities(potentials).sum(2)


def best_paths(potentials: Tensor) -> Best:
    """Return the best sequence of each chain (Viterbi 1967); of equal ones that with the lower tag, seen from the end.

    On the processor, whose small maxima take less time than an accelerator takes to begin one.

    Args:
        potentials: ``(B, L, K, K)``, L at least 1.
    """
    if potentials.dim() == 3:
        return Best(*best_rows(potentials))
    full = potentials.detach().to(torch.promote_types(potentials.dtype, torch.float32)).cpu().numpy()
    count, length, states = full.shape[:3]
    steps = full.transpose(1, 2, 0, 3)  # (L, K, B, K): maxima over the outermost axis are taken side by side
    values = np.empty((length, count, states), full.dtype)
    sums = np.empty((states, count, states), full.dtype)
    values[0] = steps[0, 0]
    for at in range(1, length):
        np.add(values[at - 1].T[:, :, None], steps[at], out=sums)
        np.maximum.reduce(sums, axis=0, out=values[at])
    path, rows = np.empty((length, count), np.int64), np.arange(count)
    path[-1] = values[-1].argmax(1)
    for at in range(length - 1, 0, -1):
        path[at - 1] = (values[at - 1] + full[rows, at, :, path[at]]).argmax(1)
    scores = torch.from_numpy(values[-1].max(1))
    return Best(scores.to(potentials), torch.from_numpy(path.T.copy()).to(potentials.device))


def _identity(like: Tensor) -> Tensor:
    return (1 - torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)) * SEALED


def _steps(tags: Tensor, count: int) -> Tensor:
    """Return the number of each step among the pairs of tags, ``(B, L, 1)``; any row will do at the first place."""
    return (F.pad(tags[:, :-1], (1, 0)) * count + tags)[..., None]


class _Potentials(torch.autograd.Function):
    """Emissions plus transitions, the identity at padding: each entry is written once, and no mask of all is kept."""

    @staticmethod
    def forward(ctx: Any, emissions: Tensor, transitions: Tensor, inside: Tensor) -> Tensor:
        ctx.save_for_backward(inside)
        found = emissions[:, :, None] + transitions
        found[:, 0] = emissions[:, 0, None]
        found[~inside] = _identity(transitions)
        return found

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        (inside,), (grad,) = ctx.saved_tensors, grads
        later = inside.to(grad.dtype)
        later[:, 0] = 0.0
        transitions = (later.flatten() @ grad.flatten(2).flatten(0, 1)).view(grad.shape[2:])
        return grad.sum(2) * inside[..., None], transitions, None


class _Sum(torch.autograd.Function):
    """The logarithm of the sum over all sequences, less the score of one where one is given."""

    @staticmethod
    def forward(ctx: Any, potentials: Tensor, tags: Tensor | None) -> Tensor:
        inside = inside_chain(potentials)
        length = max(1, int(inside.any(0).sum()))  # what is padding in every row changes nothing
        total, steps = _forward_backward(potentials[:, :length], wanted=ctx.needs_input_grad[0])
        if steps is not None:
            ctx.save_for_backward(potentials, _less(steps, tags, inside), inside, tags)
        return total if tags is None else total - path_scores(potentials, tags)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        potentials, steps, inside, tags = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is asked for
            steps = _less(_in_logarithms(potentials, wanted=True)[1].clone(), tags, inside)
        steps = F.pad(steps, (0, 0, 0, 0, 0, potentials.shape[1] - steps.shape[1]))
        return (steps if bool((grads[0] == 1).all()) else grads[0][:, None, None, None] * steps), None


def _less(steps: Tensor, tags: Tensor | None, inside: Tensor) -> Tensor:
    """Take 1 off the steps of one sequence, in place; padding, which is a constant, gets 0."""
    length = steps.shape[1]
    if tags is not None:
        taken = _steps(tags, steps.shape[-1])[:, :length]
        steps.flatten(2).scatter_add_(2, taken, torch.full_like(taken, -1.0, dtype=steps.dtype))
    steps[~inside[:, :length]] = 0.0
    return steps


def _forward_backward(potentials: Tensor, *, wanted: bool) -> tuple[Tensor, Tensor | None]:
    """Return the logarithm of the sum, ``(B,)``, and where ``wanted`` the probability of each step.

    At the first place all of it lies in the first row.
    """
    low, high = potentials.amin((2, 3)), potentials.amax((2, 3))
    spread = float(torch.where(inside_chain(potentials), high - low, 0.0).max()) + math.log(potentials.shape[-1])
    held = -math.log(torch.finfo(potentials.dtype).tiny)
    if not spread <= 0.45 * held:
        return _in_logarithms(potentials, wanted=wanted)
    return _in_products(potentials, high, every=max(1, int(0.3 * held / max(spread, 1e-3))), wanted=wanted)


def _in_products(potentials: Tensor, high: Tensor, *, every: int, wanted: bool) -> tuple[Tensor, Tensor | None]:
    """Sum by products of matrices of exponentials.

    Each sum is at least the greatest one before it, times the least exponential of the step. So neither the sums of
    ``every`` steps nor the products of those from both ends leave the range of the type.
    """
    length = potentials.shape[1]
    size = max(1, _AT_ONCE // potentials[:, 0].numel())
    blocks = [range(at, min(at + size, length)) for at in range(0, length, size)]
    steps = torch.empty_like(potentials, memory_format=torch.contiguous_format)
    one = potentials.new_ones(len(potentials), 1, 1)
    sums, forward, shifts = torch.zeros_like(steps[:, 0, :1]), list[Tensor](), list[Tensor]()  # sums (B, 1, K)
    sums[..., 0] = 1.0
    before = [sums]  # at the first place the first row is taken
    for block in blocks:
        part = steps[:, block.start : block.stop]
        shift = high[:, block.start : block.stop, None, None]
        _exp_(torch.sub(potentials[:, block.start : block.stop], shift, out=part))
        for place in block:
            sums = torch.bmm(sums, steps[:, place])
            shifts.append(one if place % every else sums.amax(2, keepdim=True))
            sums = sums if place % every else sums / shifts[-1]
            forward.append(sums)
    taken = torch.stack(shifts)[:, :, 0, 0].T  # (B, L)
    total = high.sum(1) + taken.log().sum(1) + sums[:, 0].sum(1).log()
    if not wanted:
        return total, None
    before += forward[:-1]
    sums = torch.ones_like(sums)
    for block in reversed(blocks):
        backward: list[Tensor] = []
        for place in reversed(block):
            backward.append(sums)
            sums = torch.bmm(sums, steps[:, place].mT)
            sums = sums if place % every else sums / sums.amax(2, keepdim=True)
        here, ahead = slice(block.start, block.stop), torch.cat(backward[::-1], 1)  # (B, b, K)
        whole = (torch.cat(forward[here], 1) * ahead).sum(2) * taken[:, here]
        begin = torch.cat(before[here], 1) / whole[..., None]
        steps[:, here].mul_(begin[..., None]).mul_(ahead[:, :, None])
    return total, steps


def _in_logarithms(potentials: Tensor, *, wanted: bool) -> tuple[Tensor, Tensor | None]:
    """Sum step by step by differentiable operations, whatever the range."""
    places = potentials.unbind(1)
    forward = [places[0][:, 0]]  # (B, K)
    for step in places[1:]:
        forward.append((forward[-1][..., None] + step).logsumexp(1))
    total = forward[-1].logsumexp(1)
    if not wanted:
        return total, None
    backward = [torch.zeros_like(forward[0])]
    for step in places[:0:-1]:
        backward.append((step + backward[-1][:, None]).logsumexp(2))
    none = torch.full_like(forward[0], SEALED)
    none[:, 0] = 0.0
    before, after = torch.stack([none, *forward[:-1]], 1), torch.stack(backward[::-1], 1)
    return total, (potentials + before[..., None] + after[:, :, None] - total[:, None, None, None]).exp()


def _exp_(values: Tensor) -> Tensor:
    """Replace values by their exponentials, none below the normal numbers: those take twenty times as long."""
    return values.clamp_(min=math.log(torch.finfo(values.dtype).tiny) + 1).exp_()
