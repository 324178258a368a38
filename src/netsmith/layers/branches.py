"""What networks of Inception modules are made of: layers side by side, and convolutions with what follows them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn

__all__ = ["Branches", "conv_unit", "stacked"]

_Row = TypeVar("_Row")


class Branches(nn.Module):
    """Run modules side by side on the same input and lay their channels behind each other, in the order given.

    Args:
        branches: The modules by name; their outputs differ in channels only.

    Shapes:
        ``(B, C, ...)`` to ``(B, C_1 + C_2 + ..., ...)``.

    Example:
        >>> Branches({"same": nn.Identity(), "positive": nn.ReLU()})(torch.tensor([[1.0, -2.0]]))
        tensor([[ 1., -2.,  1.,  0.]])
    """

    def __init__(self, branches: Mapping[str, nn.Module]) -> None:
        super().__init__()
        for name, branch in branches.items():
            self.add_module(name, branch)

    def forward(self, x: Tensor) -> Tensor:
        """Return the channels of all branches."""
        return torch.cat([branch(x) for branch in self._modules.values()], dim=1)


def conv_unit(
    in_channels: int,
    out_channels: int,
    kernel: int | tuple[int, int] = 1,
    *,
    stride: int = 1,
    padded: bool = True,
    batch_norm: bool = True,
) -> nn.Sequential:
    """Return a convolution and a ReLU, with batch normalization between them in place of the bias.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        kernel: Height and width of the kernel, odd; one number for both.
        stride: Step of the kernel.
        padded: Pad by half the kernel, so that stride 1 keeps the size of the map; else only whole windows count.
        batch_norm: Normalize, with the epsilon of the published Inception networks, 0.001; else the convolution has a
            bias.
    """
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (height // 2, width // 2) if padded else 0
    layers = OrderedDict[str, nn.Module](
        conv=nn.Conv2d(in_channels, out_channels, (height, width), stride, padding, bias=not batch_norm)
    )
    if batch_norm:
        layers["norm"] = nn.BatchNorm2d(out_channels, eps=1e-3)
    layers["relu"] = nn.ReLU()
    return nn.Sequential(layers)


def stacked(
    make: Callable[[int, _Row], tuple[nn.Module, int]], in_channels: int, rows: Iterable[_Row]
) -> tuple[nn.Sequential, int]:
    """Return modules behind each other, one for each row, and the channels that the last one gives.

    Args:
        make: Returns a module and the channels it gives, from the channels that come in and a row.
        in_channels: Channels that come into the first.
        rows: What describes each module.
    """
    modules: list[nn.Module] = []
    for row in rows:
        module, in_channels = make(in_channels, row)
        modules.append(module)
    return nn.Sequential(*modules), in_channels
