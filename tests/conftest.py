"""What the whole suite says at its end."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say how many seconds the conformance checks of each recipe took, over all processes of the test run."""
    seconds: Counter[str] = Counter()
    for report in terminalreporter.stats.get("passed", []):
        found = re.search(r"test_conformance\.py::test_conforms\[(.+)-\w+\]$", report.nodeid)
        if found:
            seconds[found[1]] += report.duration
    if seconds:
        terminalreporter.write_sep("-", "seconds of the conformance checks per recipe")
        terminalreporter.write_line(", ".join(f"{name} {value:.1f}" for name, value in seconds.most_common()))
