"""Resume NER: 4,761 sentences of Chinese résumés, character by character, with eight kinds of names.

Zhang & Yang, "Chinese NER Using Lattice LSTM", ACL 2018 (arXiv:1805.02023).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import DataError
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Outputs
from netsmith.data._conll import Sentence, conll_sentences
from netsmith.data._download import OfficialFile, official_contents
from netsmith.data._texts import TextSource, TokenFields
from netsmith.engine.task import UNLABELED

__all__ = ["ResumeNer"]

_FILES = {
    "train": OfficialFile(
        "train.char.bmes", 1094528, "93b9bb0be5dd4730121587f9dc1378de3fbbe55cba1c575edec271f822c27be7"
    ),
    "dev": OfficialFile("dev.char.bmes", 120251, "1b0d67153e6e8543e9444936ed1b107bd843078c282533898085e1a9aa293952"),
    "test": OfficialFile("test.char.bmes", 135064, "c4a9f42622819a4b59f66e184d446ebfa89b2f1dbba06e11d70675e59fe7e79b"),
}
_MIRRORS = ("https://raw.githubusercontent.com/jiesutd/LatticeLSTM/master/ResumeNER",)
_TWIN = {"train": 320, "dev": 80, "test": 80}


class ResumeNer(TextSource):
    """Which characters name a person, a post, a school, ...: a tag for each of them.

    Tags are in the BMES scheme (beginning, middle, end of a name, or a single character; ``O`` outside): 28 of them
    come in training. The official parts are 3,821 sentences for training, 463 for dev, 477 for test; the longest have
    178 characters. What is longer than ``max_length`` is cut, in tests too: with the default nothing is.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(TokenFields):
        """The official files, from ``$NETSMITH_DATA/resume-ner``, the cache, or the network.

        Attributes:
            max_length: Longest sentence, in characters.
            pattern: A token is a character.
            lowercase: Lower the case first.
        """

        max_length: Annotated[int, Field(gt=0, le=100_000)] = 178
        pattern: str = r"\S"
        lowercase: bool = False

    def __init__(self, config: Config) -> None:
        found = _twin() if config.twin else _official()
        names = tuple(sorted({tag for sentence in found["train"] for tag in sentence.tags}))
        super().__init__(
            config,
            dataset="resume-ner",
            texts={split: ["".join(sentence.tokens) for sentence in of] for split, of in found.items()},
            targets={split: _targets(of, names, length=config.max_length) for split, of in found.items()},
            outputs=Outputs(kind="tags", names=names, size=len(names)),
            made=dict.fromkeys(found, "official"),
            seeds=dict.fromkeys(found, 0),
        )


def _official() -> dict[str, list[Sentence]]:
    contents = official_contents("resume-ner", tuple(_FILES.values()), mirrors=_MIRRORS)
    return {split: conll_sentences(contents[file.name], file.name) for split, file in _FILES.items()}


def _targets(sentences: Sequence[Sentence], names: tuple[str, ...], *, length: int) -> Tensor:
    """Return the number of each character's tag, ``(N, length)`` int64."""
    numbers = {name: number for number, name in enumerate(names)}
    targets = torch.full((len(sentences), length), UNLABELED)
    for row, sentence in enumerate(sentences):
        for tag in sentence.tags:
            if tag not in numbers:
                raise DataError(f"the tag {tag!r} does not come in training; expected one of {', '.join(names)}")
        known = [numbers[tag] for tag in sentence.tags[:length]]
        targets[row, : len(known)] = torch.tensor(known)
    return targets


def _twin() -> dict[str, list[Sentence]]:
    """Make sentences in which a sign announces a name of three characters, which come elsewhere too.

    The character alone does not tell its tag; the one before it and the tag before it do.
    """
    kinds = ("CONT", "EDU", "LOC", "NAME", "ORG", "PRO", "RACE", "TITLE")
    plain = [chr(0x4E00 + number) for number in range(40)]
    generator = torch.Generator().manual_seed(named_key(0, "twin", "resume_ner"))
    found: dict[str, list[Sentence]] = {}
    for split, count in _TWIN.items():
        found[split] = []
        for _ in range(count):
            parts, *draws = torch.randint(0, 2**31, (1 + 4 * 14,), generator=generator).tolist()
            tokens: list[str] = []
            tags: list[str] = []
            for at in range(2 + parts % 13):
                kind, *inside = draws[4 * at : 4 * at + 4]
                tokens += [chr(0x3105 + kind % 8), *(plain[one % 40] for one in inside)]
                tags += ["O", *(f"{place}-{kinds[kind % 8]}" for place in "BME")]
                if kind // 8 % 3 == 0:
                    tokens.append(plain[kind // 24 % 40])
                    tags.append("O")
            found[split].append(Sentence(tuple(tokens), tuple(tags)))
    return found
