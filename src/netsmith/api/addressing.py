"""Texts for a network that writes: with the mark of the language where it has several, and no longer than it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError, UnknownNameError, UnsupportedError
from netsmith.core.spec import Inputs
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.subwords import BLANK
from netsmith.layers.target_language import asked_for, target_languages
from netsmith.layers.token_features import parted
from netsmith.layers.tokenize import count_slots, cutter, tokenizer_of

if TYPE_CHECKING:
    from netsmith.api.network import Network

__all__ = ["addressed", "cut_whole", "unknown_shares", "unknown_words", "unread", "unread_words"]


def addressed(network: Network, texts: Sequence[str], *, to: str = "", rows: Sequence[int] = ()) -> list[str]:
    """Return the texts, each with the mark of a language in front, as ``<2de> A man sleeps`` has it.

    A network that was taught no marks takes texts as they are; one that was needs a language, by ``to`` or by the mark
    that a text begins with.

    Args:
        network: What is to translate.
        texts: What it reads.
        to: The language that it is to write; empty where the texts say it.
        rows: Where the texts stand in a file (1-based), for messages.

    Raises:
        UnsupportedError: ``to`` for a network that writes one language alone.
        UnknownNameError: A language that it was not taught to write.
        ConfigError: No language where one is needed.
        DataError: What is no text or empty, or a text that begins with a mark where ``to`` is given; names its place.
    """
    names = _names(texts, rows)
    for name, text in zip(names, texts, strict=True):
        if not isinstance(text, str):
            raise DataError(f"{name}: expected a text, got {type(text).__name__}")
        if not text.strip():
            raise DataError(f"{name} is empty; expected a text")
    known = target_languages(network.spec.inputs.vocabulary)
    if not known:
        if to:
            raise UnsupportedError(f"{network.name} writes one language alone; leave out --to {to}")
        return list(texts)
    if to and to not in known:
        raise UnknownNameError(f"target language of {network.name}", to, known)
    for name, text in zip(names, texts, strict=True):
        own = asked_for(text)
        if to and own:
            raise DataError(f"{name} begins with <2{own}>, and --to {to} is given, too; leave one of them out")
        if own and own not in known:
            raise UnknownNameError(f"target language of {network.name}", own, known)
        if not to and not own:
            raise ConfigError(
                f"{network.name} writes {', '.join(known)}; say which one: --to {known[0]} of translate, or {name} "
                f"beginning with <2{known[0]}>"
            )
    return [f"<2{to}> {text}" for text in texts] if to else list(texts)


def cut_whole(network: Network, texts: Sequence[str], *, rows: Sequence[int] = ()) -> list[list[str]]:
    """Return the tokens of each text, none of which is left out: what is written of a part says so nowhere.

    Raises:
        DataError: A text without a token, or with more than the network reads; names its place (1-based).
    """
    cut, most = cutter(tokenizer_of(network.spec.inputs)), network.spec.inputs.max_length
    found = [cut(text) for text in texts]
    for name, tokens in zip(_names(texts, rows), found, strict=True):
        if not tokens:
            raise DataError(f"{name} holds nothing that {network.name} reads; expected words")
        if len(tokens) > most:
            raise DataError(f"{name} has {len(tokens)} tokens, and {network.name} reads {most}; give it in parts")
    return found


def _names(texts: Sequence[str], rows: Sequence[int]) -> list[str]:
    return [f"row {row}" for row in rows] or [f"text {number}" for number in range(1, len(texts) + 1)]


def unknown_shares(tokens: Tensor, vocabulary: Sequence[str]) -> list[float]:
    """Return of each text the share of its tokens that a vocabulary lacks; marks of languages and blanks do not count.

    Args:
        tokens: ``(B, L)`` int64: 0 padding, 1 unknown, from the vocabulary's size on what is copied.
        vocabulary: Tokens by number.

    Example:
        >>> words = ("<pad>", "<unk>", "<eos>", "<2de>", "dog")
        >>> unknown_shares(torch.tensor([[3, 1, 5], [3, 4, 1], [4, 0, 0]]), words)
        [1.0, 0.5, 0.0]
    """
    marks = range(END_NUMBER + 1, END_NUMBER + 1 + len(target_languages(vocabulary)))
    silent = torch.tensor([0, *marks, *(number for number, token in enumerate(vocabulary) if token == BLANK)])
    said = ~torch.isin(tokens, silent.to(tokens.device))
    unknown = said & ((tokens == 1) | (tokens >= max(len(vocabulary), 2)))
    return (unknown.sum(1).double() / said.sum(1).clamp(min=1)).tolist()


def unread(texts: Sequence[str], inputs: Inputs) -> tuple[list[bool], list[bool]]:
    """Return of each text whether a network knows none of its tokens, and whether it has more than the network reads.

    Of a schema without a vocabulary or a tokenizer nothing is returned, and where unknown tokens share slots by their
    letters.
    """
    cuts = any(step.name == "tokenize" for step in inputs.preprocessing)
    if inputs.kind != "text" or not inputs.vocabulary or not cuts or count_slots(inputs.vocabulary):
        return [], []
    cut, known = cutter(tokenizer_of(inputs)), frozenset(inputs.vocabulary[2:])
    lost, long = [], []
    for text in texts:
        tokens = cut(parted(text, inputs.features)[0])
        lost.append(known.isdisjoint(tokens))
        long.append(len(tokens) > inputs.max_length)
    return lost, long


def unknown_words(lost: Sequence[bool], *, name: str, rows: Sequence[int] = ()) -> str:
    """Return the notice about answers to texts without a token that the network knows; empty where there are none.

    Args:
        lost: Of each text whether it is one.
        name: The network's.
        rows: Where the texts stand in their file (1-based); else they are counted.
    """
    where = _places(lost, rows)
    return where and f"{where}: {name} knows no token of it; its answer says nothing of what it read"


def unread_words(network: Network, texts: Sequence[str], *, name: str, rows: Sequence[int] = ()) -> list[str]:
    """Return the notices about texts that a network does not read to their end, and of which it knows nothing.

    Args:
        network: Reads the texts.
        texts: What it reads; none where its inputs are no texts.
        name: What it is called.
        rows: Where the texts stand in their file (1-based); else they are counted.
    """
    lost, long = unread(texts, network.spec.inputs)
    where, size = _places(long, rows), network.spec.inputs.max_length
    end = where and f"{where}: {name} reads {size:,} tokens of a text, and nothing of what is behind them"
    told = [end if network.cuts_texts else "", unknown_words(lost, name=name, rows=rows)]
    return [line for line in told if line]


def _places(which: Sequence[bool], rows: Sequence[int]) -> str:
    if not any(which):
        return ""
    at = rows or range(1, len(which) + 1)
    found = [str(number) for number, one in zip(at, which, strict=True) if one]
    what = "row" if rows else "text"
    return f"{what}{'s' * (len(found) > 1)} {', '.join(found[:8])}{', ...' * (len(found) > 8)}"
