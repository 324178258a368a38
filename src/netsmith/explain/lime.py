r"""LIME and Kernel SHAP: a linear model that answers as the network does in the neighborhood of one input.

Ribeiro, Singh & Guestrin 2016 (arXiv:1602.04938): switch segments of the input off at random,
:math:`z' \in \{0, 1\}^P`, score what remains, :math:`f(z)`, and fit :math:`g(z') = w \cdot z' + b` by

.. math::

    \arg\min_g \sum_{z'} \pi(z') \, (f(z) - g(z'))^2 + \Omega(g), \qquad
    \pi(z') = \exp\Big(-\frac{D(z')^2}{2 \sigma^2}\Big)

(Eq. 1 and 2) with D the cosine distance of :math:`z'` from all ones. Our ``kernel_width`` is their :math:`\sigma`, in
the form of the authors' code, whose kernel is the root of the paper's. How well g follows f in the neighborhood is
returned as ``fidelity``: an explanation of low fidelity explains g alone.

Kernel SHAP (Lundberg & Lee 2017, arXiv:1705.07874, Theorem 2) is the same regression, without a penalty, with
:math:`\pi(z') = (P - 1) / \big(\binom{P}{|z'|} |z'| (P - |z'|)\big)`: its weights are the Shapley values.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from netsmith.core.errors import UserError
from netsmith.core.extras import require
from netsmith.explain._forward import evaluating
from netsmith.explain._players import Game

__all__ = ["Lime", "coalitions", "kernel_shap", "lime"]

_ALL = 12  # players whose coalitions Kernel SHAP takes all, where they are no more than the samples asked for


class Lime(NamedTuple):
    """A linear model around each example.

    Attributes:
        weights: ``(B, P)``, one per segment: what the score gains by its presence; 0 where an example has none.
        intercept: ``(B,)``, the linear model's answer without any segment.
        attributions: The weights laid over the inputs, ``(B, ...)`` in the shape of the segments.
        fidelity: ``(B,)``, the weighted coefficient of determination (R squared) on the samples: 1 is perfect.
    """

    weights: Tensor
    intercept: Tensor
    attributions: Tensor
    fidelity: Tensor


def lime(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | int | None = None,
    *,
    generator: torch.Generator,
    segments: Tensor | None = None,
    baselines: Tensor | float = 0.0,
    samples: int = 256,
    kernel_width: float = 0.25,
    penalty: Literal["ridge", "lasso"] = "ridge",
    strength: float = 1.0,
    rows: int = 512,
) -> Lime:
    r"""Fit LIME's linear model around each example; all examples share the samples.

    Use it for any module, without a gradient, where few words or regions should tell the story (``"lasso"`` sets the
    rest to zero). Segments of pictures are those of :mod:`netsmith.explain.segments`.

    Deviation: a column of a table is switched to its baseline, not drawn anew from the training data.

    Args:
        module: Returns ``(B, K)`` scores or ``(B,)`` values; it is left as found.
        inputs: ``(B, ...)`` of any number type; tokens too.
        targets: The class explained, ``(B,)`` or one for all; None explains the class predicted for ``inputs``.
        generator: Draws the samples.
        segments: int64 that broadcasts to ``inputs``, -1 where nothing is ever switched off; None makes every column of
            ``(B, F)`` inputs one.
        baselines: What an absent segment shows: a number, or a tensor that broadcasts to ``inputs``.
        samples: How many, the unperturbed input first.
        kernel_width: The paper's sigma.
        penalty: ``"ridge"`` (closed form) or ``"lasso"`` (scikit-learn).
        strength: Of the penalty: :math:`\Omega = \alpha |w|^2`, or scikit-learn's :math:`\alpha |w|_1` beside half the
            weighted mean square.
        rows: At most about this many rows in one forward pass.

    Returns:
        Weights, intercept, the weights over the inputs, and the fidelity.

    Raises:
        UserError: Settings, segments, baselines or targets that do not fit.
        UnsupportedError: The module returns no table of scores.
        MissingExtraError: ``"lasso"`` without scikit-learn.
    """
    if samples < 2 or not kernel_width > 0 or strength < 0 or penalty not in ("ridge", "lasso"):
        raise UserError(
            f"samples is {samples}, kernel_width {kernel_width}, penalty {penalty!r} of strength {strength}; expected "
            "samples >= 2, kernel_width > 0, 'ridge' or 'lasso', strength >= 0"
        )
    with evaluating(module):
        game = Game(module, inputs, targets, segments=segments, baselines=baselines, rows=rows)
        present = coalitions(game.players, samples, generator=generator).to(inputs.device)
        scores = game.scores(present).cpu().double()  # (B, N)
    there, shown = game.there.cpu(), present.cpu()[None] & game.there.cpu()[:, None]  # (B or 1, N, P)
    share = shown.sum(2) / there.sum(1, keepdim=True).clamp(min=1)
    pi = (-(1 - share.double().sqrt()).square() / (2 * kernel_width**2)).exp()  # Eq. 2, cosine distance
    pi, design = pi.expand(len(scores), -1), shown.double().expand(len(scores), -1, -1)
    # centering by the weighted means leaves the intercept free of the penalty
    mean = (pi[..., None] * design).sum(1, keepdim=True) / pi.sum(1)[:, None, None]  # (B, 1, P)
    center = (pi * scores).sum(1, keepdim=True) / pi.sum(1, keepdim=True)  # (B, 1)
    if penalty == "ridge":
        weights = _ridge(design - mean, scores - center, pi, strength)
    else:
        weights = _lasso(design, scores, pi, strength)
    intercept = (center - (mean[:, 0] * weights).sum(1, keepdim=True))[:, 0]
    rest = scores - (design @ weights[..., None])[..., 0] - intercept[:, None]
    spread = (pi * (scores - center).square()).sum(1)
    left = (pi * rest.square()).sum(1)
    fidelity = torch.where(spread > 0, 1 - left / spread.clamp_min(1e-300), 1.0)
    weights = (weights * there).to(game.full)
    return Lime(weights, intercept.to(game.full), game.spread(weights), fidelity.to(game.full))


def kernel_shap(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | int | None = None,
    *,
    generator: torch.Generator,
    segments: Tensor | None = None,
    baselines: Tensor | float = 0.0,
    samples: int = 256,
    rows: int = 512,
) -> Lime:
    """Estimate Shapley values by the weighted regression of Kernel SHAP; the parts add up to the score exactly.

    Where all coalitions are no more than ``samples`` (and there are at most 12 players) all are taken, and the values
    are exact; otherwise coalitions are drawn in proportion to their weight, each with its complement.

    Arguments, shapes and errors as :func:`lime`; the intercept is the score at the baseline.
    """
    with evaluating(module):
        game = Game(module, inputs, targets, segments=segments, baselines=baselines, rows=rows)
        players = game.players
        if players == 1:
            weights = (game.full - game.empty)[:, None] * game.there
            return Lime(weights, game.empty, game.spread(weights), torch.ones_like(game.full))
        if samples < 2 * players:
            raise UserError(f"samples is {samples}; expected at least {2 * players}, two per player")
        present, pi = _kernel_samples(players, samples, generator)
        scores = game.scores(present.to(inputs.device)).cpu().double()
    empty, full = game.empty.cpu().double(), game.full.cpu().double()
    there = game.there.cpu()
    design = (present[None] & there[:, None]).double().expand(len(scores), -1, -1)
    last = there.double().flip(1).argmax(1)  # the last player that an example has takes what the others leave
    chosen = (players - 1 - last).expand(len(scores))[:, None, None]
    final = design.gather(2, chosen.expand(-1, design.shape[1], 1))  # (B, N, 1)
    gain = scores - empty[:, None]
    rise = (full - empty)[:, None]
    free = (design - final) * there[:, None]
    root = pi.sqrt()[None].expand(len(scores), -1)
    weights = _least_squares(free * root[..., None], (gain - final[..., 0] * rise) * root)
    weights = (weights * there).scatter(1, chosen[:, 0], 0.0)
    weights = weights.scatter(1, chosen[:, 0], rise - weights.sum(1, keepdim=True))
    rest = gain - (design @ weights[..., None])[..., 0]
    spread = (pi * (gain - (pi * gain).sum(1, keepdim=True) / pi.sum()).square()).sum(1)
    fidelity = torch.where(spread > 0, 1 - (pi * rest.square()).sum(1) / spread.clamp_min(1e-300), 1.0)
    weights = weights.to(game.full)
    return Lime(weights, game.empty, game.spread(weights), fidelity.to(game.full))


def coalitions(players: int, samples: int, *, generator: torch.Generator) -> Tensor:
    """Draw LIME's samples: ``(samples, players)`` bool, all present in the first, each with probability 1/2 after it.

    Args:
        players: P.
        samples: N.
        generator: Draws them.
    """
    drawn = torch.rand(samples, players, generator=generator, device=generator.device) < 0.5
    drawn[0] = True
    return drawn


def _kernel_samples(players: int, samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return coalitions ``(N, P)``, neither empty nor whole, and their weights in the regression ``(N,)``."""
    sizes = torch.arange(1, players)
    per_size = (players - 1) / (sizes * (players - sizes)).double()  # all coalitions of a size together
    if players <= _ALL and 2**players - 2 <= samples:
        every = (torch.arange(1, 2**players - 1)[:, None] >> torch.arange(players) & 1).bool()
        count = torch.tensor([math.comb(players, int(size)) for size in sizes], dtype=torch.float64)
        return every, (per_size / count)[every.sum(1) - 1]
    half = samples // 2
    device = generator.device
    size = sizes[torch.multinomial(per_size.to(device), half, replacement=True, generator=generator).cpu()]
    rank = torch.rand(half, players, generator=generator, device=device).argsort(1).argsort(1).cpu()
    drawn = rank < size[:, None]
    return torch.cat([drawn, ~drawn]), torch.ones(2 * half, dtype=torch.float64)


def _ridge(design: Tensor, scores: Tensor, pi: Tensor, strength: float) -> Tensor:
    """Return the weights ``(B, P)`` of ridge regressions; centered ``(B, N, P)``, ``(B, N)``, weighted ``(B, N)``."""
    root = pi.sqrt()
    left, right = design * root[..., None], scores * root
    if strength > 0:  # the penalty as rows more
        players = design.shape[2]
        more = math.sqrt(strength) * torch.eye(players, dtype=design.dtype)
        left = torch.cat([left, more.expand(len(left), -1, -1)], 1)
        right = torch.cat([right, right.new_zeros(len(right), players)], 1)
    return _least_squares(left, right)


def _least_squares(left: Tensor, right: Tensor) -> Tensor:
    """Return the least (by norm) of the best solutions ``(B, P)``, so that an idle column gets 0."""
    return torch.linalg.lstsq(left, right[..., None], driver="gelsd").solution[..., 0]


def _lasso(design: Tensor, scores: Tensor, pi: Tensor, strength: float) -> Tensor:
    linear_model = require("sklearn.linear_model", extra="classic")
    found = []
    for rows, wanted, weight in zip(design.numpy(), scores.numpy(), pi.numpy(), strict=True):
        fitted = linear_model.Lasso(alpha=strength, tol=1e-8, max_iter=20_000).fit(rows, wanted, sample_weight=weight)
        found.append(torch.from_numpy(fitted.coef_.copy()))
    return torch.stack(found)
