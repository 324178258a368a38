"""SST: 11,855 sentences of movie reviews, each a tree whose every phrase was judged, in five classes or two.

Socher et al., "Recursive Deep Models for Semantic Compositionality Over a Sentiment Treebank", EMNLP 2013.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import torch
from pydantic import Field

from netsmith.core.errors import DataError
from netsmith.core.spec import Outputs
from netsmith.data._download import OfficialFile, official_files
from netsmith.data._files import open_tree
from netsmith.data._texts import TextSource, TokenFields
from netsmith.data._twin_opinions import twin_opinions

__all__ = ["Sst", "parse_tree"]

_ARCHIVE = OfficialFile(
    "trainDevTestTrees_PTB.zip", 789539, "5c613a4f673fc74097d523a2c83f38e0cc462984d847b82c7aaf36b01cbbbfcc"
)
_MIRRORS = ("https://nlp.stanford.edu/sentiment",)
_LIMIT = 2**24  # bytes of a file of trees
_FIVE = ("very negative", "negative", "neutral", "positive", "very positive")
_TWO = ("negative", "positive")
_NEUTRAL = 2
_PARTS = re.compile(r"\((?P<label>[0-4]) |(?P<leaf>[^()\s]+)|(?P<close>\))|(?P<space>\s+)")
_ESCAPES = (("-LRB-", "("), ("-RRB-", ")"), (r"\/", "/"), (r"\*", "*"))
_TWIN = {"train": 640, "dev": 80, "test": 160}

Phrase = tuple[str, int]


class Sst(TextSource):
    """Sentences with their trees' judgement: the benchmark of SST-5 (``classes=5``) and SST-2 (``classes=2``).

    The official parts are 8,544 sentences for training, 1,101 for dev, 2,210 for test; in two classes those that are
    neutral are left out: 6,920, 872 and 1,821. With ``phrases`` the training part holds every judged phrase, a leaf
    included, each text with each of its labels once (Kim 2014 and others train so); dev and test are sentences always.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(TokenFields):
        """The official archive, from ``$NETSMITH_DATA/sst``, the cache, or the network.

        Attributes:
            classes: 5, or 2 without the neutral ones.
            phrases: Train on the phrases of the trees, too.
            max_length: Longest sentence in tokens; the longest of all has 56.
            pattern: A token is what the treebank took as one.
        """

        classes: Literal[2, 5] = 2
        phrases: bool = False
        max_length: Annotated[int, Field(gt=0, le=100_000)] = 56
        pattern: str = r"\S+"

    def __init__(self, config: Config) -> None:
        found = _twin(config.classes) if config.twin else _official(config)
        names = _FIVE if config.classes == len(_FIVE) else _TWO
        super().__init__(
            config,
            dataset="sst",
            texts={split: [text for text, _ in phrases] for split, phrases in found.items()},
            targets={split: torch.tensor([label for _, label in phrases]) for split, phrases in found.items()},
            outputs=Outputs(kind="classes", names=names, size=len(names)),
            made={
                split: "official, with phrases" if split == "train" and config.phrases else "official"
                for split in found
            },
            seeds=dict.fromkeys(found, 0),
        )


def _official(config: Sst.Config) -> dict[str, list[Phrase]]:
    tree = open_tree(official_files("sst", [_ARCHIVE], mirrors=_MIRRORS)[_ARCHIVE.name])
    found: dict[str, list[Phrase]] = {}
    for split in ("train", "dev", "test"):
        name = next((file for file in tree.files if file.endswith(f"{split}.txt")), f"trees/{split}.txt")
        lines = tree.read(name, limit=_LIMIT).decode("utf-8").split("\n")
        phrases: list[Phrase] = []
        for row, line in enumerate(lines, start=1):
            if line.strip():
                parts = parse_tree(line, path=name, row=row)
                phrases += parts if config.phrases and split == "train" else parts[:1]
        if config.classes == len(_TWO):
            phrases = [(text, int(label > _NEUTRAL)) for text, label in phrases if label != _NEUTRAL]
        found[split] = list(dict.fromkeys(phrases)) if config.phrases and split == "train" else phrases
    return found


def parse_tree(line: str, *, path: str = "", row: int | None = None) -> list[Phrase]:
    """Return every phrase of a judged tree with its label, the whole sentence first.

    Args:
        line: ``(label part part)`` or ``(label word)``, labels 0 to 4; brackets in words as ``-LRB-`` and ``-RRB-``.
        path: The file, for messages.
        row: Its row.

    Raises:
        DataError: It is no such tree.

    Example:
        >>> parse_tree("(3 (2 a) (4 (4 fine) (2 film)))")
        [('a fine film', 3), ('a', 2), ('fine film', 4), ('fine', 4), ('film', 2)]
    """
    spans: list[tuple[int, int, int]] = []  # from, to, label
    open_ones: list[int] = []
    words: list[str] = []
    place = 0
    for match in iter(_PARTS.scanner(line).match, None):
        if spans and not open_ones and not match["space"]:
            break  # the tree is closed
        if match["label"]:
            open_ones.append(len(spans))
            spans.append((len(words), 0, int(match["label"])))
        elif match["leaf"]:
            words.append(match["leaf"])
        elif match["close"]:
            if not open_ones:
                break
            start, _, label = spans[at := open_ones.pop()]
            spans[at] = (start, len(words), label)
        place = match.end()
    if place < len(line) or open_ones or not spans or any(start == end for start, end, _ in spans):
        raise DataError("is no tree of '(label part part)' and '(label word)' with labels 0 to 4", path or None, row)
    for written, meant in _ESCAPES:
        words = [word.replace(written, meant) for word in words]
    return [(" ".join(words[start:end]), label) for start, end, label in spans]


def _twin(classes: int) -> dict[str, list[Phrase]]:
    words = tuple(
        [f"{name}{number}" for number in range(size)] for name, size in (("sun", 10), ("rain", 10), ("w", 40))
    )
    texts, labels = twin_opinions(
        "sst", count=sum(_TWIN.values()), classes=classes, opinions=(4, 8), words=words, negation="not", end="."
    )
    pairs = iter(zip(texts, labels.tolist(), strict=True))
    return {split: [next(pairs) for _ in range(size)] for split, size in _TWIN.items()}
