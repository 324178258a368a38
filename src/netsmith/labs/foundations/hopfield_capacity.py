"""How many random patterns a Hopfield network holds: the jump near 0.138 patterns per unit."""

from __future__ import annotations

import functools
import math
from itertools import pairwise

import torch
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines, Number, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig
from netsmith.models.foundations.hopfield import Hopfield

__all__ = ["CARD", "HopfieldCapacity", "critical_load", "expected_error"]

CARD = {
    "title": "The capacity of a Hopfield network",
    "paper": "Hopfield 1982, PNAS 79; Amit, Gutfreund & Sompolinsky 1985, Phys. Rev. Lett. 55, 1530",
    "shows": "the share of wrong units after recall against the number of stored patterns, beside the theory's",
    "quick": {"sizes": [40, 60], "loads": [0.1, 0.3], "trials": 1},
}

_MANY = 0.05  # a share of wrong units between the few below the jump and the many above


def _load(y: float) -> float:
    r"""Return the load at which recall has errors ``erfc(y) / 2``.

    At zero temperature, :math:`\sqrt{2 \alpha} = \mathrm{erf}(y) / y - (2 / \sqrt\pi) e^{-y^2}`.
    """
    return 0.5 * (math.erf(y) / y - 2 / math.sqrt(math.pi) * math.exp(-y * y)) ** 2


@functools.cache
def _critical() -> float:
    """Return the y of the largest load."""
    return max((step / 10_000 for step in range(5_000, 30_000)), key=_load)


def critical_load() -> tuple[float, float]:
    """Return the largest load with recall, and the share of wrong units there, of an infinite network.

    Example:
        >>> [round(value, 4) for value in critical_load()]
        [0.1379, 0.0163]
    """
    return _load(_critical()), math.erfc(_critical()) / 2


def expected_error(load: float) -> float | None:
    """Return the share of wrong units that theory has at a load; None beyond the largest with recall.

    Example:
        >>> round(expected_error(0.1), 5), expected_error(0.2)
        (0.001, None)
    """
    if load > critical_load()[0]:
        return None
    low, high = _critical(), 20.0  # between them the load falls as y rises
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _load(middle) > load else (low, middle)
    return math.erfc(low) / 2


class HopfieldCapacity:
    """Store random patterns, start at each of them, and count how many units have left it when nothing moves any more.

    The line without measurements is the theory of an infinite network (Amit, Gutfreund & Sompolinsky 1985), which ends
    where recall does.
    """

    class Config(LabConfig):
        """The networks and how much they hold.

        Attributes:
            sizes: Units, N, of each network.
            loads: Patterns per unit, p / N, ascending.
            trials: Sets of patterns for the largest network; the others have more, in proportion.
            seed: Of the patterns and the order of updates.
        """

        sizes: tuple[int, ...] = Field(default=(100, 200, 400), min_length=1, max_length=4)
        loads: tuple[float, ...] = Field(
            default=(0.06, 0.1, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.2, 0.22), min_length=2
        )
        trials: int = Field(default=4, ge=1, le=1000)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> HopfieldCapacity.Config:
            if min(self.sizes) < 10:
                raise ValueError(f"sizes={self.sizes}: expected at least 10 units each")
            least = min(self.sizes)
            if sorted(set(self.loads)) != list(self.loads) or self.loads[0] * least < 0.5 or self.loads[-1] > 1:
                raise ValueError(
                    f"loads={self.loads}: expected shares up to 1, ascending, of at least one pattern of {least} units"
                )
            return self

    def __init__(self, config: HopfieldCapacity.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the share of wrong units by size and load."""
        loads = self.config.loads
        wrong = {size: tuple(self._wrong(size, load) for load in loads) for size in self.config.sizes}
        most, jump = critical_load()
        theory = sorted((_load(step / 100), math.erfc(step / 100) / 2) for step in range(160, 301))
        theory = [(load, share) for load, share in theory if load >= loads[0]] + [(most, jump)]
        series = [Series(f"N = {size}", loads, shares) for size, shares in wrong.items()]
        series.append(Series("theory, N infinite", *zip(*sorted(theory), strict=True)))
        chart = Lines(
            "wrong_units",
            "Units that are wrong after recall from the pattern itself",
            "load p / N: random patterns stored per unit",
            "share of wrong units",
            tuple(series),
            log_y=True,
            caption=f"Mean over {self._trials(max(wrong))} to {self._trials(min(wrong))} sets of patterns. The line "
            f"of the theory ends at p / N = {most:.4f}, with {100 * jump:.2f} % wrong: beyond it nothing near a "
            "pattern is stable. A share of 0 has no place on the axis.",
        )
        expected = tuple(map(expected_error, loads))
        numbers: dict[str, Number | tuple[Number, ...]] = {"critical_load": most, "critical_error": jump}
        numbers["wrong/theory"] = expected
        remarks = [f"Theory of an infinite network: recall ends at {most:.4f} patterns per unit."]
        for size, shares in wrong.items():
            crossed = _crossing(loads, shares)
            numbers |= {f"wrong/{size}": shares, f"crossing/{size}": crossed}
            text = f"N = {size}: {100 * shares[0]:.2g} % of the units are wrong at a load of {loads[0]:g}, "
            text += f"{100 * shares[-1]:.2g} % at {loads[-1]:g}"
            text += f"; {100 * _MANY:g} % are passed at {crossed:.3f}." if crossed else "."
            remarks.append(text)
        under = [at for at, share in enumerate(expected) if share is not None]
        if under:
            at, size = under[-1], max(wrong)
            remarks.append(
                f"At {loads[at]:g}, the highest load below the end of theory, this has {100 * expected[at]:.2g} % "
                f"wrong and N = {size} {100 * wrong[size][at]:.2g} %."
            )
        table = Grid(
            "Share of wrong units",
            ("load p / N", *(f"N = {size}" for size in wrong), "theory, N infinite"),
            tuple((load, *(shares[at] for shares in wrong.values()), expected[at]) for at, load in enumerate(loads)),
        )
        return Findings(numbers, (chart,), (table,), tuple(remarks))

    def _wrong(self, size: int, load: float) -> float:
        total, count, trials = 0.0, max(1, round(load * size)), self._trials(size)
        for trial in range(trials):
            generator = torch.Generator().manual_seed(key(self.config.seed, "patterns", trial))
            patterns = torch.where(torch.rand(count, size, generator=generator) < 0.5, 1.0, -1.0)
            memory = Hopfield.Config(in_features=size).build()
            memory.store(patterns)
            total += float((memory.recall(patterns, generator=generator).states != patterns).double().mean())
        return total / trials

    def _trials(self, size: int) -> int:
        return round(self.config.trials * max(self.config.sizes) / size)


def _crossing(loads: tuple[float, ...], shares: tuple[float, ...]) -> float | None:
    """Return the load at which the share of wrong units passes 5 %, on the line between two measurements."""
    for (a, b), (low, high) in zip(pairwise(shares), pairwise(loads), strict=True):
        if a < _MANY <= b:
            return low + (high - low) * (_MANY - a) / (b - a)
    return None
