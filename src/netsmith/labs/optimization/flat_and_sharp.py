"""Minima that small and large batches find: how sharp they are, and what lies between them."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch.nn import functional as F

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig, ModelConfig, OptimizerConfig, SourceConfig
from netsmith.data.digits import Digits
from netsmith.engine.batch import Batch
from netsmith.explain.hessian import hessian_trace, top_eigenvalues
from netsmith.explain.landscape import loss_surface, random_directions, straight_line
from netsmith.explain.sharpness import sharpness
from netsmith.labs._spread import Spread
from netsmith.labs.optimization._fits import Fit, around, classifier, examples, fit
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD

__all__ = ["CARD", "FlatAndSharp"]

CARD = {
    "title": "Flat and sharp minima",
    "paper": "Keskar et al. 2017, arXiv:1609.04836; Li et al. 2018, arXiv:1712.09913; Foret et al. 2021, "
    "arXiv:2010.01412",
    "shows": "sharpness, largest Hessian eigenvalues and test accuracy of the minima of a small and a large batch",
    "quick": {"data.twin": True, "model.hidden": [3], "epochs": 1, "examples": 64, "seeds": 1, "large": 64},
}

_POINTS = 61
_SAMPLES = 20  # products for a trace
_DIRECTIONS = 5  # a line is the mean over them
_PICTURES: dict[Literal["none", "filter"], tuple[float, str, str]] = {
    "none": (0.5, "Around both minima: directions as drawn", "standard normal numbers"),
    "filter": (1.0, "Around both minima: filter-normalized", "each filter moves by its norm at 1"),
}


class FlatAndSharp:
    """Train the same network from the same first weights with a small and with a large batch, over several seeds.

    Both learn at the same rate until the loss over the same training examples is at most ``depth`` (looked at every
    ten steps), so that the two places are equally deep: what has been trained for longer is flatter for that alone.
    Sharpness is that of this loss, in evaluation mode. None of the measures is the same for a network with rescaled
    layers (Dinh et al. 2017), so the norm of the weights stands beside them.
    """

    class Config(LabConfig):
        """What is trained, and how large the batches are.

        Attributes:
            data: Examples of classes; its batch size is replaced.
            model: The network.
            optimizer: How it is trained.
            small: The small batch.
            large: The large one.
            depth: The loss at which a training ends.
            epochs: Passes over the training split at most.
            examples: Training examples that every loss is the mean of.
            rho: How far the worst place nearby is, in the units of the weights.
            seeds: Trainings of each, at least 1.
        """

        data: SourceConfig = Digits.Config()
        model: ModelConfig = MLP.Config(hidden=(32,))
        optimizer: OptimizerConfig = SGD.Config(lr=0.2)
        small: int = Field(default=16, ge=1)
        large: int = Field(default=512, ge=1)
        depth: float = Field(default=0.02, gt=0)
        epochs: int = Field(default=2000, ge=1)
        examples: int = Field(default=1024, ge=1)
        rho: float = Field(default=0.05, gt=0)
        seeds: int = Field(default=3, ge=1, le=20)

        @model_validator(mode="after")
        def _check(self) -> FlatAndSharp.Config:
            if not self.small < self.large:
                raise ValueError(f"small={self.small}, large={self.large}: expected small below large")
            return self

    def __init__(self, config: FlatAndSharp.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the measures over seeds, and the lines of the first seed."""
        config = self.config
        sizes = (config.small, config.large)
        measured: dict[int, list[dict[str, float]]] = {size: [] for size in sizes}
        first: list[Fit] = []
        for seed in range(config.seeds):
            for size in sizes:
                found = self._fit(size, seed)
                measured[size].append(self._measure(found, seed))
                if seed == 0:
                    first.append(found)
        names = tuple(measured[sizes[0]][0])
        spreads = {(size, name): Spread(one[name] for one in measured[size]) for size in sizes for name in names}
        numbers = {f"{name}/batch_{size}": tuple(spreads[size, name]) for size in sizes for name in names}
        between, found = self._between(*first)
        numbers |= found
        rows = tuple((name, *(spreads[size, name].text() for size in sizes)) for name in names)
        table = Grid(
            f"Where the loss is first at most {config.depth:g}",
            ("measure", *(f"batch {size}" for size in sizes)),
            rows,
            f"Mean and standard deviation over {config.seeds} seeds, of the loss over the same training examples.",
        )
        return Findings(numbers, (between, *self._lines(first)), (table,), self._remarks(spreads, found))

    def _fit(self, size: int, seed: int) -> Fit:
        config = self.config
        data = config.data.derive(batch=size)
        setting = classifier(config.model, data, config.optimizer, epochs=config.epochs, seed=seed)
        source = data.build()
        return fit(setting, source=source, until=(examples(source, count=config.examples), config.depth))

    def _measure(self, found: Fit, seed: int) -> dict[str, float]:
        config, source = self.config, found.engine.source
        batches = examples(source, count=config.examples)
        generator = torch.Generator().manual_seed(key(seed, "hessian"))
        seen = {"module": found.module, "loss": F.cross_entropy, "batches": batches}
        top = top_eigenvalues(**seen, generator=generator, count=3).values.tolist()
        weights = torch.cat([weight.detach().flatten() for weight in found.module.parameters()])
        return {
            "steps": float(found.steps[-1]),
            "epochs": found.steps[-1] / len(source.order("train", seed=seed, epoch=0)),
            "loss": _loss(found, batches),
            "sharpness": sharpness(**seen, rho=config.rho),
            "eigenvalue 1": top[0],
            "eigenvalue 2": top[1],
            "eigenvalue 3": top[2],
            "trace": hessian_trace(**seen, generator=generator, samples=_SAMPLES).value,
            "norm of weights": float(weights.norm()),
            "accuracy on train": found.figure("accuracy", "train"),
            "accuracy on test": found.figure("accuracy", "test"),
        }

    def _between(self, small: Fit, large: Fit) -> tuple[Lines, dict[str, float]]:
        """Return the loss on the straight line from one minimum to the other, and its highest place between them."""
        batches = examples(small.engine.source, count=self.config.examples)
        ends = {"first": small.states[-1], "second": large.states[-1]}
        span = around(small.module, 0.5)
        line = straight_line(small.module, F.cross_entropy, batches, **ends, steps=_POINTS, span=span)
        at, losses = line.axes[0], line.losses
        inside = losses[(at > -1e-9) & (at < 1 + 1e-9)]
        title = "Loss on the straight line through both minima"
        figure = Lines(
            "between",
            title,
            f"place (0: batch {self.config.small}, 1: batch {self.config.large})",
            "loss",
            (Series(title, tuple(at.tolist()), tuple(losses.tolist())),),
            log_y=True,
            caption="Seed 0; both trainings began at the same weights.",
        )
        return figure, {"barrier": float(inside.max() - max(inside[0], inside[-1]))}

    def _lines(self, fits: list[Fit]) -> list[Lines]:
        """Return the loss around both minima, along directions as drawn and along filter-normalized ones."""
        figures = []
        for normalize, (span, title, unit) in _PICTURES.items():
            series = []
            for size, found in zip((self.config.small, self.config.large), fits, strict=True):
                generator = torch.Generator().manual_seed(key(0, "directions"))
                drawn = random_directions(found.module, generator=generator, count=_DIRECTIONS, normalize=normalize)
                batches = examples(found.engine.source, count=self.config.examples)
                seen = (found.module, F.cross_entropy, batches)
                lines = [loss_surface(*seen, [one], steps=_POINTS, span=span) for one in drawn]
                losses = torch.stack([line.losses for line in lines]).mean(0)
                series.append(Series(f"batch {size}", tuple(lines[0].axes[0].tolist()), tuple(losses.tolist())))
            figures.append(
                Lines(
                    f"around_{normalize}",
                    title,
                    f"step along the direction ({unit})",
                    "loss",
                    tuple(series),
                    log_y=True,
                    caption=f"Mean over {_DIRECTIONS} directions; seed 0; minima at 0.",
                )
            )
        return figures

    def _remarks(self, spreads: dict[tuple[int, str], Spread], found: dict[str, float]) -> tuple[str, ...]:
        small, large = self.config.small, self.config.large
        told = []
        for name in ("sharpness", "eigenvalue 1", "trace", "norm of weights", "accuracy on test"):
            one, other = spreads[small, name], spreads[large, name]
            values = f"{one.text()} with batch {small}, {other.text()} with batch {large}"
            if not one.apart(other):
                why = "one seed each" if len(one) == 1 else "a difference within twice its standard error"
                told.append(f"{_named(name)}: {values}; {why}.")
            else:
                higher = small if one.mean > other.mean else large
                told.append(f"{_named(name)}: {values}; higher with batch {higher}.")
        steps, epochs = ([spreads[size, name].mean for size in (small, large)] for name in ("steps", "epochs"))
        told.append(
            f"To come so deep takes {steps[0]:,.0f} steps in {epochs[0]:.3g} epochs with batch {small} and "
            f"{steps[1]:,.0f} steps in {epochs[1]:.3g} epochs with batch {large}."
        )
        shallow = [size for size in (small, large) if max(spreads[size, "loss"]) > self.config.depth]
        if shallow:
            highest = max(max(spreads[size, "loss"]) for size in shallow)
            told.append(
                f"With batch {' and '.join(map(str, shallow))} the loss is still {highest:.2g} after "
                f"{self.config.epochs} epochs, above {self.config.depth:g}: the places are not equally deep."
            )
        barrier = found["barrier"]
        told.append(
            f"On the straight line between the two minima of seed 0 the loss rises to {barrier:.2g} above the higher "
            "end."
            if barrier > 0
            else "On the straight line between the two minima of seed 0 no point lies above the higher end."
        )
        return tuple(told)


@torch.no_grad()
def _loss(found: Fit, batches: list[Batch]) -> float:
    module = found.module.eval()
    total = sum(float(F.cross_entropy(module(one.inputs), one.targets, reduction="sum")) for one in batches)
    return total / sum(map(len, batches))


def _named(name: str) -> str:
    return {"eigenvalue 1": "Largest eigenvalue of the Hessian", "trace": "Trace of the Hessian"}.get(
        name, name.capitalize()
    )
