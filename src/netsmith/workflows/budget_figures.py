"""What a network may cost, and what one costs: the figures that a search for a budget compares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from netsmith.core.errors import ConfigError
from netsmith.report.tables import bytes_text, milliseconds_text, ratio_text

__all__ = ["Budget", "Cost"]


@dataclass(frozen=True)
class Budget:
    """What a network may cost.

    Attributes:
        kind: ``latency`` in milliseconds, ``size`` in bytes of the file, ``speedup`` over the original under the same
            runtime.
        value: At most (of a speedup: at least).
    """

    kind: Literal["latency", "size", "speedup"]
    value: float

    def __post_init__(self) -> None:
        number = isinstance(self.value, (int, float)) and not isinstance(self.value, bool)
        least = 1 if self.kind == "speedup" else 0
        if not number or not self.value > least:
            raise ConfigError(f"a budget of {self.kind} {self.value!r}: expected a number above {least}")

    def option(self) -> str:
        """Return it as the command line takes it."""
        figure = {"latency": f"{self.value!r}ms", "size": f"{int(self.value)}B", "speedup": f"{self.value!r}"}
        return f"--{self.kind} {figure[self.kind]}"

    def text(self) -> str:
        """Return it as a person says it."""
        if self.kind == "latency":
            return milliseconds_text(self.value)
        return bytes_text(int(self.value)) if self.kind == "size" else f"{ratio_text(self.value)} as fast"

    def exact(self) -> str:
        """Return it to four digits, where :meth:`text` would not tell two apart."""
        unit = {"latency": " ms", "size": " B", "speedup": "x as fast"}[self.kind]
        return f"{int(self.value)}{unit}" if self.kind == "size" else f"{self.value:.4g}{unit}"


@dataclass(frozen=True)
class Cost:
    """What an exported network costs: median latency in milliseconds (batch 1, one thread) and bytes of the file.

    Attributes:
        latency: Relative to the original's latency of the same rounds, times the original's first figure, so that a
            machine that is busy for a while does not count.
        size: Bytes of the file.
        speedup: How many times as fast as the original.
    """

    latency: float
    size: int
    speedup: float

    def meets(self, budget: Budget) -> bool:
        """Return whether it is within a budget."""
        return self.of(budget.kind) <= budget.value if budget.kind != "speedup" else self.speedup >= budget.value

    def dearness(self, budget: Budget) -> float:
        """Return what is least for the cost nearest to a budget, of those that miss it."""
        return -self.speedup if budget.kind == "speedup" else self.of(budget.kind)

    def to_ask_for(self, kind: str) -> float:
        """Return a figure that this meets when it is measured again: bytes as they are, times with 5 % to spare."""
        if kind == "size":
            return self.size
        return (
            float(f"{self.latency * 1.05:.3g}")
            if kind == "latency"
            else float(f"{max(self.speedup / 1.05, 1.001):.3g}")
        )

    def of(self, kind: str) -> float:
        """Return the figure that a kind of budget is about."""
        return {"latency": self.latency, "size": float(self.size), "speedup": self.speedup}[kind]
