"""Weights whose rows, or columns, are orthonormal (Saxe, McClelland & Ganguli 2014, arXiv:1312.6120)."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.layers.initializers._drawn import Drawn, DrawnConfig, Fans

__all__ = ["Orthogonal"]


class Orthogonal(Drawn):
    r"""Keep every length, not only their mean: linear networks then learn as fast however deep they are.

    .. math:: W W^\top = g^2 I \quad\text{or}\quad W^\top W = g^2 I

    whichever is smaller; a convolution's weight is a matrix with one row for each output channel. The matrix is uniform
    among all of them. ``g`` is ``gain``.
    """

    class Config(DrawnConfig):
        """The matrices.

        Attributes:
            gain: Factor on every weight; the root of 2 for ReLU.
        """

        gain: float = Field(default=1.0, gt=0)

    def __init__(self, config: Orthogonal.Config) -> None:
        super().__init__(config)
        self.config = config

    def fill(self, weight: Tensor, fans: Fans, generator: torch.Generator | None) -> None:  # noqa: ARG002
        nn.init.orthogonal_(weight, self.config.gain, generator=generator)
