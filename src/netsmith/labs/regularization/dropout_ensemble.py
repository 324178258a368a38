"""What the one network of dropout's test time has to do with the many of its training."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Points, Series
from netsmith.core.roles import LabConfig

__all__ = ["CARD", "DropoutEnsemble", "all_masks"]

CARD = {
    "title": "Dropout as an ensemble of all masks",
    "paper": "Hinton et al. 2012, arXiv:1207.0580; Goodfellow et al. 2016, Deep Learning, section 7.12",
    "shows": "how far one network with scaled weights is from the means of all the networks that masks leave",
    "quick": {"inputs": 4, "examples": 20},
}

_SCALES = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
_EXACT = 1e-12


def all_masks(units: int, drop: float) -> tuple[Tensor, Tensor]:
    """Return every mask of ``units``, ``(2^units, units)`` of 0 and 1 in float64, and how likely it is."""
    masks = torch.tensor(list(itertools.product((0.0, 1.0), repeat=units)), dtype=torch.float64)
    kept = masks.sum(1)
    return masks, (1 - drop) ** kept * drop ** (units - kept)


class DropoutEnsemble:
    r"""Take the answers under all masks, each to the power of how likely it is, and make their product sum to one.

    .. math:: \tilde P(y) \propto \prod_d P(y \mid d)^{p(d)}

    For one softmax layer that is exactly the softmax with all inputs times 1 - p (weight scaling). With a nonlinearity
    behind the mask it is an approximation. Inputs and weights are normal numbers.
    """

    class Config(LabConfig):
        """The networks.

        Attributes:
            inputs: How many are dropped; there are 2 to their power masks.
            hidden: Units of the hidden layer.
            classes: Of the softmax.
            examples: Number of inputs tried.
            drop: p, the share dropped.
            seed: Of weights and inputs.
        """

        inputs: int = Field(default=10, ge=1, le=14)
        hidden: int = Field(default=10, ge=1, le=200)
        classes: int = Field(default=5, ge=2, le=100)
        examples: int = Field(default=200, ge=1, le=1000)
        drop: float = Field(default=0.5, gt=0, lt=1)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: DropoutEnsemble.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the distances between ensembles and the one network, and the probabilities side by side."""
        config = self.config
        generator = torch.Generator().manual_seed(config.seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, dtype=torch.float64, generator=generator)

        x = normal(config.examples, config.inputs)
        narrow = normal(config.inputs, config.classes), normal(config.classes)
        first = normal(config.inputs, config.hidden) / config.inputs**0.5
        second = normal(config.hidden, config.classes), normal(config.classes)
        networks = {
            "softmax layer": lambda v: v @ narrow[0] + narrow[1],
            "linear hidden layer": lambda v: (v @ first) @ second[0] + second[1],
            "tanh hidden layer": lambda v: torch.tanh(v @ first) @ second[0] + second[1],
            "ReLU hidden layer": lambda v: torch.relu(v @ first) @ second[0] + second[1],
        }
        numbers, rows, pairs = {}, [], {}
        for name, network in networks.items():
            geometric, arithmetic, scaled = self._answers(network, x)
            pairs[name] = geometric, scaled
            found = [float((one - scaled).abs().max()) for one in (geometric, arithmetic)]
            agree = float((geometric.argmax(1) == scaled.argmax(1)).double().mean())
            numbers |= {f"geometric/{name}": found[0], f"arithmetic/{name}": found[1], f"agree/{name}": agree}
            rows.append((name, *found, agree))
        by_scale = []
        for scale in _SCALES:
            geometric, _, scaled = self._answers(networks["tanh hidden layer"], x * scale)
            by_scale.append(float((geometric - scaled).abs().mean()))
        numbers["mean_gap_by_scale"] = tuple(by_scale)
        masks = 2**config.inputs
        table = Grid(
            f"Weight scaling against all {masks} masks",
            ("network", "greatest gap, geometric", "greatest gap, arithmetic", "same class (share)"),
            tuple(rows),
            f"Gaps of probabilities over {config.examples} examples; inputs are dropped with p = {config.drop:g}.",
        )
        remarks = tuple(
            f"{name}: the normalized geometric mean over {masks} masks and the network with scaled inputs differ by at "
            f"most {geometric:.2g}"
            + (" (rounding)" if geometric < _EXACT else f"; both name the same class for {100 * agree:.4g} %")
            + f"; the arithmetic mean by {arithmetic:.2g}."
            for name, geometric, arithmetic, agree in rows
        )
        ends = f"{by_scale[0]:.2g} for inputs times {_SCALES[0]:g} and {by_scale[-1]:.2g} times {_SCALES[-1]:g}"
        return Findings(numbers, (_scatter(pairs), _gaps(by_scale)), (table,), (*remarks, f"tanh: mean gap {ends}."))

    def _answers(self, network: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return three of ``(B, K)``: geometric mean, arithmetic mean, and the one network with scaled inputs."""
        masks, chances = all_masks(self.config.inputs, self.config.drop)
        logs = torch.stack([network(masks * one).log_softmax(1) for one in x])  # (B, M, K)
        geometric = (chances[:, None] * logs).sum(1).softmax(1)
        arithmetic = (chances[:, None] * logs.exp()).sum(1)
        return geometric, arithmetic, network((1 - self.config.drop) * x).softmax(1)


def _scatter(pairs: dict[str, tuple[Tensor, Tensor]]) -> Points:
    shown = ("ReLU hidden layer", "softmax layer")
    series = tuple(
        Series(name, tuple(pairs[name][0].flatten().tolist()[:250]), tuple(pairs[name][1].flatten().tolist()[:250]))
        for name in shown
    )
    return Points(
        "probabilities",
        "Probabilities: all masks against one network",
        "geometric mean over all masks",
        "network with scaled inputs",
        series,
        equal=True,
        caption="One point for each class of each of the first examples.",
    )


def _gaps(by_scale: list[float]) -> Lines:
    return Lines(
        "gap_by_scale",
        "Gap between all masks and one network, by the size of the inputs",
        "factor on the inputs of the tanh layer",
        "mean gap of probabilities",
        (Series("tanh hidden layer", _SCALES, tuple(by_scale)),),
        log_x=True,
    )
