"""Taylor series: how fast they come near their function, and where they do not."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import floats, rounded, series

__all__ = ["CARD", "COEFFICIENTS", "TaylorSeries", "radius", "taylor"]

CARD = {
    "title": "Taylor series and their radius",
    "paper": "Rudin 1976, Principles of Mathematical Analysis, chapters 5 and 8",
    "shows": "partial sums of sin, and the error by order for sin, exp and log(1 + x) inside and outside the radius",
    "quick": {"highest": 10},
}

_FLOOR = 1e-17  # errors of 0 are drawn here
_TALL = 2.5


def _sine(order: int) -> float:
    return (-1) ** (order // 2) / math.factorial(order) if order % 2 else 0.0


def _exponential(order: int) -> float:
    return 1 / math.factorial(order)


def _logarithm(order: int) -> float:
    return (-1) ** (order + 1) / order if order else 0.0


COEFFICIENTS: MappingProxyType[str, Callable[[int], float]] = MappingProxyType(
    {"sin x": _sine, "exp x": _exponential, "log(1 + x)": _logarithm}
)
"""The coefficient of x^n at 0, by function."""
_FUNCTIONS = MappingProxyType({"sin x": math.sin, "exp x": math.exp, "log(1 + x)": math.log1p})


def taylor(name: str, x: ArrayLike, order: int) -> NDArray[np.float64]:
    """Return the series of a function at ``x``, up to and with x^order."""
    return np.polynomial.polynomial.polyval(x, [COEFFICIENTS[name](n) for n in range(order + 1)])


def radius(name: str, order: int) -> float:
    r"""Return what the nonzero coefficients up to ``order`` say of the radius of convergence, the ratio test.

    .. math:: r = \lim_n |a_n / a_{n+k}|^{1/k}, \qquad a_{n+k} \text{ the next after } a_n \text{ that is not 0}
    """
    last, before = [n for n in range(order, -1, -1) if COEFFICIENTS[name](n)][:2]
    return abs(COEFFICIENTS[name](before) / COEFFICIENTS[name](last)) ** (1 / (last - before))


class TaylorSeries:
    r"""Sum the series, and compare with the function and with Lagrange's bound on what is left.

    .. math:: |\sin x - T_n(x)| \le \frac{|x|^{n+1}}{(n+1)!}
    """

    class Config(LabConfig):
        """What is summed.

        Attributes:
            orders: Of the partial sums of sin that are drawn.
            highest: The highest order of the errors.
            x: Where sin and exp are summed.
            places: Where log(1 + x) is summed, above -1.
        """

        orders: tuple[int, ...] = (1, 3, 7, 13)
        highest: int = Field(default=40, ge=4, le=150)
        x: float = Field(default=5.0, gt=0, le=20)
        places: tuple[float, ...] = (0.5, 0.9, 1.1)

        @model_validator(mode="after")
        def _check(self) -> TaylorSeries.Config:
            if not self.orders or not all(0 <= one <= 150 for one in self.orders):
                raise ValueError(f"orders={self.orders}: expected some of 0 to 150")
            if not self.places or not all(-1 < one <= 10 for one in self.places):
                raise ValueError(f"places={self.places}: expected some above -1, up to 10")
            return self

    def __init__(self, config: TaylorSeries.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return partial sums, and errors by order."""
        at, orders = self.config.x, range(self.config.highest + 1)
        whole = {f"{name}, x = {at:g}": _errors(name, at, self.config.highest) for name in ("sin x", "exp x")}
        logs = {f"x = {x:g}": _errors("log(1 + x)", x, self.config.highest) for x in self.config.places}
        bounds = [at ** (n + 1) / math.factorial(n + 1) for n in orders]
        held = all(error <= bound + 1e-12 for error, bound in zip(whole[f"sin x, x = {at:g}"], bounds, strict=True))
        radii = {name: tuple(radius(name, n) for n in (10, 50, 150)) for name in COEFFICIENTS}
        numbers: dict[str, float | int | tuple[float, ...]] = {f"error/{name}": floats(e) for name, e in whole.items()}
        numbers |= {f"error/log(1 + x), {name}": floats(e) for name, e in logs.items()}
        numbers |= {f"radius/{name}": values for name, values in radii.items()} | {"bound_holds": int(held)}
        grid = np.linspace(-8, 8, 201)
        sums = [(f"order {n}", taylor("sin x", grid, n)) for n in self.config.orders]
        near = [(name, np.abs(ys) <= _TALL, ys) for name, ys in sums]
        order = "order (highest power of x)"
        figures = (
            Lines(
                "sine",
                "Partial sums of sin",
                "x (rad)",
                "value",
                (series("sin x", grid, np.sin(grid)), *(series(name, grid[seen], ys[seen]) for name, seen, ys in near)),
                caption=f"A sum ends where it leaves ±{_TALL:g}.",
            ),
            Lines(
                "whole",
                "Series that hold everywhere",
                order,
                "error",
                tuple(
                    series(name, orders, np.maximum(ys, _FLOOR))
                    for name, ys in (*whole.items(), ("bound on sin", bounds))
                ),
                log_y=True,
                caption="They end where double precision does: terms of up to "
                f"{max(at**n / math.factorial(n) for n in orders):.3g} cancel in sin. "
                f"An error of 0 is drawn at {_FLOOR:g}.",
            ),
            Lines(
                "logarithm",
                "log(1 + x) by order",
                order,
                "error",
                tuple(series(name, orders, np.maximum(ys, _FLOOR)) for name, ys in logs.items()),
                log_y=True,
            ),
        )
        rows = tuple((name, *values) for name, values in radii.items())
        table = Grid("Radius of convergence by the ratio test", ("function", "order 10", "order 50", "order 150"), rows)
        return Findings(numbers, figures, (table,), (*self._remarks(whole, logs, held), _grown(radii)))

    def _remarks(self, whole: dict[str, list[float]], logs: dict[str, list[float]], held: bool) -> list[str]:
        remarks = [
            f"{name}: the error is {errors[1]:.3g} at order 1, at most {max(errors):.3g}, and {errors[-1]:.2g} at "
            f"order {self.config.highest}."
            for name, errors in whole.items()
        ]
        remarks.append(
            f"Lagrange's bound on sin {'holds' if held else 'is broken'} at every order up to {self.config.highest}."
        )
        for name, errors in logs.items():
            half = errors[self.config.highest // 2]
            way = "falls" if errors[-1] < half else "grows"
            remarks.append(
                f"log(1 + x), {name}: from order {self.config.highest // 2} to {self.config.highest} the error {way} "
                f"from {half:.3g} to {errors[-1]:.3g}."
            )
        return remarks


def _errors(name: str, x: float, highest: int) -> list[float]:
    return [abs(float(taylor(name, x, n)) - _FUNCTIONS[name](x)) for n in range(highest + 1)]


def _grown(radii: dict[str, tuple[float, ...]]) -> str:
    texts = [
        f"{name} {rounded(values[0])}, {rounded(values[1])}, {rounded(values[2])}" for name, values in radii.items()
    ]
    return f"The radius that coefficients up to order 10, 50 and 150 give: {'; '.join(texts)}."
