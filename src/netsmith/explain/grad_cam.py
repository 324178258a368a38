r"""Grad-CAM: where in the picture a late feature map speaks for the class.

Selvaraju et al. 2017 (arXiv:1610.02391), with feature maps :math:`A^k` of one layer and the class score :math:`y^c`:

.. math::

    \alpha_k^c = \frac1Z \sum_{ij} \frac{\partial y^c}{\partial A^k_{ij}}, \qquad
    L^c = \mathrm{ReLU}\Big(\sum_k \alpha_k^c A^k\Big)
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError
from netsmith.explain._forward import captured, evaluating, find_layer, pick, require_floating, resolve_targets, slopes

__all__ = ["grad_cam", "spatial_layers"]


def grad_cam(
    module: nn.Module, inputs: Tensor, targets: Tensor | int | None = None, *, layer: str, upsample: bool = True
) -> Tensor:
    """Return the class activation map of a layer; use the last one that still has a spatial extent.

    Args:
        module: Returns ``(B, K)`` scores; it is left as found.
        inputs: ``(B, C, H, W)`` images, floating point.
        targets: The class explained, ``(B,)`` or one for all; None explains the predicted class.
        layer: The name of a submodule whose output is ``(B, K, h, w)``, as in ``named_modules()``.
        upsample: Enlarge bilinearly to the size of the image; otherwise the map stays ``(B, h, w)``.

    Returns:
        ``(B, H, W)``, never negative; its unit is the score's.

    Raises:
        UnknownNameError: No such layer.
        UnsupportedError: The layer has no spatial feature map, or runs more than once; the layers that would do are
            named.
    """
    require_floating(inputs)
    part = find_layer(module, layer)
    with evaluating(module):
        with captured(part) as outputs:
            output = module(inputs.detach())
        if len(outputs) != 1 or not _is_spatial(outputs[0]):
            got = _describe(outputs)
            fitting = spatial_layers(module, inputs)
            advice = f"these would do: {', '.join(fitting[-8:])}" if fitting else "this module has no such layer"
            raise UnsupportedError(f"Grad-CAM needs a feature map (B, K, h, w); layer {layer!r} gave {got}; {advice}")
        maps = outputs[0]  # (B, K, h, w)
        slope = slopes(pick(output, resolve_targets(output, targets)), maps, f"layer {layer!r}")
    alphas = slope.mean(dim=(2, 3), keepdim=True)  # Eq. 1
    cam = F.relu((alphas * maps.detach()).sum(1))  # Eq. 2: (B, h, w)
    if not upsample:
        return cam
    return F.interpolate(cam[:, None], size=inputs.shape[2:], mode="bilinear", align_corners=False)[:, 0]


def spatial_layers(module: nn.Module, inputs: Any) -> list[str]:
    """Return the layers Grad-CAM can use, from input to output: they run once and return ``(B, K, h, w)``, h * w > 1.

    Args:
        module: Left as found.
        inputs: A batch (one example is enough).
    """
    calls: Counter[str] = Counter()
    order: list[str] = []
    handles = []
    for name, part in module.named_modules():
        if not name:
            continue

        def note(_part: nn.Module, _inputs: Any, output: Any, name: str = name) -> None:
            calls[name] += 1
            if _is_spatial(output):
                order.append(name)

        handles.append(part.register_forward_hook(note))
    try:
        with evaluating(module), torch.no_grad():
            module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return [name for name in order if calls[name] == 1]


def _is_spatial(output: Any) -> bool:
    if not isinstance(output, Tensor) or output.dim() != 4:
        return False
    return output.is_floating_point() and output.shape[2] * output.shape[3] > 1


def _describe(outputs: list[Any]) -> str:
    if len(outputs) != 1:
        return f"{len(outputs)} outputs in one pass"
    return str(tuple(outputs[0].shape)) if isinstance(outputs[0], Tensor) else f"a {type(outputs[0]).__name__}"
