"""What first weights make of a signal on its way through a deep plain network."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Histograms, Lines, Panel, Series
from netsmith.core.roles import InitializerConfig, LabConfig
from netsmith.layers.initializers.gaussian import Gaussian
from netsmith.layers.initializers.he import He
from netsmith.layers.initializers.xavier import Xavier
from netsmith.layers.layer_statistics import Activation, layer_activations

__all__ = ["CARD", "DeepSignal"]

CARD = {
    "title": "A signal through a deep network at its first weights",
    "paper": "Glorot & Bengio 2010 (AISTATS); He et al. 2015, arXiv:1502.01852",
    "shows": "the standard deviation of each layer's activations under four rules for first weights",
}

_CASES: tuple[tuple[str, str, Activation, InitializerConfig], ...] = (
    ("tanh_gaussian", "tanh, Gaussian 0.01", "tanh", Gaussian.Config(std=0.01)),
    ("tanh_xavier", "tanh, Xavier", "tanh", Xavier.Config()),
    ("relu_xavier", "ReLU, Xavier", "relu", Xavier.Config()),
    ("relu_he", "ReLU, He", "relu", He.Config()),
)
_BINS = 40
_PANELS = 10
_FAINT = 1e-5  # a signal below it counts as gone


class DeepSignal:
    """Send standard normal numbers through linear layers of equal width, each with a nonlinearity, before any training.

    What a layer passes on is also what its gradient is made of: where the activations vanish, so does the gradient of
    the next layer's weights.
    """

    class Config(LabConfig):
        """The network.

        Attributes:
            layers: How many there are.
            units: Their width, and that of the examples.
            batch: Number of examples.
            seed: Of the examples and the weights.
        """

        layers: int = Field(default=10, ge=2, le=1000)
        units: int = Field(default=500, ge=2, le=10_000)
        batch: int = Field(default=1000, ge=2, le=100_000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: DeepSignal.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return standard deviations by layer, histograms, and what they show."""
        numbers: dict[str, tuple[float, ...]] = {}
        lines, rows, remarks, histograms = [], [], [], []
        each = tuple(float(layer) for layer in range(1, self.config.layers + 1))
        for key, name, activation, initializer in _CASES:
            answers = layer_activations(
                initializer.build(),
                activation=activation,
                layers=self.config.layers,
                units=self.config.units,
                batch=self.config.batch,
                seed=self.config.seed,
            )
            stds = tuple(float(answer.std(correction=0)) for answer in answers)
            numbers[f"std/{key}"] = stds
            numbers[f"mean/{key}"] = tuple(float(answer.mean()) for answer in answers)
            lines.append(Series(name, each, stds))
            rows.append((name, *(stds[at - 1] for at in self._shown())))
            remarks.append(_remark(name, stds))
            histograms.append(self._histograms(key, name, activation, answers))
        size = f"{self.config.layers} layers of {self.config.units} units"
        chart = Lines(
            "stds",
            f"Signal by layer: {size}",
            "layer",
            "standard deviation of activations",
            tuple(lines),
            log_y=True,
            caption=f"Over all units and {self.config.batch} examples of standard normal numbers, seed "
            f"{self.config.seed}. Weights are as drawn; nothing is trained.",
        )
        table = Grid(
            "Standard deviation of the activations",
            ("network", *(f"layer {at}" for at in self._shown())),
            tuple(rows),
        )
        return Findings(numbers, (chart, *histograms), (table,), tuple(remarks))

    def _shown(self) -> tuple[int, ...]:
        """Return the layers that have a histogram and a column: all of them, or some from the first to the last."""
        count = min(_PANELS, self.config.layers)
        return tuple(1 + at * (self.config.layers - 1) // (count - 1) for at in range(count))

    def _histograms(self, key: str, name: str, activation: Activation, answers: list[Tensor]) -> Histograms:
        shown = [(at, answers[at - 1]) for at in self._shown()]
        # tanh answers within -1..1; a ReLU's few largest answers would leave the rest of the range empty
        high = 1.0 if activation == "tanh" else float(answers[0].std(correction=0)) * 4
        low = -1.0 if activation == "tanh" else 0.0
        panels = tuple(Panel(f"layer {at}", _shares(answer, low, high)) for at, answer in shown)
        beyond = max(float((answer > high).double().mean()) for _, answer in shown)
        more = f" At most {100 * beyond:.2g} % of a layer's activations lie beyond the range." if beyond else ""
        tallest = "Each layer's tallest bar has the full height." + more
        return Histograms(f"histogram_{key}", f"Activations: {name}", "activation", low, high, panels, tallest)


def _shares(answer: Tensor, low: float, high: float) -> tuple[float, ...]:
    counts = torch.histc(answer, bins=_BINS, min=low, max=high)
    return tuple((counts / answer.numel()).tolist())


def _remark(name: str, stds: tuple[float, ...]) -> str:
    first, last = stds[0], stds[-1]
    text = f"{name}: {first:.3g} at layer 1, {last:.3g} at layer {len(stds)}"
    if last > 0:
        ratios = [after / before for before, after in pairwise(stds) if before > 0]
        text += f"; a layer multiplies it by {min(ratios):.3g} to {max(ratios):.3g}"
    gone = next((layer for layer, std in enumerate(stds, 1) if std < _FAINT), None)
    if gone:
        text += f"; below {_FAINT:g} from layer {gone} on" if max(stds[gone - 1 :]) < _FAINT else ""
    return f"{text}."
