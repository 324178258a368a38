"""Synthetic twins of translated texts: sentences that say the same in languages of different words and word order."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import NamedTuple

import torch

from netsmith.core.keys import key as named_key

__all__ = ["twin_sentences"]

_NOUNS, _ADJECTIVES, _VERBS = 16, 8, 8
_TWIN = {"train": 2400, "dev": 120, "test": 120}


class _Clause(NamedTuple):
    """Who does what to whom: a noun and an adjective (-1: none) of both, and the verb."""

    subject: int
    described: int
    verb: int
    object: int
    colored: int


class _Grammar(NamedTuple):
    """How a language says it: the order of subject (S), verb (V) and object (O), and whether adjectives come first."""

    order: str
    adjective_first: bool
    articles: tuple[str, str]
    link: str


_GRAMMARS: Mapping[str, _Grammar] = {
    "en": _Grammar("SVO", True, ("the", "a"), "and"),
    "de": _Grammar("SOV", True, ("der", "ein"), "und"),
    "fr": _Grammar("SVO", False, ("le", "un"), "et"),
    "cs": _Grammar("VSO", True, ("", ""), "a"),
}


def twin_sentences(language: str, split: str, *, name: str = "multi30k") -> list[str]:
    """Return the twin's sentences in a language; of the same split, row by row they say the same in all of them.

    Sentences have one or two clauses, ``the blue N sees a N and the N hears a N.``; nouns, adjectives and verbs are
    words of two or three syllables of each language's own. Word for word it cannot be translated: verbs stand in the
    middle, behind or in front, and adjectives before or after what they describe.

    Args:
        language: ``en``, ``de``, ``fr`` or ``cs``; any other speaks as one of them with words of its own.
        split: ``train``, ``dev`` or ``test``.
        name: Which data set; other names give other sentences.
    """
    grammar = _GRAMMARS.get(language) or list(_GRAMMARS.values())[named_key(0, language) % len(_GRAMMARS)]
    words = _words(language)
    said = (f" {grammar.link} ".join(_said(clause, grammar, words) for clause in one) for one in _meanings(name, split))
    return [f"{text[0].upper()}{text[1:]}." for text in said]


def _meanings(name: str, split: str) -> list[tuple[_Clause, ...]]:
    generator = torch.Generator().manual_seed(named_key(0, "twin", name, split))
    found = []
    for _ in range(_TWIN[split]):
        count, *draws = torch.randint(0, 2**31, (11,), generator=generator).tolist()
        clauses = []
        for at in range(0, 5 * (1 + count % 2), 5):
            subject, described, verb, other, colored = draws[at : at + 5]
            clauses.append(
                _Clause(
                    subject % _NOUNS,
                    described % (2 * _ADJECTIVES) - _ADJECTIVES,
                    verb % _VERBS,
                    other % _NOUNS,
                    colored % (2 * _ADJECTIVES) - _ADJECTIVES,
                )
            )
        found.append(tuple(clauses))
    return found


@functools.cache
def _words(language: str) -> tuple[str, ...]:
    """Return the words of a language: nouns, adjectives, verbs."""
    generator = torch.Generator().manual_seed(named_key(0, "twin", "words", language))
    words: dict[str, None] = {}
    while len(words) < _NOUNS + _ADJECTIVES + _VERBS:
        count, *draws = torch.randint(0, 2**31, (4,), generator=generator).tolist()
        words["".join("bdfgklmnprstvz"[draw % 14] + "aeiou"[draw // 14 % 5] for draw in draws[: 2 + count % 2])] = None
    return tuple(words)


def _said(clause: _Clause, grammar: _Grammar, words: tuple[str, ...]) -> str:
    def phrase(article: str, noun: int, adjective: int) -> str:
        described = [words[_NOUNS + adjective]] if adjective >= 0 else []
        pair = [*described, words[noun]] if grammar.adjective_first else [words[noun], *described]
        return " ".join([article, *pair] if article else pair)

    parts = {
        "S": phrase(grammar.articles[0], clause.subject, clause.described),
        "V": words[_NOUNS + _ADJECTIVES + clause.verb],
        "O": phrase(grammar.articles[1], clause.object, clause.colored),
    }
    return " ".join(parts[part] for part in grammar.order)
