"""A deep network beside classic learners, as the number of training examples grows."""

from __future__ import annotations

import math
from statistics import mean

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig, ModelConfig, SourceConfig
from netsmith.data.class_subset import ClassSubset
from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.engine.source import Source
from netsmith.labs._training import train
from netsmith.methods.supervised import Supervised
from netsmith.models.foundations.decision_tree import DecisionTree
from netsmith.models.foundations.k_nearest_neighbors import KNearestNeighbors
from netsmith.models.foundations.logistic_regression import LogisticRegression
from netsmith.models.foundations.svm import Svm
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "DataSize"]

CARD = {
    "title": "Deep against classic learners as data grow",
    "paper": "LeCun et al. 1998, Proc. IEEE 86:2278 (learners compared on MNIST)",
    "shows": "test error of a CNN, an SVM, nearest neighbors, a tree and logistic regression by number of examples",
    "quick": {"per_class": [2, 4], "steps": 2, "seeds": 1, "most": 50, "data": {"kind": "digits", "batch": 32}},
}

_CNN = "CNN"
_CLASSIC: tuple[tuple[str, ModelConfig], ...] = (
    ("SVM (RBF)", Svm.Config(strength=5.0)),
    ("3 nearest neighbors", KNearestNeighbors.Config(neighbors=3)),
    ("logistic regression", LogisticRegression.Config()),
    ("decision tree", DecisionTree.Config()),
)


class DataSize:
    """Fit each learner to ever more of the same images, and count its errors on the same test images.

    As many of each class are drawn anew with every seed. The settings are the same at every size; none is chosen on
    the test images. The CNN takes the same number of steps at every size, so at small ones it sees each image often.
    By default on MNIST, some three minutes on one core.
    """

    class Config(LabConfig):
        """What is compared.

        Attributes:
            data: Images with classes.
            per_class: Training images of each class, ascending.
            steps: Training steps of the CNN, of 64 images or all there are.
            channels: Of its stages.
            most: Test images that are judged, the first ones; 0 for all.
            seeds: How often everything is done.
        """

        data: SourceConfig = Mnist.Config(batch=64, dev=0.0, evaluation_batch=1000)
        per_class: tuple[int, ...] = (5, 20, 80, 320)
        steps: int = Field(default=250, ge=1)
        channels: tuple[int, ...] = (16, 32)
        most: int = Field(default=2000, ge=0)
        seeds: int = Field(default=3, ge=1, le=100)

        @model_validator(mode="after")
        def _check(self) -> DataSize.Config:
            if len(self.per_class) < 2 or sorted(set(self.per_class)) != list(self.per_class) or self.per_class[0] < 1:
                raise ValueError(f"per_class={self.per_class}: expected two or more above 0, ascending")
            return self

    def __init__(self, config: DataSize.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return errors by learner and size."""
        classes = tuple(range(len(self.config.data.build().spec.outputs.names)))
        errors: dict[str, list[tuple[float, ...]]] = {name: [] for name in (_CNN, *(name for name, _ in _CLASSIC))}
        for count in self.config.per_class:
            found: dict[str, list[float]] = {name: [] for name in errors}
            for seed in range(self.config.seeds):
                data = ClassSubset.Config(data=self.config.data, classes=classes, per_class=count, seed=seed)
                for name, error in self._errors(data, seed).items():
                    found[name].append(error)
            for name, each in found.items():
                errors[name].append(tuple(each))
        sizes = tuple(count * len(classes) for count in self.config.per_class)
        means = {name: tuple(100 * mean(one) for one in each) for name, each in errors.items()}
        numbers: dict[str, tuple[float, ...]] = {"examples": tuple(map(float, sizes))}
        numbers |= {f"error/{name}": values for name, values in means.items()}
        numbers |= {
            f"errors/{name}/{size}_images": tuple(100 * one for one in values)
            for name, each in errors.items()
            for size, values in zip(sizes, each, strict=True)
        }
        chart = Lines(
            "errors",
            "Test error",
            "training images",
            "error (%)",
            tuple(Series(name, tuple(map(float, sizes)), values) for name, values in means.items()),
            log_x=True,
            log_y=all(min(values) > 0 for values in means.values()),
            caption=f"Mean of {self.config.seeds} draws; the CNN takes {self.config.steps} steps at every size.",
        )
        table = Grid(
            "Test error (%)",
            ("learner", *(f"{size:,} images" for size in sizes)),
            tuple((name, *(round(value, 2) for value in values)) for name, values in means.items()),
        )
        return Findings(numbers, (chart,), (table,), _remarks(sizes, means))

    def _errors(self, data: ClassSubset.Config, seed: int) -> dict[str, float]:
        source: Source = data.build()
        inputs, targets = _whole(source, "train")
        test, truth = _whole(source, "test", most=self.config.most)
        facts = {"in_features": inputs[0].numel(), "num_classes": len(data.classes)}
        found = {}
        for name, config in _CLASSIC:
            learner = config.derive(**facts).build()
            learner.fit(inputs, targets)
            answers = torch.cat([learner(part).argmax(1) for part in test.split(500)])
            found[name] = _share(answers != truth)
        trained = train(
            Experiment.Config(
                method=Supervised.Config(
                    model=SmallCNN.Config(channels=self.config.channels, depth=2), task=Classify.Config()
                ),
                data=data,
                optimizers={"model": Adam.Config(lr=2e-3, schedule=Cosine.Config())},
                steps=self.config.steps,
                seed=seed,
                device="cpu",
            ),
            source=source,
        )
        network = trained.engine.method.product().eval()
        with torch.no_grad():
            answers = torch.cat([network(part).argmax(1) for part in test.split(500)])
        return {_CNN: _share(answers != truth), **found}


def _whole(source: Source, split: str, *, most: int = 0) -> tuple[Tensor, Tensor]:
    """Return the examples of a split, without augmentation, and their classes."""
    batches = [source.load(split, at) for at in source.order(split, seed=0, epoch=0)]
    inputs, targets = torch.cat([one.inputs for one in batches]), torch.cat([one.targets for one in batches])
    return (inputs[:most], targets[:most]) if most else (inputs, targets)


def _share(wrong: Tensor) -> float:
    return float(wrong.double().mean())


def _remarks(sizes: tuple[int, ...], means: dict[str, tuple[float, ...]]) -> tuple[str, ...]:
    told = []
    for at, size in enumerate(sizes):
        order = sorted(means, key=lambda name: means[name][at])
        best, second, last = order[0], order[1], order[-1]
        told.append(
            f"{size:,} images: {best} errs least, {means[best][at]:.2f} %, before {second} with "
            f"{means[second][at]:.2f} %; {last} errs most, {means[last][at]:.2f} %."
        )
    growth = math.log2(sizes[-1] / sizes[0])
    falls = {name: (values[-1] / values[0]) ** (1 / growth) for name, values in means.items() if values[0] > 0}
    steepest = min(falls, key=lambda name: falls[name])
    told.append(
        "Each doubling of the data multiplies the error by "
        + ", ".join(f"{falls[name]:.2f} ({name})" for name in sorted(falls, key=lambda name: falls[name]))
        + f" from end to end: {steepest} gains most."
    )
    return tuple(told)
