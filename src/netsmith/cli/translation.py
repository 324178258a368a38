"""The verb that translates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netsmith.cli.output import notice, print_json, say, waiting
from netsmith.core.errors import ConfigError, DataError

__all__ = ["translate"]


def translate(
    path: str,
    texts: Sequence[str],
    *,
    file: str,
    column: str,
    encoding: str,
    settings: Mapping[str, Any],
    alignments: str,
    code: str,
    as_json: bool,
) -> None:
    """Print what a run writes for each text, a line each; an empty one for an empty line of a file."""
    from netsmith.api.run import load
    from netsmith.api.texts import Texts, is_text

    if bool(texts) == bool(file):
        raise ConfigError("expected texts, or --file with a text per line (- for stdin), and not both")
    if encoding != "utf-8" and not file:
        raise ConfigError("--encoding is for --file; texts of the command line need none")
    if column and not file:
        raise ConfigError("--column is for a table: give it with --file")
    if is_text(file):
        raise DataError("does not exist", file)
    if file == "-":
        waiting()
    lines = list(Texts(file, column=column, encoding=encoding).rows()) if file else []
    rows = [row for row, text in lines if text]
    run = load(path, code=code, notice=notice)
    found = run.translate(
        [text for _, text in lines if text] or list(texts), align=bool(alignments), rows=rows, **settings
    )
    if alignments:
        from netsmith.workflows.alignments import write_alignments

        notice(f"page: {write_alignments(found, alignments, name=run.path.name)}")
    if as_json:
        print_json([{"row": row, **one} for row, one in zip(rows, found, strict=True)] if file else found)
        return
    written = [one["text"] for one in found]
    if file:  # a line for each of the file's, so that both can be laid side by side
        of = dict(zip(rows, written, strict=True))
        written = [of.get(row, "") for row, _ in lines]
    for text in written:
        say(text)
