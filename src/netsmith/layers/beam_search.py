"""Beam search: the likeliest continuations, several at a time, with a length penalty."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError
from netsmith.engine.batch import map_tensors
from netsmith.layers.decided import decided

__all__ = ["Beams", "Next", "beam_search", "refuse_nan"]

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
    coverage: float = 0.0,
    attention: Callable[[Any], Tensor | None] | None = None,
) -> Beams:
    r"""Return the ``beams`` continuations of the highest score that a search of that width finds, for a whole batch.

    .. math::
        s(y) = \frac{\log p(y)}{lp(y)} + cp(x, y), \qquad lp(y) = \left(\frac{5 + |y|}{6}\right)^\alpha, \qquad
        cp(x, y) = \beta \sum_i \log \min\Bigl(\sum_j a_{ij}, 1\Bigr)

    (Wu et al. 2016, arXiv:1609.08144, Eq. 14), where :math:`a_{ij}` is the attention of token j to place i of the
    source; a place with exactly 0 throughout (padding) costs nothing. Texts that have ended leave the search and are
    kept by score; it goes on with the ``beams`` likeliest others, until nothing that is still open can become better
    than what is kept, or ``length`` is reached, where what is open counts as it stands. The penalty never prefers the
    shorter text, and coverage only takes away, so the bound is that of ``length``.

    Args:
        following: What comes after a token.
        first: ``(B, V)`` log-probabilities of the first token.
        state: The state before it.
        beams: K, how many texts are followed side by side.
        length: T, the most tokens of a continuation.
        end: The token that ends a text; None for none.
        penalty: alpha; 0 prefers short texts, 1 is nearly the mean per token.
        coverage: beta.
        attention: ``(N, L)`` of a state: what the step that led to it looked at, for the coverage.

    Raises:
        ConfigError: A setting out of its range, or coverage where there is no attention.
        DataError: A log-probability of a text that is followed is NaN.
    """
    if beams < 1 or length < 1 or not (0 <= penalty < math.inf and 0 <= coverage < math.inf):
        raise ConfigError(
            f"beams={beams}, length={length}, penalty={penalty:g}, coverage={coverage:g}: expected 1 or more, 1 or "
            "more, and finite numbers that are not negative"
        )
    seen = None if attention is None or not coverage else attention(state)  # (B, L)
    if coverage and seen is None:
        raise ConfigError(f"coverage={coverage:g}: what is followed has no attention; leave it out")
    rows, size = first.shape
    row = torch.arange(rows, device=first.device)[:, None]  # (B, 1)
    open_scores = first.new_full((rows, beams), -torch.inf, dtype=torch.float64)
    open_scores[:, 0] = 0  # all beams begin alike: one is enough
    open_tokens = torch.zeros(rows, beams, length, dtype=torch.int64, device=first.device)
    kept = Beams(open_tokens.clone(), torch.full_like(open_scores, -torch.inf), open_tokens[..., 0].clone())
    logs = first[:, None].expand(rows, beams, size)
    state = map_tensors(state, lambda part: part.repeat_interleave(beams, 0))
    covered = None if seen is None else seen.double()[:, None].expand(rows, beams, -1)  # (B, K, L)
    near = min(2 * beams, size)
    for step in range(length):
        refuse_nan(logs, open_scores > -torch.inf)
        # Of twice as many candidates at most K have ended, so that K stay to go on with.
        each, token = logs.topk(near, dim=2)  # (B, K, 2 K): of one beam no more than that can be among them
        dead = (open_scores == -torch.inf)[..., None]  # what comes after a text that cannot be may be NaN
        scores = (open_scores[..., None] + each.double()).masked_fill(dead, -torch.inf).flatten(1)
        best, place = scores.topk(min(2 * beams, scores.shape[1]), dim=1)
        beam, token = place // near, token.flatten(1).gather(1, place)
        tokens = open_tokens.gather(1, beam[..., None].expand(-1, -1, length)).clone()
        tokens[:, :, step] = token
        ended = token == end if end is not None else torch.zeros_like(token, dtype=torch.bool)
        last = step == length - 1
        over = best.where(ended | last, -torch.inf) / _penalty(step + 1, penalty)
        if covered is not None:
            over = over + coverage * _coverage(covered).gather(1, beam)
        kept = _better(kept, Beams(tokens, over, torch.full_like(place, step + 1)), beams)
        if last:
            break
        open_scores, chosen = _padded(best.masked_fill(ended, -torch.inf), beams).topk(beams, dim=1)
        chosen = chosen.clamp(max=place.shape[1] - 1)
        if decided((kept.scores[:, -1] >= open_scores[:, 0] / _penalty(length, penalty)).all()):
            break
        open_tokens = tokens.gather(1, chosen[..., None].expand(-1, -1, length))
        chosen = beam.gather(1, chosen)  # (B, K), the beam that each goes on from
        parents = (chosen + row * beams).flatten()  # rows of the state
        before = map_tensors(state, lambda part, parents=parents: part.index_select(0, parents))
        found, state = following(open_tokens[:, :, step].flatten(), before)
        logs = found.view(rows, beams, size)
        if covered is not None and attention is not None:
            looked = attention(state)
            assert looked is not None
            covered = covered.gather(1, chosen[..., None].expand_as(covered)) + looked.view_as(covered)
    return kept


def refuse_nan(logs: Tensor, followed: Tensor) -> None:
    """Refuse NaN among the log-probabilities ``(..., V)`` of texts, where ``followed`` ``(...)`` is true.

    No token is likeliest then: whatever is chosen would be written as if the network meant it.

    Raises:
        DataError: There is one.
    """
    if decided((logs.isnan().any(-1) & followed).any()):
        raise DataError(
            "the network gives the next token no probability but NaN: its weights or its inputs are not finite, or it "
            "finds every token impossible; train it again, with a lower learning rate"
        )


def _penalty(length: int, alpha: float) -> float:
    return ((5 + length) / 6) ** alpha


def _coverage(covered: Tensor) -> Tensor:
    """Return the sum of log(min(attention, 1)) over the places that were looked at at all: ``(B, K, L)`` to (B, K)."""
    return torch.where(covered > 0, covered, 1).clamp(max=1).log().sum(-1)


def _padded(scores: Tensor, beams: int) -> Tensor:
    """Return the scores with enough columns of minus infinity for ``beams`` to be chosen."""
    missing = max(0, beams - scores.shape[1])
    return torch.nn.functional.pad(scores, (0, missing), value=-torch.inf)


def _better(kept: Beams, new: Beams, beams: int) -> Beams:
    """Return the best of what is kept and what is new."""
    scores, place = torch.cat([kept.scores, new.scores], 1).topk(beams, dim=1)
    tokens = torch.cat([kept.tokens, new.tokens], 1).gather(1, place[..., None].expand(-1, -1, kept.tokens.shape[2]))
    return Beams(tokens, scores, torch.cat([kept.lengths, new.lengths], 1).gather(1, place))
