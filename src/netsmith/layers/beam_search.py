"""Beam search: the likeliest continuations, several at a time, with a length penalty."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.engine.batch import map_tensors

__all__ = ["Beams", "Next", "beam_search"]

Next = Callable[[Tensor, Any], tuple[Tensor, Any]]
"""``next(tokens, state) -> (log_probabilities, state)``: ``(N,)`` int64 to ``(N, V)``; the first axis of every tensor
of a state counts the N texts."""


class Beams(NamedTuple):
    """What was found, the best first.

    Attributes:
        tokens: ``(B, K, T)`` int64, the end mark included; 0 behind it.
        scores: ``(B, K)`` float64: log-probability over length penalty; minus infinity where fewer were found.
        lengths: ``(B, K)`` int64.
    """

    tokens: Tensor
    scores: Tensor
    lengths: Tensor


def beam_search(
    following: Next,
    first: Tensor,
    state: Any,
    *,
    beams: int,
    length: int,
    end: int | None,
    penalty: float = 0.6,
) -> Beams:
    r"""Return the ``beams`` continuations of the highest score that a search of that width finds, for a whole batch.

    .. math:: s(y) = \frac{\log p(y)}{lp(y)}, \qquad lp(y) = \left(\frac{5 + |y|}{6}\right)^\alpha

    (Wu et al. 2016, arXiv:1609.08144, Eq. 14; without their coverage). Texts that have ended leave the search and are
    kept by score; it goes on with the ``beams`` likeliest others, until nothing that is still open can become better
    than what is kept, or ``length`` is reached, where what is open counts as it stands. The penalty never prefers the
    shorter text, so the bound is that of ``length``.

    Args:
        following: What comes after a token.
        first: ``(B, V)`` log-probabilities of the first token.
        state: The state before it.
        beams: K, how many texts are followed side by side.
        length: T, the most tokens of a continuation.
        end: The token that ends a text; None for none.
        penalty: alpha; 0 prefers short texts, 1 is nearly the mean per token.

    Raises:
        ConfigError: A setting out of its range.
    """
    if beams < 1 or length < 1 or penalty < 0:
        raise ConfigError(
            f"beams={beams}, length={length}, penalty={penalty:g}: expected 1 or more, 1 or more, not < 0"
        )
    rows, size = first.shape
    row = torch.arange(rows, device=first.device)[:, None]  # (B, 1)
    open_scores = first.new_full((rows, beams), -torch.inf, dtype=torch.float64)
    open_scores[:, 0] = 0  # all beams begin alike: one is enough
    open_tokens = torch.zeros(rows, beams, length, dtype=torch.int64, device=first.device)
    kept = Beams(open_tokens.clone(), torch.full_like(open_scores, -torch.inf), open_tokens[..., 0].clone())
    logs = first.double()[:, None].expand(rows, beams, size)
    state = map_tensors(state, lambda part: part.repeat_interleave(beams, 0))
    for step in range(length):
        scores = (open_scores[..., None] + logs).view(rows, beams * size)  # (B, K V)
        # Of twice as many candidates at most K have ended, so that K stay to go on with.
        best, place = scores.topk(min(2 * beams, beams * size), dim=1)
        tokens = open_tokens.gather(1, (place // size)[..., None].expand(-1, -1, length)).clone()
        tokens[:, :, step] = place % size
        ended = place % size == end if end is not None else torch.zeros_like(place, dtype=torch.bool)
        last = step == length - 1
        over = best.where(ended | last, -torch.inf) / _penalty(step + 1, penalty)
        kept = _better(kept, Beams(tokens, over, torch.full_like(place, step + 1)), beams)
        if last:
            break
        open_scores, chosen = _padded(best.masked_fill(ended, -torch.inf), beams).topk(beams, dim=1)
        chosen = chosen.clamp(max=place.shape[1] - 1)
        if bool((kept.scores[:, -1] >= open_scores[:, 0] / _penalty(length, penalty)).all()):
            break
        open_tokens = tokens.gather(1, chosen[..., None].expand(-1, -1, length))
        parents = (place // size).gather(1, chosen) + row * beams  # (B, K), rows of the state
        before = map_tensors(state, lambda part, parents=parents: part.index_select(0, parents.flatten()))
        found, state = following(open_tokens[:, :, step].flatten(), before)
        logs = found.double().view(rows, beams, size)
    return kept


def _penalty(length: int, alpha: float) -> float:
    return ((5 + length) / 6) ** alpha


def _padded(scores: Tensor, beams: int) -> Tensor:
    """Return the scores with enough columns of minus infinity for ``beams`` to be chosen."""
    missing = max(0, beams - scores.shape[1])
    return torch.nn.functional.pad(scores, (0, missing), value=-torch.inf)


def _better(kept: Beams, new: Beams, beams: int) -> Beams:
    """Return the best of what is kept and what is new."""
    scores, place = torch.cat([kept.scores, new.scores], 1).topk(beams, dim=1)
    tokens = torch.cat([kept.tokens, new.tokens], 1).gather(1, place[..., None].expand(-1, -1, kept.tokens.shape[2]))
    return Beams(tokens, scores, torch.cat([kept.lengths, new.lengths], 1).gather(1, place))
