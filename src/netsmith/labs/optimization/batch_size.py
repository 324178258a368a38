"""Batch size against learning rate: the same curve per epoch, and what a larger batch costs and gives."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.findings import Findings, Grid, Lines, Number, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig, ModelConfig, SourceConfig
from netsmith.data.digits import Digits
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.source import Source
from netsmith.labs._spread import Spread
from netsmith.labs.optimization._fits import classifier
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD

__all__ = ["CARD", "BatchSize", "gradient_noise"]

CARD = {
    "title": "Batch size against learning rate",
    "paper": "Goyal et al. 2017, arXiv:1706.02677; McCandlish et al. 2018, arXiv:1812.06162",
    "shows": "losses by epoch where the rate grows with the batch and where it does not; time, gradient noise, "
    "generalization",
    "quick": {"data.twin": True, "epochs": 2, "seeds": 1, "batches": [32, 64], "rates": [0.1, 0.2], "timed": False},
}

_DRAWS = 200  # batches of each size whose gradients are compared


class BatchSize:
    """Train one network with pairs of batch size and rate that keep rate / batch, and with the first rate for all.

    k steps of a small batch at rate r move the weights about as far as one step of a batch k times as large at rate
    k r, as long as the gradient changes little meanwhile: so the curves per epoch should lie on each other. All
    trainings of a seed begin at the same weights. Gradient noise is measured at these.
    """

    class Config(LabConfig):
        """The pairs, and what is trained.

        Attributes:
            data: Examples of classes with a dev split; its batch size is replaced.
            model: The network.
            batches: Batch sizes, rising.
            rates: The rate of each.
            epochs: Passes over the training split.
            seeds: Trainings of each.
            timed: Measure seconds per epoch, which differ from run to run.
        """

        data: SourceConfig = Digits.Config(dev=0.2, test=0.2)
        model: ModelConfig = MLP.Config(hidden=(32,))
        batches: tuple[int, ...] = Field(default=(16, 32, 128), min_length=2)
        rates: tuple[float, ...] = Field(default=(0.02, 0.04, 0.16), min_length=2)
        epochs: int = Field(default=15, ge=2)
        seeds: int = Field(default=3, ge=1, le=20)
        timed: bool = True

        @field_validator("batches")
        @classmethod
        def _rising(cls, batches: tuple[int, ...]) -> tuple[int, ...]:
            if list(batches) != sorted(set(batches)) or batches[0] < 1:
                raise ValueError(f"batches={batches}: expected rising sizes of at least 1")
            return batches

        @model_validator(mode="after")
        def _pairs(self) -> BatchSize.Config:
            if len(self.rates) != len(self.batches) or min(self.rates) <= 0:
                raise ValueError(f"rates={self.rates}: expected a rate above 0 for each of {len(self.batches)} batches")
            return self

    def __init__(self, config: BatchSize.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the curves, the measures of each batch size, and what they show."""
        config = self.config
        ways = {"scaled": config.rates, "fixed": (config.rates[0],) * len(config.batches)}
        curves: dict[tuple[str, int], list[list[float]]] = {}
        ends: dict[tuple[int, str], list[float]] = {}
        noise: dict[int, list[float]] = {size: [] for size in config.batches}
        for seed in range(config.seeds):
            for way, rates in ways.items():
                for size, rate in zip(config.batches, rates, strict=True):
                    if way == "fixed" and size == config.batches[0]:  # it is the first pair
                        curves.setdefault((way, size), []).append(curves["scaled", size][seed])
                        continue
                    engine, seconds = self._train(size, rate, seed)
                    losses = [found["dev/loss"] for _, found in engine.history]
                    curves.setdefault((way, size), []).append(losses)
                    if way == "scaled":
                        judged = {split: engine.evaluate(split)[f"{split}/accuracy"] for split in ("train", "test")}
                        ends.setdefault((size, "test"), []).append(judged["test"])
                        ends.setdefault((size, "gap"), []).append(judged["train"] - judged["test"])
                        ends.setdefault((size, "seconds"), []).append(seconds)
            for size, one in self._noise(seed).items():
                noise[size].append(one)
        numbers: dict[str, Number | tuple[Number, ...]] = {}
        for (way, size), losses in curves.items():
            numbers[f"dev_loss/{way}/batch_{size}"] = tuple(_mean(losses))
        apart = {
            (way, size): _apart(_mean(curves[way, size]), _mean(curves[way, config.batches[0]]))
            for way in ways
            for size in config.batches[1:]
        }
        between = max(
            (_apart(one, _mean(curves["scaled", config.batches[0]])) for one in curves["scaled", config.batches[0]]),
            default=0.0,
        )
        numbers |= {f"apart/{way}/batch_{size}": value for (way, size), value in apart.items()}
        numbers["apart/seeds"] = between
        spreads = {at: Spread(values) for at, values in ends.items()}
        noises = {size: Spread(values) for size, values in noise.items()}
        for size in config.batches:
            numbers |= {f"{name}/batch_{size}": tuple(spreads[size, name]) for name in ("test", "gap")}
            numbers[f"noise/batch_{size}"] = tuple(noises[size])
            if config.timed:
                numbers[f"seconds/batch_{size}"] = tuple(spreads[size, "seconds"])
        figures = tuple(self._figure(way, rates, curves) for way, rates in ways.items())
        table = self._table(spreads, noises)
        return Findings(numbers, figures, (table,), self._remarks(apart, between, spreads, noises))

    def _source(self, size: int) -> Source:
        source: Source = self.config.data.derive(batch=size).build()
        return source

    def _train(self, size: int, rate: float, seed: int) -> tuple[Engine, float]:
        config, source = self.config, self._source(size)
        data = config.data.derive(batch=size)
        setting = classifier(config.model, data, SGD.Config(lr=rate), epochs=config.epochs, seed=seed)
        engine = Engine(Experiment(setting, source=source))
        begin = time.perf_counter()
        engine.fit()
        return engine, (time.perf_counter() - begin) / config.epochs

    def _noise(self, seed: int) -> dict[int, float]:
        """Return the noise of each batch size at the first weights, in squared lengths of the whole gradient."""
        config, source = self.config, self._source(self.config.batches[0])
        setting = classifier(config.model, config.data, SGD.Config(lr=1.0), epochs=1, seed=seed)
        module = Experiment(setting, source=source).method.product().eval()
        size = next(part.size for part in source.spec.splits if part.name == "train")
        batch = source.load("train", torch.arange(size))
        generator = torch.Generator().manual_seed(key(seed, "noise"))
        return {
            size: gradient_noise(module, batch.inputs, batch.targets, size=size, draws=_DRAWS, generator=generator)
            for size in config.batches
        }

    def _figure(self, way: str, rates: Sequence[float], curves: dict[tuple[str, int], list[list[float]]]) -> Lines:
        epochs = tuple(float(epoch) for epoch in range(1, self.config.epochs + 1))
        series = tuple(
            Series(f"batch {size}, rate {rate:g}", epochs, tuple(_mean(curves[way, size])))
            for size, rate in zip(self.config.batches, rates, strict=True)
        )
        title = "The rate grows with the batch" if way == "scaled" else "One rate for all"
        caption = f"Mean over {self.config.seeds} seeds."
        return Lines(way, title, "epoch", "loss on the dev split", series, log_y=True, caption=caption)

    def _table(self, spreads: dict[tuple[int, str], Spread], noises: dict[int, Spread]) -> Grid:
        config = self.config
        rows = tuple(
            (
                size,
                rate,
                *((spreads[size, "seconds"].text(".2g"),) if config.timed else ()),
                noises[size].text(),
                spreads[size, "test"].text(".3f"),
                spreads[size, "gap"].text(".3f"),
            )
            for size, rate in zip(config.batches, config.rates, strict=True)
        )
        columns = (
            "batch",
            "rate",
            *(("seconds per epoch",) if config.timed else ()),
            "gradient noise",
            "test accuracy",
            "train - test accuracy",
        )
        caption = (
            f"Mean and standard deviation over {config.seeds} seeds. Noise: the mean squared distance of "
            f"{_DRAWS} batches' gradients from that of the whole training split, over its squared length, at the first "
            "weights."
        )
        return Grid("Small and large batches", columns, rows, caption)

    def _remarks(
        self,
        apart: dict[tuple[str, int], float],
        between: float,
        spreads: dict[tuple[int, str], Spread],
        noises: dict[int, Spread],
    ) -> tuple[str, ...]:
        first, *others = self.config.batches
        last = others[-1]
        told = []
        for way, text in (("scaled", "With the rate in proportion to the batch"), ("fixed", "At one rate for all")):
            parts = [f"{100 * apart[way, size]:.3g} % for batch {size}" for size in others]
            told.append(
                f"{text} the dev loss is, at the epoch where it differs most from that of batch {first}, away by "
                f"{', '.join(parts)}."
            )
        if self.config.seeds > 1:
            told.append(f"One seed of batch {first} is at most {100 * between:.3g} % away from the mean of its seeds.")
        fall = noises[first].mean / noises[last].mean
        told.append(
            f"The gradient of batch {last} is {fall:.3g} times less noisy than that of batch {first}, which is "
            f"{last / first:.3g} times smaller."
        )
        if self.config.timed:
            ratio = spreads[first, "seconds"].mean / spreads[last, "seconds"].mean
            told.append(f"An epoch of batch {first} takes {ratio:.3g} times as long as one of batch {last} here.")
        one, other = spreads[first, "test"], spreads[last, "test"]
        close = "" if one.apart(other) else ", a difference within twice its standard error"
        close = close if len(one) > 1 else ", one seed each"
        told.append(
            f"Test accuracy: {one.text('.3f')} with batch {first}, {other.text('.3f')} with batch {last}{close}."
        )
        return tuple(told)


def gradient_noise(
    module: torch.nn.Module, inputs: Tensor, targets: Tensor, *, size: int, draws: int, generator: torch.Generator
) -> float:
    r"""Return how far gradients of random batches lie from that of all examples, over the latter's squared length.

    .. math:: \frac{E \lVert g_B - g \rVert^2}{\lVert g \rVert^2}
              = \frac{\mathrm{tr}\,\Sigma}{B \, \lVert g \rVert^2} \cdot \frac{N - B}{N - 1}

    with :math:`\Sigma` the covariance of single examples' gradients: a batch is drawn without replacement. Estimated
    from the draws.

    Args:
        module: As it is; its parameters that require a gradient count.
        inputs: ``(N, ...)``.
        targets: ``(N,)`` classes.
        size: B, at most N.
        draws: Batches.
        generator: Draws them.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]

    def gradient(at: Tensor) -> Tensor:
        loss = F.cross_entropy(module(inputs[at]), targets[at])
        return torch.cat([part.flatten() for part in torch.autograd.grad(loss, parameters)])

    whole = gradient(torch.arange(len(targets)))
    apart = [gradient(torch.randperm(len(targets), generator=generator)[:size]) - whole for _ in range(draws)]
    return float(torch.stack([one.square().sum() for one in apart]).mean() / whole.square().sum())


def _mean(curves: list[list[float]]) -> list[float]:
    return [sum(values) / len(values) for values in zip(*curves, strict=True)]


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the largest relative difference of two curves."""
    return max(abs(a / b - 1) for a, b in zip(one, other, strict=True))
