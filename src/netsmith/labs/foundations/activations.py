"""The activation functions of the catalogue, their derivatives, and what GELU's approximations miss."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig
from netsmith.layers.activations import ACTIVATIONS, maxout_derivative
from netsmith.layers.maxout import Maxout

__all__ = ["CARD", "Activations"]

CARD = {
    "title": "Activation functions and their derivatives",
    "paper": "Hendrycks & Gimpel 2016, arXiv:1606.08415; Clevert et al. 2015, arXiv:1511.07289; Goodfellow et al. 2013",
    "shows": "each function and its slope, the slopes against autograd, and the error of two approximations of GELU",
    "quick": {"points": 200},
}

_FAMILIES = (
    ("saturating", "Saturating on both sides", ("sigmoid", "tanh")),
    ("rectified", "Linear on the right", ("relu", "leaky_relu", "prelu", "elu", "softplus")),
    ("gated", "Gated by themselves", ("silu", "gelu", "gelu_tanh", "gelu_sigmoid")),
)
_SMALL = 0.005  # a slope below it hardly passes a gradient on
_SHOWN = 240


class Activations:
    """Draw each function with its derivative, and compare the derivative as written with autograd's.

    Maxout, which takes the largest of several inputs, is drawn for one unit of fixed lines.
    """

    class Config(LabConfig):
        """Where the functions are looked at.

        Attributes:
            reach: From -reach to reach.
            points: Evenly spaced, 0 not among them.
            pieces: Lines of the maxout unit: tangents to x² / 2.
        """

        reach: float = Field(default=6.0, gt=0, le=30)
        points: int = Field(default=24_000, ge=100, le=1_000_000, multiple_of=2)
        pieces: int = Field(default=5, ge=2, le=50)

    def __init__(self, config: Activations.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return functions, slopes and errors."""
        x = torch.linspace(-self.config.reach, self.config.reach, self.config.points, dtype=torch.float64)
        one = torch.ones(1, dtype=torch.float64)
        numbers: dict[str, float] = {}
        rows, values, apart, small = [], [], [], []
        for name, pair in ACTIVATIONS.items():
            slope = pair.derivative(x)
            apart.append(float((slope - _autograd(pair.value, x)).abs().max()))
            flat = float((slope.abs() < _SMALL).double().mean())
            numbers |= {f"at_one/{name}": float(pair.value(one)), f"slope_apart/{name}": apart[-1]}
            numbers |= {f"least/{name}": float(pair.value(x).min()), f"greatest_slope/{name}": float(slope.max())}
            numbers[f"flat/{name}"] = flat
            rows.append((name, pair.formula, pair.slope, pair.torch_name or "ours"))
            looks = (float(pair.value(one)), float(pair.value(x).min()), float(slope.max()))
            values.append((name, *(f"{look:.7f}" for look in looks)))
            small.append(f"{name} {100 * flat:.0f} %")
        chart, maxout = self._maxout(x, numbers)
        misses = {name: (ACTIVATIONS[name].value(x) - ACTIVATIONS["gelu"].value(x)) for name in _FAMILIES[2][2][2:]}
        remarks = [
            f"The derivatives as written differ from autograd's by at most {max(apart):.2g}.",
            f"Share of places from {-self.config.reach:g} to {self.config.reach:g} whose slope is below {_SMALL:g}: "
            f"{', '.join(small)}.",
        ]
        for name, miss in misses.items():
            worst = int(miss.abs().argmax())
            numbers |= {f"gelu_error/{name}": float(miss.abs().max()), f"gelu_error_at/{name}": float(x[worst].abs())}
            remarks.append(
                f"{name} differs from GELU by at most {float(miss.abs().max()):.4g}, at |x| = "
                f"{float(x[worst].abs()):.3f}."
            )
        lines = tuple(_line(name, x, miss.abs()) for name, miss in misses.items())
        errors = Lines("gelu_errors", "Approximations of GELU", "x", "|approximation - GELU|", lines, log_y=True)
        tables = (
            Grid("Functions", ("name", "formula", "derivative", "torch's"), tuple(rows)),
            Grid("Values", ("name", "at 1", "least value", "greatest slope"), tuple(values)),
        )
        return Findings(numbers, (*_families(x), errors, chart), tables, (*remarks, maxout))

    def _maxout(self, x: Tensor, numbers: dict[str, float]) -> tuple[Lines, str]:
        """Return a maxout unit near x² / 2, and how near it is."""
        touch = torch.linspace(-self.config.reach, self.config.reach, self.config.pieces, dtype=torch.float64)
        pieces = x[:, None] * touch - touch**2 / 2  # (N, pieces): tangents
        unit = Maxout(self.config.pieces)
        answer = unit(pieces)[:, 0]
        slope = maxout_derivative(pieces, self.config.pieces)
        apart = float((slope - _autograd(lambda one: unit(one).sum(1), pieces)).abs().max())
        miss = float((x**2 / 2 - answer).max())
        numbers |= {"slope_apart/maxout": apart, "maxout_error": miss}
        title, lines = (
            f"Maxout of {self.config.pieces} lines",
            (_line("x² / 2", x, x**2 / 2), _line("maxout", x, answer)),
        )
        told = (
            f"Maxout of {self.config.pieces} tangents misses x² / 2 by at most {miss:.3g}; its derivative as written "
        )
        return Lines("maxout", title, "x", "value", lines), f"{told}differs from autograd's by {apart:.2g}."


def _autograd(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    place = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(place).sum(), place)
    return slope


def _line(name: str, x: Tensor, y: Tensor) -> Series:
    at = torch.linspace(0, len(x) - 1, min(_SHOWN, len(x))).long()
    return Series(name, tuple(x[at].tolist()), tuple(y[at].tolist()))


def _families(x: Tensor) -> list[Lines]:
    near = x[x.abs() <= 4]
    return [
        Lines(f"{key}_{part}", f"{title}: {part}", "x", part, tuple(_line(n, near, of(n)(near)) for n in names))
        for key, title, names in _FAMILIES
        for part, of in (
            ("value", lambda name: ACTIVATIONS[name].value),
            ("derivative", lambda name: ACTIVATIONS[name].derivative),
        )
    ]
