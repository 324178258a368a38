"""Rules of differentiation against automatic differentiation, and the best step of finite differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import floats, series

__all__ = ["CARD", "DerivativeRules", "autograd", "central", "forward"]

CARD = {
    "title": "Derivative rules and the step of finite differences",
    "paper": "Griewank & Walther 2008, Evaluating Derivatives; Press et al., Numerical Recipes, section 5.7",
    "shows": "product, quotient and chain rule against autograd, and the error of difference quotients by their step",
    "quick": {"points": 21, "steps": 33},
}

Function = Callable[[Tensor], Tensor]
_FLOOR = 1e-17
_EPS = 2.0**-52

# f = sin, g = 2 + x^2: (name, function, its derivative by the rule)
_RULES: tuple[tuple[str, str, Function, Function], ...] = (
    (
        "product",
        "f'g + fg'",
        lambda x: x.sin() * (2 + x**2),
        lambda x: x.cos() * (2 + x**2) + x.sin() * 2 * x,
    ),
    (
        "quotient",
        "(f'g - fg') / g²",
        lambda x: x.sin() / (2 + x**2),
        lambda x: (x.cos() * (2 + x**2) - x.sin() * 2 * x) / (2 + x**2) ** 2,
    ),
    ("chain", "f'(g) g'", lambda x: (2 + x**2).sin(), lambda x: (2 + x**2).cos() * 2 * x),
)


def autograd(function: Function, x: Tensor) -> Tensor:
    """Return the derivative of an elementwise function."""
    place = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(function(place).sum(), place)
    return slope


def forward(function: Function, x: Tensor, step: float) -> Tensor:
    """Return ``(f(x + h) - f(x)) / h``, whose error is of order h."""
    return (function(x + step) - function(x)) / step


def central(function: Function, x: Tensor, step: float) -> Tensor:
    """Return ``(f(x + h) - f(x - h)) / 2h``, whose error is of order h squared."""
    return (function(x + step) - function(x - step)) / (2 * step)


class DerivativeRules:
    r"""Take derivatives in three ways: by rule, by autograd, by differences.

    A difference quotient errs by what its series leaves out and by rounding, :math:`\epsilon / h`. The sum is least
    near :math:`h = \sqrt\epsilon` for the forward and :math:`h = \sqrt[3]\epsilon` for the central quotient.
    """

    class Config(LabConfig):
        """Where derivatives are taken.

        Attributes:
            low: The least x.
            high: The greatest x.
            points: Evenly spaced between them.
            steps: Number of steps h, from 1e-16 to 1.
        """

        low: float = -3.0
        high: float = 3.0
        points: int = Field(default=1001, ge=2, le=1_000_000)
        steps: int = Field(default=97, ge=9, le=1000)

        @model_validator(mode="after")
        def _check(self) -> DerivativeRules.Config:
            if not self.low < self.high:
                raise ValueError(f"low={self.low:g}, high={self.high:g}: expected low below high")
            return self

    def __init__(self, config: DerivativeRules.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the errors of each way."""
        x = torch.linspace(self.config.low, self.config.high, self.config.points, dtype=torch.float64)
        numbers: dict[str, float | tuple[float, ...]] = {}
        rows, remarks = [], []
        for name, rule, function, derivative in _RULES:
            slope = autograd(function, x)
            by_rule = float((derivative(x) - slope).abs().max())
            by_difference = float((central(function, x, _EPS ** (1 / 3)) - slope).abs().max())
            numbers |= {f"rule/{name}": by_rule, f"difference/{name}": by_difference}
            rows.append((name, rule, by_rule, by_difference))
            remarks.append(
                f"The {name} rule differs from autograd by at most {by_rule:.2g}, the central difference by "
                f"{by_difference:.2g}."
            )
        steps = np.logspace(-16, 0, self.config.steps)
        product = _RULES[0][2]
        slope, lines = autograd(product, x), []
        for name, quotient, root, best in (
            ("forward", forward, "square", _EPS**0.5),
            ("central", central, "cube", _EPS ** (1 / 3)),
        ):
            errors = [float((quotient(product, x, float(h)) - slope).abs().median()) for h in steps]
            least = int(np.argmin(errors))
            numbers |= {f"errors/{name}": floats(errors), f"best_step/{name}": float(steps[least])}
            numbers |= {f"least_error/{name}": errors[least], f"order/{name}": _order(steps, errors)}
            lines.append(series(name, steps, np.maximum(errors, _FLOOR)))
            remarks.append(
                f"The {name} difference errs least at h = {steps[least]:.2g} ({errors[least]:.2g}), "
                f"{steps[least] / best:.2g} times the {root} root of the machine's epsilon ({best:.2g}); "
                f"for large h its error goes with h to the {numbers[f'order/{name}']:.3g}."
            )
        chart = Lines(
            "steps",
            "Error of difference quotients of sin(x) (2 + x²)",
            "step h",
            "median error",
            tuple(lines),
            log_x=True,
            log_y=True,
            caption=f"Against autograd, at {self.config.points:,} x from {self.config.low:g} to {self.config.high:g}.",
        )
        columns = ("rule", "derivative", "rule - autograd, at most", "central difference - autograd, at most")
        caption = "f = sin, g = 2 + x²; the central difference at the cube root of epsilon."
        return Findings(numbers, (chart,), (Grid("Rules", columns, tuple(rows), caption),), tuple(remarks))


def _order(steps: np.ndarray, errors: list[float]) -> float:
    """Return the slope between h = 1e-3 and 1e-1 of the logarithms."""
    chosen = (steps >= 0.99e-3) & (steps <= 0.101)
    return float(np.polyfit(np.log(steps[chosen]), np.log(np.array(errors)[chosen]), 1)[0])
