r"""Guided backpropagation and deconvolution: the gradient with another rule at every rectifier.

With :math:`f^{l+1} = \max(f^l, 0)` and :math:`R^{l+1}` what comes back from above (Springenberg et al. 2015,
arXiv:1412.6806, Fig. 1):

.. math::

    \text{gradient:} \quad R^l &= (f^l > 0) \, R^{l+1} \\
    \text{deconvolution:} \quad R^l &= (R^{l+1} > 0) \, R^{l+1} \\
    \text{guided:} \quad R^l &= (f^l > 0)(R^{l+1} > 0) \, R^{l+1}

Deconvolution is the backward pass of Zeiler & Fergus 2014 (arXiv:1311.2901, section 2.1). The pictures are sharp, but
both rules answer less to the class than the gradient does: see :func:`~netsmith.explain.sanity.randomization_check`
(Adebayo et al. 2018 found that guided backpropagation hardly changes when the upper layers are destroyed).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from netsmith.core.errors import UnsupportedError
from netsmith.explain._forward import evaluating, pick, require_floating, resolve_targets, slopes

__all__ = ["deconvolution", "guided_backprop"]

_Rule = Literal["guided", "deconvolution"]


def guided_backprop(module: nn.Module, inputs: Tensor, targets: Tensor | int | None = None) -> Tensor:
    """Return the guided gradient: what the score asks for more of, along paths of positive influence alone.

    Use it for pictures that show which fine structures the units answer to; not to compare classes.

    Args:
        module: Returns ``(B, K)`` scores or ``(B,)`` values; it is left as found. Its rectifiers may be modules or
            calls (``nn.ReLU``, ``F.relu``, ``x.relu()``), in place or not; ReLU6 counts as one too.
        inputs: ``(B, ...)`` floating point.
        targets: The class explained, ``(B,)`` or one for all; None explains the predicted class.

    Returns:
        The shape of ``inputs``, signed.

    Raises:
        UserError: Integer inputs, or targets that do not fit.
        UnsupportedError: The module runs no rectifier, or returns no table of scores; methods that fit are named.
    """
    return _backward(module, inputs, targets, "guided")


def deconvolution(module: nn.Module, inputs: Tensor, targets: Tensor | int | None = None) -> Tensor:
    """Return what the backward pass of a deconvolutional network projects from the score to the inputs.

    The switches of max pooling are those of the forward pass, as in the paper. Arguments, shape and errors as
    :func:`guided_backprop`.
    """
    return _backward(module, inputs, targets, "deconvolution")


def _backward(module: nn.Module, inputs: Tensor, targets: Tensor | int | None, rule: _Rule) -> Tensor:
    require_floating(inputs)
    rectifiers = _Rectifiers(rule)
    with evaluating(module):
        variable = inputs.detach().clone().requires_grad_(True)
        with rectifiers:
            output = module(variable)
        classes = resolve_targets(output, targets)
        if not rectifiers.count:
            what = "guided backpropagation" if rule == "guided" else "deconvolution"
            raise UnsupportedError(
                f"{what} changes the gradient at ReLUs, and {type(module).__name__} ran none (a compiled or scripted "
                "one cannot be seen); saliency, smooth_grad, integrated_gradients, occlusion, lime and shapley need "
                "none"
            )
        return slopes(pick(output, classes), variable, "the inputs")


class _Deconvolved(torch.autograd.Function):
    """A rectifier that rectifies what comes back, and nothing else."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, high: float | None) -> Tensor:  # noqa: ARG004
        """Return ``max(x, 0)``, at most ``high``."""
        return x.clamp(0, high)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ARG004
        """Return R at the input."""
        return _positive(slopes[0]), None


class _Rectifiers(TorchFunctionMode):
    """Change the backward pass of every rectifier that runs inside the block, and count them."""

    def __init__(self, rule: _Rule) -> None:
        super().__init__()
        self.rule: _Rule = rule
        self.count = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run ``func``; if it is a rectifier, by the rule."""
        kwargs = kwargs or {}
        name = _NAMES.get(func)
        if name is None:
            return func(*args, **kwargs)
        given = dict(zip(_SIGNATURES[name], args, strict=False)) | kwargs
        if name == "hardtanh" and float(given.get("min_val", -1.0)) != 0:
            return func(*args, **kwargs)
        self.count += 1
        if self.rule == "guided":
            y = func(*args, **kwargs)  # its own backward pass takes (f > 0)
            if y.requires_grad:
                y.register_hook(_positive)
            return y
        x = cast(Tensor, given["input"] if "input" in given else given["self"])
        high = None if name in ("relu", "relu_") else 6.0 if name == "relu6" else float(given.get("max_val", 1.0))
        y = cast(Tensor, _Deconvolved.apply(x, high))
        if name.endswith("_") or given.get("inplace"):
            return x.copy_(y)  # what holds x sees it rectified, as it would without us
        return y


def _positive(slope: Tensor) -> Tensor:
    return slope.clamp(min=0)  # (R > 0) R


_SIGNATURES = {
    "relu": ("input", "inplace"),
    "relu_": ("input",),
    "relu6": ("input", "inplace"),
    "hardtanh": ("input", "min_val", "max_val", "inplace"),
}
_NAMES: dict[Callable[..., Any], str] = {
    F.relu: "relu",
    torch.relu: "relu",
    Tensor.relu: "relu",
    torch.relu_: "relu_",
    Tensor.relu_: "relu_",
    F.relu6: "relu6",
    F.hardtanh: "hardtanh",
}
