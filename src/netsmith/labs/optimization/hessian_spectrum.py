"""The eigenvalues of a network's Hessian before and after training."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from netsmith.core.findings import Findings, Grid, Lines, Number, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig, ModelConfig, OptimizerConfig, SourceConfig
from netsmith.data.digits import Digits
from netsmith.engine.batch import Batch
from netsmith.explain.hessian import Spectrum, hessian_trace, spectral_density, top_eigenvalues
from netsmith.labs.optimization._fits import classifier, examples, fit
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD

__all__ = ["CARD", "HessianSpectrum"]

CARD = {
    "title": "The spectrum of a network's Hessian",
    "paper": "Sagun, Evci, Güney, Dauphin & Bottou 2017, arXiv:1706.04454; Ghorbani, Krishnan & Xiao 2019, "
    "arXiv:1901.10159",
    "shows": "largest and smallest eigenvalues, trace and density of the Hessian, before training and after it",
    "quick": {"data.twin": True, "model.hidden": [3], "epochs": 1, "examples": 64, "probes": 2},
}

_GRID = 400
_WIDTH = 1 / 100  # of a point of the density, in lengths of the whole spectrum
_FLAT = 0.05  # of the largest eigenvalue: what lies below is the bulk
_LEAST = 1e-6  # densities below it, in units of the highest one, are not drawn
_MOMENTS = {"before": "before training", "after": "after training"}


class HessianSpectrum:
    """Take the Hessian of the mean loss over fixed training examples, by products alone; it is never written down.

    Largest and smallest eigenvalues are found by Lanczos' method, the trace by Hutchinson's, the density by stochastic
    Lanczos quadrature, every point widened to a Gaussian.
    """

    class Config(LabConfig):
        """The network, its training, and the estimates.

        Attributes:
            data: Examples of classes.
            model: The network.
            optimizer: How it is trained.
            epochs: For how long.
            examples: Training examples that the loss is the mean of.
            count: Eigenvalues at the upper end.
            probes: Random vectors of the density.
            iterations: Products for each.
            samples: Products of the trace.
            seed: Of the training and the random vectors.
        """

        data: SourceConfig = Digits.Config(batch=64)
        model: ModelConfig = MLP.Config(hidden=(32,))
        optimizer: OptimizerConfig = SGD.Config(lr=0.05, momentum=0.9)
        epochs: int = Field(default=20, ge=1)
        examples: int = Field(default=1024, ge=1)
        count: int = Field(default=12, ge=1, le=100)
        probes: int = Field(default=8, ge=1)
        iterations: int = Field(default=80, ge=2)
        samples: int = Field(default=40, ge=2)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: HessianSpectrum.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return eigenvalues, traces, densities, and what they show."""
        config = self.config
        source = config.data.build()
        setting = classifier(config.model, config.data, config.optimizer, epochs=config.epochs, seed=config.seed)
        found = fit(setting, source=source)
        batches = examples(source, count=config.examples)
        numbers: dict[str, Number | tuple[Number, ...]] = {
            "parameters": sum(weight.numel() for weight in found.module.parameters())
        }
        figures, tops = [], []
        for (key_name, moment), state in zip(_MOMENTS.items(), (found.states[0], found.states[-1]), strict=True):
            found.module.load_state_dict(state)
            facts, spectrum = self._look(found.module, batches)
            numbers |= {f"{name}/{key_name}": value for name, value in facts.items()}
            figures.append(_density(key_name, moment, spectrum))
            tops.append(Series(moment, tuple(map(float, range(1, config.count + 1))), facts["largest"]))
        chart = Lines(
            "largest",
            "The largest eigenvalues",
            "rank",
            "eigenvalue",
            tuple(tops),
            caption=f"Of the Hessian of the mean cross entropy over {sum(map(len, batches))} training examples.",
        )
        rows = tuple(
            (
                moment,
                numbers[f"largest/{key_name}"][0],
                numbers[f"smallest/{key_name}"],
                f"{numbers[f'trace/{key_name}']:.3g} ± {numbers[f'trace_error/{key_name}']:.2g}",
                numbers[f"bulk/{key_name}"],
                numbers[f"above/{key_name}"],
            )
            for key_name, moment in _MOMENTS.items()
        )
        table = Grid(
            f"Eigenvalues of the Hessian, {numbers['parameters']:,} parameters",
            ("", "largest", "smallest", "trace", f"share within {_FLAT:g} of the largest", "number above it"),
            rows,
            "The share and the number are those of the density: sums of the weights of its points.",
        )
        return Findings(numbers, (chart, *figures), (table,), self._remarks(numbers))

    def _look(self, module: nn.Module, batches: list[Batch]) -> tuple[dict[str, float | tuple[float, ...]], Spectrum]:
        config = self.config
        generator = torch.Generator().manual_seed(key(config.seed, "hessian"))
        seen = {"module": module, "loss": F.cross_entropy, "batches": batches, "generator": generator}
        top = top_eigenvalues(**seen, count=config.count)
        low = top_eigenvalues(**seen, which="smallest")
        trace = hessian_trace(**seen, samples=config.samples)
        spectrum = spectral_density(**seen, probes=config.probes, iterations=config.iterations)
        edge = _FLAT * float(top.values[0])
        size = sum(weight.numel() for weight in module.parameters())
        return {
            "largest": tuple(top.values.tolist()),
            "smallest": float(low.values[0]),
            "trace": trace.value,
            "trace_error": trace.standard_error,
            "trace_of_density": spectrum.moment(1) * size,
            "bulk": float(spectrum.weights[spectrum.values.abs() <= edge].sum()),
            "above": float(spectrum.weights[spectrum.values > edge].sum()) * size,
        }, spectrum

    def _remarks(self, numbers: dict[str, Number | tuple[Number, ...]]) -> tuple[str, ...]:
        before, after = numbers["largest/before"][0], numbers["largest/after"][0]
        told = [
            f"The largest eigenvalue is {before:.3g} before training and {after:.3g} after it, the trace "
            f"{numbers['trace/before']:.3g} and {numbers['trace/after']:.3g}.",
            f"The smallest is {numbers['smallest/before']:.3g} before and {numbers['smallest/after']:.3g} after: "
            f"in size {abs(numbers['smallest/before']) / before:.2g} and {abs(numbers['smallest/after']) / after:.2g} "
            "of the largest.",
        ]
        for name, moment in _MOMENTS.items():
            told.append(
                f"{moment.capitalize()} {100 * numbers[f'bulk/{name}']:.3g} % of all eigenvalues are at most {_FLAT:g} "
                f"of the largest in size, and about {numbers[f'above/{name}']:.3g} of {numbers['parameters']:,} above."
            )
        return tuple(told)


def _density(name: str, moment: str, spectrum: Spectrum) -> Lines:
    low, high = float(spectrum.values[0]), float(spectrum.values[-1])
    width = _WIDTH * (high - low)
    grid = torch.linspace(low - 4 * width, high + 4 * width, _GRID, dtype=torch.float64)
    density = spectrum.density(grid, width=width)
    shown = density.clamp(min=_LEAST * float(density.max()))
    title = f"Density of the eigenvalues {moment}"
    return Lines(
        f"density_{name}",
        title,
        "eigenvalue",
        "density",
        (Series(title, tuple(grid.tolist()), tuple(shown.tolist())),),
        log_y=True,
        caption=f"Points of the quadrature, each a Gaussian of standard deviation {width:.2g}; densities below "
        f"{_LEAST:g} of the highest are drawn there.",
    )
