"""Names and words as spans of tokens, and the schemes of tags that say where they begin and end.

================  ================================  =====================================================
scheme            also called                       tags
================  ================================  =====================================================
``iob1``          BIO of CoNLL-2000/2003            ``I-X``; ``B-X`` only where X follows X at once
``iob2``          BIO, BIO2                         ``B-X`` begins every name, ``I-X`` goes on
``bioes``         IOBES, BILOU (as L, U)            ``B-X I-X E-X``, a single token ``S-X``
``bmes``          BMESO                             the same with ``M-X`` for ``I-X``
``words``         BMES, BEMS without names          ``B M E S``: every token is in a word, none outside
================  ================================  =====================================================

Outside a name stands ``O``. All but ``words`` name the kind after a hyphen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

from netsmith.core.errors import DataError, shorten

__all__ = ["SCHEMES", "Scheme", "Span", "convert", "every_tag", "fault", "is_tag", "repaired", "spans_of", "tags_of"]

Scheme = Literal["iob1", "iob2", "bioes", "bmes", "words"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

_SINGLE = {"U": "S", "L": "E", "M": "I"}  # by other names
_LETTERS = {"iob1": "BI", "iob2": "BI", "bioes": "BIES", "bmes": "BMES", "words": "BMES"}


class Span(NamedTuple):
    """A name or a word.

    Attributes:
        kind: What it names; ``""`` for a word.
        start: Its first token.
        end: The token after its last one.
    """

    kind: str
    start: int
    end: int


def spans_of(tags: Sequence[str]) -> list[Span]:
    """Return the spans of a sentence by CoNLL's rule, whatever scheme its tags are in, and whether they keep to it.

    A span begins at ``B`` or ``S``, after ``O``, ``E`` or ``S``, or where the kind changes; it goes on until the next
    one begins or a token is outside (Tjong Kim Sang & De Meulder 2003; the scorer ``conlleval``, and ``seqeval``).

    Example:
        >>> spans_of(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
        [Span(kind='PER', start=0, end=2), Span(kind='LOC', start=3, end=4), Span(kind='LOC', start=4, end=5)]
    """
    found: list[Span] = []
    start, before, kind_before = 0, "O", ""
    for place, tag in enumerate([*tags, "O"]):
        letter, kind = _parts(tag)
        begins = letter in "BS" or before in "OES" or kind != kind_before
        if before != "O" and (letter == "O" or begins):
            found.append(Span(kind_before, start, place))
        if letter != "O" and begins:
            start = place
        before, kind_before = letter, kind
    return found


def tags_of(spans: Sequence[Span], length: int, scheme: Scheme) -> tuple[str, ...]:
    """Return the tags of a sentence of ``length`` tokens.

    Raises:
        DataError: Spans that overlap, are empty or reach out of the sentence; in ``words``, a token in none of them.

    Example:
        >>> tags_of([Span("PER", 0, 3), Span("LOC", 3, 4)], 5, "bmes")
        ('B-PER', 'M-PER', 'E-PER', 'S-LOC', 'O')
    """
    tags = ["O"] * length
    end, kind_before = 0, ""
    for span in sorted(spans, key=lambda span: span.start):
        if not end <= span.start < span.end <= length:
            raise DataError(f"{span} overlaps another, is empty, or reaches out of the {length} tokens")
        touches = end == span.start and end > 0 and kind_before == span.kind
        tags[span.start : span.end] = [
            letter + (f"-{span.kind}" if span.kind else "")
            for letter in _letters(span.end - span.start, scheme, touches=touches)
        ]
        end, kind_before = span.end, span.kind
    if scheme == "words" and "O" in tags:
        raise DataError(f"token {tags.index('O') + 1} is in no word; with scheme='words' each is in one")
    return tuple(tags)


def convert(tags: Sequence[str], new: Scheme) -> tuple[str, ...]:
    """Return the same spans in another scheme.

    Raises:
        DataError: A token outside every word, for ``words``.

    Example:
        >>> convert(["I-PER", "I-PER", "B-PER"], "bioes")
        ('B-PER', 'E-PER', 'S-PER')
    """
    return tags_of(spans_of(tags), len(tags), new)


def fault(tags: Sequence[str], scheme: Scheme) -> tuple[int, str] | None:
    """Return the first place whose tag breaks the scheme, and what is wrong; None if all keep to it.

    Example:
        >>> fault(["B-PER", "E-LOC"], "bmes")
        (1, "'E-LOC' follows 'B-PER', and goes on with no LOC")
    """
    before = "O"
    for place, tag in enumerate([*tags, "O"]):
        last = place == len(tags)
        if not last and not is_tag(tag, scheme):
            letters = ", ".join(_LETTERS[scheme])
            wanted = f"one of {letters}" if scheme == "words" else f"O, or one of {letters} with a kind, as B-X"
            return place, f"{shorten(repr(tag), 40)} is no tag of {scheme}; expected {wanted}"
        problem = _break(before, tag, scheme, last=last)
        if problem:
            return (place - 1 if last else place), problem
        before = tag
    return None


def every_tag(kind: str, scheme: Scheme) -> tuple[str, ...]:
    """Return the tags of a scheme that mark names of a kind.

    Example:
        >>> every_tag("PER", "iob2")
        ('B-PER', 'I-PER')
    """
    return tuple(f"{letter}-{kind}" if kind else letter for letter in _LETTERS[scheme])


def is_tag(tag: str, scheme: Scheme) -> bool:
    """Say whether a tag is one of a scheme's."""
    if scheme == "words":
        return len(tag) == 1 and tag in _LETTERS[scheme]
    letter, _, kind = tag.partition("-")
    return tag == "O" or (len(letter) == 1 and letter in _LETTERS[scheme] and bool(kind))


def repaired(tags: Sequence[str], scheme: Scheme) -> tuple[str, ...]:
    """Return tags that keep to a scheme: the spans by CoNLL's rule, written anew; what is well-formed stays.

    Raises:
        DataError: A token outside every word, for ``words``.

    Example:
        >>> repaired(["I-PER", "I-LOC", "O"], "iob2")
        ('B-PER', 'B-LOC', 'O')
    """
    return tuple(tags) if fault(tags, scheme) is None else convert(tags, scheme)


def _parts(tag: str) -> tuple[str, str]:
    """Return the letter (in BIOES's names) and the kind."""
    letter, _, kind = tag.partition("-")
    return _SINGLE.get(letter, letter) or "O", kind


def _letters(count: int, scheme: Scheme, *, touches: bool) -> str:
    if scheme == "iob1":
        return ("B" if touches else "I") + "I" * (count - 1)
    if scheme == "iob2":
        return "B" + "I" * (count - 1)
    inner = "I" if scheme == "bioes" else "M"
    return "S" if count == 1 else "B" + inner * (count - 2) + "E"


def _break(before: str, tag: str, scheme: Scheme, *, last: bool) -> str:
    """Return why a tag cannot follow another in a scheme, each of which is one of its tags; ``""`` if it can."""
    (old, old_kind), (new, kind) = _parts(before), _parts(tag)
    shown = shorten(repr(tag), 40)
    if scheme == "iob1":
        if new == "B" and (old == "O" or old_kind != kind):
            return f"{shown} follows {before!r}: B is for a name right after one of its kind; expected 'I-{kind}'"
        return ""
    opened = old in "BI" and scheme != "iob2"
    inside = new in "IE"
    if inside and (old not in "BI" or old_kind != kind):
        return f"{shown} follows {shorten(repr(before), 40)}, and goes on with no {kind or 'word'}"
    if opened and not inside:
        return f"{shorten(repr(before), 40)} is not ended: {'the sentence ends' if last else shown + ' follows'}"
    return ""
