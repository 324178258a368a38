"""``netsmith text ...``: tools for texts that need no run."""

from __future__ import annotations

import json as json_
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from netsmith.cli import opinions

if TYPE_CHECKING:
    from netsmith.api.segment import Part
    from netsmith.models.chinese import Segmenter

__all__ = ["text_app"]

text_app = typer.Typer(help="Tools for texts; no run is needed.", no_args_is_help=True, rich_markup_mode=None)
text_app.command()(opinions.sentiment)
text_app.command()(opinions.lexicon)
text_app.command()(opinions.keywords)
text_app.command()(opinions.summarize)

_LONGEST_NAME = 255


@text_app.command()
def segment(
    source: str = typer.Argument("", help="A text or a file; - or nothing: stdin.", metavar="TEXT|FILE"),
    mode: str = typer.Option("accurate", "--mode", help="accurate, full (every word) or search (finer)."),
    hmm: bool = typer.Option(None, "--hmm/--no-hmm", help="Find unknown words; by default if there is a table."),
    dictionary: str = typer.Option("", "--dictionary", help="Lines 'word count tag'; or jieba.", metavar="FILE"),
    table: str = typer.Option("", "--table", help="The table that finds unknown words.", metavar="FILE"),
    user: list[str] = typer.Option([], "--user", help="Words of your own. Repeatable.", metavar="FILE"),  # noqa: B008
    tags: bool = typer.Option(False, "--tags", help="Parts of speech, too: word/tag."),
    delimiter: str = typer.Option(" ", "--delimiter", help="What stands between words."),
    encoding: str = typer.Option("utf-8", "--encoding", help="Of the text: utf-8, gb18030, gbk, big5."),
    fast: bool = typer.Option(False, "--fast", help="Compiled: worth it from a few megabytes on (extra fast)."),
    json: bool = typer.Option(False, "--json", help="A JSON object per line, with places."),
) -> None:
    """Cut Chinese text into words, by a dictionary.

    Without --dictionary, the installed jieba's is taken (its files are read, its code is not run).
    """
    from netsmith.api.segment import open_segmenter
    from netsmith.core.errors import DataError, UnknownNameError, UnsupportedError

    if mode not in ("accurate", "full", "search"):
        raise UnknownNameError("mode", mode, ("accurate", "full", "search"))
    if tags and mode != "accurate":
        raise UnsupportedError(f"parts of speech come in accurate mode alone; leave --mode {mode} or --tags away")
    if tags and fast:
        raise UnsupportedError("parts of speech are not compiled; leave --fast or --tags away")
    if hmm and mode == "full":
        raise UnsupportedError("full mode gives the words of the dictionary alone; leave --hmm away")
    with ExitStack() as stack:
        parts = _parts(source, encoding, stack)
        wanted = False if mode == "full" else hmm
        segmenter = open_segmenter(dictionary, users=user, table=table, hmm=wanted, tags=tags, fast=fast)
        try:
            (_print_json if json else _print_lines)(parts, segmenter, mode, hmm, tags, delimiter)
        except UnicodeEncodeError as error:
            raise DataError(f"stdout takes {error.encoding} only; set PYTHONIOENCODING=utf-8") from None


@text_app.command()
def dictionary(
    from_: list[str] = typer.Option(  # noqa: B008
        ...,
        "--from",
        help="A text with its words marked: 'word word' or 'word/tag'; or jieba. Repeatable.",
        metavar="FILE",
    ),
    out: str = typer.Option("words.txt", "--out", help="The dictionary; tables lie beside it.", metavar="FILE"),
    encoding: str = typer.Option("utf-8", "--encoding", help="Of the texts: utf-8, gb18030, gbk, big5."),
    json: bool = typer.Option(False, "--json", help="Print JSON for programs."),
) -> None:
    """Build a dictionary, and tables for words it lacks."""
    from netsmith.api.segment import build_dictionary
    from netsmith.cli.output import print_json, say

    told = build_dictionary(from_, out, encoding=encoding)
    if json:
        print_json(told)
        return
    say(f"{told['words']:,} words, {told['total']:,} in all")
    for kind in ("dictionary", "places", "tags"):
        if kind in told:
            say(f"{kind}: {told[kind]}")


def _parts(source: str, encoding: str, stack: ExitStack) -> Iterator[Part]:
    from netsmith.api.segment import ENCODINGS, Part, parts_of
    from netsmith.cli.output import waiting
    from netsmith.core.errors import DataError, UnknownNameError

    if encoding.lower() not in ENCODINGS:
        raise UnknownNameError("encoding", encoding, ENCODINGS)
    if source in ("", "-"):
        if sys.stdin is None:
            raise DataError("stdin is closed; give a file")
        if not source and sys.stdin.isatty():
            raise DataError("nothing to segment: give a text, a file, or - for stdin")
        waiting()
        return parts_of(sys.stdin.buffer, "stdin", encoding=encoding)
    path = Path(source)
    if len(os.fsencode(source)) <= _LONGEST_NAME and "\0" not in source and path.exists():
        if path.is_dir():
            raise DataError("is a folder; expected a text file", path)
        return parts_of(stack.enter_context(path.open("rb")), source, encoding=encoding)
    if source.isascii() and " " not in source and path.suffix[1:].isalpha():
        raise DataError("there is no such file; a text that looks like a file's name can be given on stdin (-)", path)
    try:
        source.encode()
    except UnicodeEncodeError:
        raise DataError("the text is not UTF-8; give it in a file, with --encoding") from None
    return (Part(row, line.removesuffix("\r"), True) for row, line in enumerate(source.split("\n"), start=1))


def _print_lines(
    parts: Iterator[Part], segmenter: Segmenter, mode: str, hmm: bool | None, tags: bool, delimiter: str
) -> None:
    from netsmith.cli.output import plain

    shown = plain if sys.stdout.isatty() else str
    inside = False
    for part in parts:
        if tags:
            words = [f"{word}/{tag}" for word, tag in segmenter.tag(part.text, hmm=hmm)]
        else:
            words = segmenter.segment(part.text, mode=mode, hmm=hmm)  # type: ignore[arg-type]
        if inside and words:
            sys.stdout.write(shown(delimiter))
        sys.stdout.write(shown(delimiter.join(words)))
        inside = not part.last
        if part.last:
            sys.stdout.write("\n")


def _print_json(
    parts: Iterator[Part], segmenter: Segmenter, mode: str, hmm: bool | None, tags: bool, delimiter: str
) -> None:
    del delimiter
    offset, inside = 0, False
    for part in parts:
        tokens: list[dict[str, object]]
        if mode == "full":
            tokens = [{"word": word} for word in segmenter.segment(part.text, mode="full")]
        elif tags:
            tokens, start = [], offset
            for word, tag in segmenter.tag(part.text, hmm=hmm):
                tokens.append({"word": word, "start": start, "end": start + len(word), "tag": tag})
                start += len(word)
        else:
            tokens = [
                {"word": word, "start": offset + start, "end": offset + end}
                for word, start, end in segmenter.tokens(part.text, mode=mode, hmm=hmm)  # type: ignore[arg-type]
            ]
        if not inside:
            sys.stdout.write(f'{{"line": {part.row}, "tokens": [')
        elif tokens:
            sys.stdout.write(", ")
        sys.stdout.write(json_.dumps(tokens)[1:-1])
        offset, inside = (0, False) if part.last else (offset + len(part.text), True)
        if part.last:
            sys.stdout.write("]}\n")
