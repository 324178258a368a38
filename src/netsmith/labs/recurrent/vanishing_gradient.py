"""What is left of a gradient on its way back through time."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.keys import key as named_key
from netsmith.core.roles import LabConfig
from netsmith.layers.recurrent.cell import Activation
from netsmith.layers.recurrent.elman import ElmanCell

__all__ = ["CARD", "VanishingGradient", "scaled_to_radius"]

CARD = {
    "title": "The gradient on its way back through time",
    "paper": "Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063",
    "shows": "the gradient's length by distance in time for recurrent weights of spectral radius below, at and above 1",
    "quick": {"steps": 8, "units": 6, "batch": 4},
}

_CELLS: tuple[tuple[str, Activation], ...] = (("linear", "identity"), ("tanh", "tanh"))


class VanishingGradient:
    r"""Follow the gradient of the last state through an Elman network back to its first, before any training.

    .. math:: \frac{\partial L}{\partial h_t} = \Bigl(\prod_{s=t+1}^{T} U^T \mathrm{diag}(f'(a_s))\Bigr)
              \frac{\partial L}{\partial h_T}

    For a linear cell the product is :math:`(U^T)^{T-t}`, whose growth per step tends to the spectral radius of U; this
    closed form stands beside what automatic differentiation finds. A squashing f only takes away. Then one step of
    gradient descent is made along the whole gradient of U, as it is and clipped by its norm.
    """

    class Config(LabConfig):
        """The network, its radii, the step.

        Attributes:
            radii: Spectral radii of U.
            steps: T.
            units: Hidden units.
            batch: Sequences of standard normal inputs.
            limit: Largest norm of a clipped gradient.
            lr: Rate of the one step.
            seed: Of weights and inputs.
        """

        radii: tuple[float, ...] = (0.8, 1.0, 1.2)
        steps: int = Field(default=100, ge=2, le=2000)
        units: int = Field(default=50, ge=2, le=1000)
        batch: int = Field(default=20, ge=1, le=1000)
        limit: float = Field(default=1.0, gt=0)
        lr: float = Field(default=0.1, gt=0)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> VanishingGradient.Config:
            if not 1 <= len(self.radii) <= 5 or min(self.radii) <= 0 or max(self.radii) > 10:
                raise ValueError(f"radii: expected one to five numbers above 0 and at most 10, got {self.radii}")
            return self

    def __init__(self, config: VanishingGradient.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the gradient's length by distance, and what one step does."""
        config = self.config
        away = tuple(float(distance) for distance in range(config.steps))
        numbers: dict[str, float | tuple[float, ...]] = {}
        figures, remarks, rows, moves = [], [], [], []
        for cell, activation in _CELLS:
            lines = []
            for radius in config.radii:
                found = self._follow(activation, radius)
                name = f"{cell}/{radius:g}"
                numbers |= {f"gradient/{name}": found.norms, f"whole/{name}": found.whole}
                lines.append(Series(f"radius {radius:g}", away, found.norms))
                remarks.append(_remark(cell, radius, found.norms))
                losses = (_told(loss) for loss in (found.before, found.raw, found.clipped))
                moves.append((cell, radius, found.whole, *losses))
                if cell == "linear":
                    numbers[f"error/{name}"] = found.error
                    rows.append((radius, found.norms[-1], found.closed, found.error))
            figures.append(
                Lines(
                    f"gradient_{cell}",
                    f"Gradient by distance in time: {cell} cell of {config.units} units",
                    "steps back in time",
                    "length of the gradient (the last state's is 1)",
                    tuple(lines),
                    log_y=True,
                    caption=f"Mean over {config.batch} sequences, seed {config.seed}; nothing is trained.",
                )
            )
        worst = max(row[3] for row in rows)
        remarks.append(f"Closed form and automatic differentiation differ by at most {worst:.1e} of the length.")
        remarks += [_move_remark(config, *move) for move in moves if move[2] > config.limit]
        tables = (
            Grid(
                f"Linear cell, {config.steps - 1} steps back: length of the gradient",
                ("spectral radius", "automatic differentiation", "closed form", "largest relative difference"),
                tuple(rows),
            ),
            Grid(
                f"One step of rate {config.lr:g} on U: loss before and after, clipped to norm {config.limit:g}",
                ("cell", "spectral radius", "norm of the gradient of U", "before", "as it is", "clipped"),
                tuple(moves),
            ),
        )
        return Findings(numbers, tuple(figures), tables, tuple(remarks))

    def _follow(self, activation: Activation, radius: float) -> _Followed:
        config = self.config
        generator = torch.Generator().manual_seed(named_key(config.seed, "vanishing_gradient"))
        drawn = torch.randn(config.units, config.units, generator=generator, dtype=torch.float64)
        inputs = torch.randn(config.batch, config.steps, config.units, generator=generator, dtype=torch.float64)
        direction = torch.randn(config.units, generator=generator, dtype=torch.float64)
        direction /= direction.norm()
        cell = ElmanCell(config.units, config.units, activation=activation).double()
        with torch.no_grad():
            cell.inputs.weight.copy_(torch.eye(config.units) / math.sqrt(config.units))
            cell.inputs.bias.zero_()
            cell.recurrent.weight.copy_(scaled_to_radius(drawn, radius))
        weight = cell.recurrent.weight
        states = _states(cell, inputs)
        gradients = torch.autograd.grad((states[-1] @ direction).sum(), states, retain_graph=True)
        lengths = torch.stack([gradient.norm(dim=1) for gradient in reversed(gradients)])  # (T, B), now first
        closed = [direction]
        for _ in range(config.steps - 1):
            closed.append(weight.detach().T @ closed[-1])
        exact = torch.stack(closed).norm(dim=1)
        loss = (states[-1] @ direction - 1).square().mean()
        (gradient,) = torch.autograd.grad(loss, weight)
        whole = float(gradient.norm())
        clipped = gradient * min(1.0, config.limit / whole) if whole else gradient
        after = []
        with torch.no_grad():
            for step in (gradient, clipped):
                weight -= config.lr * step
                after.append(float((_states(cell, inputs)[-1] @ direction - 1).square().mean()))
                weight += config.lr * step
        return _Followed(
            tuple(lengths.mean(1).tolist()),
            float(exact[-1]),
            float(((lengths - exact[:, None]).abs() / exact[:, None]).max()),
            whole,
            float(loss.detach()),
            *after,
        )


class _Followed(NamedTuple):
    """Of one network.

    Attributes:
        norms: Length of the gradient by distance from the last state.
        closed: That of the linear cell at the first state, by powers of U.
        error: Largest difference of the two, relative, if the cell is linear.
        whole: Norm of the gradient of U.
        before: The loss.
        raw: After a step along the gradient as it is.
        clipped: After a step along the clipped one.
    """

    norms: tuple[float, ...]
    closed: float
    error: float
    whole: float
    before: float
    raw: float
    clipped: float


def scaled_to_radius(weight: Tensor, radius: float) -> Tensor:
    """Return a square matrix times what makes the largest absolute value of its eigenvalues ``radius``.

    Example:
        >>> scaled_to_radius(torch.tensor([[0.0, 2.0], [8.0, 0.0]]), 1.0)  # its eigenvalues are 4 and -4
        tensor([[0.0000, 0.5000],
                [2.0000, 0.0000]])
    """
    return weight * (radius / torch.linalg.eigvals(weight).abs().max())


def _states(cell: ElmanCell, inputs: Tensor) -> list[Tensor]:
    state = cell.start(len(inputs))
    states = []
    for projected in cell.project(inputs).unbind(1):
        _, state = cell.step(projected, state)
        states.append(state[0])
    return states


def _remark(cell: str, radius: float, norms: tuple[float, ...]) -> str:
    text = f"{cell} cell, radius {radius:g}: over {len(norms) - 1} steps the gradient's length goes from 1 to "
    text += f"{norms[-1]:.3g}"
    half = len(norms) // 2
    if norms[-1] > 0 and norms[half] > 0 and len(norms) - 1 > half:
        factor = (norms[-1] / norms[half]) ** (1 / (len(norms) - 1 - half))
        text += f"; in the farther half a step multiplies it by {factor:.3f} on average"
    return f"{text}."


def _move_remark(
    config: VanishingGradient.Config, cell: str, radius: float, whole: float, before: str, raw: str, clipped: str
) -> str:
    return (
        f"{cell} cell, radius {radius:g}: the gradient of U has norm {whole:.3g}; one step along it as it is takes the "
        f"loss from {before} to {raw}, clipped to norm {config.limit:g} to {clipped}."
    )


def _told(loss: float) -> str:
    return f"{loss:.3g}" if math.isfinite(loss) else "no number (overflow)"
