"""Six errors that course notes carry, each beside what is meant."""

from __future__ import annotations

import math

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.findings import Findings, Grid, Lines, Number, Series
from netsmith.core.roles import LabConfig
from netsmith.labs.foundations._attention_errors import heads_error, softmax_error
from netsmith.labs.foundations._noted import RIGHT, WRONG, Row, Shown, drawn
from netsmith.layers.initializers.gaussian import Gaussian
from netsmith.layers.layer_statistics import LayerStatistics, layer_activations

__all__ = ["CARD", "CourseErrors", "clipped", "logistic_loss"]

CARD = {
    "title": "Errors of course notes, shown and mended",
    "paper": "of each: He et al. 2015, arXiv:1502.01852; Pascanu et al. 2013; Vaswani et al. 2017, arXiv:1706.03762",
    "shows": "first weights, clipping, scaled softmax, heads, logistic loss and normal density, wrong and right",
    "quick": {"layers": 2, "units": 20, "batch": 20, "width": 4, "steps": 5},
}


class CourseErrors:
    """Compute both forms of six formulas, and a reference from elsewhere for each.

    First weights divided by sqrt(2 / fan_in) where sqrt(fan_in / 2) is meant; a gradient clipped by its squared norm;
    attention divided by sqrt(d) after the softmax; heads cut out by a reshape without a transpose; a logistic loss
    without its term of 1 - y; a normal density with the constant 1 / sqrt(pi).
    """

    class Config(LabConfig):
        """The sizes.

        Attributes:
            layers: Of the network of the first error.
            units: Their width, fan_in.
            batch: Its examples.
            tokens: Positions of the attention.
            heads: Of the attention.
            width: Of one head, d.
            examples: Of the logistic regression, a quarter of them of class 1.
            steps: Of the logistic regression, at rate 0.5.
            seed: Of everything drawn.
        """

        layers: int = Field(default=10, ge=2, le=100)
        units: int = Field(default=500, ge=2, le=10_000)
        batch: int = Field(default=1000, ge=2, le=100_000)
        tokens: int = Field(default=8, ge=2, le=1000)
        heads: int = Field(default=4, ge=2, le=64)
        width: int = Field(default=64, ge=2, le=1024)
        examples: int = Field(default=400, ge=8, le=100_000)
        steps: int = Field(default=200, ge=2, le=100_000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: CourseErrors.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return each formula as noted, as meant, and as it should be."""
        c = self.config
        found = {
            "first weights": _first_weights(c),
            "clipping": _clipping(),
            "softmax": softmax_error(tokens=c.tokens, width=c.width, seed=c.seed),
            "heads": heads_error(tokens=c.tokens, heads=c.heads, width=c.width, seed=c.seed),
            "logistic loss": _logistic(c),
            "normal density": _normal(),
        }
        numbers: dict[str, Number | tuple[Number, ...]] = {}
        for name, one in found.items():
            for what, wrong, right, wanted in one.rows:
                place = f"{name}/{what}"
                numbers |= {f"{place}/noted": wrong, f"{place}/meant": right, f"{place}/wanted": wanted}
        table = Grid(
            "Noted, meant and wanted",
            ("formula", "what is measured", WRONG, RIGHT, "wanted"),
            tuple((name, *row) for name, one in found.items() for row in one.rows),
            "Wanted: from theory, or from torch's own function.",
        )
        figures = tuple(one.figure for one in found.values() if one.figure)
        return Findings(numbers, figures, (table,), tuple(one.remark for one in found.values()))


# -- the formulas -----------------------------------------------------------------------------------------------------


def clipped(gradient: Tensor, limit: float, *, squared: bool) -> Tensor:
    """Return a gradient cut to a norm.

    Args:
        gradient: Of any shape.
        limit: Its largest norm.
        squared: Make the error: compare with, and divide by, the squared norm.
    """
    size = gradient.square().sum() if squared else gradient.norm()
    return gradient * (limit / size) if size > limit else gradient


def logistic_loss(logits: Tensor, y: Tensor, *, both: bool) -> Tensor:
    r"""Return the mean of :math:`-y \log p - (1 - y) \log(1 - p)`.

    Args:
        logits: ``(N,)``.
        y: ``(N,)`` zeros and ones.
        both: False makes the error: the second term is left out.
    """
    loss = -y * F.logsigmoid(logits)
    return (loss - (1 - y) * F.logsigmoid(-logits)).mean() if both else loss.mean()


# -- what they do -----------------------------------------------------------------------------------------------------


def _first_weights(config: CourseErrors.Config) -> Shown:
    fan_in = config.units
    divisors = ((WRONG, math.sqrt(2 / fan_in)), (RIGHT, math.sqrt(fan_in / 2)))
    stds = {}
    for name, divisor in divisors:
        answers = layer_activations(
            Gaussian.Config(std=1 / divisor).build(),
            activation="relu",
            layers=config.layers,
            units=fan_in,
            batch=config.batch,
            seed=config.seed,
        )
        stds[name] = [LayerStatistics.of(answer).std for answer in answers]
    # ReLU of a normal number of deviation s has deviation s sqrt(1/2 - 1/(2 pi)); s is sqrt(fan_in) std of the weights
    wanted = math.sqrt(2) * math.sqrt(0.5 - 0.5 / math.pi)
    wrong, right = stds[WRONG], stds[RIGHT]
    figure = Lines(
        "first_weights",
        "Signal by layer under both divisors",
        "layer",
        "standard deviation of activations",
        tuple(
            Series(f"{name}: / {text}", tuple(map(float, range(1, config.layers + 1))), tuple(stds[name]))
            for name, text in ((WRONG, "sqrt(2 / fan_in)"), (RIGHT, "sqrt(fan_in / 2)"))
        ),
        log_y=True,
        caption=f"ReLU, {fan_in} units, {config.batch} examples of standard normal numbers; standard normal weights "
        "divided as said.",
    )
    remark = (
        f"Weights / sqrt(2 / fan_in): the activations' standard deviation is {wrong[0]:.4g} at layer 1 and "
        f"{wrong[-1]:.3g} at layer {config.layers}; / sqrt(fan_in / 2): {right[0]:.3g} and {right[-1]:.3g}."
    )
    return Shown((Row("standard deviation at layer 1", wrong[0], right[0], wanted),), figure, remark)


def _clipping() -> Shown:
    example = torch.tensor([3.0, 4.0], dtype=torch.float64)
    wrong, right = (float(clipped(example, 1.0, squared=squared).norm()) for squared in (True, False))
    parameter = nn.Parameter(torch.zeros_like(example))
    parameter.grad = example.clone()
    nn.utils.clip_grad_norm_([parameter], 1.0)
    wanted = float(parameter.grad.norm())
    norms = [step / 20 for step in range(1, 121)]
    unit = example / example.norm()
    figure = Lines(
        "clipping",
        "What clipping to norm 1 leaves of a gradient",
        "norm before",
        "norm after",
        tuple(
            Series(
                name, tuple(norms), tuple(float(clipped(unit * norm, 1.0, squared=squared).norm()) for norm in norms)
            )
            for name, squared in ((f"{WRONG}: by the squared norm", True), (f"{RIGHT}: by the norm", False))
        ),
    )
    remark = (
        f"Clipped to 1 by the squared norm, the gradient [3, 4] has norm {wrong:.3g}; by the norm, {right:.3g}; "
        f"torch's clip_grad_norm_ leaves {wanted:.4g}."
    )
    return Shown((Row("norm of [3, 4] clipped to 1", wrong, right, wanted),), figure, remark)


def _logistic(config: CourseErrors.Config) -> Shown:
    y = (torch.arange(config.examples) % 4 == 0).double()
    x = drawn(config.seed, "examples", config.examples, 2) + (2 * y[:, None] - 1)
    inputs = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)
    right_by_step: dict[str, list[float]] = {}
    losses, called = [], []
    for name, both in ((WRONG, False), (RIGHT, True)):
        weight = torch.zeros(3, dtype=x.dtype, requires_grad=True)
        right_by_step[name] = []
        for _ in range(config.steps + 1):
            logits = inputs @ weight
            found = logits.detach()
            right_by_step[name].append(float(((found > 0).double() == y).double().mean()))
            loss = logistic_loss(logits, y, both=both)
            (slope,) = torch.autograd.grad(loss, weight)
            weight = (weight - 0.5 * slope).detach().requires_grad_(True)
        called.append(float((found > 0).double().mean()))
        losses.append(float(F.binary_cross_entropy_with_logits(found, y)))
    ends = [values[-1] for values in right_by_step.values()]
    at = range(0, config.steps + 1, max(1, config.steps // 150))
    figure = Lines(
        "logistic",
        "Accuracy of a logistic regression by step",
        "step",
        "accuracy, %",
        tuple(
            Series(f"{name}: {text}", tuple(map(float, at)), tuple(100 * right_by_step[name][step] for step in at))
            for name, text in ((WRONG, "without 1 - y"), (RIGHT, "both terms"))
        ),
        caption=f"{config.examples} examples around (-1, -1) and (1, 1), {100 * float(y.mean()):.3g} % of them of "
        "class 1; rate 0.5.",
    )
    share = float(y.mean())
    remark = (
        f"Without its term of 1 - y the loss calls {100 * called[0]:.3g} % of the examples class 1 after "
        f"{config.steps} steps, {100 * ends[0]:.3g} % are right; with it {100 * called[1]:.3g} % and "
        f"{100 * ends[1]:.3g} %; class 1 are {100 * share:.3g} %."
    )
    rows = (Row("share called class 1", *called, share), Row("cross entropy, nats", *losses, _best(inputs, y)))
    return Shown(rows, figure, remark)


def _best(inputs: Tensor, y: Tensor) -> float:
    """Return the least cross entropy, by Newton's method."""
    weight = torch.zeros(inputs.shape[1], dtype=inputs.dtype)
    for _ in range(30):
        p = (inputs @ weight).sigmoid()
        curvature = inputs.T @ (inputs * (p * (1 - p))[:, None])
        weight = weight + torch.linalg.solve(curvature, inputs.T @ (y - p))
    return float(F.binary_cross_entropy_with_logits(inputs @ weight, y))


def _normal() -> Shown:
    x = torch.linspace(-12, 12, 4801, dtype=torch.float64)
    bell = torch.exp(-(x**2) / 2)
    wrong, right = bell / math.sqrt(math.pi), bell / math.sqrt(2 * math.pi)
    theirs = torch.distributions.Normal(0.0, 1.0).log_prob(x).exp()
    areas = [float(torch.trapezoid(density, x)) for density in (wrong, right, theirs)]
    some = [at for at, value in enumerate(x.tolist()) if abs(value) <= 4][::16]
    figure = Lines(
        "normal",
        "The density of the standard normal distribution",
        "x",
        "density",
        tuple(
            Series(f"{name}: {text}", tuple(x[some].tolist()), tuple(density[some].tolist()))
            for name, text, density in (
                (WRONG, "/ sqrt(pi)", wrong),
                (RIGHT, "/ sqrt(2 pi)", right),
            )
        ),
        caption="exp(-x^2 / 2), divided as said.",
    )
    remark = (
        f"With 1 / sqrt(pi) the density's area is {areas[0]:.6g}, with 1 / sqrt(2 pi) {areas[1]:.6g}; at 0 it is "
        f"{wrong[2400]:.6g} and {right[2400]:.6g}, torch's is {theirs[2400]:.6g}."
    )
    rows = (Row("area", *areas), Row("density at 0", *(float(one[2400]) for one in (wrong, right, theirs))))
    return Shown(rows, figure, remark)
