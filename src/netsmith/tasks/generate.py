"""Generate points of a known mixture: whether all its modes are met and the samples are good."""

from __future__ import annotations

import math
from typing import Any

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.errors import UnsupportedError, shorten
from netsmith.core.roles import TaskConfig
from netsmith.core.spec import Outputs, Spec
from netsmith.engine.task import Loss, Metric, Ratio, Task

__all__ = ["Generate", "Modes", "ring"]


def ring(modes: int, *, radius: float) -> tuple[tuple[float, float], ...]:
    """Return centers that lie evenly on a circle, the first one on the positive x axis.

    Example:
        >>> ring(2, radius=3.0)[0]
        (3.0, 0.0)
    """
    angles = [2 * math.pi * mode / modes for mode in range(modes)]
    return tuple((radius * math.cos(angle), radius * math.sin(angle)) for angle in angles)


class Modes(Metric):
    """How many modes are met: those that hold at least a least share of all samples, counting good samples only.

    Args:
        centers: ``(M, D)`` float64.
        reach: Distance from its center up to which a sample is good.
        least_share: Share of all samples that a mode needs, in 0..1.
    """

    unit = "modes"

    def __init__(self, centers: Tensor, *, reach: float, least_share: float) -> None:
        self.centers = centers
        self.reach = reach
        self.least_share = least_share
        self.counts = torch.zeros(len(centers), dtype=torch.int64)
        self.seen = 0

    def update(self, output: Any, target: Any) -> None:  # noqa: ARG002
        nearest, good = _nearest(output, self.centers, self.reach)
        self.counts += torch.bincount(nearest[good], minlength=len(self.centers))
        self.seen += len(output)

    def merge(self, other: Modes) -> None:
        self.counts += other.counts
        self.seen += other.seen

    def compute(self) -> float:
        if not self.seen:
            return float("nan")
        return float((self.counts >= max(1.0, self.least_share * self.seen)).sum())


class Generate(Task):
    """Judge samples against the mixture of Gaussians they are to imitate.

    Use it where the truth is known, to see whether a generator drops modes: both figures are those of Srivastava et
    al. 2017 (VEEGAN, arXiv:1705.07761, section 5): a sample is good within three standard deviations of the nearest
    center. There, one good sample is enough for a mode to count; here a mode needs ``least_share`` of all samples,
    which is harder to meet.

    Metrics: ``modes`` (a count) and ``high_quality`` (share of good samples, in 0..1).
    """

    class Config(TaskConfig):
        """The mixture.

        Attributes:
            centers: Center of each Gaussian; see :func:`ring`.
            sd: Their standard deviation, the same along every axis.
            least_share: Share of all samples that a mode needs to count, in 0..1.
        """

        centers: tuple[tuple[float, ...], ...] = Field(min_length=1)
        sd: float = Field(gt=0)
        least_share: float = Field(default=0.02, ge=0, le=1)

        @model_validator(mode="after")
        def _check(self) -> Generate.Config:
            if len({len(center) for center in self.centers}) != 1:
                raise ValueError("centers must all have the same number of coordinates")
            if self.least_share * len(self.centers) > 1:
                raise ValueError(f"least_share {self.least_share} of {len(self.centers)} modes is more than everything")
            return self

        def misfit(self, spec: Spec) -> str:
            """Return why samples like this data could not be compared with the centers."""
            if spec.inputs.shape == (len(self.centers[0]),):
                return ""
            return (
                f"the centers of the task generate have {len(self.centers[0])} coordinates, and the examples of "
                f"{shorten(spec.dataset, 60)} have the shape {spec.inputs.shape}; give such points, or other centers"
            )

    def __init__(self, config: Generate.Config) -> None:
        super().__init__()
        self.config = config

    def loss(self, output: Any, target: Any, weights: Tensor | None = None) -> Loss:  # noqa: ARG002
        raise UnsupportedError(
            "samples have no loss of their own: a generator learns from an opponent; use the method adversarial"
        )

    def metrics(self) -> dict[str, Metric]:
        centers = torch.tensor(self.config.centers, dtype=torch.float64)
        reach = 3 * self.config.sd

        def good(output: Tensor, target: Any) -> tuple[int, int]:  # noqa: ARG001
            return int(_nearest(output, centers, reach)[1].sum()), len(output)

        return {
            "modes": Modes(centers, reach=reach, least_share=self.config.least_share),
            "high_quality": Ratio(good),
        }

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        return [dict(zip(outputs.names, row, strict=True)) for row in output.tolist()]


def _nearest(samples: Tensor, centers: Tensor, reach: float) -> tuple[Tensor, Tensor]:
    """Return the nearest center of each sample, and whether it is within reach."""
    distances = torch.cdist(samples.detach().double().cpu(), centers)  # (B, M)
    shortest, nearest = distances.min(dim=1)
    return nearest, shortest <= reach
