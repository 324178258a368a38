"""Keywords and summaries of texts, English or Chinese, without a trained network."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence

from netsmith.core.errors import ConfigError, DataError
from netsmith.layers.sentences import STOP_WORDS, each_sentence, is_chinese, sentences, words
from netsmith.models.text.text_rank import MOST_SENTENCES, text_rank_keywords, text_rank_sentences
from netsmith.models.text.tf_idf_keywords import document_counts, tf_idf_keywords

__all__ = ["each_keywords", "keywords", "summarize"]

_HELD = 2**24  # signs

Segmenter = Callable[[str], Sequence[str]]


def _segmented(text: str, segment: Segmenter | None, *, marks: bool = False) -> list[str]:
    return [token.lower() for token in segment(text)] if segment else words(text, marks=marks)


def each_keywords(
    texts: Iterable[str],
    *,
    method: str = "tf_idf",
    count: int = 10,
    window: int = 4,
    segment: Segmenter | None = None,
) -> Iterator[list[tuple[str, float]]]:
    """Yield the keywords of some texts with their scores, best first.

    Args:
        texts: The texts, passed through twice; ``tf_idf`` compares each with the others and holds one at a time (and
            in how many each word comes), ``text_rank`` holds them all.
        method: ``tf_idf``, for each text; ``text_rank``, for all of them as one.
        count: How many keywords.
        window: Tokens that see each other, of ``text_rank``.
        segment: Cuts a text into words; by default at spaces, and Chinese into signs.

    Returns:
        A list for each text; of ``text_rank`` one list.

    Raises:
        ConfigError: Another method, or a number out of range.
        DataError: No text, or none with a word; texts of more than 16 million signs, of ``text_rank``.
    """
    if method not in ("tf_idf", "text_rank") or count < 1 or window < 2:
        raise ConfigError(
            f"method={method!r}, count={count}, window={window}; expected 'tf_idf' or 'text_rank', a count of 1 or "
            "more and a window of 2 or more"
        )
    texts = list(texts) if isinstance(texts, Iterator) else texts
    chinese = is_chinese(_beginning(texts))
    found = _text_rank(texts, count, window, chinese, segment) if method == "text_rank" else None
    return _some(found or _tf_idf(texts, count, chinese, segment))


def keywords(
    texts: Iterable[str],
    *,
    method: str = "tf_idf",
    count: int = 10,
    window: int = 4,
    segment: Segmenter | None = None,
) -> list[list[tuple[str, float]]]:
    """Return what :func:`each_keywords` yields, all at once; its arguments and errors are the same."""
    return list(each_keywords(texts, method=method, count=count, window=window, segment=segment))


def _some(found: Iterable[list[tuple[str, float]]]) -> Iterator[list[tuple[str, float]]]:
    """Yield what is found, and refuse texts of which none has a keyword."""
    empty = True
    for one in found:
        empty = empty and not one
        yield one
    if empty:
        raise DataError("holds no word that could be a keyword; expected a text")


def _tf_idf(
    texts: Iterable[str], count: int, chinese: bool, segment: Segmenter | None
) -> Iterator[list[tuple[str, float]]]:
    seen, total = document_counts(_segmented(text, segment) for text in texts)
    skip = STOP_WORDS["zh" if chinese else "en"]
    for text in texts:
        yield tf_idf_keywords(_segmented(text, segment), documents=seen, total=total, count=count, skip=skip)


def _text_rank(
    texts: Iterable[str], count: int, window: int, chinese: bool, segment: Segmenter | None
) -> list[list[tuple[str, float]]]:
    cut: list[list[str]] = []
    signs = 0
    for text in texts:
        signs += len(text)
        if signs > _HELD:
            raise DataError(f"holds more than {_HELD:,} signs, too many for text_rank; expected fewer, or tf_idf")
        cut += [_segmented(sentence, segment, marks=True) for sentence in sentences(text)]
    skip, join = (STOP_WORDS["zh"], "") if chinese else (STOP_WORDS["en"], " ")
    return [text_rank_keywords(cut, count=count, window=window, skip=skip, join=join)]


def _beginning(texts: Iterable[str], signs: int = 100_000) -> str:
    found = ""
    for text in texts:
        found += text
        if len(found) >= signs:
            break
    return found[:signs]


def summarize(
    text: str | Iterable[str], *, count: int = 3, segment: Segmenter | None = None
) -> list[tuple[int, str, float]]:
    """Return the sentences that say most of what a text says, in their order: place (from 1), sentence and rank.

    Args:
        text: The text, or its lines.
        count: How many sentences.
        segment: Cuts a sentence into words; by default at spaces, and Chinese into signs.

    Raises:
        ConfigError: A count below 1.
        DataError: A text without a sentence, or with more than 100,000.
    """
    if count < 1:
        raise ConfigError(f"count={count}; expected 1 or more")
    found = list(
        itertools.islice(each_sentence(text.split("\n") if isinstance(text, str) else text), MOST_SENTENCES + 1)
    )
    if not found:
        raise DataError("holds no sentence; expected a text")
    skip = STOP_WORDS["zh" if is_chinese(_beginning(found)) else "en"]
    ranks = text_rank_sentences([_segmented(sentence, segment) for sentence in found], skip=skip).tolist()
    best = sorted(range(len(found)), key=lambda place: -ranks[place])[:count]
    return [(place + 1, found[place], ranks[place]) for place in sorted(best)]
