"""The page that shows where a network looked for each word it wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from netsmith.core.errors import ConfigError
from netsmith.core.files import write_atomic
from netsmith.report.alignment_figure import alignment_chart
from netsmith.report.page import Page

__all__ = ["write_alignments"]

_MOST = 100


def write_alignments(found: Sequence[Mapping[str, Any]], path: str | Path, *, name: str) -> Path:
    """Write a page with a matrix of attention for each translation; the first hundred of more.

    Args:
        found: What :func:`netsmith.api.translate.translate` returned, aligned.
        path: The file; its name ends in ``.html``.
        name: What translated.

    Raises:
        ConfigError: Another ending, or a folder.
    """
    path = Path(path)
    if path.suffix != ".html" or path.is_dir():
        raise ConfigError(f"--alignments {path}: expected a file that ends in .html")
    subtitle = (
        "A row for each token that was written, a column for each that was read: the darker, the more it looked there."
    )
    if len(found) > _MOST:
        subtitle += f" The first {_MOST} of {len(found):,} texts."
    page = Page(f"Where {name} looked", subtitle=subtitle, kicker="netsmith translate")
    for number, one in enumerate(found[:_MOST], start=1):
        page.section(one["text"] or "(no word)", one["source"])
        words = [*one["tokens"], "(end)"][: len(one["attention"])]
        page.figure(
            alignment_chart(one["attention"], source=one["source_tokens"], target=words, title=f"alignment {number}")
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, page.render().encode())
    return path
