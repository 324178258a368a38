"""A deep network of sigmoids on few labels, with and without layers that were learned without any."""

from __future__ import annotations

import functools
import statistics
from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Bar, Bars, Findings, Grid, Number
from netsmith.core.roles import LabConfig
from netsmith.data.digits import Digits
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.source import Source, cut_batches
from netsmith.methods.layerwise_pretraining import LayerwisePretraining
from netsmith.methods.supervised import Supervised
from netsmith.models.foundations.deep_belief_network import DeepBeliefNetwork
from netsmith.optim.adam import Adam
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "FewLabels"]

CARD = {
    "title": "Pre-training layer by layer, when labels are few",
    "paper": "Hinton & Salakhutdinov 2006, Science 313; Bengio et al. 2007; Erhan et al. 2010, JMLR 11, 625-660",
    "shows": "test errors by number of labels, from first weights at random, from stacked RBMs and from autoencoders",
    "quick": {"hidden": [10], "labels": [20], "pretraining": 4, "steps": 3, "seeds": [0]},
}

_STARTS: tuple[tuple[str, Literal["", "rbm", "autoencoder"]], ...] = (
    ("no pre-training", ""),
    ("RBMs", "rbm"),
    ("autoencoders", "autoencoder"),
)
_RATE = 0.003
_LEARNS = {"rbm": SGD.Config(lr=0.1, momentum=0.9), "autoencoder": Adam.Config(lr=_RATE)}  # each what suits it on dev


class _Few(Source):
    """The first examples of each class of a source's training split, and its other splits."""

    def __init__(self, source: Source, labels: int, *, batch: int, seed: int) -> None:
        self.spec, self._source, self._batch = source.spec, source, batch
        size = next(split.size for split in source.spec.splits if split.name == "train")
        order = torch.randperm(size, generator=torch.Generator().manual_seed(seed))
        targets = source.load("train", order).targets
        classes = int(source.spec.outputs.size)
        each = [order[targets == label][: labels // classes] for label in range(classes)]
        self._chosen = torch.cat(each)

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:
        if split != "train":
            return self._source.order(split, seed=seed, epoch=epoch)
        size = len(self._chosen)
        return [self._chosen[at] for at in cut_batches(size, self._batch, seed=seed, epoch=epoch, drop_last=True)]

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        return self._source.load(split, indices, key=key)


class FewLabels:
    """Learn a stack of layers from all training images without labels, then fine-tune it on a few that have one.

    All start from the same seed, and fine-tune by the same steps on the same labels. What is compared with, the same
    network without pre-training, starts from Glorot's weights: from the small ones that suit an RBM it would hardly
    learn.
    """

    class Config(LabConfig):
        """The network, the labels and the lengths.

        Attributes:
            hidden: Units of each layer.
            labels: How many images have one, as many of each of ten classes; ascending.
            pretraining: Steps of pre-training, over all layers.
            steps: Steps of fine-tuning.
            seeds: Of first weights, orders and the choice of labels.
        """

        hidden: tuple[int, ...] = Field(default=(100, 100, 100), min_length=1)
        labels: tuple[int, ...] = Field(default=(20, 50, 100, 500), min_length=1)
        pretraining: int = Field(default=3000, ge=2)
        steps: int = Field(default=300, ge=1)
        seeds: tuple[int, ...] = Field(default=(0, 1), min_length=1)

    def __init__(self, config: FewLabels.Config) -> None:
        self.config = config
        self.data = Digits.Config(batch=32, test=0.25, normalize=False)
        self.source = functools.cache(self.data.build)  # read when it runs

    def run(self) -> Findings:
        """Return test errors by start and number of labels."""
        config = self.config
        errors: dict[tuple[str, int], list[float]] = {}
        for seed in config.seeds:
            for name, stage in _STARTS:
                weights = self._pretrained(stage, seed) if stage else {}
                for labels in config.labels:
                    errors.setdefault((name, labels), []).append(self._error(weights, labels, seed))
        means = {key: statistics.fmean(values) for key, values in errors.items()}
        spreads = {key: statistics.pstdev(values) for key, values in errors.items()}
        names = [name for name, _ in _STARTS]
        chart = Bars(
            "errors",
            "Test error after fine-tuning on few labels",
            "test error (%)",
            tuple(f"{labels} labels" for labels in config.labels),
            tuple(
                Bar(
                    name,
                    tuple(100 * means[name, labels] for labels in config.labels),
                    tuple(100 * spreads[name, labels] for labels in config.labels),
                )
                for name in names
            ),
            caption=f"Layers of {', '.join(map(str, config.hidden))} sigmoids; mean and standard deviation of "
            f"{len(config.seeds)} seeds. Pre-training sees all training images without labels.",
        )
        numbers: dict[str, Number | tuple[Number, ...]] = {
            f"error/{name}/{labels}": tuple(errors[name, labels]) for name, labels in errors
        }
        remarks = []
        for labels in config.labels:
            order = sorted(names, key=lambda name: means[name, labels])
            found = ", ".join(f"{name} {100 * means[name, labels]:.1f} %" for name in order)
            remarks.append(f"{labels} labels, from the lowest error: {found}.")
        gaps = {
            labels: means[names[0], labels] - min(means[name, labels] for name in names[1:]) for labels in config.labels
        }
        widest = max(gaps, key=gaps.__getitem__)
        if gaps[widest] > 0:
            remarks.append(
                f"The better pre-training gains most, {100 * gaps[widest]:.1f} points, with {widest} labels; with "
                f"{config.labels[-1]} it gains {100 * gaps[config.labels[-1]]:.1f}."
            )
        table = Grid(
            "Mean test error (%)",
            ("labels", *names),
            tuple((labels, *(100 * means[name, labels] for name in names)) for labels in config.labels),
        )
        return Findings(numbers, (chart,), (table,), tuple(remarks))

    def _pretrained(self, stage: Literal["rbm", "autoencoder"], seed: int) -> dict[str, Tensor]:
        experiment = Experiment(
            Experiment.Config(
                method=LayerwisePretraining.Config(
                    model=DeepBeliefNetwork.Config(hidden=self.config.hidden),
                    task=Classify.Config(),
                    stage=stage,
                    share=1.0,
                ),
                data=self.data,
                optimizers={"layers": _LEARNS[stage]},
                steps=self.config.pretraining,
                evaluate_every=self.config.pretraining,
                seed=seed,
                device="cpu",
            ),
            source=self.source(),
        )
        Engine(experiment).fit()
        return {name: value for name, value in experiment.method.product().state_dict().items() if "head" not in name}

    def _error(self, weights: dict[str, Tensor], labels: int, seed: int) -> float:
        """Fine-tune from these layers, or from first weights where there are none, and return the test error."""
        std = DeepBeliefNetwork.Config.model_fields["std"].default if weights else 0.0
        experiment = Experiment(
            Experiment.Config(
                method=Supervised.Config(
                    model=DeepBeliefNetwork.Config(hidden=self.config.hidden, std=std), task=Classify.Config()
                ),
                data=self.data,
                optimizers={"model": Adam.Config(lr=_RATE)},
                steps=self.config.steps,
                evaluate_every=self.config.steps,
                seed=seed,
                device="cpu",
            ),
            source=_Few(self.source(), labels, batch=32, seed=seed),
        )
        experiment.method.product().load_state_dict(weights, strict=False)
        engine = Engine(experiment)
        engine.fit()
        return 1 - engine.evaluate("test")["test/accuracy"]
