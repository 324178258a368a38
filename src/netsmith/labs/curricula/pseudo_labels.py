"""Accuracy by the number of labels, with and without the examples that have none."""

from __future__ import annotations

import statistics
from typing import Any

from pydantic import Field

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig, SourceConfig
from netsmith.data.few_labels import FewLabels
from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.labs._training import train
from netsmith.methods.pseudo_labels import PseudoLabels as Method
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.schedules.linear import Linear
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "PseudoLabels"]

CARD = {
    "title": "Few labels: what a network makes of the examples that have none",
    "paper": "Lee 2013, Pseudo-Label (ICML workshop on challenges in representation learning)",
    "shows": "the test accuracy by number of labels, supervised and with pseudo-labels",
    "quick": {
        "data": {"kind": "digits", "twin": True, "batch": 20},
        "per_class": [1, 3],
        "hidden": [8],
        "steps": 12,
        "repeats": 1,
    },
}


class PseudoLabels:
    """One perceptron with dropout learns from a few labels of each class; a second one also believes itself.

    Both see the same labeled examples in the same batches and take the same number of steps; the supervised one gives
    the others the weight 0. The paper has 5,000 hidden units and far more steps. About 45 s on one core.
    """

    class Config(LabConfig):
        """Data, network, and how far it is believed.

        Attributes:
            data: The examples; its batch size is that of those without labels.
            per_class: Labels of each class that are kept.
            hidden: Units of each hidden layer.
            dropout: Share of them that is dropped.
            rate: The learning rate at the start; it falls linearly. Momentum is 0.9.
            steps: Of each network.
            alpha: The final weight of the examples without labels.
            threshold: The least probability that is believed.
            repeats: How often all is done, each time with other labels and weights.
            seed: Of the first.
        """

        data: SourceConfig = Mnist.Config(batch=96)
        per_class: tuple[int, ...] = Field(default=(5, 10, 30, 100), min_length=2)
        hidden: tuple[int, ...] = (200,)
        dropout: float = Field(default=0.5, ge=0, lt=1)
        rate: float = Field(default=0.02, gt=0)
        steps: int = Field(default=600, ge=10)
        alpha: float = Field(default=1.0, gt=0)
        threshold: float = Field(default=0.0, ge=0, le=1)
        repeats: int = Field(default=2, ge=1)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: PseudoLabels.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return accuracies by number of labels."""
        config = self.config
        counts = tuple(sorted(set(config.per_class)))
        found: dict[str, list[list[float]]] = {"supervised": [], "pseudo": []}
        for count in counts:
            rows = [self._pair(count, config.seed + repeat) for repeat in range(config.repeats)]
            for name, values in zip(found, zip(*rows, strict=True), strict=True):
                found[name].append(list(values))
        classes = len(config.data.build().spec.outputs.names)
        labels = tuple(float(classes * count) for count in counts)
        means = {name: tuple(map(statistics.fmean, rows)) for name, rows in found.items()}
        numbers: dict[str, Any] = {"labels": labels} | {f"accuracy/{name}": row for name, row in means.items()}
        numbers |= {
            f"each/{name}/{int(count)}": tuple(row)
            for name, rows in found.items()
            for count, row in zip(labels, rows, strict=True)
        }
        chart = Lines(
            "labels",
            "Accuracy by number of labels",
            "labels in all",
            "test accuracy (%)",
            tuple(
                Series(text, labels, tuple(100 * value for value in means[name]))
                for name, text in (("supervised", "labels alone"), ("pseudo", "with pseudo-labels"))
            ),
            log_x=True,
            caption=f"Mean of {config.repeats} draws of labels and weights on {config.data.kind_name()}; hidden layers "
            f"{', '.join(map(str, config.hidden))}, {config.steps} steps.",
        )
        gains = [
            [100 * (with_ - without) for without, with_ in zip(*rows, strict=True)]
            for rows in zip(found["supervised"], found["pseudo"], strict=True)
        ]
        table = Grid(
            "Test accuracy (%)",
            ("labels", "labels alone", "with pseudo-labels", "gain (points)", "least gain", "largest gain"),
            tuple(
                (int(count), 100 * without, 100 * with_, 100 * (with_ - without), min(gain), max(gain))
                for count, without, with_, gain in zip(labels, means["supervised"], means["pseudo"], gains, strict=True)
            ),
            caption="The last two columns are over the draws.",
        )
        return Findings(numbers, (chart,), (table,), _remarks(labels, means, gains))

    def _pair(self, count: int, seed: int) -> tuple[float, float]:
        """Return the test accuracies of both networks on one draw of labels."""
        config = self.config
        held = count * len(config.data.build().spec.outputs.names)
        data = FewLabels.Config(data=config.data, per_class=count, labeled_batch=min(32, held), seed=seed)
        source = data.build()
        without, with_ = (
            train(
                Experiment.Config(
                    method=Method.Config(
                        model=MLP.Config(hidden=config.hidden, dropout=config.dropout),
                        task=Classify.Config(),
                        alpha=alpha,
                        ramp_start=config.steps // 6,
                        ramp_end=config.steps * 2 // 3,
                        threshold=config.threshold,
                    ),
                    data=data,
                    optimizers={"model": SGD.Config(lr=config.rate, momentum=0.9, schedule=Linear.Config())},
                    steps=config.steps,
                    evaluate_every=config.steps,
                    seed=seed,
                ),
                source=source,
            ).accuracy("test")
            for alpha in (0.0, config.alpha)
        )
        return without, with_


def _remarks(
    labels: tuple[float, ...], means: dict[str, tuple[float, ...]], gains: list[list[float]]
) -> tuple[str, ...]:
    texts = []
    for at, count in enumerate(labels):
        first, second = 100 * means["supervised"][at], 100 * means["pseudo"][at]
        better = sum(gain > 0 for gain in gains[at])
        texts.append(
            f"{count:.0f} labels: {first:.1f} % alone, {second:.1f} % with pseudo-labels ({second - first:+.1f} "
            f"points; better in {better} of {len(gains[at])} draws)."
        )
    mean = [statistics.fmean(gain) for gain in gains]
    most = max(range(len(mean)), key=mean.__getitem__)
    texts.append(f"The mean gain is largest with {labels[most]:.0f} labels ({mean[most]:+.1f} points).")
    return tuple(texts)
