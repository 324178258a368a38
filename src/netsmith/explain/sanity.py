r"""Checks of the explanations themselves: a map must depend on the network and on what the network looks at.

- Model randomization (Adebayo et al. 2018, arXiv:1810.03292): destroy the layers one after the other, from the output
  to the input; a map that stays alike explains the picture, not the network. We shuffle the entries of each parameter
  instead of drawing new ones: the learned structure is gone while every layer keeps its scale.
- Deletion and insertion (Petsiuk, Das & Saenko 2018, arXiv:1806.07421): take away (or bring in) the pixels a map calls
  most important first; the area under the probability is small (large) for a good map.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from netsmith.core.errors import UserError
from netsmith.explain._forward import chunks, evaluating, fill_like, pick, repeat, resolve_targets
from netsmith.explain._ranks import mean_ranks

__all__ = ["Curve", "RandomizedLayer", "pixel_curve", "randomization_check", "rank_correlation"]


class RandomizedLayer(NamedTuple):
    """How alike the maps are after the layers from the output down to ``layer`` were destroyed.

    Attributes:
        layer: The layer destroyed last.
        correlation: Spearman's rank correlation of absolute attributions with the intact module's, mean over examples.
    """

    layer: str
    correlation: float


class Curve(NamedTuple):
    """Probability against the share of pixels taken away or brought in.

    Attributes:
        shares: ``(S + 1,)``, 0..1.
        probabilities: ``(B, S + 1)``.
        area: ``(B,)``, by the trapezoidal rule.
    """

    shares: Tensor
    probabilities: Tensor
    area: Tensor


def randomization_check(
    module: nn.Module,
    attribute: Callable[[nn.Module], Tensor],
    *,
    generator: torch.Generator,
    stages: int | None = None,
) -> list[RandomizedLayer]:
    """Destroy a copy of the module layer by layer from the output and follow the attributions.

    Args:
        module: Left untouched.
        attribute: ``attribute(module)`` returns ``(B, ...)`` attributions of fixed examples and fixed classes.
        generator: Shuffles the parameters.
        stages: Attribute only after so many evenly spaced layers, the first layer of the module (all is destroyed then)
            always among them; None after each.

    Returns:
        One entry per layer that has parameters of its own, the last layer first (order of definition); with ``stages``
        those measured.

    Raises:
        UserError: ``stages`` below 1.

    Example:
        >>> network = nn.Linear(4, 2)
        >>> draw = torch.Generator().manual_seed(0)
        >>> [name for name, _ in randomization_check(network, lambda net: net.weight[:1], generator=draw)]
        ['']
    """
    intact = attribute(module).detach()
    broken = copy.deepcopy(module)
    results = []
    layers = [
        (name, part) for name, part in broken.named_modules() if next(part.parameters(recurse=False), None) is not None
    ]
    if stages is not None and stages < 1:
        raise UserError(f"stages is {stages}; expected at least 1")
    count = len(layers)
    measured = range(1, count + 1) if stages is None else {-(-count * one // stages) for one in range(1, stages + 1)}
    for place, (name, part) in enumerate(reversed(layers), 1):
        with torch.no_grad():
            for parameter in part.parameters(recurse=False):
                order = torch.randperm(parameter.numel(), generator=generator, device=generator.device)
                parameter.copy_(parameter.flatten()[order.to(parameter.device)].reshape(parameter.shape))
        if place not in measured:
            continue
        alike = rank_correlation(intact.abs(), attribute(broken).detach().abs())
        results.append(RandomizedLayer(name, float(alike.mean())))
    return results


def rank_correlation(first: Tensor, second: Tensor) -> Tensor:
    """Return Spearman's rank correlation of each example: ``(B,)``; ties share their mean rank, a flat map gives 0.

    Args:
        first: ``(B, ...)``.
        second: The shape of ``first``.
    """
    if first.shape != second.shape or first.dim() < 2:
        raise UserError(f"got shapes {tuple(first.shape)} and {tuple(second.shape)}; expected the same (B, ...) twice")
    ranks = [mean_ranks(maps.flatten(1)) for maps in (first, second)]
    a, b = (rank - rank.mean(1, keepdim=True) for rank in ranks)
    norm = a.norm(dim=1) * b.norm(dim=1)
    return torch.where(norm > 0, (a * b).sum(1) / norm.clamp_min(1e-300), 0.0)


def pixel_curve(
    module: nn.Module,
    inputs: Tensor,
    targets: Tensor | int | None = None,
    *,
    attributions: Tensor,
    mode: Literal["deletion", "insertion"],
    fill: Tensor | float = 0.0,
    steps: int = 20,
    rows: int = 512,
) -> Curve:
    """Take away (or bring in) places in the order of their attribution and follow the probability of the class.

    Args:
        module: Returns ``(B, K)`` scores, taken through a softmax, or ``(B,)`` values, taken as they are.
        inputs: ``(B, C, H, W)`` or ``(B, F)``; tokens ``(B, L)`` too.
        targets: The class followed; None is the class predicted for ``inputs``.
        attributions: ``(B, H, W)`` or ``(B, F)``: one number per place, larger is more important.
        mode: ``"deletion"`` (smaller area is better) or ``"insertion"`` (larger is better).
        fill: What stands where nothing is: a number, or broadcastable to ``inputs`` (the unknown token, and padding
            where there is padding).
        steps: Steps from the whole to nothing.
        rows: At most about this many rows in one forward pass.

    Raises:
        UserError: Shapes or a mode that do not fit.
    """
    places = inputs.shape[2:] if inputs.dim() > 2 else inputs.shape[1:]
    if attributions.shape != (inputs.shape[0], *places):
        wanted = (inputs.shape[0], *places)
        raise UserError(f"attributions have shape {tuple(attributions.shape)}; expected {tuple(wanted)}")
    if mode not in ("deletion", "insertion") or steps < 1:
        raise UserError(f"mode is {mode!r}, steps is {steps}; expected 'deletion' or 'insertion', and at least 1 step")
    inputs = inputs.detach()
    batch, count = inputs.shape[0], places.numel()
    order = torch.argsort(attributions.detach().flatten(1), dim=1, descending=True, stable=True)
    rank = torch.empty_like(order).scatter_(1, order, torch.arange(count, device=order.device).expand(batch, -1))
    limits = torch.linspace(0, count, steps + 1, device=inputs.device).round().long()  # (S + 1,)
    nothing = fill_like(fill, inputs, "fill")
    found = []
    with evaluating(module), torch.no_grad():
        classes = resolve_targets(module(inputs), targets)
        for start, stop in chunks(steps + 1, batch, rows):
            chosen = rank[:, None] < limits[start:stop, None]  # (B, n, places): the most important ones
            chosen = chosen.reshape(batch, stop - start, *places)
            chosen = chosen if inputs.dim() == 2 else chosen[:, :, None]
            shown = chosen if mode == "insertion" else ~chosen
            mixed = torch.where(shown, inputs[:, None], nothing[:, None]).flatten(0, 1)
            output = module(mixed)
            if classes is not None:
                output = output.softmax(1)
            wanted = None if classes is None else repeat(classes, stop - start)
            found.append(pick(output, wanted).reshape(batch, stop - start))
    probabilities = torch.cat(found, 1)
    shares = (limits / count).to(probabilities)
    return Curve(shares, probabilities, torch.trapezoid(probabilities, shares, dim=1))
