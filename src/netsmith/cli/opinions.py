"""The verbs of texts that need no run: sentiment by a lexicon, a lexicon from a corpus, keywords, summaries."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from netsmith.cli.options import JSON
from netsmith.cli.output import plain, print_json, print_json_rows, say, shown, table, waiting

if TYPE_CHECKING:
    from netsmith.api.texts import Texts

__all__ = ["keywords", "lexicon", "sentiment", "summarize"]

_SOURCE = typer.Argument(
    "-", help="A text, a file (a text per line), a table; - or nothing: stdin.", metavar="TEXT|FILE"
)
_LEXICON = typer.Option(
    [], "--lexicon", help="vader, afinn, ntusd, fannix, textblob, or your files. Repeatable.", metavar="NAME|FILE"
)
_COLUMN = typer.Option("", "--column", help="The column of a table that holds the texts.", metavar="NAME")
_ENCODING = typer.Option("utf-8", "--encoding", help="Of plain text, for example cp1252 or gb18030.")
_LANGUAGE = typer.Option("", "--language", help="en or zh; by default what the texts look like.")
_DICTIONARY = typer.Option(
    "", "--dictionary", help="Cut Chinese into words by it, as text segment does; or jieba.", metavar="FILE"
)


def _texts(source: str, column: str, encoding: str) -> Texts:
    from netsmith.api.texts import Texts

    if source in ("", "-"):
        waiting()
    return Texts(source, column=column, encoding=encoding)


def sentiment(
    source: str = _SOURCE,
    lexicon: list[str] = _LEXICON,
    about: str = typer.Option("", "--about", help="Count and show the sentences on this subject.", metavar="TERM"),
    count: int = typer.Option(None, "--count", help="With --about: strongest sentences of each side; 3.", min=1),
    column: str = _COLUMN,
    encoding: str = _ENCODING,
    language: str = _LANGUAGE,
    json: bool = JSON,
) -> None:
    """Judge texts by a lexicon: polarity and subjectivity."""
    from netsmith.api.sentiment import judge, load_lexicon, opinions
    from netsmith.core.errors import ConfigError

    if count is not None and not about:
        raise ConfigError("--count is of sentences on a subject: give --about TERM, too")
    texts = _texts(source, column, encoding)
    found = load_lexicon(lexicon, language=language, sample=texts.sample())
    if about:
        summary = opinions((text for _, text in texts), found, about=about, strongest=count or 3)
        if json:
            print_json(summary)
            return
        counts = f"{summary['positive']} for, {summary['negative']} against, {summary['neutral']} neutral"
        say(f"{plain(about)}: {counts}; mean polarity {summary['polarity']:+.3f}")
        for side in ("strongest_positive", "strongest_negative"):
            for one in summary[side]:
                print(f"{one['polarity']:+.3f}\t{shown(one['sentence'])}")
        return
    rows = judge(texts, found)
    if json:
        print_json_rows(rows)
        return
    for row in rows:
        print(f"{row['input']}\t{row['label']}\t{row['polarity']:+.4f}\t{row['subjectivity']:.4f}")


def lexicon(
    source: str = _SOURCE,
    output: str = typer.Option(..., "--output", "-o", help="The CSV file to write.", metavar="FILE"),
    positive: str = typer.Option(
        "", "--positive", help="Seeds of praise, with commas; by default a few of the language.", metavar="WORDS"
    ),
    negative: str = typer.Option("", "--negative", help="Seeds of blame, alike.", metavar="WORDS"),
    near: int = typer.Option(10, "--near", help="Tokens apart that are near.", min=1),
    least: int = typer.Option(5, "--least", help="How often a word must stand near a seed.", min=1),
    column: str = _COLUMN,
    encoding: str = _ENCODING,
    language: str = _LANGUAGE,
    json: bool = JSON,
) -> None:
    """Make a lexicon from a corpus and seed words (SO-PMI)."""
    from netsmith.api.sentiment import learn_lexicon
    from netsmith.core.errors import ConfigError
    from netsmith.layers.sentences import is_chinese

    texts = _texts(source, column, encoding)
    spoken = language or ("zh" if is_chinese(texts.sample()) else "en")
    if spoken not in ("en", "zh"):
        raise ConfigError(f"language={spoken!r}; expected 'en' or 'zh'")
    praise, blame = ([word.strip() for word in side.split(",") if word.strip()] for side in (positive, negative))
    made = learn_lexicon(
        texts.alone,
        positive=praise,
        negative=blame,
        near=near,
        least=least,
        language="zh" if spoken == "zh" else "en",
    )
    Path(output).write_text(made, encoding="utf-8")
    count = made.count("\n") - 1
    if json:
        print_json({"words": count, "lexicon": output})
        return
    say(f"{count} words in {output}")


def keywords(
    source: str = _SOURCE,
    method: str = typer.Option("tf_idf", "--method", help="tf_idf (for each text) or text_rank (of all)."),
    count: int = typer.Option(10, "--count", help="How many keywords.", min=1),
    column: str = _COLUMN,
    dictionary: str = _DICTIONARY,
    encoding: str = _ENCODING,
    json: bool = JSON,
) -> None:
    """Find the keywords of texts."""
    from netsmith.api.keywords import each_keywords

    texts = _texts(source, column, encoding)
    found = each_keywords(texts.alone, method=method, count=count, segment=_segmenter(dictionary))
    names = (name for name, _ in texts) if method == "tf_idf" else ["all"]
    rows = zip(names, found, strict=True)
    if json:
        print_json_rows(
            {"input": name, "keywords": [{"word": word, "score": score} for word, score in words]}
            for name, words in rows
        )
        return
    first = list(itertools.islice(rows, 2))
    if len(first) == 1:
        print(table(["keyword", "score"], [[word, f"{score:.4f}"] for word, score in first[0][1]]))
        return
    for name, words in itertools.chain(first, rows):
        print(f"{name}\t{shown(', '.join(word for word, _ in words))}")


def summarize(
    source: str = _SOURCE,
    count: int = typer.Option(3, "--count", help="How many sentences.", min=1),
    column: str = _COLUMN,
    dictionary: str = _DICTIONARY,
    encoding: str = _ENCODING,
    json: bool = JSON,
) -> None:
    """Take the sentences that say most of a text."""
    from netsmith.api.keywords import summarize as take

    texts = _texts(source, column, encoding)
    found = take(texts.alone, count=count, segment=_segmenter(dictionary))
    if json:
        print_json([{"place": place, "sentence": sentence, "rank": rank} for place, sentence, rank in found])
        return
    for _, sentence, _ in found:
        print(shown(sentence))


def _segmenter(dictionary: str) -> Callable[[str], Sequence[str]] | None:
    """Return what cuts a text into words by a dictionary, None without one."""
    if not dictionary:
        return None
    from netsmith.api.segment import open_segmenter

    return open_segmenter(dictionary).segment
