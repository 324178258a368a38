"""Batch size against learning rate: the same curve per epoch, and what a larger batch costs and gives."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Findings, Grid, Lines, Number, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig, ModelConfig, SourceConfig
from netsmith.data.digits import Digits
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.source import Source
from netsmith.labs._data import need
from netsmith.labs._spread import Spread
from netsmith.labs.optimization._fits import classifier
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.schedules.constant import Constant
from netsmith.optim.schedules.warm_up import WarmUp
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

    The pairs 128/.1, 256/.2 and 1024/.8 on MNIST take two minutes: ``netsmith lab batch_size --set
    data='{"kind":"mnist","normalize":false}' --set 'batches=[128,256,1024]' --set 'rates=[0.1,0.2,0.8]' --set epochs=10
    --set seeds=2``. Measured so: the dev loss of 256 is 1.1 % away from that of 128 after ten epochs and never more
    than 4.8 % (one seed of 128: 3.9 % from the mean of both), but that of 1024 is 94 % away after one and 24 % after
    ten: 0.8 is too high for first weights. With ``warmup=1`` 1024 is 100 % away after one epoch, at most 4.6 % from
    the fifth on and 2.0 % at the end, where it is 95 % at one rate for all. With inputs normalized, no warm-up, three
    epochs and one seed it is up to 19 times away.

    Raises:
        ConfigError: In :meth:`run`: a batch of more examples than there are.
    """

    class Config(LabConfig):
        """The pairs, and what is trained.

        Attributes:
            data: Examples of classes with a dev split; its batch size is replaced.
            model: The network.
            batches: Batch sizes, rising.
            rates: The rate of each.
            epochs: Passes over the training split.
            warmup: Epochs over which the rate of a larger batch rises along a line from that of the first (Goyal et
                al., section 2.2): at first weights gradients change fast, and a high rate may be lost.
            seeds: Trainings of each.
            timed: Measure seconds per epoch, which differ from run to run.
        """

        data: SourceConfig = Digits.Config(dev=0.2, test=0.2)
        model: ModelConfig = MLP.Config(hidden=(32,))
        batches: tuple[int, ...] = Field(default=(16, 32, 128), min_length=2)
        rates: tuple[float, ...] = Field(default=(0.02, 0.04, 0.16), min_length=2)
        epochs: int = Field(default=15, ge=2)
        warmup: float = Field(default=0.0, ge=0)
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
            if self.warmup >= self.epochs:
                raise ValueError(f"warmup={self.warmup:g}: expected less than the {self.epochs} epochs")
            return self

    def __init__(self, config: BatchSize.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the curves, the measures of each batch size, and what they show."""
        config = self.config
        ways = {"scaled": config.rates, "fixed": (config.rates[0],) * len(config.batches)}
        spec = self._source(config.batches[0]).spec
        need(config.data, spec, splits=("dev", "test"))
        most = next(part.size for part in spec.splits if part.name == "train")
        if config.batches[-1] > most:
            raise ConfigError(f"batches={config.batches}: expected at most the {most} training examples of the data")
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
        ends_apart = {
            (way, size): abs(_mean(curves[way, size])[-1] / _mean(curves[way, config.batches[0]])[-1] - 1)
            for way, size in apart
        }
        numbers |= {f"apart/{way}/batch_{size}": value for (way, size), value in apart.items()}
        numbers |= {f"apart_at_end/{way}/batch_{size}": value for (way, size), value in ends_apart.items()}
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
        return Findings(numbers, figures, (table,), self._remarks(apart, ends_apart, between, spreads, noises))

    def _source(self, size: int) -> Source:
        source: Source = self.config.data.derive(batch=size).build()
        return source

    def _train(self, size: int, rate: float, seed: int) -> tuple[Engine, float]:
        config, source = self.config, self._source(size)
        data = config.data.derive(batch=size)
        optimizer = SGD.Config(lr=rate)
        steps = max(1, round(config.warmup * len(source.order("train", seed=seed, epoch=0))))
        if config.warmup and rate > config.rates[0]:
            rise = WarmUp.Config(schedule=Constant.Config(), warmup=steps, initial=config.rates[0] / rate, delay=False)
            optimizer = SGD.Config(lr=rate, schedule=rise)
        setting = classifier(config.model, data, optimizer, epochs=config.epochs, seed=seed)
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
        if way == "scaled" and self.config.warmup:
            caption += f" Higher rates rise from the first one over {self.config.warmup:g} epochs."
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
        ends_apart: dict[tuple[str, int], float],
        between: float,
        spreads: dict[tuple[int, str], Spread],
        noises: dict[int, Spread],
    ) -> tuple[str, ...]:
        first, *others = self.config.batches
        last = others[-1]
        told = []
        for way, text in (("scaled", "With the rate in proportion to the batch"), ("fixed", "At one rate for all")):
            parts = [
                f"{100 * apart[way, size]:.3g} % ({100 * ends_apart[way, size]:.3g} %) for batch {size}"
                for size in others
            ]
            told.append(
                f"{text} the dev loss is, at the epoch where it differs most from that of batch {first} (at the last), "
                f"away by {', '.join(parts)}."
            )
        if self.config.seeds > 1:
            told.append(f"One seed of batch {first} is at most {100 * between:.3g} % away from the mean of its seeds.")
        if noises[last].mean:
            fall = noises[first].mean / noises[last].mean
            told.append(
                f"The gradient of batch {last} is {fall:.3g} times less noisy than that of batch {first}, which is "
                f"{last / first:.3g} times smaller."
            )
        else:
            told.append(f"Batch {last} is the whole training split: its gradient has no noise.")
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
    from the draws; of all examples it is 0, where draws would show the rounding of sums in another order.

    Args:
        module: As it is; its parameters that require a gradient count.
        inputs: ``(N, ...)``.
        targets: ``(N,)`` classes.
        size: B, at most N.
        draws: Batches.
        generator: Draws them.
    """
    if size == len(targets):
        return 0.0
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
