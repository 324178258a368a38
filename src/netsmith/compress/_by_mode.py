"""Calls of a traced network whose settings follow its mode, as functional dropout's do."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.fx.node import map_arg

__all__ = ["ByMode", "calls_by_mode"]


class ByMode(nn.Module):
    """A function some of whose arguments are others in training.

    Args:
        function: What is called.
        names: Of those given by name: the last ones.
        learning: By place, what stands there in training.
    """

    def __init__(self, function: Callable[..., Any], names: Sequence[str], learning: Mapping[int, Any]) -> None:
        super().__init__()
        self.function, self.names, self.learning = function, tuple(names), dict(learning)

    def forward(self, *given: Any) -> Any:
        """Call it with what is given in evaluation mode, all in one row."""
        if self.training:
            given = tuple(self.learning.get(place, one) for place, one in enumerate(given))
        split = len(given) - len(self.names)
        return self.function(*given[:split], **dict(zip(self.names, given[split:], strict=True)))

    def extra_repr(self) -> str:
        return f"{self.function.__name__}, in training {self.learning}"


def calls_by_mode(root: nn.Module, graph: fx.Graph, learning: fx.Graph) -> dict[fx.Node, ByMode] | None:
    """Return which calls of a network in evaluation mode have other settings in training.

    Args:
        root: What was traced both times, the second time with the constants of the first in it.
        graph: Traced in evaluation mode.
        learning: Traced in training mode.

    Returns:
        A module for each such call, which takes its arguments in one row, those given by name last; None where the two
        differ in more than that.
    """
    nodes, twins = list(graph.nodes), list(learning.nodes)
    if len(nodes) != len(twins):
        return None
    here = dict(zip(twins, nodes, strict=True))
    found = {}
    for node, twin in zip(nodes, twins, strict=True):
        names = tuple(node.kwargs)
        if (node.op, names) != (twin.op, tuple(twin.kwargs)):
            return None
        if node.target != twin.target and not _same_constant(root, node, twin):
            return None
        one = (*node.args, *node.kwargs.values())
        other = map_arg((*twin.args, *twin.kwargs.values()), here.__getitem__)
        places = {place: b for place, (a, b) in enumerate(zip(one, other, strict=False)) if _told(a) != _told(b)}
        if not places and len(one) == len(other):
            continue
        settings = (value for place in places for value in (one[place], places[place]))
        if (
            len(one) != len(other)
            or node.op != "call_function"
            or not all(isinstance(v, (int, float)) for v in settings)
        ):
            return None
        found[node] = ByMode(node.target, names, places)  # type: ignore[arg-type]
    return found


def _same_constant(root: nn.Module, *nodes: fx.Node) -> bool:
    """Return whether they read tensors that forward makes, and makes alike: torch.fx names each trace's anew."""
    if not all(node.op == "get_attr" and str(node.target).startswith("_tensor_constant") for node in nodes):
        return False
    one, other = (getattr(root, str(node.target)) for node in nodes)
    return (one.dtype, one.device) == (other.dtype, other.device) and torch.equal(one, other)


def _told(value: Any) -> str:
    return repr(value)  # of a node its name; True and 1 are two
