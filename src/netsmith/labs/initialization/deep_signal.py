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
from netsmith.layers.layer_statistics import Activation, LayerStatistics, layer_activations

__all__ = ["CARD", "DeepSignal"]

CARD = {
    "title": "A signal through a deep network at its first weights",
    "paper": "Glorot & Bengio 2010 (AISTATS); He et al. 2015, arXiv:1502.01852",
    "shows": "the standard deviation of each layer's activations under four rules for first weights",
    "quick": {"layers": 3, "units": 20, "batch": 50},
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
        lines, remarks, histograms = [], [], []
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
            means, stds = zip(*map(LayerStatistics.of, answers), strict=True)
            numbers |= {f"std/{key}": stds, f"mean/{key}": means}
            lines.append(Series(name, each, stds))
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
            ("layer", *(line.name for line in lines)),
            tuple((at, *(line.ys[at - 1] for line in lines)) for at in self._shown()),
        )
        return Findings(numbers, (chart, *histograms), (table,), tuple(remarks))

    def _shown(self) -> tuple[int, ...]:
        """Return the layers that have a histogram and a column: all of them, or some from the first to the last."""
        count = min(_PANELS, self.config.layers)
        return tuple(1 + at * (self.config.layers - 1) // (count - 1) for at in range(count))

    def _histograms(self, key: str, name: str, activation: Activation, answers: list[Tensor]) -> Histograms:
        shown = [(at, answers[at - 1]) for at in self._shown()]
        caption = "Each layer's tallest bar has the full height."
        if activation == "tanh":
            low, high = -1.0, 1.0
        else:  # its few largest answers would leave most of the range empty, and its zeros are one bar above all others
            low, high = 0.0, float(answers[0].std(correction=0)) * 4
            zeros = [_share(answer == 0) for _, answer in shown]
            beyond = max(_share(answer > high) for _, answer in shown)
            caption += (
                f" Zeros are left out: {100 * min(zeros):.3g} to {100 * max(zeros):.3g} % of a layer's activations."
            )
            caption += f" At most {100 * beyond:.2g} % lie beyond the range." if beyond else ""
        panels = tuple(Panel(f"layer {at}", _shares(answer, low, high, zeros=low < 0)) for at, answer in shown)
        return Histograms(f"histogram_{key}", f"Activations: {name}", "activation", low, high, panels, caption)


def _share(which: Tensor) -> float:
    return float(which.double().mean())


def _shares(answer: Tensor, low: float, high: float, *, zeros: bool) -> tuple[float, ...]:
    counts = torch.histc(answer if zeros else answer[answer != 0], bins=_BINS, min=low, max=high)
    return tuple((counts / answer.numel()).tolist())


def _remark(name: str, stds: tuple[float, ...]) -> str:
    first, last = stds[0], stds[-1]
    text = f"{name}: the standard deviation is {first:.3g} at layer 1 and {last:.3g} at layer {len(stds)}"
    if last > 0:
        ratios = [after / before for before, after in pairwise(stds) if before > 0]
        text += f"; a layer multiplies it by {min(ratios):.3g} to {max(ratios):.3g}"
    gone = next((layer for layer, std in enumerate(stds, 1) if std < _FAINT), None)
    if gone:
        text += f"; below {_FAINT:g} from layer {gone} on" if max(stds[gone - 1 :]) < _FAINT else ""
    return f"{text}."
