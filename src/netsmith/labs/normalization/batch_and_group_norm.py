"""Batch against group normalization as batches get small."""

from __future__ import annotations

from pydantic import Field, field_validator

from netsmith.core.findings import Bar, Bars, Findings, Grid, Lines, Number, Series
from netsmith.core.roles import LabConfig, SourceConfig
from netsmith.data.digits import Digits
from netsmith.labs._spread import Spread
from netsmith.labs._training import train
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.engine.experiment import Experiment
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "BatchAndGroupNorm"]

CARD = {
    "title": "Batch and group normalization as batches get small",
    "paper": "Wu & He 2018, arXiv:1803.08494; Ioffe & Szegedy 2015, arXiv:1502.03167",
    "shows": "the test error of a small residual network by batch size, normalized over the batch or over groups",
}

_NAMES = {"batch": "batch normalization", "group": "group normalization"}
_BASE = 32  # the batch whose rate is ``lr``


class BatchAndGroupNorm:
    """Train the same network at each batch size with both normalizations, for as many epochs, over several seeds.

    The rate grows with the batch, ``lr * batch / 32``, as in the paper (section 4.1). Batch normalization is judged
    with its running statistics, as always. The network has two stages of two convolutions; over small images a batch of
    two still gives some dozens of numbers to a channel's statistics, where the paper's per-worker batches of two images
    gave its last stage 98, and far more classes to tell apart.
    """

    class Config(LabConfig):
        """The network, its data, and the batches.

        Attributes:
            data: Images; its batch size is replaced. More test images make the error finer.
            channels: Of each stage.
            groups: Of group normalization; they divide every stage's channels.
            batches: Batch sizes, each once.
            lr: The rate at a batch of 32.
            momentum: Of SGD.
            epochs: Passes over the training split, on a cosine.
            seeds: Trainings of each.
        """

        data: SourceConfig = Digits.Config(dev=0.0, test=0.45)
        channels: tuple[int, ...] = Field(default=(8, 16), min_length=1)
        groups: int = Field(default=4, ge=1)
        batches: tuple[int, ...] = Field(default=(32, 16, 8, 4, 2), min_length=1)
        lr: float = Field(default=0.1, gt=0)
        momentum: float = Field(default=0.9, ge=0, lt=1)
        epochs: int = Field(default=4, ge=1)
        seeds: int = Field(default=3, ge=1, le=20)

        @field_validator("batches")
        @classmethod
        def _check(cls, batches: tuple[int, ...]) -> tuple[int, ...]:
            if min(batches) < 1 or len(set(batches)) < len(batches):
                raise ValueError(f"batches={batches}: expected sizes of at least 1, each once")
            return tuple(sorted(batches, reverse=True))

    def __init__(self, config: BatchAndGroupNorm.Config) -> None:
        self.config = config
