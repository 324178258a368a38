"""Contrastive divergence with one and ten steps, and with chains that persist, held to the exact likelihood."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Number, Pictures, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys
from netsmith.labs.foundations._digits import picture, read_digits
from netsmith.layers.restricted_boltzmann import binary_states, gibbs, keyed_draws
from netsmith.models.foundations.rbm import RBM

__all__ = ["CARD", "RestrictedBoltzmann", "bars_and_stripes"]

CARD = {
    "title": "What contrastive divergence learns",
    "paper": "Hinton 2002, Neural Computation 14, 1771-1800; Tieleman 2008 (ICML)",
    "shows": "the exact log-likelihood by step under CD-1, CD-10 and persistent CD; filters and samples on digits",
    "quick": {"side": 2, "hidden": 2, "steps": 60, "filters": 8, "epochs": 1},
}

_POINTS = 60


def bars_and_stripes(side: int) -> Tensor:
    """Return the ``2 * 2 ** side - 2`` distinct pictures of full rows, or of full columns, ``(P, side * side)``.

    Example:
        >>> len(bars_and_stripes(4))
        30
    """
    rows = binary_states(side)[:, :, None].expand(-1, side, side)
    return torch.cat([rows.flatten(1), rows.transpose(1, 2).flatten(1)]).unique(dim=0)


class RestrictedBoltzmann:
    """Learn all bars and stripes of a small square, where log Z is exact, by three estimates of the same gradient.

    No model can give the P pictures a mean log-likelihood above -log P. On digits, where nothing is exact, a larger
    machine is learned with persistent chains; its weights and what it samples are shown.
    """

    class Config(LabConfig):
        """The machines and how long they learn.

        Attributes:
            side: Of the square of bars and stripes.
            hidden: Hidden units of the small machine.
            steps: Updates, each from all pictures.
            rate: Learning rate of the small machine at its first update; it falls to zero along a line.
            chains: Of persistent CD.
            filters: Hidden units of the machine for digits.
            epochs: Passes over the digits.
            seed: Of everything random.
        """

        side: int = Field(default=4, ge=2, le=6)
        hidden: int = Field(default=10, ge=1, le=14)
        steps: int = Field(default=6000, ge=2, le=1_000_000)
        rate: float = Field(default=0.1, gt=0, le=1000)
        chains: int = Field(default=100, ge=1)
        filters: int = Field(default=40, ge=4, le=1000)
        epochs: int = Field(default=30, ge=1, le=1000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: RestrictedBoltzmann.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return likelihoods by step, filters and samples."""
        config = self.config
        patterns = bars_and_stripes(config.side)
        bound = -math.log(len(patterns))
        rules = {
            "CD-1": RBM.Config(hidden=config.hidden, num_classes=0, in_features=config.side**2),
            "CD-10": RBM.Config(hidden=config.hidden, num_classes=0, in_features=config.side**2, gibbs_steps=10),
            "persistent CD-1": RBM.Config(
                hidden=config.hidden, num_classes=0, in_features=config.side**2, chains=config.chains
            ),
        }
        lines = {name: self._learn(rule, patterns) for name, rule in rules.items()}
        steps = next(iter(lines.values())).xs
        chart = Lines(
            "likelihood",
            f"Exact mean log-likelihood of {len(patterns)} bars and stripes",
            "update",
            "log-likelihood (nats per picture)",
            (*lines.values(), Series("no model can exceed", (steps[0], steps[-1]), (bound, bound))),
            caption=f"{config.side} x {config.side} pixels, {config.hidden} hidden units, each update from all "
            f"pictures at a rate that falls from {config.rate:g} to zero; log Z by going through all states.",
        )
        numbers: dict[str, Number | tuple[Number, ...]] = {"bound": bound}
        remarks, rows = [], []
        for name, line in lines.items():
            best = max(line.ys)
            numbers |= {f"likelihood/{name}": line.ys, f"best/{name}": best, f"last/{name}": line.ys[-1]}
            rows.append((name, best, int(line.xs[line.ys.index(best)]), line.ys[-1], bound - line.ys[-1]))
            text = (
                f"{name}: {line.ys[-1]:.3f} nats at the end, {bound - line.ys[-1]:.3f} below what no model can exceed"
            )
            fallen = best - line.ys[-1]
            remarks.append(text + (f", and {fallen:.3f} below its own best." if fallen > 0.05 else "."))
        lost = [name for name, line in lines.items() if line.ys[-1] <= line.ys[0]]
        if lost:
            start = next(iter(lines.values())).ys[0]
            remarks.append(
                f"At a rate of {config.rate:g}, {config.steps} updates end no higher than the {start:.3f} nats of the "
                f"first weights: {', '.join(lost)}."
            )
        order = sorted(lines, key=lambda name: -lines[name].ys[-1])
        remarks.append(f"Highest at the end: {order[0]}; lowest: {order[-1]}.")
        table = Grid(
            "Exact mean log-likelihood (nats per picture)",
            ("rule", "best", "at update", "at the end", "below the bound"),
            tuple(rows),
        )
        error, figures = self._digits()
        numbers["reconstruction/digits"] = error
        remarks.append(
            f"On digits the mean squared error of a pixel's reconstruction goes from {error[0]:.3f} in the first pass "
            f"to {error[-1]:.3f} in the last."
        )
        return Findings(numbers, (chart, *figures), (table,), tuple(remarks))

    def _learn(self, rule: RBM.Config, patterns: Tensor) -> Series:
        model = self._machine(rule).double()
        shown = {round(at * self.config.steps / _POINTS) for at in range(_POINTS + 1)}
        xs, ys = [], []
        for step in range(self.config.steps + 1):
            if step in shown:
                machine = model.machine()
                xs.append(float(step))
                ys.append(float(-machine.free_energy(patterns).mean() - machine.log_partition()))
            keys = example_keys(key(self.config.seed, "bars", step), torch.arange(len(patterns)))
            model.learn(Batch(patterns, keys=keys), rate=self.config.rate * (1 - step / (self.config.steps + 1)))
        name = "persistent CD-1" if rule.chains else f"CD-{rule.gibbs_steps}"
        return Series(name, tuple(xs), tuple(ys))

    def _machine(self, rule: RBM.Config) -> RBM:
        """Return the machine with first weights of the seed; torch's generator is left as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(key(self.config.seed, "weights"))
            return rule.build()

    def _digits(self) -> tuple[tuple[float, ...], tuple[Pictures, Pictures]]:
        config, (images, _) = self.config, read_digits()
        model = self._machine(RBM.Config(hidden=config.filters, num_classes=0, in_features=images.shape[1], chains=32))
        generator = torch.Generator().manual_seed(key(config.seed, "order"))
        errors = []
        for epoch in range(config.epochs):
            parts = torch.randperm(len(images), generator=generator).split(32)
            rate = 0.2 * (1 - epoch / config.epochs)
            total = sum(
                model.learn(Batch(images[part], keys=example_keys(key(config.seed, "digits", epoch), part)), rate=rate)[
                    "reconstruction"
                ]
                for part in parts
            )
            errors.append(total / len(parts))
        reach = 3 * float(model.weight.std())  # the few beyond are drawn as black or white as can be
        shown = model.weight[model.weight.norm(dim=1).argsort(descending=True)[:40]]
        filters = Pictures(
            "filters",
            "Weights of hidden units",
            tuple(picture("", row) for row in shown),
            low=-reach,
            high=reach,
            columns=10,
            caption=f"The {len(shown)} with the largest norm of {config.filters}, after {config.epochs} passes; gray "
            "is zero, white excites.",
        )
        keys = example_keys(key(config.seed, "samples"), torch.arange(40))
        start = torch.zeros(40, config.filters)
        chain = gibbs(model.machine(), start, steps=500, draw=keyed_draws(keys, start.dtype))
        samples = Pictures(
            "samples",
            "Samples of the machine",
            tuple(picture("", row) for row in model.machine().visible(chain.hidden)),
            low=0.0,
            high=1.0,
            columns=10,
            caption="Forty chains after 500 steps of Gibbs sampling from hidden units that are all off: probabilities "
            "of pixels. None begins at a digit.",
        )
        return tuple(errors), (filters, samples)
