"""ChnSentiCorp: 12,000 Chinese reviews of hotels, notebooks and books, half of them negative and half positive.

The corpus of Tan Songbo, in the parts of Cui et al., "Pre-Training with Whole Word Masking for Chinese BERT", 2019
(arXiv:1906.08101).
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from netsmith.core.errors import DataError
from netsmith.core.spec import Outputs
from netsmith.data._download import OfficialFile, official_members
from netsmith.data._texts import TextSource, TokenFields, tokenizer
from netsmith.data._twin_opinions import twin_opinions
from netsmith.layers.tokenize import tokenize

__all__ = ["Chnsenticorp"]

_ARCHIVE = OfficialFile("chnsenticorp.zip", 1756782, "79218af1c3efdfd3223569440736eac207ab6b19babd2cd73b7ffc04250700ba")
_FILES = {
    "train": OfficialFile("train.tsv", 3019974, "0b2653c23e5c79f539472e90cb10522f0ada4b80d3da95572d8b48fda47d5b33"),
    "dev": OfficialFile("dev.tsv", 374230, "d129e443eac08ce7643013dad496a8edf282be39cac1a4f2ad080818b296b331"),
    "test": OfficialFile("test.tsv", 369742, "34f9d71eba6096cd8689e18913d28cf9a5f3c18a6c2804cd13304a321738c4bc"),
}
_MIRRORS = ("https://github.com/ymcui/Chinese-BERT-wwm/raw/master/data/chnsenticorp",)
_HEADER = "label\ttext_a"
_NAMES = ("negative", "positive")
_TWIN = {"train": 480, "dev": 80, "test": 160}


class Chnsenticorp(TextSource):
    """Praise or blame in Chinese, character by character; words of Latin letters and numbers stay whole.

    The official parts are 9,600 reviews for training, 1,200 for dev, 1,200 for test; the longest has almost 2,000
    characters, one in twenty more than 250, and what is longer than ``max_length`` is cut.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(TokenFields):
        """The official archive, from ``$NETSMITH_DATA/chnsenticorp``, the cache, or the network.

        Attributes:
            max_length: Longest review in tokens.
            pattern: A token is a word of Latin letters, a number, or one character.
        """

        max_length: Annotated[int, Field(gt=0, le=100_000)] = 256
        pattern: str = r"[a-z]+|[0-9]+|\S"

    def __init__(self, config: Config) -> None:
        found = _twin() if config.twin else _official(config)
        super().__init__(
            config,
            dataset="chnsenticorp",
            texts={split: texts for split, (texts, _) in found.items()},
            targets={split: torch.tensor(labels) for split, (_, labels) in found.items()},
            outputs=Outputs(kind="classes", names=_NAMES, size=2),
            made=dict.fromkeys(found, "official"),
            seeds=dict.fromkeys(found, 0),
        )


def _official(config: Chnsenticorp.Config) -> dict[str, tuple[list[str], list[int]]]:
    contents = official_members("chnsenticorp", tuple(_FILES.values()), archive=_ARCHIVE, mirrors=_MIRRORS)
    step = tokenizer(config)
    found: dict[str, tuple[list[str], list[int]]] = {}
    for split, file in _FILES.items():
        header, *lines = contents[file.name].decode("utf-8-sig").split("\n")
        if header.rstrip("\r") != _HEADER:
            raise DataError(f"begins with {header!r}; expected {_HEADER!r}", file.name, 1)
        texts: list[str] = []
        labels: list[int] = []
        for row, line in enumerate(lines, start=2):
            if not line.strip():
                continue
            label, _, text = line.partition("\t")  # quotes are part of a review: this is no CSV
            if label not in ("0", "1") or not tokenize(text, step):
                raise DataError("expected 0 or 1, a tab and a review", file.name, row)
            texts.append(text.strip())
            labels.append(int(label))
        found[split] = texts, labels
    return found


def _twin() -> dict[str, tuple[list[str], list[int]]]:
    """Make reviews of 4 to 12 opinions, of characters: all of one kind, some by negation."""
    signs = [chr(0x4E8C + 7 * number) for number in range(80)]
    words = signs[:20], signs[20:40], signs[40:]
    texts, labels = twin_opinions(
        "chnsenticorp",
        count=sum(_TWIN.values()),
        classes=2,
        opinions=(4, 12),
        words=words,
        negation="不",
        end="，",
        space="",
    )
    places = torch.arange(len(texts)).split(list(_TWIN.values()))
    return {
        split: ([texts[at] for at in where.tolist()], labels[where].tolist())
        for split, where in zip(_TWIN, places, strict=True)
    }
