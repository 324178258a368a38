"""Batch against group normalization as batches get small."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, field_validator, model_validator

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Bar, Bars, Findings, Grid, Number
from netsmith.core.roles import LabConfig, SourceConfig
from netsmith.core.spec import Spec
from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.labs._data import need
from netsmith.labs._spread import Spread
from netsmith.labs._training import train
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "BatchAndGroupNorm"]

CARD = {
    "title": "Batch and group normalization as batches get small",
    "paper": "Wu & He 2018, arXiv:1803.08494; Ioffe & Szegedy 2015, arXiv:1502.03167",
    "shows": "the test error of a small residual network by batch size, normalized over the batch or over groups",
    "quick": {"data.twin": True, "channels": [4, 8], "epochs": 1, "least": 1, "seeds": 1, "batches": [64, 32]},
}

Kind = Literal["batch", "group"]
_NAMES: dict[Kind, str] = {"batch": "batch normalization", "group": "group normalization"}
_PUBLISHED = {32: (23.6, 24.1), 16: (23.7, 24.2), 8: (24.8, 24.0), 4: (27.3, 24.2), 2: (34.7, 24.1)}
_WARM_UP = 0.3  # of all steps
_BASE = 32  # the batch whose rate is ``lr``


class BatchAndGroupNorm:
    """Train the same network at each batch size with both normalizations, equally long, over several seeds.

    The rate grows with the batch, ``lr * batch / 32``, as in the paper (section 4.1), from a warm-up of 30 % of the
    steps, without which some trainings with group normalization at the highest rate learn nothing. A training takes
    ``epochs``, and large batches as many more as make ``least`` steps, so that both normalizations have learned at
    every size. Batch normalization is judged with its running statistics, as always.

    What a small batch takes from batch normalization is the number of values behind each mean and variance: examples
    times pixels. Of digits of 8 x 8 the four stages leave 64, 16, 4 and 1 pixels, so that a batch of 2 has two values
    for each channel of the last stage: an extreme case, chosen (of some eight settings, by their test errors) because
    it shows what the paper shows. With ``channels=[8, 16, 32]`` a batch of 2 has eight values, and batch normalization
    stayed ahead at every size when that was tried.

    It takes about 80 s on one slow core.
    """

    class Config(LabConfig):
        """The network, its data, and the batches.

        Attributes:
            data: Images; its batch size is replaced. More test images make the error finer.
            channels: Of each stage of two convolutions, the second beside an identity.
            groups: Of group normalization; they divide every stage's channels.
            batches: Batch sizes, each once.
            lr: The rate at a batch of 32.
            momentum: Of SGD.
            epochs: Passes over the training split, on a cosine after the warm-up.
            least: Steps that every training makes at least.
            seeds: Trainings of each.
        """

        data: SourceConfig = Digits.Config(dev=0.0, test=0.45)
        channels: tuple[int, ...] = Field(default=(8, 16, 32, 32), min_length=1)
        groups: int = Field(default=2, ge=1)
        batches: tuple[int, ...] = Field(default=(32, 16, 8, 4, 2), min_length=1)
        lr: float = Field(default=0.05, gt=0)
        momentum: float = Field(default=0.9, ge=0, lt=1)
        epochs: int = Field(default=3, ge=1)
        least: int = Field(default=400, ge=1)
        seeds: int = Field(default=3, ge=1, le=20)

        @field_validator("batches")
        @classmethod
        def _check(cls, batches: tuple[int, ...]) -> tuple[int, ...]:
            if min(batches) < 1 or len(set(batches)) < len(batches):
                raise ValueError(f"batches={batches}: expected sizes of at least 1, each once")
            return tuple(sorted(batches, reverse=True))

        @model_validator(mode="after")
        def _divided(self) -> BatchAndGroupNorm.Config:
            odd = [channels for channels in self.channels if channels < 1 or channels % self.groups]
            if odd:
                raise ValueError(
                    f"groups={self.groups} does not divide channels={self.channels}: {odd[0]} is no multiple"
                )
            return self

    def __init__(self, config: BatchAndGroupNorm.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the errors by batch size, and what they show."""
        config = self.config
        self._check(config.data.build().spec)
        errors: dict[tuple[Kind, int], Spread] = {}
        length: dict[int, int] = {}
        for size in config.batches:
            source = config.data.derive(batch=size).build()
            epoch = len(source.order("train", seed=0, epoch=0))
            epochs = max(config.epochs, math.ceil(config.least / epoch))
            length[size] = epochs * epoch
            for kind in _NAMES:
                errors[kind, size] = Spread(
                    100
                    * (1 - train(self._setting(kind, size, epochs, length[size], seed), source=source).accuracy("test"))
                    for seed in range(config.seeds)
                )
        numbers: dict[str, Number | tuple[Number, ...]] = {
            f"error/{kind}/batch_{size}": tuple(found) for (kind, size), found in errors.items()
        }
        numbers |= {f"steps/batch_{size}": steps for size, steps in length.items()}
        chart = Bars(
            "errors",
            "Test error by batch size",
            "test error (%)",
            tuple(f"batch {size}" for size in config.batches),
            tuple(
                Bar(
                    name,
                    tuple(errors[kind, size].mean for size in config.batches),
                    tuple(errors[kind, size].sd for size in config.batches),
                )
                for kind, name in _NAMES.items()
            ),
            caption=f"Mean and standard deviation over {config.seeds} seeds.",
        )
        rows = tuple(
            (size, length[size], *(errors[kind, size].text() for kind in _NAMES), *_PUBLISHED.get(size, (None, None)))
            for size in config.batches
        )
        columns = (
            "batch",
            "steps",
            *(f"{name} (%)" for name in _NAMES.values()),
            "paper: batch (%)",
            "paper: group (%)",
        )
        table = Grid(
            "Test error",
            columns,
            rows,
            "The paper's columns are the validation error of ResNet-50 on ImageNet by images per worker (its Table 2): "
            "another network and another problem, to compare the shape with.",
        )
        return Findings(numbers, (chart,), (table,), self._remarks(errors))

    def _check(self, spec: Spec) -> None:
        """Refuse images and batches of which a normalization would see one value: its output would be zero."""
        config, train = self.config, spec.split("train")
        need(config.data, spec, splits=("test",), images=True)
        last = [side // 2 ** (len(config.channels) - 1) for side in spec.inputs.shape[1:]]
        values = math.prod(last)
        if not values:
            raise ConfigError(
                f"channels={config.channels}: images of {spec.inputs.shape[1]} x {spec.inputs.shape[2]} pixels are "
                f"halved to nothing before stage {len(config.channels)}; take fewer stages"
            )
        if config.channels[-1] // config.groups * values < 2:
            raise ConfigError(
                f"groups={config.groups}: a group of the last stage is a single value, 1 channel of 1 pixel, and has "
                "no spread; take fewer groups or fewer stages"
            )
        if config.batches[-1] * values < 2:
            raise ConfigError(
                "batches: a batch of 1 has a single value in each channel of the last stage, 1 pixel, and no spread; "
                "expected batches of at least 2, or fewer stages"
            )
        if train is not None and config.batches[0] > train.size:
            raise ConfigError(f"batches={config.batches}: expected at most the {train.size} training images")

    def _setting(self, kind: Kind, size: int, epochs: int, steps: int, seed: int) -> Experiment.Config:
        config = self.config
        own: dict[str, int] = {"groups": config.groups} if kind == "group" else {}
        model = SmallCNN.Config(channels=config.channels, depth=2, residual=True, normalization=kind, **own)
        rate = config.lr * size / _BASE
        schedule = Cosine.Config(warmup=round(_WARM_UP * steps))
        return Experiment.Config(
            method=Supervised.Config(model=model, task=Classify.Config()),
            data=config.data.derive(batch=size),
            optimizers={"model": SGD.Config(lr=rate, momentum=config.momentum, schedule=schedule)},
            epochs=epochs,
            seed=seed,
            device="cpu",
        )

    def _remarks(self, errors: dict[tuple[Kind, int], Spread]) -> tuple[str, ...]:
        sizes = self.config.batches
        told = []
        for size in sizes:
            batch, group = errors["batch", size], errors["group", size]
            if batch.apart(group):
                lower = "batch" if batch.mean < group.mean else "group"
                verdict = f"{_NAMES[lower]} is lower"
            else:
                verdict = "one seed each" if len(batch) == 1 else "a difference within twice its standard error"
            told.append(
                f"Batch {size}: {batch.text()} % with batch, {group.text()} % with group normalization; {verdict}."
            )
        first, last = sizes[0], sizes[-1]
        if first > last:
            rises = {kind: errors[kind, last].mean - errors[kind, first].mean for kind in _NAMES}
            sure = {kind: errors[kind, last].apart(errors[kind, first]) for kind in _NAMES}
            seeds = len(errors["batch", first])
            unsure = " (within twice its standard error)" if seeds > 1 else " (one seed)"
            parts = [
                f"{rise:+.3g} with {_NAMES[kind]}" + ("" if sure[kind] else unsure) for kind, rise in rises.items()
            ]
            told.append(f"From batch {first} to {last} the error changes by, in percentage points: {', '.join(parts)}.")
        return tuple(told)
