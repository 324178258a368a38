"""What a network loses when one layer alone loses channels: how sensitive each is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.compress.choice import choose_units, within
from netsmith.compress.criteria import Criterion, score_units
from netsmith.compress.graph import ChannelGraph
from netsmith.compress.proof import mask_units
from netsmith.compress.trace import trace
from netsmith.core.errors import UnsupportedError
from netsmith.measure.example import Example

__all__ = ["Sensitivity", "sensitivity"]


@dataclass(frozen=True)
class Sensitivity:
    """A curve per family of channels: the measure after a part of its channels is masked.

    Attributes:
        baseline: The measure of the whole network.
        criterion: By what the masked channels were chosen.
        ratios: The parts that were masked, increasing.
        curves: By the name of a family's first module, the measure at each ratio. Families that no name tells apart
            were masked together and share a curve.
    """

    baseline: float
    criterion: str
    ratios: tuple[float, ...]
    curves: Mapping[str, tuple[float, ...]]

    def bears(self, drop: float) -> dict[str, float]:
        """Return the largest part that each family can lose alone, for ``prune(ratio=...)``.

        Layers err together: all these cuts at once cost more than ``drop``, so fine-tune or ask for less.

        Args:
            drop: How far the measure may fall below the baseline, in its own unit; at least 0.

        Returns:
            By module name the largest ratio up to which no tried ratio fell further; 0 where the first did.

        Raises:
            UnsupportedError: A drop below 0 or not a number.
        """
        if not drop >= 0:
            raise UnsupportedError(f"expected an allowed drop of at least 0, got {drop}")
        found: dict[str, float] = {}
        for name, values in self.curves.items():
            found[name] = 0.0
            for ratio, value in zip(self.ratios, values, strict=True):
                if not value >= self.baseline - drop:  # also where the measure is not a number
                    break
                found[name] = ratio
        return found

    def series(self, *, most: int = 5) -> list[tuple[str, tuple[float, ...], tuple[float, ...]]]:
        """Return the most sensitive families as lines of a chart: name, ratios from 0, the measure from the baseline.

        Each is what a curve of the report's line chart takes: ``Curve(name, ratios, values)``.

        Args:
            most: How many; a chart tells five apart.
        """
        order = sorted(self.curves, key=lambda name: _mean(self.curves[name]))  # stable: in the network's order
        return [(name, (0.0, *self.ratios), (self.baseline, *self.curves[name])) for name in order[:most]]

    def to_json(self) -> dict[str, Any]:
        """Return the curves as JSON values; what is not finite becomes None."""
        return {
            "format": 1,
            "baseline": _finite(self.baseline),
            "criterion": self.criterion,
            "ratios": list(self.ratios),
            "curves": {name: [_finite(value) for value in values] for name, values in self.curves.items()},
        }


def sensitivity(
    module: nn.Module,
    example: Example,
    measure: Callable[[nn.Module], float],
    *,
    ratios: Sequence[float] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    criterion: Criterion = "l2",
    gradients: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
) -> Sensitivity:
    """Mask each family of channels at each ratio, alone and without fine-tuning, and measure (Li et al. 2017, Fig. 2).

    The channels are those that ``prune(ratio={name: ratio})`` would cut. A masked network answers as the cut one does,
    so no surgery is made: as many calls of ``measure`` as families times ratios at most (masks that come out the same
    are measured once).

    Args:
        module: Any module; not touched.
        example: See :func:`~netsmith.compress.prune.prune`.
        measure: Judges a masked copy, which is in the module's own mode; higher is better (the negative of a loss).
        ratios: Parts of a family's channels to mask, increasing, each in (0, 1).
        criterion: See :func:`~netsmith.compress.criteria.score_units`.
        gradients: For the criterion ``taylor``.
        generator: For the criterion ``random``.

    Raises:
        UnsupportedError: Ratios out of range or order; an operation without a rule; nothing that could be cut.
    """
    parts = tuple(float(ratio) for ratio in ratios)
    if not parts or list(parts) != sorted(set(parts)) or not 0 < parts[0] <= parts[-1] < 1:
        raise UnsupportedError(f"expected increasing ratios in (0, 1), got {tuple(ratios)}")
    graph = trace(module, example)
    scores = score_units(module, graph, criterion=criterion, gradients=gradients, generator=generator)
    baseline = float(measure(mask_units(module, graph, set())))
    curves: dict[str, tuple[float, ...]] = {}
    for names in _together(graph):
        known = {frozenset[int](): baseline}
        values = []
        for part in parts:
            units = choose_units(module, graph, scores, ratio=dict.fromkeys(names, part))
            if frozenset(units) not in known:
                known[frozenset(units)] = float(measure(mask_units(module, graph, units)))
            values.append(known[frozenset(units)])
        curves |= dict.fromkeys(names, tuple(values))
    if not curves:
        raise UnsupportedError("no channel of this network can be cut: all are inputs, outputs, protected or mixed")
    return Sensitivity(baseline, criterion, parts, {f.name: curves[f.name] for f in graph.families})


def _together(graph: ChannelGraph) -> list[list[str]]:
    """Return the names of families, in groups that a ratio for one name cannot tell apart."""
    groups: list[tuple[set[str], set[int]]] = []
    for name in dict.fromkeys(family.name for family in graph.families):
        names, reached = {name}, {i for i, family in enumerate(graph.families) if within(family, name)}
        apart = []
        for others, indices in groups:
            if indices & reached:
                names, reached = others | names, indices | reached
            else:
                apart.append((others, indices))
        groups = [*apart, (names, reached)]
    return [sorted(names) for names, _ in groups]


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(values) if len(finite) == len(values) else -math.inf


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
