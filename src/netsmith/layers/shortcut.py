"""The shortcut without parameters of CIFAR residual networks (He et al. 2016, section 3.3, option A)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["PadShortcut"]


class PadShortcut(nn.Module):
    """Subsample an image and place its channels among others that are zero: an identity where the shape changes.

    Which channel goes where is a buffer, so that surgery can remove channels on either side and stay exact.

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out; those past ``in_channels`` are zero.
        stride: Keep every ``stride``-th row and column.

    Attributes:
        source: ``(out_channels,)`` int64, the incoming channel of each outgoing one, or -1 for zero.

    Shapes:
        ``(B, in_channels, H, W)`` to ``(B, out_channels, ceil(H / stride), ceil(W / stride))``.
    """

    source: Tensor

    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        self.stride = stride
        index = torch.arange(out_channels)
        self.register_buffer("source", torch.where(index < in_channels, index, -1))
        self._checked: tuple[Tensor | None, int, int] = (None, 0, -1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the subsampled image with its channels in their new places."""
        x = x[:, :, :: self.stride, :: self.stride]
        kept = self._in_order()
        if kept >= 0:  # the same numbers, three times faster on a CPU, and channels-last stays channels-last
            return F.pad(x[:, :kept], (0, 0, 0, 0, 0, len(self.source) - kept))
        zero = x.shape[1]
        x = F.pad(x, (0, 0, 0, 0, 0, 1))  # (B, C + 1, H', W'): the last channel is zero
        return x.index_select(1, torch.where(self.source < 0, zero, self.source))

    def extra_repr(self) -> str:
        """Return what a printed network shows."""
        return f"{len(self.source)}, stride={self.stride}"

    def _in_order(self) -> int:
        """Return n if ``source`` is 0 .. n-1 and then only -1, else -1; looked up again whenever it changes."""
        source = self.source
        if torch.compiler.is_compiling() or type(source) is not Tensor or source.is_meta or source.is_inference():
            return -1  # a traced graph may not depend on what a buffer holds
        seen, version, kept = self._checked
        if seen is not source or version != source._version:
            places = source.tolist()
            kept = sum(place >= 0 for place in places)
            if places != [*range(kept), *[-1] * (len(places) - kept)]:
                kept = -1
            self._checked = (source, source._version, kept)
        return kept
