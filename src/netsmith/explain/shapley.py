r"""Shapley values: what each part adds to the score, on average over all orders in which the parts can arrive.

With players :math:`N` (columns, segments of a picture, words), :math:`v(S)` the score with the players in :math:`S`
present and the others at their baseline (Shapley 1953):

.. math:: \phi_i = \sum_{S \subseteq N \setminus i} \frac{|S|!\,(|N| - |S| - 1)!}{|N|!} \, (v(S \cup i) - v(S))

The sum has :math:`2^{|N|}` terms (:func:`exact_shapley_values`, for few players). Castro, Gomez & Tejada 2009
(doi:10.1016/j.cor.2008.04.004) and Strumbelj & Kononenko 2010 draw orders instead: along one order the gains add up to
:math:`v(N) - v(\emptyset)` exactly, their mean over orders is unbiased. Every order is followed by its reverse
(antithetic, Mitchell et al. 2022, arXiv:2104.12199), which lowers the variance and is exact for scores whose parts
interact in pairs only. SHAP (Lundberg & Lee 2017, arXiv:1705.07874) is these values, with this or another estimator.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netsmith.core.errors import UserError
from netsmith.explain._forward import evaluating
from netsmith.explain._players import Game

__all__ = ["Shapley", "arrival_orders", "exact_shapley_values", "shapley_values"]

_MOST = 20  # players whose coalitions are enumerated: a million rows


class Shapley(NamedTuple):
    """Shapley values, how sure they are, and whether they add up.

    Attributes:
        values: ``(B, P)``, one per segment (0 for one that an example does not have), in units of the score.
        standard_error: ``(B, P)``, of the mean over orders; 0 where all coalitions were counted.
        attributions: The values laid over the inputs, ``(B, ...)`` in the shape of the segments.
        efficiency_error: ``(B,)``, the sum of the values minus ``F(x) - F(baseline)``: rounding alone.
    """

    values: Tensor
    standard_error: Tensor
    attributions: Tensor
    efficiency_error: Tensor


def shapley_values(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | int | None = None,
    *,
    generator: torch.Generator,
    segments: Tensor | None = None,
    baselines: Tensor | float = 0.0,
    orders: int = 32,
    antithetic: bool = True,
    rows: int = 512,
) -> Shapley:
    """Estimate Shapley values from random orders of arrival; all examples share the orders.

    Use it where the axioms matter (the parts add up to the score, equal parts get the same, idle ones get 0) and no
    gradient can be had, or where the parts interact.

    Args:
        module: Returns ``(B, K)`` scores or ``(B,)`` values; it is left as found and needs no gradient.
        inputs: ``(B, ...)`` of any number type; tokens too.
        targets: The class explained, ``(B,)`` or one for all; None explains the class predicted for ``inputs``.
        generator: Draws the orders.
        segments: The players: int64 that broadcasts to ``inputs``, -1 where nothing is ever switched off (see
            :mod:`netsmith.explain.segments`); None makes every column of ``(B, F)`` inputs one.
        baselines: What an absent segment shows: a number, or a tensor that broadcasts to ``inputs``.
        orders: How many orders; even where antithetic, and at least 4 then (2 otherwise), to tell the error.
        antithetic: Every other order is the reverse of the one before.
        rows: At most about this many rows in one forward pass.

    Returns:
        Values, their standard error, the same over the inputs, and the efficiency error.

    Raises:
        UserError: Segments, baselines, targets or a number of orders that do not fit.
        UnsupportedError: The module returns no table of scores.
    """
    least = 4 if antithetic else 2
    if orders < least or (antithetic and orders % 2):
        kind = "an even number of at least 4 antithetic ones" if antithetic else "at least 2"
        raise UserError(f"orders is {orders}; expected {kind}, so that a standard error can be told")
    with evaluating(module):
        game = Game(module, inputs, targets, segments=segments, baselines=baselines, rows=rows)
        drawn = arrival_orders(game.players, orders, generator=generator, antithetic=antithetic).to(inputs.device)
        # who is present after k arrivals: (orders, P - 1, P); nobody and everybody are known
        arrival = torch.empty_like(drawn).scatter_(1, drawn, torch.arange(game.players).to(drawn).expand_as(drawn))
        steps = torch.arange(1, game.players, device=drawn.device)
        present = arrival[:, None] < steps[:, None]
        between = game.scores(present.flatten(0, 1)).unflatten(1, (orders, game.players - 1))
    ends = [game.empty[:, None, None], game.full[:, None, None]]
    path = torch.cat([ends[0].expand(-1, orders, -1), between, ends[1].expand(-1, orders, -1)], 2)  # (B, orders, P + 1)
    gains = torch.zeros_like(path[..., 1:]).scatter_(2, drawn.expand(len(path), -1, -1), path.diff(dim=2))
    units = gains.unflatten(1, (-1, 2)).mean(2) if antithetic else gains  # independent of each other
    error = units.std(1) / math.sqrt(units.shape[1])
    return _shapley(game, gains.mean(1), error)


def exact_shapley_values(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | int | None = None,
    *,
    segments: Tensor | None = None,
    baselines: Tensor | float = 0.0,
    rows: int = 512,
) -> Shapley:
    """Return Shapley values from all coalitions: ``2 ** P`` forward rows per example, so for at most 20 players.

    Arguments, shapes and errors as :func:`shapley_values`; the standard error is 0.
    """
    with evaluating(module):
        game = Game(module, inputs, targets, segments=segments, baselines=baselines, rows=rows)
        players = game.players
        if players > _MOST:
            raise UserError(
                f"{players} players have {2.0**players:.1e} coalitions; expected at most {_MOST} players, "
                "shapley_values draws orders instead"
            )
        present = (torch.arange(2**players)[:, None] >> torch.arange(players) & 1).bool().to(inputs.device)  # (2^P, P)
        scores = game.scores(present)  # (B, 2^P)
    size = present.sum(1, keepdim=True)
    share = torch.tensor([1 / (players * math.comb(players - 1, s)) for s in range(players)], dtype=torch.float64)
    share = share.to(device=scores.device, dtype=scores.dtype)  # |S|! (P - |S| - 1)! / P!
    weights = torch.where(present, share[(size - 1).clamp(min=0)], -share[size.clamp(max=players - 1)])
    values = scores @ weights
    return _shapley(game, values, torch.zeros_like(values))


def arrival_orders(players: int, count: int, *, generator: torch.Generator, antithetic: bool = True) -> Tensor:
    """Draw orders in which players arrive: ``(count, players)`` int64, each row a permutation.

    Args:
        players: How many.
        count: How many orders.
        generator: Draws them.
        antithetic: Every other row is the reverse of the one before.
    """
    drawn = -(-count // 2) if antithetic else count
    found = torch.rand(drawn, players, generator=generator, device=generator.device).argsort(1)
    return torch.stack([found, found.flip(1)], 1).flatten(0, 1)[:count] if antithetic else found


def _shapley(game: Game, values: Tensor, error: Tensor) -> Shapley:
    values, error = values * game.there, error * game.there  # one that is not there adds nothing
    return Shapley(values, error, game.spread(values), values.sum(1) - (game.full - game.empty))
