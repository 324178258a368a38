"""Amounts with units, as a budget is given: ``1.5ms``, ``200kB``."""

from __future__ import annotations

import re
from typing import Literal

from netsmith.core.errors import ConfigError

__all__ = ["amount"]

_UNITS = {
    "latency": {"ms": 1.0, "us": 1e-3, "s": 1e3},
    "size": {"b": 1.0, "kb": 1e3, "mb": 1e6, "kib": 1024.0, "mib": 1024.0**2},
}


def amount(value: object, kind: Literal["latency", "size"], *, name: str) -> float:
    """Return milliseconds or bytes: a number is taken as such, a text has its unit.

    Args:
        value: The amount.
        kind: Of what.
        name: What it is called where it was given.

    Raises:
        ConfigError: It is neither, or of a unit that is not known.

    Example:
        >>> amount("10kB", "size", name="size"), amount("1.5 ms", "latency", name="latency"), amount(7, "size", name="")
        (10000.0, 1.5, 7.0)
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    units = _UNITS[kind]
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([A-Za-z]+)", value.strip()) if isinstance(value, str) else None
    factor = units.get(found[2].lower()) if found else None
    if found is None or factor is None or not float(found[1]):
        raise ConfigError(f"{name} {value!r}: expected a number above 0 with a unit: {', '.join(units)}")
    return float(found[1]) * factor
