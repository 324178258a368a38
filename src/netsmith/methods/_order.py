"""A network's parameters from the first layer to the last: the order in which ``layer_decay`` counts layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from torch import nn

from netsmith.layers.layer_groups import layer_groups

__all__ = ["from_first_to_last", "landmarks_of"]


def landmarks_of(model: nn.Module) -> dict[str, str]:
    """Return the parts that a model names, ``{}`` for one that names none."""
    declare: Callable[[], Mapping[str, str]] = getattr(model, "landmarks", dict)
    return dict(declare())


def from_first_to_last(
    parameters: Iterable[tuple[str, nn.Parameter]], model: nn.Module, *, name: str = "model"
) -> dict[str, nn.Parameter]:
    """Return a method's parameters with those of a network in front, in the order of its layers, as far as it is known.

    Args:
        parameters: Of the method, by name.
        model: The network.
        name: What it is called in the method.
    """
    named, landmarks = dict(parameters), landmarks_of(model)
    layers = layer_groups(
        dict(model.named_parameters()), head=landmarks.get("head", ""), entry=landmarks.get("entry", "")
    )
    ordered = (f"{name}.{parameter}" for names in layers for parameter in names)
    return {each: named[each] for each in dict.fromkeys((*ordered, *named)) if each in named}
