r"""Attributions in sounds: how much each short window of time spoke for the answer.

A single sample of a wave says nothing alone: the sign of its share turns with every swing. Seen through
:class:`WindowScores` a sound is a row of windows, whose samples are what channels are to a pixel, so that every method
for ``(B, C, L)`` applies: the shares of a window's samples, of all channels of the sound, are added up, and what is
covered is a whole window.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import UserError

__all__ = ["WindowScores", "cut_windows"]


class WindowScores(nn.Module):
    """The scores of a sound as a function of its windows.

    Args:
        module: Takes sounds ``(B, C, T)``.
        length: T; the last window may reach beyond it.
        channels: C.

    Shapes:
        ``(B, C * S, W)``, samples of each channel before windows, to what the module returns.
    """

    def __init__(self, module: nn.Module, length: int, *, channels: int = 1) -> None:
        super().__init__()
        self.module = module
        self.length, self.channels = length, channels

    def forward(self, windows: Tensor) -> Tensor:
        """Return the scores."""
        return self.module(windows.unflatten(1, (self.channels, -1)).mT.flatten(2)[..., : self.length])


def cut_windows(sounds: Tensor, *, size: int) -> Tensor:
    """Cut sounds into windows that do not overlap; silence fills the last one.

    Args:
        sounds: ``(B, C, T)``.
        size: Samples S of a window.

    Returns:
        ``(B, C * S, W)``, the samples of the first channel first, W the least number of windows that hold T samples.

    Raises:
        UserError: Another shape, no samples, or windows of less than one sample.

    Example:
        >>> import torch
        >>> cut_windows(torch.arange(1.0, 6.0)[None, None], size=2)[0].T
        tensor([[1., 2.],
                [3., 4.],
                [5., 0.]])
    """
    if sounds.dim() != 3 or not sounds[:1].numel() or size < 1:
        raise UserError(f"sounds {tuple(sounds.shape)}, size {size}; expected (B, C, T) and at least one sample")
    filled = F.pad(sounds, (0, -sounds.shape[2] % size))
    return filled.unflatten(2, (-1, size)).mT.flatten(1, 2)
