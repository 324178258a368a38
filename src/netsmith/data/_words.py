"""What sources of segmented Chinese text share: each character gets the tag of its place in its word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from pydantic import Field

from netsmith.core.keys import key as named_key
from netsmith.core.spec import Outputs
from netsmith.data._texts import TextSource, TokenFields
from netsmith.engine.task import UNLABELED
from netsmith.layers.spans import Span, tags_of

__all__ = ["WordFields", "WordSource", "narrow", "pieces", "twin_words"]

_NAMES = ("B", "E", "M", "S")
_ENDS = frozenset("。！？；!?;")
_NARROW = {code: code - 0xFEE0 for first, last in ("０９", "ＡＺ", "ａｚ") for code in range(ord(first), ord(last) + 1)}


class WordFields(TokenFields):
    """The fields of every source of segmented text.

    Attributes:
        max_length: Longest piece of a text, in characters: it is cut behind the end of a sentence, else of a word.
        pattern: A token is a character.
        lowercase: Lower the case first.
    """

    max_length: Annotated[int, Field(gt=0, le=100_000)] = 96
    pattern: str = r"\S"
    lowercase: bool = False


class WordSource(TextSource):
    """Abstract: texts as rows of words; a tag for each character says where in its word it stands: B, M, E, or S.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        words: Texts by split, ``train`` first; each is the words of a paragraph or sentence.
        made: How each split was made.
    """

    def __init__(
        self, config: WordFields, *, dataset: str, words: Mapping[str, Sequence[Sequence[str]]], made: Mapping[str, str]
    ) -> None:
        cut = {split: [p for text in of for p in pieces(text, config.max_length)] for split, of in words.items()}
        numbers = {name: number for number, name in enumerate(_NAMES)}
        targets: dict[str, torch.Tensor] = {}
        for split, parts in cut.items():
            targets[split] = torch.full((len(parts), config.max_length), UNLABELED)
            for row, part in enumerate(parts):
                tags = _tags(part)[: config.max_length]  # a word may be longer than any piece
                targets[split][row, : len(tags)] = torch.tensor([numbers[tag] for tag in tags])
        super().__init__(
            config,
            dataset=dataset,
            texts={split: ["".join(part) for part in parts] for split, parts in cut.items()},
            targets=targets,
            outputs=Outputs(kind="tags", names=_NAMES, size=len(_NAMES)),
            made=made,
            seeds=dict.fromkeys(cut, 0),
        )


def pieces(words: Sequence[str], length: int) -> list[list[str]]:
    """Return a text's words in pieces of at most so many characters (a longer word alone), cut behind sentences.

    Example:
        >>> pieces(["今天", "好", "。", "明天", "也", "好", "吗", "？"], 5)
        [['今天', '好', '。'], ['明天', '也', '好', '吗'], ['？']]
    """
    found: list[list[str]] = []
    count, ended = length, True
    for word in words:
        if ended or count + len(word) > length:
            found.append([])
            count = 0
        found[-1].append(word)
        count, ended = count + len(word), word in _ENDS
    return found


def narrow(text: str) -> str:
    """Return a text whose wide Latin letters and digits are plain ones, as most texts have them; other signs stay.

    Example:
        >>> narrow("１９９８年ＡＢＣ，")
        '1998年ABC，'
    """
    return text.translate(_NARROW)


def _tags(words: Sequence[str]) -> tuple[str, ...]:
    spans, at = list[Span](), 0
    for word in words:
        spans.append(Span("", at, at + len(word)))
        at += len(word)
    return tags_of(spans, at, "words")


def twin_words(name: str, counts: Mapping[str, int]) -> dict[str, list[list[str]]]:
    """Make texts of a small language: words of one to four signs, some beginning with the signs of others."""
    generator = torch.Generator().manual_seed(named_key(0, "twin", name))
    signs = [chr(0x4E00 + number) for number in range(24)]
    lexicon = [signs[number] for number in range(8)]
    lexicon += [signs[8 + number] + signs[(5 * number) % 24] for number in range(8)]
    lexicon += [signs[16 + number] + signs[(7 * number + 3) % 24] + signs[number % 8] for number in range(6)]
    lexicon += [signs[22] + signs[9] + signs[1] + signs[17]]
    found: dict[str, list[list[str]]] = {}
    for split, count in counts.items():
        found[split] = []
        for _ in range(count):
            length, *draws = torch.randint(0, 2**31, (15,), generator=generator).tolist()
            found[split].append([*(lexicon[one % len(lexicon)] for one in draws[: 4 + length % 11]), "。"])
    return found
