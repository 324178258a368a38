"""Polarity 2.0: 2,000 whole reviews of movies, half of them negative and half positive, in ten folds.

Pang & Lee, "A Sentimental Education: Sentiment Analysis Using Subjectivity Summarization Based on Minimum Cuts", ACL
2004; its ancestor, of 1,400 reviews in three folds, is that of Pang, Lee & Vaithyanathan, "Thumbs up?", EMNLP 2002.
"""

from __future__ import annotations

import re
from typing import Annotated

import torch
from pydantic import Field

from netsmith.core.errors import DataError
from netsmith.core.spec import Outputs
from netsmith.data._download import OfficialFile, official_files
from netsmith.data._files import Tree, open_tree
from netsmith.data._splits import draw_splits
from netsmith.data._texts import TextFields, TextSource, tokenizer
from netsmith.data._twin_opinions import twin_opinions
from netsmith.layers.tokenize import tokenize

__all__ = ["Polarity2"]

_ARCHIVE = OfficialFile(
    "review_polarity.tar.gz", 3127238, "fc0dccc2671af5db3c5d8f81f77a1ebfec953ecdd422334062df61ede36b2179"
)
_MIRRORS = ("https://www.cs.cornell.edu/people/pabo/movie-review-data",)
_NAMES = ("negative", "positive")
_FOLDS = 10
_EACH = 1000
_LIMIT = 2**20  # bytes of a review
_FILE = re.compile(r"(?:^|/)(neg|pos)/cv(\d)\d\d_\d+\.txt$")


class Polarity2(TextSource):
    """Reviews as their authors wrote them, lower-cased and cut into sentences: the classic data of opinion mining.

    The official folds are told by the names of the files: ``cv000`` to ``cv099`` are the first, and so on. One of them
    is ``test``; ``dev`` is drawn from the other nine, class by class. Figures of papers are means over all ten folds
    (200 reviews each); a single fold's may lie some points off.

    Attributes:
        folds: The fold of each review, by split.

    Raises:
        DataError: The official archive is neither at hand nor to be downloaded, or is damaged.
    """

    class Config(TextFields):
        """The official archive, from ``$NETSMITH_DATA/polarity-2.0``, the cache, or the network.

        Attributes:
            fold: The fold that is ``test``.
            max_length: By default none of the reviews is cut.
            vocabulary_size: The most tokens that are known.
            pattern: The reviews are cut by spaces; a contraction gives up its ending (``n't``, ``'s``).
        """

        fold: Annotated[int, Field(ge=0, lt=_FOLDS)] = 0
        max_length: Annotated[int, Field(gt=0, le=100_000)] = 3000
        vocabulary_size: Annotated[int, Field(gt=2)] = 50_000
        pattern: str = r"\w+?(?=n't)|n't|'(?:s|ve|re|d|ll|m)\b|\w+|[^\w\s]"

    def __init__(self, config: Config) -> None:
        texts, labels, folds = _twin() if config.twin else _official(config)
        rest = torch.nonzero(folds != config.fold)[:, 0]
        drawn = draw_splits(labels[rest], {"dev": config.dev}, seed=config.split_seed)
        at = {split: rest[where] for split, where in drawn.items()}
        at["test"] = torch.nonzero(folds == config.fold)[:, 0]
        self.folds = {split: folds[where] for split, where in at.items()}
        made = {"train": "official folds but test", "dev": f"seeded {100 * config.dev:.3g} % of the folds but test"}
        super().__init__(
            config,
            dataset="polarity-2.0",
            texts={split: [texts[index] for index in where.tolist()] for split, where in at.items()},
            targets={split: labels[where] for split, where in at.items()},
            outputs=Outputs(kind="classes", names=_NAMES, size=2),
            made={split: made.get(split, f"official fold {config.fold}") for split in at},
            seeds={split: 0 if split == "test" else config.split_seed for split in at},
        )


def _official(config: Polarity2.Config) -> tuple[list[str], torch.Tensor, torch.Tensor]:
    """Return the reviews, the negative ones first, their labels and their folds."""
    step = tokenizer(config)
    tree = open_tree(official_files("polarity-2.0", [_ARCHIVE], mirrors=_MIRRORS)[_ARCHIVE.name])
    texts: list[str] = []
    for name in (names := _reviews(tree)):
        text = tree.read(name, limit=_LIMIT).decode("cp1252")
        if not tokenize(text, step):
            raise DataError(f"has no token that {config.pattern!r} finds; expected a review", name)
        texts.append(" ".join(text.split()))
    found = [_FILE.search(name) for name in names]
    labels = torch.tensor([int(match is not None and match[1] == "pos") for match in found])
    return texts, labels, torch.tensor([int(match[2]) for match in found if match])


def _reviews(tree: Tree) -> list[str]:
    names = [name for name in tree.files if _FILE.search(name)]
    for kind in ("neg", "pos"):
        count = sum(f"{kind}/cv" in name for name in names)
        if count != _EACH:
            raise DataError(f"holds {count} reviews in {kind}/; expected {_EACH}", tree.path)
    return names


def _twin() -> tuple[list[str], torch.Tensor, torch.Tensor]:
    """Make reviews of 20 to 40 opinions, all of them of one kind, some by negation."""
    words = tuple(
        [f"{name}{number}" for number in range(size)] for name, size in (("sun", 20), ("rain", 20), ("w", 80))
    )
    texts, labels = twin_opinions(
        "polarity_2", count=400, classes=2, opinions=(20, 40), words=words, negation="not", end="."
    )
    return texts, labels, torch.arange(len(texts)) % _FOLDS
