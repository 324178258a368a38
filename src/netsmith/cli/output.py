"""What a person sees besides progress: one-line notices, tables, JSON for programs."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from netsmith.report.tables import bytes_text

__all__ = [
    "LAYER_HEADERS",
    "colored",
    "layer_rows",
    "notice",
    "plain",
    "print_json",
    "print_json_rows",
    "say",
    "shown",
    "table",
    "waiting",
]

LAYER_HEADERS = ("layer", "type", "output", "parameters", "multiply-adds", "memory")
_JOINERS = "\u200c\u200d"  # of Persian words, Indic signs and emoji; no terminal obeys them
_BREAKS = re.compile("[\n\r\v\f\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]")  # and what no encoding takes


def plain(text: str) -> str:
    """Return a text without what a terminal would obey: names in data may hold anything."""
    return "".join(char if char.isprintable() or char in _JOINERS else _escaped(char) for char in text)


def shown(text: str) -> str:
    """Return a piece of the user's own texts for stdout: as :func:`plain` for a terminal, in one line for a file."""
    return plain(text) if sys.stdout.isatty() else _BREAKS.sub(lambda match: _escaped(match.group()), text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def say(text: str) -> None:
    """Print one line of the answer."""
    print(plain(text))


def notice(text: str) -> None:
    """Print one line that is not the answer."""
    print(plain(text), file=sys.stderr)


def waiting() -> None:
    """Tell a person at a terminal that a verb waits for what they type."""
    if sys.stdin is not None and sys.stdin.isatty():
        notice("reading from the terminal; end with Ctrl-D")


def colored(heading: str, words: Sequence[tuple[str, float]]) -> None:
    """Print a text whose words carry a color, where there is a terminal: orange above zero, blue below."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if not console.is_terminal or console.no_color or not words:
        return
    most = max(abs(value) for _, value in words) or 1.0
    shown = Text(f"{plain(heading)}\n")
    for word, value in words:
        red, green, blue = (196, 87, 31) if value > 0 else (47, 91, 196)
        share = abs(value) / most
        style = f"white on rgb({red},{green},{blue})" if share > 0.5 else f"rgb({red},{green},{blue})"
        shown.append(plain(word), style=style if share > 0.1 else "")
        shown.append(" ")
    console.print(shown)


def print_json(value: Any) -> None:
    """Print JSON on stdout, nothing else; in ASCII, so that any terminal and pipe takes it."""
    print(json.dumps(value, indent=2, allow_nan=False))


def print_json_rows(rows: Iterable[Any]) -> None:
    """Print a JSON list as :func:`print_json` does, row by row; nothing before there is one."""
    between = "[\n"
    for row in rows:
        print(between + textwrap.indent(json.dumps(row, indent=2, allow_nan=False), "  "), end="")
        between = ",\n"
    print("\n]" if between == ",\n" else "[]")


def table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose columns are right-aligned but the first; never cut, however narrow the terminal.

    Example:
        >>> print(table(["figure", "value"], [["loss", "0.25"], ["accuracy", "1.00"]]))
        figure    value
        loss       0.25
        accuracy   1.00
    """
    lines = [[plain(cell) for cell in row] for row in (headers, *rows)]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    found = []
    for line in lines:
        gaps = [width - _width(cell) for cell, width in zip(line, widths, strict=True)]
        cells = [line[0] + " " * gaps[0], *(" " * gap + cell for cell, gap in zip(line[1:], gaps[1:], strict=True))]
        found.append("  ".join(cells).rstrip())
    return "\n".join(found)


def _width(text: str) -> int:
    """Return how many columns a terminal gives a text."""
    if text.isascii():
        return len(text)
    import unicodedata

    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(bool(unicodedata.combining(char)) or char in _JOINERS for char in text)


def layer_rows(layers: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return the rows of a layer table."""
    return [
        [
            row["name"] or "(network)",
            row["type"],
            "x".join(map(str, row["output"])),
            f"{row['parameters']:,}",
            f"{row['macs']:,}",
            bytes_text(row["memory"]) if row["memory"] else "",
        ]
        for row in layers
    ]
