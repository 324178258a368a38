"""What the layers of a network say about a sample of examples: the ground of every comparison of representations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netsmith.api.encode import read_file
from netsmith.core.errors import UnsupportedError
from netsmith.explain.dissimilarity import Metric, dissimilarity_matrix
from netsmith.explain.layer_features import layer_features, learned_layers

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["WIDEST", "evenly", "layer_answers", "layer_matrices", "read_examples", "spread"]

WIDEST = 4096
"""Numbers per example and layer; wider maps are averaged on a coarser grid."""

_LAYERS = 12  # as many as a chart can name


def read_examples(network: Network, source: Any, *, text: str = "") -> tuple[list[str], Any]:
    """Return the names of files (none where values were given), and raw examples as a network takes them.

    Args:
        network: Whose inputs they are.
        source: A file, a folder, or what ``network.encode`` takes.
        text: The column of text in a table, where the run names one.
    """
    names, values = read_values(network, source, text=text)
    return names, network.encode(values)


def read_values(network: Network, source: Any, *, text: str = "") -> tuple[list[str], Any]:
    """Return the names of files and what stands in them, or no names and the values that were given.

    Arguments as :func:`read_examples`.
    """
    if isinstance(source, (str, Path)):
        return read_file(Path(source), network.spec.inputs, text=text)
    return [], source


def evenly(length: int, *, most: int) -> Tensor:
    """Return at most ``most`` positions, spread evenly over ``length`` of them."""
    count = min(length, most)
    return torch.arange(count) * length // max(1, count)


def spread(labels: Tensor, *, most: int) -> Tensor:
    """Return indices of at most ``most`` examples, by class in order, as many of each class as there may be.

    Of more classes than examples, as many as have a place are taken, spread evenly.

    Args:
        labels: ``(N,)`` classes.
        most: Examples in all.
    """
    present = labels.unique()
    share = max(1, most // len(present))
    if len(present) > most:  # not all classes have a place: those that do are spread over all
        present = present[evenly(len(present), most=most)]
    found = []
    for label in present:
        members = torch.nonzero(labels == label).flatten()
        step = max(1, len(members) // share)
        found.append(members[::step][:share])
    return torch.cat(found)


def layer_answers(network: Network, raw: Any, *, widest: int = WIDEST) -> tuple[dict[str, Tensor], list[str]]:
    """Return what the layers with weights (at most twelve, spread evenly) say about raw examples: ``(N, D)`` each.

    Also returns the names of those that say the same of every example: they are left out.

    Raises:
        UnsupportedError: The network has no such layer, or none says anything.
    """
    if not isinstance(raw, Tensor):
        raise UnsupportedError(f"{network.name} takes {network.spec.inputs.kind} inputs, which have no one tensor")
    layers = learned_layers(network.shipped, raw[:1], most=_LAYERS)
    if not layers:
        raise UnsupportedError(f"{network.name} has no layer with weights that answers with one tensor")
    found = layer_features(network.shipped, raw, layers=layers, widest=widest)
    features = {name.removeprefix("network."): values for name, values in found.items()}
    same = [name for name, values in features.items() if not bool((values != values[0]).any())]
    if len(same) == len(features):
        raise UnsupportedError(f"every layer of {network.name} says the same of all {len(raw)} examples")
    return {name: values for name, values in features.items() if name not in same}, same


def layer_matrices(features: dict[str, Tensor], *, metric: Metric) -> tuple[dict[str, Tensor], list[str]]:
    """Return dissimilarity matrices, and the layers that have none: all features of an example are equal there.

    Raises:
        UnsupportedError: No layer has one.
    """
    matrices, left_out = {}, []
    for name, values in features.items():
        if metric != "euclidean" and not bool((values != values[:, :1]).any(1).all()):
            left_out.append(name)  # a dead layer, or one number per example
        else:
            matrices[name] = dissimilarity_matrix(values, metric=metric)
    if not matrices:
        raise UnsupportedError(f"no layer gives every example features that differ, so there is no {metric}")
    return matrices, left_out
