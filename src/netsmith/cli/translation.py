"""The verb that translates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netsmith.cli.output import notice, print_json, say
from netsmith.core.errors import ConfigError

__all__ = ["translate"]


def translate(
    path: str,
    texts: Sequence[str],
    *,
    file: str,
    settings: Mapping[str, Any],
    alignments: str,
    code: str,
    as_json: bool,
) -> None:
    """Print what a run writes for each text, a line each."""
    from netsmith.api.run import load
    from netsmith.api.texts import read_texts

    if bool(texts) == bool(file):
        raise ConfigError("expected texts, or --file with a text per line (- for stdin), and not both")
    read = [text for _, text in read_texts(file)] if file else list(texts)
    run = load(path, code=code, notice=notice)
    found = run.translate(read, align=bool(alignments), **settings)
    if alignments:
        from netsmith.workflows.alignments import write_alignments

        notice(f"page: {write_alignments(found, alignments, name=run.path.name)}")
    if as_json:
        print_json(found)
        return
    for one in found:
        say(one["text"])
