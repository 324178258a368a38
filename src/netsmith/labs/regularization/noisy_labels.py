"""Training with labels that are wrong on purpose, plainly and with regularization."""

from __future__ import annotations

from itertools import product
from typing import Annotated

import torch
from pydantic import Field

from netsmith.core.findings import Bar, Bars, Findings, Grid
from netsmith.core.roles import LabConfig
from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.labs._training import train
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.adam import Adam
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "NoisyLabels"]

CARD = {
    "title": "Wrong labels, and what regularization makes of them",
    "paper": "Zhang et al. 2018, arXiv:1710.09412; Lukasik et al. 2020, arXiv:2003.02819",
    "shows": "the test accuracy of a network trained on digits a share of whose labels is wrong, in four ways",
    "quick": {"shares": [0.4], "seeds": [0], "epochs": 1, "hidden": 8},
}

_WAYS = {
    "plain": {},
    "label smoothing (0.2)": {"method.task.label_smoothing": 0.2},
    "mixup (alpha 1)": {"data.mixup": 1.0},
    "dropout (0.5)": {"method.model.dropout": 0.5},
}
_TEST = 0.4


class NoisyLabels:
    """Train a multilayer perceptron on scikit-learn's digits; the wrong labels are the same in every epoch.

    Each wrong label is another class, all equally likely. Dev and test labels are right. All runs take as many steps;
    no step or setting is chosen by any figure.
    """

    class Config(LabConfig):
        """The runs.

        Attributes:
            shares: Shares of the training labels that are wrong.
            seeds: Of the runs and of which labels are wrong.
            epochs: Passes over the training images.
            hidden: Units of each of the two hidden layers.
        """

        shares: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(default=(0.0, 0.2, 0.4), min_length=1)
        seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
        epochs: int = Field(default=40, ge=1, le=1000)
        hidden: int = Field(default=128, ge=1, le=4096)

    def __init__(self, config: NoisyLabels.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the accuracy on right labels by share of wrong ones, and how many wrong ones were learned by heart."""
        found = {cell: [self._run(*cell, seed) for seed in self.config.seeds] for cell in product(_WAYS, self._shares)}
        means, spreads, learned = {}, {}, {}
        for cell, runs in found.items():
            each = torch.tensor(runs, dtype=torch.float64)  # (S, 2)
            means[cell], learned[cell] = each.mean(0).tolist()
            spreads[cell] = float(each[:, 0].std()) if len(runs) > 1 else 0.0
        numbers = {f"test_accuracy/{way}/{share:g}": means[way, share] for way, share in found}
        numbers |= {f"fits_given_labels/{way}/{share:g}": learned[way, share] for way, share in found}
        chart = Bars(
            "accuracy",
            "Accuracy after training on partly wrong labels",
            "test accuracy (%)",
            tuple(f"{100 * share:g} % wrong" for share in self._shares),
            tuple(
                Bar(
                    way,
                    tuple(100 * means[way, share] for share in self._shares),
                    tuple(100 * spreads[way, share] for share in self._shares),
                )
                for way in _WAYS
            ),
            f"Mean of {len(self.config.seeds)} seeds; lines: one standard deviation on each side.",
        )
        table = Grid(
            "Figures of the last step",
            ("way", "share wrong", "test accuracy", "deviation by seed", "training labels met, as given"),
            tuple((*cell, means[cell], spreads[cell], learned[cell]) for cell in found),
        )
        return Findings(numbers, (chart,), (table,), tuple(self._remarks(means, learned)))

    @property
    def _shares(self) -> tuple[float, ...]:
        return tuple(sorted(self.config.shares))

    def _run(self, way: str, share: float, seed: int) -> tuple[float, float]:
        """Return the accuracy on the test split, and on the training split with the labels as given."""
        config = Experiment.Config(
            method=Supervised.Config(model=MLP.Config(hidden=(self.config.hidden,) * 2), task=Classify.Config()),
            data=Digits.Config(batch=128, dev=0.0, test=_TEST, label_noise=share, split_seed=seed),
            optimizers={"model": Adam.Config(lr=0.002)},
            epochs=self.config.epochs,
            seed=seed,
        )
        trained = train(config.derive(**_WAYS[way]))
        return trained.accuracy(), trained.accuracy("train")

    def _remarks(self, means: dict[tuple[str, float], float], learned: dict[tuple[str, float], float]) -> list[str]:
        remarks = []
        for share in self._shares:
            ranked = sorted(_WAYS, key=lambda way: -means[way, share])
            shown = ", ".join(f"{way} {100 * means[way, share]:.1f} %" for way in ranked)
            remarks.append(f"With {100 * share:g} % of the labels wrong, test accuracy is: {shown}.")
        most = self._shares[-1]
        met = ", ".join(f"{way} {100 * learned[way, most]:.1f} %" for way in _WAYS)
        return [*remarks, f"Of the training labels as given, {100 * most:g} % of them wrong, the networks meet: {met}."]
