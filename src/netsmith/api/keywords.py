"""Keywords and summaries of texts, English or Chinese, without a trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netsmith.core.errors import ConfigError, DataError
from netsmith.layers.sentences import STOP_WORDS, is_chinese, sentences, words
from netsmith.models.text.text_rank import text_rank_keywords, text_rank_sentences
from netsmith.models.text.tf_idf_keywords import document_counts, tf_idf_keywords

__all__ = ["keywords", "summarize"]

Segmenter = Callable[[str], Sequence[str]]


def _segmented(text: str, segment: Segmenter | None, *, marks: bool = False) -> list[str]:
    return [token.lower() for token in segment(text)] if segment else words(text, marks=marks)


def keywords(
    texts: Sequence[str],
    *,
    method: str = "tf_idf",
    count: int = 10,
    window: int = 4,
    segment: Segmenter | None = None,
) -> list[list[tuple[str, float]]]:
    """Return the keywords of some texts with their scores, best first.

    Args:
        texts: The texts; ``tf_idf`` compares each with the others.
        method: ``tf_idf``, for each text; ``text_rank``, for all of them as one.
        count: How many keywords.
        window: Tokens that see each other, of ``text_rank``.
        segment: Cuts a text into words; by default at spaces, and Chinese into signs.

    Returns:
        A list for each text; of ``text_rank`` one list.

    Raises:
        ConfigError: Another method, or a number out of range.
        DataError: No text, or none with a word.
    """
    if method not in ("tf_idf", "text_rank") or count < 1 or window < 2:
        raise ConfigError(
            f"method={method!r}, count={count}, window={window}; expected 'tf_idf' or 'text_rank', a count of 1 or "
            "more and a window of 2 or more"
        )
    chinese = is_chinese("".join(texts)[:100_000])
    skip = STOP_WORDS["zh" if chinese else "en"]
    if method == "text_rank":
        cut = [_segmented(sentence, segment, marks=True) for text in texts for sentence in sentences(text)]
        found = [text_rank_keywords(cut, count=count, window=window, skip=skip, join="" if chinese else " ")]
    else:
        tokens = [_segmented(text, segment) for text in texts]
        seen, total = document_counts(tokens)
        found = [tf_idf_keywords(one, documents=seen, total=total, count=count, skip=skip) for one in tokens]
    if not any(found):
        raise DataError("holds no word that could be a keyword; expected a text")
    return found


def summarize(text: str, *, count: int = 3, segment: Segmenter | None = None) -> list[tuple[int, str, float]]:
    """Return the sentences that say most of what a text says, in their order: place (from 1), sentence and rank.

    Args:
        text: The text.
        count: How many sentences.
        segment: Cuts a sentence into words; by default at spaces, and Chinese into signs.

    Raises:
        ConfigError: A count below 1.
        DataError: A text without a sentence, or with more than 10,000.
    """
    if count < 1:
        raise ConfigError(f"count={count}; expected 1 or more")
    found = sentences(text)
    if not found:
        raise DataError("holds no sentence; expected a text")
    skip = STOP_WORDS["zh" if is_chinese(text[:100_000]) else "en"]
    ranks = text_rank_sentences([_segmented(sentence, segment) for sentence in found], skip=skip).tolist()
    best = sorted(range(len(found)), key=lambda place: -ranks[place])[:count]
    return [(place + 1, found[place], ranks[place]) for place in sorted(best)]
