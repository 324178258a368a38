"""Noise on the inputs of linear regression and on the weights of a network, and the penalties they are."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.func import jacrev

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig
from netsmith.labs.regularization._diabetes import read_diabetes

__all__ = ["CARD", "NoiseIsAPenalty"]

CARD = {
    "title": "Noise is a penalty",
    "paper": "Bishop 1995, doi:10.1162/neco.1995.7.1.108; Goodfellow et al. 2016, Deep Learning, section 7.5",
    "shows": "input noise against ridge regression, and weight noise against a penalty on the gradient of the answers",
    "quick": {"copies": [1, 10], "draws": 20},
}

_VARIANCES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
_CHUNK = 200


class NoiseIsAPenalty:
    r"""Add noise and average, in two ways.

    Normal noise of variance :math:`\sigma^2` on the inputs of linear regression is ridge regression:

    .. math:: E \lVert y - (X + N) w \rVert^2 = \lVert y - X w \rVert^2 + n \sigma^2 \lVert w \rVert^2

    Normal noise of variance :math:`\eta` on the weights of any smooth network adds to the mean squared error

    .. math:: \eta \, E \lVert \nabla_W \hat y \rVert^2 + \eta \, E[(\hat y - y) \, \mathrm{tr} \nabla^2_W \hat y] +
              O(\eta^2)

    whose second term is gone where the residuals are 0; the network here (tanh, one hidden layer) has to answer with
    what it answers without noise, so they are.
    """

    class Config(LabConfig):
        """The noises.

        Attributes:
            std: Deviation of the noise on the inputs, whose own deviation is 1.
            copies: Noisy copies of the data that the regression is fitted to, rising.
            hidden: Units of the network whose weights are noisy.
            draws: Noisy networks, each with its mirror image, that are averaged.
            seed: Of all noise and the network.
        """

        std: float = Field(default=0.5, gt=0)
        copies: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(1, 10, 100, 1000, 10_000), min_length=1)
        hidden: int = Field(default=5, ge=1, le=50)
        draws: int = Field(default=2000, ge=10, le=100_000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: NoiseIsAPenalty.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return both distances, by number of copies and by variance."""
        _, x, y = read_diabetes()
        generator = torch.Generator().manual_seed(self.config.seed)
        strength = len(x) * self.config.std**2  # lambda = n sigma^2
        eye = torch.eye(x.shape[1], dtype=x.dtype)
        ridge = torch.linalg.solve(x.T @ x + strength * eye, x.T @ y)
        ordinary = torch.linalg.solve(x.T @ x, x.T @ y)
        copies = tuple(sorted(set(self.config.copies)))
        apart = tuple(
            float((w - ridge).norm() / ridge.norm()) for w in _noisy_fits(x, y, self.config.std, copies, generator)
        )
        without = float((ordinary - ridge).norm() / ridge.norm())
        ratios = _weight_noise(x, self.config.hidden, self.config.draws, generator)
        numbers = {"ridge_strength": strength, "apart": apart, "apart_without_noise": without, "ratio": ratios}
        figures = (
            Lines(
                "inputs",
                "Least squares on noisy copies: distance from ridge",
                "noisy copies of the data",
                "distance of weights / length of ridge's",
                (
                    Series("noisy copies", tuple(map(float, copies)), apart),
                    Series("data as they are", (float(copies[0]), float(copies[-1])), (without, without)),
                ),
                log_x=True,
                log_y=True,
                caption=f"Noise of deviation {self.config.std:g}; ridge with lambda = n sigma^2 = {strength:g}.",
            ),
            Lines(
                "weights",
                "Weight noise: added error against the penalty",
                "variance of the noise",
                "|added error / penalty - 1|",
                (Series("tanh network", _VARIANCES, tuple(abs(ratio - 1) for ratio in ratios)),),
                log_x=True,
                log_y=True,
                caption=f"Mean of {self.config.draws} mirrored draws; penalty: variance times E|gradient|^2.",
            ),
        )
        table = Grid(
            "Weight noise",
            ("variance of the noise", "added error / penalty - 1"),
            tuple((variance, ratio - 1) for variance, ratio in zip(_VARIANCES, ratios, strict=True)),
        )
        remarks = (
            f"Input noise: least squares on {copies[0]} noisy copy is {100 * apart[0]:.3g} % of the length of ridge's "
            f"weights away from them (lambda = n sigma^2 = {strength:g}), on {copies[-1]} copies "
            f"{100 * apart[-1]:.3g} %; without noise {100 * without:.3g} %.",
            f"Weight noise: the added error is {ratios[-1]:.4g} times the penalty at variance {_VARIANCES[-1]:g} and "
            f"{ratios[0]:.6g} times at {_VARIANCES[0]:g}.",
        )
        return Findings(numbers, figures, (table,), remarks)


def _noisy_fits(x: Tensor, y: Tensor, std: float, copies: tuple[int, ...], generator: torch.Generator) -> list[Tensor]:
    """Return the least-squares weights on the first so many noisy copies, by their normal equations."""
    gram, slope, found = torch.zeros(x.shape[1], x.shape[1], dtype=x.dtype), torch.zeros(x.shape[1], dtype=x.dtype), []
    for number in range(1, copies[-1] + 1):
        noisy = x + std * torch.randn(x.shape, dtype=x.dtype, generator=generator)
        gram += noisy.T @ noisy
        slope += noisy.T @ y
        if number in copies:
            found.append(torch.linalg.solve(gram, slope))
    return found


def _weight_noise(x: Tensor, hidden: int, draws: int, generator: torch.Generator) -> tuple[float, ...]:
    r"""Return, by variance, what the noise adds to the squared error over ``eta E |grad|^2``.

    The second-order part of each draw, whose mean is known to be the penalty, is taken away from the draw and its mean
    put back (a control variate): what chance leaves shrinks with the variance.
    """
    inputs = x.shape[1]
    first, second = inputs * hidden, inputs * hidden + hidden
    scale = torch.cat([torch.full((second,), inputs**-0.5), torch.full((hidden,), hidden**-0.5)]).double()
    weights = scale * torch.randn(second + hidden, dtype=x.dtype, generator=generator)

    def answers(all_weights: Tensor) -> Tensor:  # (..., W) to (..., N)
        matrix = all_weights[..., :first].unflatten(-1, (inputs, hidden))
        units = torch.tanh(x @ matrix + all_weights[..., None, first:second])
        return (units @ all_weights[..., second:, None])[..., 0]

    jacobian = jacrev(answers)(weights)  # (N, W)
    metric = jacobian.T @ jacobian / len(x)
    penalty, plain = float(metric.trace()), answers(weights)
    noise = torch.randn(draws, len(weights), dtype=x.dtype, generator=generator)
    known = ((noise @ metric) * noise).sum(1)  # (M,), with mean `penalty` for each unit of variance
    found = []
    for variance in _VARIANCES:
        added = torch.cat(
            [
                sum((answers(weights + sign * variance**0.5 * part) - plain).square().mean(1) for sign in (1, -1)) / 2
                for part in noise.split(_CHUNK)
            ]
        )
        found.append(float((added / variance - known).mean() + penalty) / penalty)
    return tuple(found)
