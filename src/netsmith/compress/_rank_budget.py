"""A budget spread over layers: which rank each gets, so that what they cost together stays within it."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from netsmith.compress._factor_layers import Rank, kind_of, matrix_of, places
from netsmith.compress._low_rank import tucker2_energies
from netsmith.measure.example import Example, called, tensors
from netsmith.measure.macs import on_meta

__all__ = ["Choices", "Prices", "choices_of", "multiply_prices", "spread"]

_LEAST = 1e-300  # an energy of zero has no logarithm
_EXCHANGES = 100
_NOTHING = 1e-12


@dataclass(frozen=True)
class Prices:
    """What a number in the weights of a layer's factors costs, and what the layer costs as it is.

    Attributes:
        first: Of a change of channels before the core; of a matrix, of the thin layer that runs first.
        core: Of a kernel's core.
        last: Of what runs last.
        whole: Of the layer as it is, all in all.
    """

    first: int
    core: int
    last: int
    whole: int

    @staticmethod
    def parameters(layer: nn.Module) -> Prices:
        """Count each number once."""
        return Prices(1, 1, 1, layer.weight.numel())  # type: ignore[operator,union-attr]


@dataclass(frozen=True)
class Choices:
    """What one layer can become; each choice costs more, and keeps more, than those before.

    Attributes:
        ranks: Of each choice; None for the layer as it is.
        costs: What each costs.
        energies: The part of the squared weights that each keeps, 0 to 1.
    """

    ranks: tuple[Rank | None, ...]
    costs: np.ndarray
    energies: np.ndarray


def multiply_prices(module: nn.Module, example: Example, names: Collection[str]) -> dict[str, Prices]:
    """Return the multiply-adds of layers by name: each number in a weight counts as often as it is multiplied.

    An embedding multiplies nothing; the map behind a thin one would. A layer that does not run costs nothing.
    """
    reads, answers = on_meta(module, example, lambda clone, given: _calls(clone, given, names))
    found = {}
    for name in names:
        layer: Any = module.get_submodule(name)
        n, size = answers[name], layer.weight.numel()
        if kind_of(layer) == "embedding":
            found[name] = Prices(0, 0, n, 0)
        else:  # a stride stays with the core, so what is before a core runs at every place that is read
            found[name] = Prices(reads[name] if places(layer) > 1 else n, n, n, n * size)
    return found


def _calls(clone: nn.Module, given: tuple[Any, ...], names: Collection[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many places layers read and answer in one forward pass, by name."""
    reads, answers = dict.fromkeys(names, 0), dict.fromkeys(names, 0)

    def watch(name: str, layer: Any) -> None:
        into, out = layer.weight.shape[1], layer.weight.shape[0]
        if isinstance(layer, nn.Embedding):
            into, out = 1, layer.embedding_dim

        def count(_: nn.Module, arguments: Any, named: Any, output: Any) -> None:
            reads[name] += tensors((arguments, named))[0].numel() // into
            answers[name] += output.numel() // out

        layer.register_forward_hook(count, with_kwargs=True)

    for name in names:
        watch(name, clone.get_submodule(name))
    with torch.no_grad():
        called(clone, given)
    return reads, answers


def choices_of(layer: nn.Module, prices: Prices) -> Choices:
    """Return what a layer can become.

    Ranks are left out whose factors have as many parameters as the layer or cost as much, and those that keep no more
    than cheaper ones.
    """
    size = layer.weight.numel()  # type: ignore[operator,union-attr]
    rows, columns = layer.weight.shape[:2]  # type: ignore[union-attr,misc,index]
    if places(layer) == 1:
        squares = torch.linalg.svdvals(matrix_of(layer).double()).square().cpu().numpy()
        ranks = np.arange(1, len(squares) + 1)[:, None]
        total = squares.sum()
        energies = squares.cumsum() / total if total else np.ones(len(squares))
        before, behind = (rows, columns) if isinstance(layer, nn.Embedding) else (columns, rows)
        numbers = ranks[:, 0] * (rows + columns)
        costs = ranks[:, 0] * (prices.first * before + prices.last * behind)
        useful = numbers < size
    else:
        outer, inner = (grid.reshape(-1) for grid in np.mgrid[1 : rows + 1, 1 : columns + 1])
        ranks = np.stack([outer, inner], axis=1)
        energies = tucker2_energies(layer.weight).cpu().numpy().reshape(-1)  # type: ignore[arg-type]
        before = np.where(inner < columns, inner * columns, 0)
        behind = np.where(outer < rows, outer * rows, 0)
        core = outer * inner * places(layer)
        numbers = before + core + behind
        costs = prices.first * before + prices.core * core + prices.last * behind
        filled = ((outer == rows) | (outer <= inner * places(layer))) & (
            (inner == columns) | (inner <= outer * places(layer))
        )
        useful = (numbers < size) & filled
    useful &= costs < prices.whole
    costs = np.append(costs[useful], prices.whole)
    energies = np.append(np.minimum(energies[useful], 1.0), 1.0)
    listed: list[Rank | None] = [tuple(pair) if len(pair) == 2 else pair[0] for pair in ranks[useful].tolist()]
    listed.append(None)
    order = np.lexsort((-energies, costs))
    best = np.maximum.accumulate(energies[order])
    order = order[np.append(True, best[1:] > best[:-1])]
    return Choices(tuple(listed[at] for at in order), costs[order], energies[order])


def spread(layers: Sequence[Choices], *, most: int) -> list[int]:
    r"""Choose for each layer so that all cost at most this, greedily by what a cost buys.

    .. math:: \max \sum_l \log e_l \quad \text{where} \quad \sum_l c_l \le \text{most}

    The product of the layers' energies e stands for the accuracy, as layers err one after the other (Kim, Khan & Kyung
    2019, arXiv:1811.12781); a layer's own scale has no part in it. Every layer starts at its cheapest choice. Then the
    step that gains most per cost is taken, over all layers, while it fits: each goes along the concave envelope of its
    choices, so that a dear step with a large gain behind it (to the layer as it is) is seen. What is left over goes to
    the layers whose next step did not fit; and while it gains, one layer gives way to a step of another.

    Returns:
        The place of each layer's choice; the cheapest ones where even those cost more.
    """
    values = [np.log(np.maximum(one.energies, _LEAST)) for one in layers]
    paths = [_envelope(one.costs, value) for one, value in zip(layers, values, strict=True)]
    chosen = [0] * len(layers)
    left = most - sum(int(one.costs[0]) for one in layers)
    if left < 0:
        return chosen
    queue: list[tuple[float, int, int]] = []  # minus the slope, the layer, how far along its path

    def offer(layer: int, at: int) -> None:
        path = paths[layer]
        if at + 1 < len(path):
            gain = values[layer][path[at + 1]] - values[layer][path[at]]
            heapq.heappush(queue, (-gain / _cost(layers[layer], path[at], path[at + 1]), layer, at))

    for layer in range(len(layers)):
        offer(layer, 0)
    waiting = []
    while queue:
        _, layer, at = heapq.heappop(queue)
        step = _cost(layers[layer], paths[layer][at], paths[layer][at + 1])
        if step <= left:
            left -= step
            chosen[layer] = paths[layer][at + 1]
            offer(layer, at + 1)
        else:
            waiting.append(layer)
    for layer in waiting:
        last = _affordable(layers[layer], chosen[layer], left)
        left -= _cost(layers[layer], chosen[layer], last)
        chosen[layer] = last
    for _ in range(_EXCHANGES):
        gain, up, down, at = max(
            (
                _exchange(layers, values, chosen, left, up, down)
                for up in range(len(layers))
                for down in range(len(layers))
            ),
            default=(0.0, 0, 0, 0),
        )
        if gain <= _NOTHING:
            break
        left -= _cost(layers[down], chosen[down], at)
        chosen[down] = at
        last = _affordable(layers[up], chosen[up], left)
        left -= _cost(layers[up], chosen[up], last)
        chosen[up] = last
    return chosen


def _affordable(choices: Choices, at: int, left: int) -> int:
    """Return the last choice that costs at most ``left`` more than the present one."""
    return int(np.searchsorted(choices.costs, choices.costs[at] + left, side="right")) - 1


def _exchange(
    layers: Sequence[Choices], values: Sequence[np.ndarray], chosen: Sequence[int], left: int, up: int, down: int
) -> tuple[float, int, int, int]:
    """Return the most that is gained where one layer goes down and another up: the gain, both, the new lower place."""
    now = chosen[down]
    if not now or chosen[up] + 1 == len(layers[up].costs):
        return 0.0, up, down, now
    room = left + layers[down].costs[now] - layers[down].costs[:now]
    reached = np.searchsorted(layers[up].costs, layers[up].costs[chosen[up]] + room, side="right") - 1
    gains = values[up][reached] - values[up][chosen[up]] + values[down][:now] - values[down][now]
    best = int(gains.argmax())
    return float(gains[best]), up, down, best


def _cost(choices: Choices, start: int, stop: int) -> int:
    return int(choices.costs[stop] - choices.costs[start])


def _envelope(costs: np.ndarray, values: np.ndarray) -> list[int]:
    """Return the places of the points on the upper concave envelope, the first and the last among them."""
    path: list[int] = []
    for at in range(len(costs)):
        while len(path) >= 2:
            a, b = path[-2], path[-1]
            if (values[b] - values[a]) * (costs[at] - costs[a]) > (values[at] - values[a]) * (costs[b] - costs[a]):
                break
            path.pop()
        path.append(at)
    return path
