"""The Boltzmann machine with every unit tied to every other, learned from coarse digits by its exact gradient."""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.findings import Findings, Grid, Lines, Number, Picture, Pictures, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig, SourceConfig
from netsmith.data.digits import Digits
from netsmith.engine.batch import Batch
from netsmith.labs._data import need
from netsmith.models.foundations.boltzmann_machine import BoltzmannMachine

__all__ = ["CARD", "BoltzmannDigits", "coarse"]

CARD = {
    "title": "A Boltzmann machine learns what digits look like",
    "paper": "Ackley, Hinton & Sejnowski 1985, Cognitive Science 9, 147-169",
    "shows": "the exact log-likelihood of coarse digits by step, beside independent pixels, and samples of the machine",
    "quick": {"side": 3, "steps": 40, "sweeps": 20},
}

_POINTS = 20
_SHOWN = 20
_MOST = 20  # units whose states are gone through


class _Learned(NamedTuple):
    """A machine and its log-likelihoods on the way."""

    model: BoltzmannMachine
    steps: tuple[float, ...]
    train: tuple[float, ...]
    test: tuple[float, ...]


class BoltzmannDigits:
    """Learn digits of a few pixels, each on or off, by climbing the exact log-likelihood: all states are gone through.

    Without hidden units the machine can give every pixel its frequency and every two their frequency together, and is
    of all distributions that do so the one of largest entropy; with hidden units it can go beyond pairs. Independent
    pixels, each on as often as in training, are what any machine has to surpass, and where each begins.
    """

    class Config(LabConfig):
        """The machines and how long they learn.

        Attributes:
            data: Images with a train and a test split.
            side: Of the coarse images; a pixel is on where its mean is above that of all training pixels.
            hidden: Hidden units of each machine.
            steps: Updates, each from all training images.
            rate: Learning rate.
            sweeps: Of Gibbs sampling, for the samples.
            seed: Of first weights and samples.
        """

        data: SourceConfig = Digits.Config(normalize=False)
        side: int = Field(default=4, ge=2, le=4)
        hidden: tuple[int, ...] = Field(default=(0, 1), min_length=1, max_length=3)
        steps: int = Field(default=200, ge=1)
        rate: float = Field(default=1.0, gt=0)
        sweeps: int = Field(default=200, ge=1)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> BoltzmannDigits.Config:
            if list(self.hidden) != sorted(set(self.hidden)) or not 0 <= self.hidden[-1] <= _MOST - self.side**2:
                raise ValueError(
                    f"hidden={self.hidden}: expected numbers that rise from 0 or more to at most "
                    f"{_MOST - self.side**2}: of more than {_MOST} units the states are too many to go through"
                )
            return self

    def __init__(self, config: BoltzmannDigits.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the log-likelihoods, and what the last machine draws."""
        config, source = self.config, self.config.data.build()
        need(config.data, source.spec, splits=("train", "test"), images=True)
        images = {}
        for split in ("train", "test"):
            found = source.spec.split(split)
            assert found
            images[split] = source.load(split, torch.arange(found.size)).inputs
        seen = {split: coarse(some, images["train"], side=config.side) for split, some in images.items()}
        alone = {split: _independent(seen["train"], some) for split, some in seen.items()}
        learned = {_name(hidden): self._learn(seen, hidden) for hidden in config.hidden}
        numbers: dict[str, Number | tuple[Number, ...]] = {"train/independent": alone["train"]}
        numbers["test/independent"] = alone["test"]
        rows: list[tuple[Number, ...]] = [("independent pixels", config.side**2, alone["train"], alone["test"])]
        units = f"{config.side} x {config.side} pixels"
        remarks = [
            f"{len(seen['train'])} training images of {units} in {len(seen['train'].unique(dim=0))} forms; independent "
            f"pixels give a test image {alone['test']:.3f} nats."
        ]
        for name, one in learned.items():
            gap = _gap(one.model, seen["train"])
            count = one.model.weight.triu(1).count_nonzero().item() + len(one.model.bias)
            numbers |= {f"train/{name}": one.train, f"test/{name}": one.test, f"gap/{name}": gap}
            rows.append((name, count, one.train[-1], one.test[-1]))
            better = one.test[-1] - alone["test"]
            than = f"{abs(better):.3f} {'more' if better > 0 else 'less'} than independent pixels"
            remarks.append(
                f"With {name}: {one.test[-1]:.3f} nats per test image, {than}; no two pixels are on together with a "
                f"probability that is off by more than "
                f"{gap:.2g} from training's."
            )
        best, last = next(reversed(learned.items()))
        flat = (last.steps[0], last.steps[-1])
        series = [
            Series("the machine, test", last.steps, last.test),
            Series("the machine, train", last.steps, last.train),
        ]
        series += [Series(f"independent pixels, {split}", flat, (alone[split],) * 2) for split in ("test", "train")]
        chart = Lines(
            "likelihood",
            f"Exact mean log-likelihood of digits of {units}",
            "update",
            "log-likelihood (nats per image)",
            tuple(series),
            caption=f"{best.capitalize()}. Each update climbs the exact gradient over all training images at a rate of "
            f"{config.rate:g}; log Z by going through all states, of up to {len(last.model.bias)} units.",
        )
        table = Grid("After the last update", ("model", "parameters", "train (nats)", "test (nats)"), tuple(rows))
        return Findings(numbers, (chart, *self._pictures(seen["train"], last.model)), (table,), tuple(remarks))

    def _learn(self, seen: dict[str, Tensor], hidden: int) -> _Learned:
        """Climb the likelihood of the training images; equal ones are taken once, with their number as weight."""
        config = self.config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(key(config.seed, "weights"))
            model = BoltzmannMachine.Config(hidden=hidden, std=0.01, in_features=config.side**2).build()
        model.bias[: model.visible] = _shares(seen["train"]).logit()
        forms, counts = seen["train"].unique(dim=0, return_counts=True)
        batch = Batch(forms, weights=counts.double())
        every = max(1, config.steps // _POINTS)
        steps, train, test = [], [], []
        for step in range(config.steps + 1):
            if step % every == 0 or step == config.steps:
                steps.append(float(step))
                train.append(float((model(forms) * counts).sum() / counts.sum()))
                test.append(float(model(seen["test"]).mean()))
            if step < config.steps:
                model.learn(batch, rate=config.rate)
        return _Learned(model, tuple(steps), tuple(train), tuple(test))

    def _pictures(self, train: Tensor, model: BoltzmannMachine) -> tuple[Pictures, Pictures]:
        """Return training images, and as many that the machine draws."""
        generator = torch.Generator().manual_seed(key(self.config.seed, "pictures"))
        chosen = train[torch.randperm(len(train), generator=generator)[:_SHOWN]]
        start = (torch.rand(_SHOWN, len(model.bias), generator=generator) < 0.5).double()
        drawn = model.gibbs(start, sweeps=self.config.sweeps, generator=generator)[:, : train.shape[1]]

        def pictures(rows: Tensor) -> tuple[Picture, ...]:
            square = rows.unflatten(1, (self.config.side, self.config.side)).tolist()
            return tuple(Picture("", tuple(map(tuple, one))) for one in square)

        hidden = len(model.bias) - train.shape[1]
        return (
            Pictures("images", "Training images", pictures(chosen), low=0.0, high=1.0, columns=10),
            Pictures(
                "samples",
                "Samples of the machine",
                pictures(drawn),
                low=0.0,
                high=1.0,
                columns=10,
                caption=f"With {_name(hidden)}; chains from random states after {self.config.sweeps} sweeps.",
            ),
        )


def coarse(images: Tensor, training: Tensor, *, side: int) -> Tensor:
    """Return images ``(N, C, H, W)`` as ``(N, side * side)`` float64 zeros and ones: above the training mean, or not.

    Example:
        >>> coarse(torch.eye(4)[None, None], torch.eye(4)[None, None], side=2).tolist()
        [[1.0, 0.0, 0.0, 1.0]]
    """
    small, known = (F.adaptive_avg_pool2d(some.double().mean(1, keepdim=True), side) for some in (images, training))
    return (small > known.mean()).flatten(1).double()


def _shares(train: Tensor) -> Tensor:
    """Return how often each pixel is on, one of each counted more, so that none is always on or off."""
    return (train.sum(0) + 1) / (len(train) + 2)


def _independent(train: Tensor, some: Tensor) -> float:
    """Return the mean log-likelihood under pixels that are on as often as in training."""
    on = _shares(train)
    return float((some * on.log() + (1 - some) * (1 - on).log()).sum(1).mean())


def _gap(model: BoltzmannMachine, train: Tensor) -> float:
    """Return how far the pairs of pixels that are on together are at most from those of training."""
    size = train.shape[1]
    pairs = train.T @ train / len(train)
    return float((model.free().pairs[:size, :size] - (pairs - pairs.diagonal().diag())).abs().max())


def _name(hidden: int) -> str:
    return f"{hidden or 'no'} hidden unit{'' if hidden == 1 else 's'}"
