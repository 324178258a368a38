"""One figure of several seeds."""

from __future__ import annotations

import math
import statistics

__all__ = ["Spread"]


class Spread(tuple[float, ...]):
    """One figure of several seeds."""

    __slots__ = ()

    @property
    def mean(self) -> float:
        """The mean."""
        return statistics.fmean(self)

    @property
    def sd(self) -> float:
        """The standard deviation between seeds (of a sample); 0 for one."""
        return statistics.stdev(self) if len(self) > 1 else 0.0

    def text(self, form: str = ".3g") -> str:
        """Return ``mean ± sd``."""
        return f"{self.mean:{form}} ± {self.sd:.2g}" if len(self) > 1 else f"{self.mean:{form}}"

    def apart(self, other: Spread) -> bool:
        """Say whether the means differ by more than twice the standard error of their difference."""
        error = math.hypot(self.sd / math.sqrt(len(self)), other.sd / math.sqrt(len(other)))
        return min(len(self), len(other)) > 1 and abs(self.mean - other.mean) > 2 * error
