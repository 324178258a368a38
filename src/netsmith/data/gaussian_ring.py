"""Points from a ring of Gaussians in the plane: the standard small test of a generator's variety."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from netsmith.core.spec import Inputs, Outputs
from netsmith.data._keyed import KeyedFields, KeyedSource
from netsmith.engine.random import keyed_normal, keyed_uniform

__all__ = ["GaussianRing"]


class GaussianRing(KeyedSource):
    """Draw points from equally likely Gaussians whose centers lie evenly on a circle.

    The defaults are the ring of Metz et al. 2017 (Unrolled GANs, arXiv:1611.02163, appendix A): eight components of
    standard deviation 0.02 on a circle of radius 2. A point is a pure function of its key: every epoch has fresh ones,
    and the dev and test points are always the same.

    Batches hold the real points as ``inputs`` (``(B, 2)`` float32), no targets, and keys for the generator's noise.
    """

    class Config(KeyedFields):
        """The mixture and the sizes.

        Attributes:
            modes: Number of Gaussians; the first center lies on the positive x axis.
            radius: Of the circle of centers.
            sd: Standard deviation of each Gaussian, along both axes.
        """

        twin_size: ClassVar[int] = 1_000

        modes: PositiveInt = 8
        radius: float = Field(default=2.0, gt=0)
        sd: float = Field(default=0.02, gt=0)
        batch: PositiveInt = 512
        evaluation_size: PositiveInt = 10_000
        evaluation_batch: PositiveInt = 1_000

    def __init__(self, config: GaussianRing.Config) -> None:
        angles = [2 * math.pi * mode / config.modes for mode in range(config.modes)]
        self.centers = config.radius * torch.tensor(
            [[math.cos(angle), math.sin(angle)] for angle in angles], dtype=torch.float64
        )
        super().__init__(
            config,
            dataset="gaussian_ring",
            inputs=Inputs(kind="table", shape=(2,), columns=("x", "y")),
            outputs=Outputs(kind="samples", names=("x", "y")),
        )
        self.form = config

    def _draw(self, keys: Tensor, *, training: bool) -> tuple[Tensor, None]:  # noqa: ARG002
        modes = (keyed_uniform(keys, stream="mode") * self.form.modes).long()  # (B,)
        points = self.centers[modes] + self.form.sd * keyed_normal(keys, 2, stream="point")  # (B, 2)
        return points.float(), None
