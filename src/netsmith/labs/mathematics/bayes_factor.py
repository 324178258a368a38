"""What a medical test says: prior odds times the likelihood ratio are posterior odds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from netsmith.core.findings import Findings, Grid, Lines
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import series

__all__ = ["CARD", "BayesFactor", "counted", "factors", "posterior"]

CARD = {
    "title": "A medical test and its Bayes factor",
    "paper": "Kass & Raftery 1995, Bayes Factors (Journal of the American Statistical Association 90)",
    "shows": "the probability of illness after a test, by base rate and by number of tests, beside simulated people",
    "quick": {"people": 1000, "tests": 2},
}


def factors(sensitivity: float, specificity: float) -> tuple[float, float]:
    """Return by what a positive and a negative result multiply the odds of illness.

    Example:
        >>> tuple(round(one, 3) for one in factors(0.9, 0.91))
        (10.0, 0.11)
    """
    return sensitivity / (1 - specificity), (1 - sensitivity) / specificity


def posterior(prior: ArrayLike, factor: ArrayLike) -> NDArray[np.float64]:
    r"""Return the probability after evidence.

    .. math:: \frac{P(H | D)}{P(\bar H | D)} = \frac{P(D | H)}{P(D | \bar H)} \cdot \frac{P(H)}{P(\bar H)}
    """
    p = np.asarray(prior, dtype=np.float64)
    odds = np.asarray(factor) * p / (1 - p)
    return odds / (1 + odds)


def counted(
    prior: float, sensitivity: float, specificity: float, *, people: int, tests: int, seed: int
) -> list[tuple[int, int]]:
    """Return, of simulated people, how many had only positive results up to each test, and how many of them are ill."""
    generator = np.random.default_rng(seed)
    ill = generator.random(people) < prior
    still = np.ones(people, dtype=bool)
    rows = []
    for _ in range(tests):
        still &= generator.random(people) < np.where(ill, sensitivity, 1 - specificity)
        rows.append((int(still.sum()), int((still & ill).sum())))
    return rows


class BayesFactor:
    """Update the probability of an illness test by test; given the illness, results are independent."""

    class Config(LabConfig):
        """The test.

        Attributes:
            prior: How common the illness is.
            sensitivity: The share of the ill whose result is positive.
            specificity: The share of the healthy whose result is negative.
            tests: Positive results in a row.
            people: Simulated.
            seed: Of the simulation.
        """

        prior: float = Field(default=0.01, ge=1e-9, le=0.999)
        sensitivity: float = Field(default=0.9, ge=0.001, le=0.999)
        specificity: float = Field(default=0.91, ge=0.001, le=0.999)
        tests: int = Field(default=4, ge=1, le=20)
        people: int = Field(default=1_000_000, ge=1000, le=20_000_000)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: BayesFactor.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return probabilities by base rate and by test, and the simulated shares."""
        config = self.config
        up, down = factors(config.sensitivity, config.specificity)
        after = [float(posterior(config.prior, up**k)) for k in range(config.tests + 1)]
        negative = float(posterior(config.prior, down))
        people = counted(
            config.prior,
            config.sensitivity,
            config.specificity,
            people=config.people,
            tests=config.tests,
            seed=config.seed,
        )
        shares = [ill / count if count else None for count, ill in people]
        away = [_deviations(count, ill, p) for (count, ill), p in zip(people, after[1:], strict=True)]
        numbers: dict[str, float | int | tuple[float | None, ...]] = {"factor_positive": up, "factor_negative": down}
        numbers |= {"posterior": tuple(after), "posterior_negative": negative, "simulated": tuple(shares)}
        numbers["deviations"] = tuple(away)
        first = people[0]
        remarks = (
            f"A positive result multiplies the odds by {up:.4g}, a negative one by {down:.4g}.",
            f"From {100 * config.prior:.3g} % a positive result leads to {100 * after[1]:.3g} %, a negative one to "
            f"{100 * negative:.3g} %; {config.tests} positive ones lead to {100 * after[-1]:.4g} %.",
            f"Of {config.people:,} simulated people {first[0]:,} had a positive result, and {first[1]:,} of them were "
            f"ill. Test by test the simulated share lies {_told(away)} standard deviations from the rule.",
        )
        rows = tuple(
            (k, up**k, after[k], *((shares[k - 1], people[k - 1][0]) if k else (None, None))) for k in range(len(after))
        )
        columns = ("positive results", "Bayes factor", "probability of illness", "simulated share", "people left")
        table = Grid("Test by test", columns, rows)
        return Findings(numbers, self._charts(up, down), (table,), remarks)

    def _charts(self, up: float, down: float) -> tuple[Lines, Lines]:
        priors = np.geomspace(1e-4, 0.9, 120)
        lines = [(f"{k} positive", posterior(priors, up**k)) for k in (1, 2)]
        lines += [("1 negative", posterior(priors, down)), ("no test", priors)]
        rates = (self.config.prior, 10 * self.config.prior / (1 + 9 * self.config.prior), 0.5)
        tests = range(self.config.tests + 1)
        return (
            Lines(
                "base_rate",
                "After the test, by base rate",
                "base rate",
                "probability of illness",
                tuple(series(name, priors, ys) for name, ys in lines),
                log_x=True,
            ),
            Lines(
                "tests",
                "Positive results in a row",
                "number of positive results",
                "probability of illness",
                tuple(series(f"base rate {p:.3g}", tests, [posterior(p, up**k) for k in tests]) for p in rates),
            ),
        )


def _deviations(count: int, ill: int, chance: float) -> float | None:
    """Return how many standard deviations a share lies above its probability; None of nobody, or of what is sure."""
    return (ill / count - chance) / (chance * (1 - chance) / count) ** 0.5 if count and chance < 1 else None


def _told(away: list[float | None]) -> str:
    return ", ".join("-" if one is None else f"{one:+.2g}" for one in away)
