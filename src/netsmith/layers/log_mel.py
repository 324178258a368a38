"""From samples of sound to frames of log energies on the mel scale, or of cepstral coefficients."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, DataError

__all__ = ["LogMel", "mel_filters"]


class LogMel(nn.Module):
    r"""How loud each band of hearing is, every 10 ms: what recognizers of speech see of a sound.

    .. math::
        X_t(k) &= \sum_n w_n\, x_{t h + n}\, e^{-2 \pi i k n / N}, \qquad
        S_t(m) = \log\Bigl(\epsilon + \sum_k M_{m k}\, |X_t(k)|^2\Bigr) \\
        C_t(j) &= \sqrt{2 / M} \sum_m S_t(m) \cos\bigl(\pi j (m + \tfrac12) / M\bigr)

    with Hamming's window w and triangles M whose corners lie evenly on the mel scale. C are the mel-frequency cepstral
    coefficients (Davis & Mermelstein 1980), j = 0, 1, ..., the first over :math:`\sqrt 2`. Transform and filters are
    products with constant matrices, so that they train nothing, have gradients and export like any convolution.

    Args:
        rate: Samples per second.
        frame: Samples of a frame, w.
        hop: Samples from frame to frame, h.
        bands: Filters, M.
        coefficients: Cepstral coefficients in place of the energies; 0 for the energies.
        floor: epsilon, what silence counts as.

    Shapes:
        ``(B, 1, T)`` to ``(B, bands, 1 + (T - frame) // hop)``, or with ``coefficients`` in place of ``bands``.

    Raises:
        ConfigError: Numbers out of range, or more bands than the transform resolves.
        DataError: Sounds of another shape, or shorter than a frame.

    Example:
        >>> LogMel(rate=8000, frame=200, hop=80, bands=16)(torch.zeros(2, 1, 8000)).shape
        torch.Size([2, 16, 98])
    """

    transform: Tensor
    filters: Tensor
    cosines: Tensor

    def __init__(
        self, *, rate: int, frame: int, hop: int, bands: int, coefficients: int = 0, floor: float = 1e-5
    ) -> None:
        super().__init__()
        if min(rate, hop, bands) < 1 or frame < 2 or not 0 <= coefficients <= bands or floor <= 0:
            raise ConfigError(
                "expected rate, hop, bands >= 1, frame >= 2, 0 <= coefficients <= bands and floor > 0, got "
                f"{rate}, {hop}, {bands}, {frame}, {coefficients} and {floor:g}"
            )
        self.frame, self.hop, self.floor = frame, hop, floor
        points = 2 ** math.ceil(math.log2(frame))  # N: the frame is followed by zeros
        time = np.arange(frame)
        window = 0.54 - 0.46 * np.cos(2 * np.pi * time / (frame - 1))
        angle = 2 * np.pi / points * np.outer(np.arange(points // 2 + 1), time)
        basis = np.concatenate([np.cos(angle), np.sin(angle)]) * window  # (N + 2, frame)
        self.register_buffer("transform", torch.from_numpy(basis)[:, None].float(), persistent=False)
        self.register_buffer("filters", mel_filters(rate, points=points, bands=bands).float(), persistent=False)
        order = np.arange(coefficients)[:, None]
        cosines = np.sqrt(2 / bands) * np.cos(np.pi * order * (np.arange(bands) + 0.5) / bands)
        cosines[:1] /= np.sqrt(2)
        self.register_buffer("cosines", torch.from_numpy(cosines).float(), persistent=False)

    def forward(self, samples: Tensor) -> Tensor:
        """Return the frames."""
        if samples.dim() != 3 or samples.shape[1] != 1 or samples.shape[2] < self.frame:
            raise DataError(f"expected sounds (B, 1, T) of at least {self.frame} samples, got {tuple(samples.shape)}")
        both = F.conv1d(samples, self.transform, stride=self.hop)  # (B, N + 2, frames)
        real, imaginary = both.chunk(2, dim=1)
        energies = self.filters @ (real.square() + imaginary.square())  # (B, bands, frames)
        logs = (energies + self.floor).log()
        return self.cosines @ logs if len(self.cosines) else logs


def mel_filters(rate: int, *, points: int, bands: int) -> Tensor:
    r"""Return triangles over the frequencies of a transform, their corners evenly spaced in mel from 0 to rate / 2.

    .. math:: \mathrm{mel}(f) = 2595 \log_{10}(1 + f / 700)

    Args:
        rate: Samples per second.
        points: Points of the transform, N.
        bands: Triangles.

    Returns:
        ``(bands, N / 2 + 1)`` float64, each triangle with its tip at 1 at most.

    Raises:
        ConfigError: A triangle that covers no frequency of the transform.
    """
    mels = np.linspace(0, 2595 * np.log10(1 + rate / 1400), bands + 2)
    low, tip, high = (700 * (10 ** (mels[at : at + bands, None] / 2595) - 1) for at in range(3))  # Hz
    frequency = np.arange(points // 2 + 1) * rate / points
    filters = np.clip(np.minimum((frequency - low) / (tip - low), (high - frequency) / (high - tip)), 0, None)
    if (filters.sum(1) == 0).any():
        raise ConfigError(f"bands={bands} are finer than a transform of {points} points; take fewer")
    return torch.from_numpy(filters)
