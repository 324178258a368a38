"""A window of a series in the numbers a network likes, and its answers back in the series' own unit."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import Config

__all__ = ["SeriesScale"]


class SeriesScale(nn.Module):
    r"""Scale what is forecast, channel 0 of a window, and undo it for the forecast.

    .. math:: z = \frac{\ell(x) - a}{s}, \qquad \hat x = \ell^{-1}(s \hat z + a)

    with :math:`\ell` the logarithm or nothing, and a the ``location``, or with ``relative`` the window's last value:
    the network then answers how far the series goes from where it is, which a trend asks for. Other channels stay as
    they are. With a logarithm ``relative`` is growth; below 1, in the series' unit, its tangent :math:`x - 1` stands
    for it, so that every number has one.

    Shapes:
        ``(B, L, C)`` to ``(B, L, C)`` and a ``(B, 1)``; back from ``(B, H)``.

    Example:
        >>> scale = SeriesScale(SeriesScale.Config(relative=True, scale=10.0))
        >>> z, anchor = scale(torch.tensor([[[100.0], [120.0]]]))
        >>> z.flatten().tolist(), scale.back(torch.tensor([[0.5]]), anchor).tolist()
        ([-2.0, 0.0], [[125.0]])
    """

    class Config(Config):
        """The scale.

        Attributes:
            location: a, in the series' unit (of its logarithm).
            scale: s, likewise.
            relative: a is the last value of the window.
            log: The series grows by shares, not by amounts: take its logarithm first.
        """

        location: float = 0.0
        scale: float = Field(default=1.0, gt=0)
        relative: bool = False
        log: bool = False

    def __init__(self, config: SeriesScale.Config) -> None:
        super().__init__()
        self.config = config

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scaled window and what :meth:`back` needs."""
        values = window[..., 0]  # (B, L)
        if self.config.log:
            values = values.clamp(min=1).log() + (values - 1).clamp(max=0)
        anchor = values[:, -1:] if self.config.relative else torch.full_like(values[:, -1:], self.config.location)
        scaled = (values - anchor) / self.config.scale
        return torch.cat([scaled[..., None], window[..., 1:]], dim=-1), anchor

    def back(self, values: Tensor, anchor: Tensor) -> Tensor:
        """Return forecasts ``(B, H)`` in the series' unit."""
        found = values * self.config.scale + anchor
        return found.clamp(min=0).exp() + found.clamp(max=0) if self.config.log else found
