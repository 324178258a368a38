"""What a network chooses to learn from while it may leave out what is hard for it."""

from __future__ import annotations

import statistics
from typing import Any

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Bar, Bars, Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig, ModelConfig, SourceConfig
from netsmith.data._arrays import FixedSource
from netsmith.data.digits import Digits
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.method import Logs
from netsmith.labs._data import need
from netsmith.methods.self_paced import SelfPaced as Method
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "SelfPaced"]

CARD = {
    "title": "Self-paced learning: the easy now, the hard later",
    "paper": "Kumar, Packer & Koller 2010, Self-paced learning for latent variable models (NIPS)",
    "shows": "the share of rightly and of wrongly labeled examples whose loss is below the threshold, and the accuracy "
    "beside plain training",
    "quick": {
        "data": {"kind": "digits", "twin": True},
        "model": {"kind": "mlp", "hidden": [8]},
        "epochs": 8,
        "seeds": 2,
    },
}

_KINDS = ("right label", "wrong label")


class SelfPaced:
    """A network that chooses its examples by their loss, while some of the labels are wrong and it is not told which.

    At the end of each epoch all training examples are looked at: those whose loss lies below the threshold of that
    moment would be learned from. Plain training takes all, for as many steps. Dev and test labels are right. About 15 s
    on one core.
    """

    class Config(LabConfig):
        """Data, pace and network.

        Attributes:
            data: Images.
            noise: Share of the training labels that are replaced by another class.
            model: The network.
            warm_up: Epochs in which all examples count, before the threshold has a say.
            growth: What the threshold is multiplied by once an epoch.
            full_from: Share of the run after which all examples count.
            epochs: Of each run.
            rate: The learning rate; momentum is 0.9.
            seeds: How many runs of each kind.
            seed: Of the first.
        """

        data: SourceConfig = Digits.Config(batch=50, test=0.2)
        noise: float = Field(default=0.4, gt=0, lt=1)
        model: ModelConfig = MLP.Config(hidden=(100,))
        warm_up: int = Field(default=4, ge=1)
        growth: float = Field(default=1.05, gt=1)
        full_from: float = Field(default=1.0, gt=0, le=1)
        epochs: int = Field(default=40, ge=2)
        rate: float = Field(default=0.05, gt=0)
        seeds: int = Field(default=4, ge=2)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: SelfPaced.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return what was chosen by difficulty, and accuracies."""
        config = self.config
        data = config.data.derive(label_noise=config.noise)
        source = data.build()
        need(config.data, source.spec, splits=("dev", "test"))
        every_one = torch.arange(source.spec.split("train").size)
        truth, labels = (one.load("train", every_one).targets for one in (config.data.build(), source))
        wrong = truth != labels
        task = Classify.Config()
        chosen: list[list[list[float]]] = []
        ends: dict[str, list[float]] = {"plain": [], "paced": []}
        curves: dict[str, list[list[float]]] = {"plain": [], "paced": []}
        every = len(source.order("train", seed=0, epoch=0))
        paced = Method.Config(
            model=config.model,
            task=task,
            warm_up=config.warm_up * every,
            growth=config.growth,
            every=every,
            full_from=config.full_from,
        )
        for number in range(config.seeds):
            for name, method in (("plain", Supervised.Config(model=config.model, task=task)), ("paced", paced)):
                experiment = Experiment.Config(
                    method=method,
                    data=data,
                    optimizers={"model": SGD.Config(lr=config.rate, momentum=0.9)},
                    epochs=config.epochs,
                    seed=config.seed + number,
                )
                watch = _Choices(source, wrong, every)
                engine = Engine(Experiment(experiment, source=source), hooks=[watch])
                engine.fit()
                ends[name].append(engine.evaluate("test")["test/accuracy"])
                curves[name].append([found["dev/accuracy"] for _, found in engine.history])
                if watch.rows:
                    chosen.append(watch.rows)
        mean = torch.tensor(chosen).mean(0)  # (epochs, 2)
        epochs = tuple(float(epoch) for epoch in range(1, config.epochs + 1))
        shares = [tuple(column) for column in mean.T.tolist()]
        numbers: dict[str, Any] = {f"chosen/{kind[:5].strip()}": row for kind, row in zip(_KINDS, shares, strict=True)}
        numbers |= {f"test/{name}": tuple(row) for name, row in ends.items()}
        numbers |= {f"mean/{name}": statistics.fmean(row) for name, row in ends.items()}
        for name, rows in curves.items():
            numbers[f"dev/{name}"] = tuple(map(statistics.fmean, zip(*rows, strict=True)))
        names = {"plain": "all examples", "paced": "self-paced"}
        seeds = f"Means of {config.seeds} seeds."
        figures = (
            Lines(
                "chosen",
                "Share of the training examples below the threshold",
                "epoch",
                "share (%)",
                tuple(
                    Series(name, epochs, tuple(100 * value for value in row))
                    for name, row in zip(_KINDS, shares, strict=True)
                ),
                caption=f"{seeds} {100 * float(wrong.double().mean()):.0f} % of the labels are wrong. The threshold "
                f"begins after {config.warm_up} epochs and grows by a factor of {config.growth:g} an epoch; from "
                f"{100 * config.full_from:.0f} % of the run on all count.",
            ),
            Lines(
                "dev",
                "Accuracy on held-out images",
                "epoch",
                "accuracy (%)",
                tuple(
                    Series(text, epochs, tuple(100 * value for value in numbers[f"dev/{name}"]))
                    for name, text in names.items()
                ),
                caption=seeds,
            ),
            Bars(
                "test",
                "Test accuracy at the end",
                "accuracy (%)",
                tuple(f"seed {config.seed + number}" for number in range(config.seeds)),
                tuple(Bar(text, tuple(100 * value for value in ends[name])) for name, text in names.items()),
            ),
        )
        table = Grid(
            "Test accuracy at the end (%)",
            ("seed", *names.values()),
            tuple(
                (config.seed + number, *(100 * ends[name][number] for name in names)) for number in range(config.seeds)
            ),
        )
        return Findings(numbers, figures, (table,), _remarks(shares, ends))


class _Choices(Hook):
    """At the end of each epoch: which share of the rightly and of the wrongly labeled has a loss below lambda."""

    def __init__(self, source: FixedSource, wrong: Tensor, every: int) -> None:
        self.source, self.wrong, self.every = source, wrong, every
        self.rows: list[list[float]] = []

    def after_step(self, engine: Engine, logs: Logs) -> None:  # noqa: ARG002
        method = engine.method
        if not isinstance(method, Method) or engine.step % self.every:
            return
        limit = method.limit(method.steps_taken - 1, steps=int(engine.config.steps))  # of the step just made
        method.eval()
        found = []
        with torch.no_grad():
            for at in torch.arange(len(self.wrong)).split(500):
                batch = engine.move(self.source.load("train", at))
                found.append(method.losses(method.model(batch.inputs), batch) < limit)
        method.train()
        below = torch.cat(found).double().cpu()
        self.rows.append([float(below[self.wrong == kind].mean()) for kind in (False, True)])


def _remarks(shares: list[tuple[float, ...]], ends: dict[str, list[float]]) -> tuple[str, ...]:
    right, wrong = shares
    apart = [100 * (a - b) for a, b in zip(ends["paced"], ends["plain"], strict=True)]
    wider = [100 * (a - b) for a, b in zip(right, wrong, strict=True)]
    most = max(range(len(wider)), key=wider.__getitem__)
    error = statistics.stdev(apart) / len(apart) ** 0.5
    means = {name: 100 * statistics.fmean(row) for name, row in ends.items()}
    return (
        f"The gap is widest after epoch {most + 1}: {100 * right[most]:.0f} % of the right labels and "
        f"{100 * wrong[most]:.0f} % of the wrong ones are below the threshold.",
        f"At the end {100 * right[-1]:.0f} % and {100 * wrong[-1]:.0f} % are.",
        f"Test accuracy: self-paced {means['paced']:.1f} %, all examples {means['plain']:.1f} %: "
        f"{statistics.fmean(apart):+.1f} points in the mean (standard error {error:.1f}), ahead in "
        f"{sum(value > 0 for value in apart)} of {len(apart)} seeds.",
    )
