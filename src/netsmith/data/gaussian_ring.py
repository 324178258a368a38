"""Points from a ring of Gaussians in the plane: the standard small test of a generator's variety."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from netsmith.core.keys import key as named_key
from netsmith.core.roles import SourceConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Split
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys, keyed_normal, keyed_uniform
from netsmith.engine.source import Source, cut_batches

__all__ = ["GaussianRing"]


class GaussianRing(Source):
    """Draw points from equally likely Gaussians whose centers lie evenly on a circle.

    The defaults are the ring of Metz et al. 2017 (Unrolled GANs, arXiv:1611.02163, appendix A): eight components of
    standard deviation 0.02 on a circle of radius 2. A point is a pure function of its key: every epoch has fresh ones,
    and the dev and test points are always the same.

    Batches hold the real points as ``inputs`` (``(B, 2)`` float32), no targets, and keys for the generator's noise.
    """

    class Config(SourceConfig):
        """The mixture and the sizes.

        Attributes:
            modes: Number of Gaussians; the first center lies on the positive x axis.
            radius: Of the circle of centers.
            sd: Standard deviation of each Gaussian, along both axes.
            batch: Points per batch.
            batches: Training batches that make up an epoch.
            evaluation_size: Points in the dev and in the test split.
            evaluation_batch: Points per dev or test batch.
            twin: The same mixture, with 1,000 evaluation points and 8 batches an epoch.
        """

        modes: PositiveInt = 8
        radius: float = Field(default=2.0, gt=0)
        sd: float = Field(default=0.02, gt=0)
        batch: PositiveInt = 512
        batches: PositiveInt = 100
        evaluation_size: PositiveInt = 10_000
        evaluation_batch: PositiveInt = 1_000

    def __init__(self, config: GaussianRing.Config) -> None:
        self.config = config
        angles = [2 * math.pi * mode / config.modes for mode in range(config.modes)]
        self.centers = config.radius * torch.tensor(
            [[math.cos(angle), math.sin(angle)] for angle in angles], dtype=torch.float64
        )
        evaluation = 1_000 if config.twin else config.evaluation_size
        self._train_size = config.batch * (8 if config.twin else config.batches)
        self.spec = Spec(
            dataset="gaussian_ring",
            inputs=Inputs(kind="table", shape=(2,), columns=("x", "y")),
            outputs=Outputs(kind="samples", names=("x", "y")),
            splits=(
                Split(name="train", size=self._train_size, made="drawn anew each epoch"),
                Split(name="dev", size=evaluation, made="drawn from its own key"),
                Split(name="test", size=evaluation, made="drawn from its own key"),
            ),
        )

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:  # noqa: ARG002
        found = self.spec.split(split)
        assert found is not None
        batch = self.config.batch if split == "train" else self.config.evaluation_batch
        # Training points are independent draws: an order of their own would add nothing.
        return cut_batches(found.size, batch, seed=None, epoch=epoch, drop_last=False)

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        base = named_key(0 if key is None or split != "train" else key, "gaussian_ring", split)
        keys = example_keys(base, indices)
        modes = (keyed_uniform(keys, stream="mode") * self.config.modes).long()  # (B,)
        points = self.centers[modes] + self.config.sd * keyed_normal(keys, 2, stream="point")  # (B, 2)
        return Batch(inputs=points.float(), keys=keys, indices=indices)
