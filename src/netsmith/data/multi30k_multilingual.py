"""Multi30k in several directions at once: one model, told by a mark in front of the source what language to write.

Johnson et al., "Google's multilingual neural machine translation system: enabling zero-shot translation", TACL 2017
(arXiv:1611.04558); the sentences are those of :mod:`netsmith.data.multi30k`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Self, cast

from pydantic import model_validator

from netsmith.data._pairs import PairFields, Pairs, PairSource
from netsmith.data.multi30k import LANGUAGES, Language, multi30k_sentences

__all__ = ["Multi30kMultilingual"]


class Multi30kMultilingual(PairSource):
    """Translation in several directions: ``<2de> A man sleeps.`` is to become German.

    Training shows the pairs of all directions, in any order; ``dev`` and ``test`` hold one direction after the other,
    and each direction is a split of its own, too: ``test-en-de``. Directions of ``zero_shot`` have these alone: the
    model has seen both languages, never the one translated into the other.

    Attributes:
        directions: What is learned.
        zero_shot: What is judged only.
        training_texts: The training sentences of each language, without marks; row by row they say the same.

    Raises:
        DataError: As :class:`~netsmith.data.multi30k.Multi30k`.
    """

    class Config(PairFields):
        """The official files, and in which directions they are read.

        Attributes:
            directions: What is learned, each as ``en-de``; languages are ``en``, ``de``, ``fr``, ``cs``.
            zero_shot: What is judged only, by ``dev-de-fr`` and ``test-de-fr``; its languages come in ``directions``,
                the second one as a target.
            shared: Both sides have one vocabulary, and one list of merges.
        """

        directions: tuple[str, ...] = ("en-de", "en-fr", "en-cs")
        zero_shot: tuple[str, ...] = ()
        shared: bool = True

        @model_validator(mode="after")
        def _check_directions(self) -> Self:
            known = [f"{one}-{other}" for one, other in itertools.permutations(LANGUAGES, 2)]
            every = (*self.directions, *self.zero_shot)
            for direction in every:
                if direction not in known:
                    raise ValueError(f"no direction {direction!r}; expected one of {', '.join(known)}")
            if not self.directions or len(set(every)) < len(every):
                raise ValueError(f"directions {', '.join(every) or '()'}: expected one or more, each once")
            seen = {language for direction in self.directions for language in direction.split("-")}
            written = {direction.split("-")[1] for direction in self.directions}
            for direction in self.zero_shot:
                source, target = direction.split("-")
                if source not in seen or target not in written:
                    raise ValueError(
                        f"zero_shot {direction}: expected a source language of {', '.join(sorted(seen))} and a target "
                        f"of {', '.join(sorted(written))}, as training shows them"
                    )
            return self

    def __init__(self, config: Config) -> None:
        every = (*config.directions, *config.zero_shot)
        languages = _languages(every)
        pairs: dict[str, Pairs] = {}
        apart: dict[str, Pairs] = {}
        self.training_texts: dict[Language, list[str]] = {}
        for split, (name, found) in multi30k_sentences(languages, twin=config.twin).items():
            if split == "train":
                self.training_texts = found
            elif config.twin:  # each direction searches its own share: together as many as one pair of languages has
                found = {language: texts[: len(texts) // len(every)] for language, texts in found.items()}
            parts = {direction: _pairs(direction, name, found) for direction in every}
            pairs[split] = _joint(name, (parts[direction] for direction in config.directions))
            if split != "train":
                apart |= {f"{split}-{direction}": part for direction, part in parts.items()}
        marks = sorted({_mark(direction) for direction in config.directions})
        dataset = f"multi30k-{'-'.join(languages)}"
        super().__init__(config, dataset=dataset, pairs=pairs | apart, marks=marks)
        self.directions = config.directions
        self.zero_shot = config.zero_shot


def _languages(directions: Iterable[str]) -> tuple[Language, ...]:
    found = {language for direction in directions for language in direction.split("-")}
    return tuple(language for language in LANGUAGES if language in found)


def _mark(direction: str) -> str:
    return f"<2{direction.split('-')[1]}>"


def _pairs(direction: str, name: str, found: dict[Language, list[str]]) -> Pairs:
    source, target = cast("list[Language]", direction.split("-"))
    texts = [f"{_mark(direction)} {text}" for text in found[source]]
    return Pairs(texts, found[target], f"{name}.{direction}", range(1, len(texts) + 1))


def _joint(name: str, parts: Iterable[Pairs]) -> Pairs:
    several = list(parts)
    joined = itertools.chain.from_iterable
    return Pairs(
        list(joined(part.sources for part in several)),
        list(joined(part.targets for part in several)),
        name,
        list(joined(part.rows for part in several)),
    )
