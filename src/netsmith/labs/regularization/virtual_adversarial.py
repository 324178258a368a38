"""What examples without labels are worth: virtual adversarial training against labels alone."""

from __future__ import annotations

import statistics

from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines, Number, Series
from netsmith.core.roles import LabConfig, MethodConfig, ModelConfig, SourceConfig
from netsmith.data.class_subset import ClassSubset
from netsmith.data.digits import Digits
from netsmith.data.few_labels import FewLabels
from netsmith.engine.experiment import Experiment
from netsmith.labs._data import need
from netsmith.labs._training import train
from netsmith.methods.supervised import Supervised
from netsmith.methods.virtual_adversarial import VirtualAdversarial
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.linear import Linear
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "VirtualAdversarialLab"]

CARD = {
    "title": "Few labels: supervised against virtual adversarial training",
    "paper": "Miyato et al. 2018, arXiv:1704.03976",
    "shows": "test accuracy by the number of labels: from labels alone, and with the smoothness that needs none",
    "quick": {"steps": 3, "per_class": [1, 2], "seeds": 2},
}

_WAYS = {
    "supervised": "labels alone",
    "labeled": "VAT, labeled examples",
    "all": "VAT, all examples",
}


class VirtualAdversarialLab:
    """Train the same network on few labels in three ways: on them alone, smooth around them, smooth around all.

    The first two see the labeled examples only; the third also those whose labels are hidden. The kept labels differ
    by seed and are the same for all three. With its defaults it takes about 45 seconds on one core.
    """

    class Config(LabConfig):
        """The network, the data and how many labels.

        Attributes:
            data: Images or a table, in classes; the labels of its training split are hidden.
            model: The network.
            per_class: Labels that each class keeps, ascending; one column of the figure each.
            epsilon: Of virtual adversarial training, as Euclidean length, in pixels of 0..1.
            powers: Its iterations.
            labeled: Labeled examples in a batch, or as many as there are.
            unlabeled: Others in a batch.
            steps: Steps of each training.
            lr: Adam's rate at the start; it falls to 0 in a line.
            seeds: Runs of each way.
        """

        data: SourceConfig = Digits.Config(test=0.3)
        model: ModelConfig = MLP.Config(hidden=(128, 128))
        per_class: tuple[int, ...] = Field(default=(1, 2, 5, 10, 30), min_length=1)
        epsilon: float = Field(default=1.0, gt=0)
        powers: int = Field(default=1, ge=1)
        labeled: int = Field(default=32, ge=1)
        unlabeled: int = Field(default=96, ge=1)
        steps: int = Field(default=300, ge=1)
        lr: float = Field(default=0.003, gt=0)
        seeds: int = Field(default=3, ge=1, le=100)

        @model_validator(mode="after")
        def _check(self) -> VirtualAdversarialLab.Config:
            if min(self.per_class) < 1 or list(self.per_class) != sorted(set(self.per_class)):
                raise ValueError(f"per_class must be at least 1 and ascending, got {self.per_class}")
            return self

    def __init__(self, config: VirtualAdversarialLab.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the test accuracies of every way, number of labels and seed."""
        config = self.config
        spec = config.data.build().spec
        need(config.data, spec, splits=("test",))
        classes = len(spec.outputs.names)
        found = {
            (way, count): tuple(self._accuracy(classes, way, count, seed) for seed in range(config.seeds))
            for count in config.per_class
            for way in _WAYS
        }
        means = {at: statistics.fmean(values) for at, values in found.items()}
        numbers: dict[str, Number | tuple[Number, ...]] = {"labels": tuple(classes * n for n in config.per_class)}
        numbers |= {f"{way}/{count}": values for (way, count), values in found.items()}
        labels = tuple(float(classes * count) for count in config.per_class)
        chart = Lines(
            "accuracy",
            "Accuracy by the number of labels",
            "labels kept",
            "accuracy on the test split",
            tuple(Series(name, labels, tuple(means[way, n] for n in config.per_class)) for way, name in _WAYS.items()),
            log_x=True,
            caption=f"Means of {config.seeds} seeds, each with other labels. VAT: virtual adversarial training, "
            f"epsilon {config.epsilon:g}.",
        )
        table = Grid(
            f"Accuracy on the test split: mean of {config.seeds} seeds (lowest to highest)",
            ("labels", *_WAYS.values()),
            tuple((classes * n, *(_spread(found[way, n]) for way in _WAYS)) for n in config.per_class),
        )
        remarks = tuple(self._remark(classes * n, {way: found[way, n] for way in _WAYS}) for n in config.per_class)
        return Findings(numbers, (chart,), (table,), remarks)

    def _accuracy(self, classes: int, way: str, per_class: int, seed: int) -> float:
        config = self.config
        labeled = min(config.labeled, classes * per_class)
        data: SourceConfig
        if way == "all":
            others = config.data.derive(batch=config.unlabeled)
            data = FewLabels.Config(data=others, per_class=per_class, labeled_batch=labeled, seed=seed)
        else:  # the same labeled examples, and no others
            alone = config.data.derive(batch=labeled)
            data = ClassSubset.Config(data=alone, classes=tuple(range(classes)), per_class=per_class, seed=seed)
        method: MethodConfig = Supervised.Config(model=config.model, task=Classify.Config())
        if way != "supervised":
            method = VirtualAdversarial.Config(
                model=config.model, task=Classify.Config(), epsilon=config.epsilon, powers=config.powers
            )
        experiment = Experiment.Config(
            method=method,
            data=data,
            optimizers={"model": Adam.Config(lr=config.lr, schedule=Linear.Config())},
            steps=config.steps,
            evaluate_every=config.steps,
            seed=seed,
            device="cpu",
        )
        return train(experiment).accuracy("test")

    def _remark(self, labels: int, found: dict[str, tuple[float, ...]]) -> str:
        means = {way: 100 * statistics.fmean(values) for way, values in found.items()}
        better = sum(ours > theirs for ours, theirs in zip(found["all"], found["supervised"], strict=True))
        return (
            f"With {labels} labels: {means['supervised']:.1f} % from labels alone, {means['labeled']:.1f} % smooth "
            f"around the labeled, {means['all']:.1f} % smooth around all; the last differs from the first by "
            f"{means['all'] - means['supervised']:+.1f} points on average and is ahead in {better} of "
            f"{self.config.seeds} seeds."
        )


def _spread(values: tuple[float, ...]) -> str:
    return f"{statistics.fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})"
