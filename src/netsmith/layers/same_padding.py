"""The padding of TensorFlow's convolutions named SAME: as much as the last window lacks, the odd pixel at the end."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SamePadding", "padding_for"]


class SamePadding(nn.Module):
    """Zeros around maps, so that a convolution without padding gives ``ceil(size / stride)`` places on each axis.

    With a stride of 2 and an even size a kernel of 3 gets one pixel at the end and none at the start, where symmetric
    padding has one at both: the windows lie elsewhere, and weights trained with one answer otherwise with the other.

    Args:
        kernel: Of the convolution, on both axes.
        stride: Of the convolution.

    Shapes:
        ``(B, C, H, W)`` to ``(B, C, H + pad, W + pad')``.

    Example:
        >>> import torch
        >>> SamePadding(kernel=3, stride=2)(torch.ones(1, 1, 4, 5)).shape
        torch.Size([1, 1, 5, 7])
    """

    def __init__(self, *, kernel: int, stride: int) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride

    def forward(self, maps: Tensor) -> Tensor:
        """Return the padded maps."""
        edges: list[int] = []
        for size in (maps.shape[3], maps.shape[2]):  # the last axis first, as torch wants it
            lacking = max(0, (-(-size // self.stride) - 1) * self.stride + self.kernel - size)
            edges += [lacking // 2, lacking - lacking // 2]
        return F.pad(maps, edges)


def padding_for(kernel: int, *, stride: int, same: bool) -> tuple[dict[str, nn.Module], int]:
    """Return what stands before a convolution, by its name, and the padding of the convolution itself.

    Args:
        kernel: Of the convolution, on both axes; odd.
        stride: Of the convolution.
        same: Pad as TensorFlow does; else by half of the kernel on every side.
    """
    return ({"pad": SamePadding(kernel=kernel, stride=stride)}, 0) if same else ({}, kernel // 2)
