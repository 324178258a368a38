"""Dilated convolutions over time that see no future, and how far a stack of convolutions sees."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError

__all__ = ["CausalConv1d", "receptive_field"]


class CausalConv1d(nn.Module):
    r"""A dilated convolution whose output at time t depends on inputs up to t only (van den Oord et al. 2016).

    .. math:: y_t = b + \sum_{i=0}^{k-1} W_i\, x_{t - (k-1-i) d}

    It pads on the left alone (arXiv:1609.03499, section 2.1), so the output is as long as the input. :meth:`step` gives
    the same outputs one by one from what it keeps in a ring (Fast WaveNet: Le Paine et al. 2016, arXiv:1611.09482).

    Args:
        in_channels: Channels that come in.
        out_channels: Channels that go out.
        kernel: Taps, k above.
        dilation: Steps between two taps, d above.

    Shapes:
        ``(B, in_channels, T)`` to ``(B, out_channels, T)``.

    Raises:
        ConfigError: A kernel or dilation below 1.

    Example:
        >>> layer = CausalConv1d(1, 1, 2, dilation=4)
        >>> layer(torch.zeros(1, 1, 10)).shape, layer.past
        (torch.Size([1, 1, 10]), 4)
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, dilation: int = 1) -> None:
        super().__init__()
        if kernel < 1 or dilation < 1:
            raise ConfigError(f"a causal convolution needs kernel and dilation >= 1, got {kernel} and {dilation}")
        self.conv = nn.Conv1d(in_channels, out_channels, kernel, dilation=dilation)
        self.past = (kernel - 1) * dilation

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs of a whole sequence."""
        return self.conv(F.pad(x, (self.past, 0)))

    def memory(self, batch: int) -> Tensor:
        """Return the inputs that :meth:`step` remembers before the first: zeros, as the padding.

        Args:
            batch: Sequences side by side.

        Returns:
            ``(batch, in_channels, past)``.
        """
        return self.conv.weight.new_zeros(batch, self.conv.in_channels, self.past)

    def step(self, x: Tensor, memory: Tensor, time: int) -> Tensor:
        """Return the output of one time step, and write its input into the memory.

        Args:
            x: ``(B, in_channels, 1)``, the input of now.
            memory: What :meth:`memory` returned; changed in place.
            time: Steps taken before this one.

        Returns:
            ``(B, out_channels, 1)``.
        """
        if self.past:
            taps = range(time, time + self.past, self.conv.dilation[0])
            remembered = memory[:, :, [tap % self.past for tap in taps]]  # (B, C, k - 1), the oldest first
            memory[:, :, time % self.past] = x[:, :, 0]
            x = torch.cat([remembered, x], dim=2)
        return F.conv1d(x, self.conv.weight, self.conv.bias)


def receptive_field(kernels: Sequence[int], *, dilations: Sequence[int], strides: Sequence[int] = ()) -> int:
    r"""Return how many neighboring inputs one output of a stack of convolutions depends on, along one axis.

    .. math:: r = 1 + \sum_i (k_i - 1)\, d_i \prod_{j<i} s_j

    Args:
        kernels: Taps of each layer, the first layer first.
        dilations: Steps between two taps of each layer.
        strides: Steps of each layer; empty for 1 everywhere.

    Raises:
        ConfigError: Numbers below 1, or not as many of each.

    Example:
        >>> receptive_field([3] * 7, dilations=[1, 1, 2, 4, 8, 16, 1])  # the context module of Yu & Koltun 2016
        67
    """
    strides = strides or [1] * len(kernels)
    if not len(kernels) == len(dilations) == len(strides):
        raise ConfigError(
            "receptive_field needs a kernel, a dilation and a stride for each layer, got "
            f"{len(kernels)}, {len(dilations)} and {len(strides)}"
        )
    if min((*kernels, *dilations, *strides), default=1) < 1:
        raise ConfigError("receptive_field takes kernels, dilations and strides of at least 1")
    field, step = 1, 1
    for kernel, dilation, stride in zip(kernels, dilations, strides, strict=True):
        field += (kernel - 1) * dilation * step
        step *= stride
    return field
