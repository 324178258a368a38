"""Galleries: the kernels of a convolution as pictures, and the maps that an input lights up most.

First-layer kernels can be looked at because they live in pixels (Zeiler & Fergus 2013, arXiv:1311.2901, Figure 6);
deeper ones cannot, so there the maps themselves are shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.explain._forward import captured, evaluating, find_layer, size_of

__all__ = ["Filters", "Maps", "activated_layers", "filters_of", "strongest_maps", "view_filters"]


class Filters(NamedTuple):
    """The kernels of a convolution.

    Attributes:
        layer: Its name.
        weights: ``(K, C, h, w)``, as they are.
    """

    layer: str
    weights: Tensor


class Maps(NamedTuple):
    """The maps of a layer that an input lights up most.

    Attributes:
        layer: Its name.
        channels: ``(count,)`` int64, the strongest first.
        maps: ``(count, h, w)``, as they are.
        strengths: ``(count,)``, the mean absolute value of each map.
        total: How many channels the layer has.
    """

    layer: str
    channels: Tensor
    maps: Tensor
    strengths: Tensor
    total: int


def filters_of(module: nn.Module, *, layer: str = "") -> Filters:
    """Return the kernels of a convolution over pictures.

    Args:
        module: The network.
        layer: A convolution's name; ``""`` takes the first whose kernels are larger than 1 x 1.

    Raises:
        UnknownNameError: No such layer.
        UnsupportedError: The layer is no 2-d convolution, or the network has none.
    """
    if layer:
        part = find_layer(module, layer)
        if not isinstance(part, nn.Conv2d):
            raise UnsupportedError(f"layer {layer!r} is a {type(part).__name__}; kernels are shown of a Conv2d")
        return Filters(layer, part.weight.detach().clone())
    for name, part in module.named_modules():
        if isinstance(part, nn.Conv2d) and part.weight.shape[2] * part.weight.shape[3] > 1:
            return Filters(name, part.weight.detach().clone())
    raise UnsupportedError("the network has no convolution over pictures, so there are no kernels to show")


def view_filters(weights: Tensor) -> Tensor:
    """Return kernels for the eye, 0..1: no weight is middle gray, each kernel as strong as it can be.

    Args:
        weights: ``(K, C, h, w)``.

    Returns:
        ``(K, 1 or 3, h, w)``: three channels stay colors; of any other number the mean over channels is shown. Each
        kernel is divided by its own largest absolute weight, so strengths of different kernels cannot be compared.
    """
    if weights.dim() != 4:
        raise UserError(f"weights have shape {tuple(weights.shape)}; expected (K, C, h, w)")
    shown = weights.detach() if weights.shape[1] in (1, 3) else weights.detach().mean(1, keepdim=True)
    largest = shown.abs().amax(dim=(1, 2, 3), keepdim=True)
    return 0.5 + 0.5 * shown / torch.where(largest > 0, largest, 1.0)


def activated_layers(module: nn.Module, inputs: Any) -> list[str]:
    """Return one layer with maps for each convolution, in the order they run: its activation, where that is a module.

    Before the activation a map's sign and offset say little; so of the norms and activations that follow a convolution
    (up to the next one, and of its shape) the last is taken.

    Args:
        module: Left as found.
        inputs: A batch; one example is enough.
    """
    runs: list[tuple[str, bool, Any]] = []
    handles = []
    for name, part in module.named_modules():
        if not name or next(part.children(), None) is not None:
            continue

        def note(part: nn.Module, _inputs: Any, output: Any, name: str = name) -> None:
            shape = output.shape if isinstance(output, Tensor) and output.is_floating_point() else None
            runs.append((name, isinstance(part, nn.Conv2d), shape))

        handles.append(part.register_forward_hook(note))
    try:
        with evaluating(module), torch.no_grad():
            module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    calls = Counter(name for name, _, _ in runs)
    found: list[str] = []
    current: Any = None
    for name, convolution, shape in runs:
        spatial = shape is not None and len(shape) == 4 and shape[2] * shape[3] > 1
        if convolution:
            current = shape if spatial and calls[name] == 1 else None
        if current is None or shape != current or calls[name] > 1:
            continue
        if convolution:
            found.append(name)
        else:
            found[-1] = name
    return found


def strongest_maps(module: nn.Module, inputs: Any, *, layers: Sequence[str], count: int = 8) -> list[Maps]:
    """Return, layer by layer, the maps that one input lights up most.

    Args:
        module: Left as found.
        inputs: A batch of one example.
        layers: Layers that run once and return ``(1, K, h, w)``, as :func:`activated_layers` lists them.
        count: Maps per layer; fewer where a layer has fewer.

    Raises:
        UnknownNameError: No such layer.
        UnsupportedError: A layer without maps.
        UserError: More than one example.
    """
    if size_of(inputs) != 1 or count < 1:
        raise UserError(f"got {size_of(inputs)} examples, count {count}; expected one example and at least one map")
    found = []
    for layer in layers:
        part = find_layer(module, layer)
        with evaluating(module), torch.no_grad(), captured(part) as outputs:
            module(inputs)
        if len(outputs) != 1 or not isinstance(outputs[0], Tensor) or outputs[0].dim() != 4:
            raise UnsupportedError(f"layer {layer!r} gave no maps (1, K, h, w) in one run; expected a spatial layer")
        maps = outputs[0][0]
        strengths = maps.abs().mean(dim=(1, 2))
        channels = strengths.argsort(descending=True, stable=True)[:count]
        found.append(Maps(layer, channels, maps[channels], strengths[channels], len(maps)))
    return found
