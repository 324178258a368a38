"""What Hebb's rule, Oja's and Sanger's come to on scanned digits."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.extras import require
from netsmith.core.findings import Findings, Grid, Lines, Number, Picture, Pictures, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig
from netsmith.engine.batch import Batch
from netsmith.models.foundations.hebb import Hebb

__all__ = ["CARD", "HebbianComponents"]

CARD = {
    "title": "Principal components by Hebbian learning",
    "paper": "Hebb 1949; Oja 1982, J. Math. Biology 15; Sanger 1989, Neural Networks 2",
    "shows": "norms of the weights and angles to the principal components by step, and the components as images",
    "quick": {"components": 2, "steps": 20},
}

_POINTS = 150  # of a drawn line
_TALL = 1e9  # norms above it would flatten what Oja's rule does
_FLOOR = 1e-7  # degrees; smaller angles are rounding


class _Course(NamedTuple):
    """How the units of one rule went.

    Attributes:
        norms: Of the weights, by step, the first ones' too; ``(T, U)``.
        angles: To the principal component of the unit (the first one, but for Sanger's), degrees; ``(T, U)``.
        weights: The last ones, ``(U, F)``.
    """

    norms: Tensor
    angles: Tensor
    weights: Tensor


class HebbianComponents:
    """Show all of scikit-learn's digits at every step, each pixel's mean taken off, to linear units.

    One unit learns by Hebb's rule and one by Oja's, from the same first weights; several learn by Sanger's. What they
    come to is held against the eigenvectors of the pixels' covariance.
    """

    class Config(LabConfig):
        """The units.

        Attributes:
            components: Units that learn by Sanger's rule.
            rate: eta; pixels are in 0..1.
            steps: Of each rule.
            seed: Of the first weights.
        """

        components: int = Field(default=5, ge=1, le=16)
        rate: float = Field(default=0.5, gt=0)
        steps: int = Field(default=600, ge=2, le=100_000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: HebbianComponents.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return norms, angles and components."""
        x = _digits()
        values, vectors = torch.linalg.eigh(x.T @ x / len(x))
        values, vectors = values.flip(0), vectors.T.flip(0)  # (F,), (F, F), largest first
        hebb, oja = (self._learned(x, rule, vectors[:1]) for rule in ("hebb", "oja"))
        sanger = self._learned(x, "sanger", vectors[: self.config.components])
        growth = float(hebb.norms[-1, 0] / hebb.norms[-2, 0])
        expected = 1 + self.config.rate * float(values[0])
        numbers: dict[str, Number | tuple[Number, ...]] = {
            "eigenvalues": tuple(values[: self.config.components].tolist()),
            "growth/hebb": growth,
            "growth/expected": expected,
            "steps/hebb": len(hebb.norms) - 1,
        }
        for name, course in (("hebb", hebb), ("oja", oja), ("sanger", sanger)):
            numbers |= {f"norm/{name}": tuple(course.norms[-1].tolist())}
            numbers |= {f"angle/{name}": tuple(course.angles[-1].tolist())}
        drawn = max(2, int((hebb.norms[:, 0] < _TALL).sum()))
        norms = Lines(
            "norms",
            "Norm of the weights",
            "step",
            "norm",
            (_line("Hebb", hebb.norms[:drawn, 0]), _line("Oja", oja.norms[:drawn, 0])),
            log_y=True,
            caption=f"All {len(x)} digits at each step, rate {self.config.rate:g}, seed {self.config.seed}; drawn "
            f"while Hebb's norm is below {_TALL:g}.",
        )
        shown = range(1, min(4, self.config.components))
        angles = Lines(
            "angles",
            "Angle to the unit's principal component",
            "step",
            "angle, degrees",
            (
                _line("Hebb", hebb.angles[:, 0].clamp(min=_FLOOR)),
                _line("Oja", oja.angles[:, 0].clamp(min=_FLOOR)),
                *(_line(f"Sanger {at + 1}", sanger.angles[:, at].clamp(min=_FLOOR)) for at in shown),
            ),
            log_y=True,
            caption=f"To the nearer of the eigenvector and its negative; drawn from {_FLOOR:g} degrees up.",
        )
        table = Grid(
            f"After {self.config.steps} steps",
            ("unit", "component", "its variance", "norm", "angle, degrees"),
            tuple(
                (name, at + 1, float(values[at]), float(course.norms[-1, at]), float(course.angles[-1, at]))
                for name, course in (("Hebb", hebb), ("Oja", oja), ("Sanger", sanger))
                for at in range(course.norms.shape[1])
            ),
            "The variance is that of pixels in 0..1 along the component." + _cut(hebb, self.config.steps),
        )
        figures = (norms, angles, _pictures(vectors, sanger.weights))
        return Findings(numbers, figures, (table,), _remarks(hebb, oja, sanger, growth, expected))

    def _learned(self, x: Tensor, rule: Literal["hebb", "oja", "sanger"], vectors: Tensor) -> _Course:
        model: Hebb = Hebb.Config(rule=rule, units=len(vectors), in_features=x.shape[1]).build()
        generator = torch.Generator().manual_seed(key(self.config.seed, "weights"))
        first = torch.randn(model.weight.shape, generator=generator, dtype=torch.float64)
        model.weight.copy_(first / x.shape[1] ** 0.5)
        norms, angles = list[Tensor](), list[Tensor]()
        batch = Batch(x)
        while True:
            weight = model.weight
            norms.append(weight.norm(dim=1))
            unit = weight / norms[-1][:, None]
            off = unit - (unit * vectors).sum(1, keepdim=True) * vectors  # accurate for small angles, as acos is not
            angles.append(torch.rad2deg(torch.atan2(off.norm(dim=1), (unit * vectors).sum(1).abs())))
            if len(norms) > self.config.steps or not bool((norms[-1] < 1e100).all()):
                return _Course(torch.stack(norms), torch.stack(angles), weight.clone())
            model.learn(batch, rate=self.config.rate)


def _digits() -> Tensor:
    data = require("sklearn.datasets", extra="classic").load_digits().data
    x = torch.from_numpy(data).double() / 16  # (1797, 64)
    return x - x.mean(0)


def _line(name: str, values: Tensor) -> Series:
    at = range(0, len(values), max(1, len(values) // _POINTS))
    return Series(name, tuple(map(float, at)), tuple(float(values[step]) for step in at))


def _pictures(vectors: Tensor, weights: Tensor) -> Pictures:
    """Return the components, and below them what the units learned, turned to the same side."""
    wanted = vectors[: len(weights)]
    turned = weights * (weights * wanted).sum(1, keepdim=True).sign()
    pictures = [
        Picture(f"{name} {at}", tuple(map(tuple, one.reshape(8, 8).tolist())))
        for name, rows in (("eigenvector", wanted), ("Sanger", turned))
        for at, one in enumerate(rows, 1)
    ]
    high = float(max(wanted.abs().max(), turned.abs().max()))
    return Pictures(
        "components",
        "Principal components of the digits, and what the units learned",
        tuple(pictures),
        -high,
        high,
        columns=len(weights),
        caption="Black is the most negative weight, white the most positive, medium gray is 0.",
    )


def _cut(hebb: _Course, steps: int) -> str:
    taken = len(hebb.norms) - 1
    return f" Hebb's unit was followed for {taken} steps." if taken < steps else ""


def _remarks(hebb: _Course, oja: _Course, sanger: _Course, growth: float, expected: float) -> tuple[str, ...]:
    first, last = float(hebb.norms[0, 0]), float(hebb.norms[-1, 0])
    norm, angle = float(oja.norms[-1, 0]), float(oja.angles[-1, 0])
    away = float((sanger.norms[-1] - 1).abs().max())
    return (
        f"Hebb: in {len(hebb.norms) - 1} steps the norm goes from {first:.3g} to {last:.3g}; the last step multiplies "
        f"it by {growth:.5g}, 1 + eta lambda_1 is {expected:.5g}.",
        f"Oja: the norm ends at {norm:.6g}, {abs(norm - 1):.1e} from 1, the weights {angle:.2g} degrees from the first "
        "principal component.",
        f"Sanger: {sanger.norms.shape[1]} units end with norms within {away:.1e} of 1, {sanger.angles[-1].min():.2g} "
        f"to {sanger.angles[-1].max():.2g} degrees from the component of their number.",
    )
