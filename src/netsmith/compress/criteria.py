"""How much a unit matters: scores by which pruning chooses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from netsmith.compress.graph import FROZEN, ChannelGraph
from netsmith.core.errors import UnsupportedError

__all__ = ["RELATIVE", "Criterion", "score_units"]

Criterion = Literal["l1", "l2", "geometric_median", "bn_scale", "taylor", "random"]

RELATIVE: tuple[Criterion, ...] = ("l1", "l2", "geometric_median")
"""Criteria that grow with the size and scale of a layer: across layers, only relative to their mean in one."""

_ROWS = 1024  # filters whose distances to all others are held at once
_AT_ONCE = 2**16  # weights that are held in float64 at once


def score_units(
    module: nn.Module,
    graph: ChannelGraph,
    *,
    criterion: Criterion = "l2",
    gradients: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> dict[int, float]:
    """Return a score for every unit that may be cut; the lowest go first.

    - ``l1``, ``l2``: the norm of all filters that make the unit, over every layer tied to it (Li et al. 2017).
    - ``geometric_median``: the sum of the distances from a filter to all filters of its layer, over every layer tied to
      it (He et al. 2019, FPGM, arXiv:1811.00250): the filter that the others can best stand in for goes first, however
      large. The exact geometric median is a point of space that is none of the filters; as in the paper it is sought
      among the filters themselves, where it is the one of the least sum.
    - ``bn_scale``: the sum of the absolute scales of its batch normalizations (Liu et al. 2017, network slimming);
      units without one are not scored and so never cut.
    - ``taylor``: the squared sum of gradient times weight over what makes it (Molchanov et al. 2019, Eq. 9).
    - ``random``: the control every other criterion must beat.

    Args:
        module: The network that was traced.
        graph: What the trace found.
        criterion: The criterion.
        gradients: For ``taylor``, the gradient of the loss for each parameter by name.
        generator: For ``random``, where the randomness comes from.

    Raises:
        UnsupportedError: The criterion is unknown, needs something that was not given, or scores nothing here.
    """
    units = [unit for family in graph.families for unit in family.units]
    if criterion == "random":
        if generator is None:
            raise UnsupportedError("the criterion random needs generator=torch.Generator()")
        return dict(zip(units, torch.rand(len(units), generator=generator, dtype=torch.float64).tolist(), strict=True))
    if criterion == "taylor" and gradients is None:
        raise UnsupportedError("the criterion taylor needs gradients={name: gradient} of the loss")
    held = {name: p.detach() for name, p in module.named_parameters()}
    totals: dict[int, float] = {}
    for slot in graph.slots:
        if not slot.makes or slot.tensor not in held or (slot.units == FROZEN).all():
            continue
        tensor = held[slot.tensor]
        weight = tensor.movedim(slot.axis, 0).reshape(len(slot.units), -1)  # (positions, rest)
        owner, _, own = slot.tensor.rpartition(".")
        if criterion in ("l1", "l2", "geometric_median"):
            if tensor.dim() < 2:
                continue
            each = _distances(weight.double()) if criterion == "geometric_median" else _norms(weight, criterion)
        elif criterion == "bn_scale":
            if own != "weight" or not isinstance(module.get_submodule(owner), nn.modules.batchnorm._BatchNorm):
                continue
            each = _norms(weight, "l1")
        elif criterion == "taylor":
            assert gradients is not None
            gradient = gradients.get(slot.tensor)
            if gradient is None or gradient.shape != tensor.shape:
                raise UnsupportedError(f"the criterion taylor needs the gradient of {slot.tensor}, in its shape")
            each = (weight.double() * gradient.double().movedim(slot.axis, 0).reshape(weight.shape)).sum(1)
        else:
            raise UnsupportedError(
                f"criterion must be l1, l2, geometric_median, bn_scale, taylor or random, got {criterion!r}"
            )
        _add(totals, slot.units, each.cpu().numpy())
    scores = {unit: totals[unit] for unit in units if unit in totals}
    if criterion in ("l2", "taylor"):
        scores = {unit: total**0.5 if criterion == "l2" else total**2 for unit, total in scores.items()}
    if units and not scores:
        raise UnsupportedError(f"the criterion {criterion} scores nothing in this network; take l2")
    return scores


def _norms(filters: Tensor, criterion: Literal["l1", "l2"]) -> Tensor:
    """Return the sums of magnitudes or of squares of ``(positions, rest)`` filters, in float64.

    A few filters at once: what fits the processor's cache is several times faster than a copy of them all.
    """
    rows = max(1, _AT_ONCE // max(1, filters.shape[1]))
    parts = (part.double() for part in filters.split(rows))
    return torch.cat([(part.abs() if criterion == "l1" else part.square()).sum(1) for part in parts])


def _distances(filters: Tensor) -> Tensor:
    """Return for each of ``(positions, rest)`` filters the sum of its Euclidean distances to all of them."""
    filters = filters - filters.mean(0)  # changes no distance, and keeps digits where all filters are alike
    return torch.cat([torch.cdist(part, filters).sum(1) for part in filters.split(_ROWS)])


def _add(totals: dict[int, float], units: np.ndarray, each: np.ndarray) -> None:
    for unit, value in zip(units.tolist(), each.tolist(), strict=True):
        if unit != FROZEN:
            totals[unit] = totals.get(unit, 0.0) + value
