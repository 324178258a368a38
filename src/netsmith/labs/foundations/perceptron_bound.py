"""How many mistakes a perceptron makes, and how many it can make at most."""

from __future__ import annotations

from functools import partial
from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.extras import require
from netsmith.core.findings import Findings, Grid, Lines, Number, Points, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig
from netsmith.engine.batch import Batch
from netsmith.models.foundations.perceptron import Perceptron

__all__ = ["CARD", "PerceptronBound", "widest_margin"]

CARD = {
    "title": "The perceptron's mistakes and their bound",
    "paper": "Rosenblatt 1958; Novikoff 1962, On convergence proofs on perceptrons",
    "shows": "mistakes until none is left, against (R / margin)^2, for examples ever harder to part, and for iris",
    "quick": {"margins": [0.3, 0.1], "examples": 20, "draws": 1},
}

_DRAWN = 4  # lines in the chart by pass


class _Course(NamedTuple):
    """One perceptron's life.

    Attributes:
        name: Of the examples.
        ratio: Their widest margin over their largest norm.
        mistakes: So far, after each pass.
        done: Whether the last pass had none.
    """

    name: str
    ratio: float
    mistakes: tuple[int, ...]
    done: bool

    @property
    def bound(self) -> float:
        return self.ratio**-2

    @property
    def total(self) -> int:
        return self.mistakes[-1]


class PerceptronBound:
    r"""Show perceptrons the same examples again and again until they make no mistake.

    Of each set of examples all norms are 1, and all lie at the same distance on either side of a random plane through
    the origin, in random directions along it. The margin in the bound is the widest that any plane through the origin
    has, computed from the examples. Iris stands beside them: setosa against the rest, in centimeters, the bias a weight
    of an input that is always 1.
    """

    class Config(LabConfig):
        """The examples.

        Attributes:
            margins: How far every example is from the plane that named it.
            examples: Number of examples.
            inputs: Dimensions.
            draws: Sets of examples for each margin.
            passes: No perceptron is shown its examples more often.
            seed: Of the examples.
        """

        margins: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(default=(0.3, 0.1, 0.03, 0.01), min_length=1)
        examples: int = Field(default=100, ge=2, le=10_000)
        inputs: int = Field(default=3, ge=2, le=1000)
        draws: int = Field(default=3, ge=1, le=100)
        passes: int = Field(default=2000, ge=1)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: PerceptronBound.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return mistakes, margins and bounds."""
        config = self.config
        courses = [
            self._learned(f"margin {margin:g}", *_drawn(margin, config, draw=draw))
            for margin in config.margins
            for draw in range(config.draws)
        ]
        iris = self._learned("iris: setosa", *_iris())
        every = [*courses, iris]
        span = sorted(one.ratio for one in every)
        chart = Points(
            "mistakes",
            "Mistakes until none is left",
            "widest margin / largest norm",
            "mistakes",
            (
                Series("drawn examples", tuple(c.ratio for c in courses), tuple(float(c.total) for c in courses)),
                Series("iris", (iris.ratio,), (float(iris.total),)),
            ),
            (Series("bound", (span[0], span[-1]), (span[0] ** -2, span[-1] ** -2)),),
            log_x=True,
            log_y=True,
            caption=f"{config.examples} examples of {config.inputs} inputs, {config.draws} draws for each margin, seed "
            f"{config.seed}; the bound is (R / margin)^2.",
        )
        first = [courses[at] for at in range(0, len(courses), config.draws)][-_DRAWN:]
        by_pass = Lines(
            "by_pass",
            "Mistakes so far by pass, first draw of each margin",
            "pass",
            "mistakes so far",
            tuple(
                Series(
                    one.name,
                    tuple(float(at) for at in range(1, len(one.mistakes) + 1)),
                    tuple(map(float, one.mistakes)),
                )
                for one in first
            ),
            log_x=True,
            log_y=True,
            caption="A line ends with the first pass that has no mistake.",
        )
        table = Grid(
            "Mistakes and bounds",
            ("examples", "margin / norm", "passes", "mistakes", "bound", "mistakes / bound"),
            tuple((c.name, c.ratio, len(c.mistakes), c.total, c.bound, c.total / c.bound) for c in every),
        )
        numbers: dict[str, Number | tuple[Number, ...]] = {
            "ratios": tuple(c.ratio for c in courses),
            "mistakes": tuple(c.total for c in courses),
            "bounds": tuple(c.bound for c in courses),
            "ratio/iris": iris.ratio,
            "mistakes/iris": iris.total,
            "bound/iris": iris.bound,
        }
        return Findings(numbers, (chart, by_pass), (table,), _remarks(every))

    def _learned(self, name: str, x: Tensor, y: Tensor) -> _Course:
        """Return what a perceptron does on examples whose plane passes through the origin."""
        model: Perceptron = Perceptron.Config(in_features=x.shape[1], num_classes=2, bias=False).build()
        batch, counts = Batch(x, y), list[int]()
        done = False
        while not done and len(counts) < self.config.passes:
            done = not model.learn(batch, rate=1.0)["mistakes"]
            counts.append(int(model.mistakes.sum()))
        ratio = widest_margin(x, y) / float(x.norm(dim=1).max())
        return _Course(name, ratio, tuple(counts), done)


def widest_margin(x: Tensor, y: Tensor) -> float:
    """Return the largest distance that all examples can have from a plane through the origin that parts the classes.

    The plane's normal is the point of the convex hull of the signed examples that is nearest to the origin, which
    non-negative least squares finds; the figure is the margin that this plane has in truth, rounding included.

    Args:
        x: ``(N, F)`` float64.
        y: ``(N,)`` classes 0 and 1, which a plane through the origin parts.
    """
    optimize = require("scipy.optimize", extra="classic")
    signed = x * (2.0 * y[:, None] - 1)  # (N, F)
    scale = signed.norm(dim=1).max()
    rows = torch.cat([signed.T / scale, torch.ones(1, len(x), dtype=x.dtype)])
    wanted = torch.zeros(len(rows), dtype=x.dtype)
    wanted[-1] = 1
    shares = torch.from_numpy(optimize.nnls(rows.numpy(), wanted.numpy())[0])
    normal = signed.T @ shares
    return float((signed @ normal).min() / normal.norm())


def _drawn(margin: float, config: PerceptronBound.Config, *, draw: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(key(config.seed, "examples", draw))
    size = (config.examples, config.inputs)
    unit = partial(torch.nn.functional.normalize, dim=-1)
    normal = unit(torch.randn(config.inputs, generator=generator, dtype=torch.float64))
    along = torch.randn(size, generator=generator, dtype=torch.float64)
    along = unit(along - (along @ normal)[:, None] * normal)
    y = torch.randint(2, size[:1], generator=generator)
    return (1 - margin**2) ** 0.5 * along + margin * (2.0 * y[:, None].double() - 1) * normal, y


def _iris() -> tuple[Tensor, Tensor]:
    data, kinds = require("sklearn.datasets", extra="classic").load_iris(return_X_y=True)
    x = torch.from_numpy(data).double()
    return torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1), torch.from_numpy(kinds == 0).long()


def _remarks(courses: list[_Course]) -> tuple[str, ...]:
    within = [one for one in courses if one.total <= one.bound]
    shares = [one.total / one.bound for one in courses]
    remarks = [
        f"{len(within)} of {len(courses)} perceptrons made at most (R / margin)^2 mistakes; they made "
        f"{100 * min(shares):.2g} to {100 * max(shares):.2g} % of it."
    ]
    hard, easy = min(courses, key=lambda one: one.ratio), max(courses, key=lambda one: one.ratio)
    remarks += [
        f"At margin / norm {one.ratio:.3g} ({one.name}) it made {one.total} mistakes in {len(one.mistakes)} passes; "
        f"the bound is {one.bound:,.0f}."
        for one in (easy, hard)
    ]
    left = sum(not one.done for one in courses)
    if left:
        remarks.append(f"{left} of {len(courses)} still made mistakes in their last pass.")
    return tuple(remarks)
