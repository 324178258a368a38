"""MR: 10,662 sentences of movie reviews, half of them negative and half positive.

Pang & Lee, "Seeing Stars: Exploiting Class Relationships for Sentiment Categorization with Respect to Rating Scales",
ACL 2005 (sentence polarity data set v1.0; the papers on it report ten-fold cross-validation).
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from netsmith.core.errors import DataError
from netsmith.core.keys import key as named_key
from netsmith.core.spec import Outputs
from netsmith.data._download import OfficialFile, official_members
from netsmith.data._listing import divide
from netsmith.data._texts import TextFields, TextSource, tokenizer
from netsmith.layers.tokenize import tokenize

__all__ = ["MrPolarity"]

_ARCHIVE = OfficialFile(
    "rt-polaritydata.tar.gz", 487770, "a05befe52aafda71d458d188a1c54506a998b1308613ba76bbda2e5029409ce9"
)
_FILES = (
    OfficialFile(
        "rt-polaritydata/rt-polarity.neg", 612290, "4af43bf489620b498a0852c5a8c6a535155dec7985fdfea782b8f7756b957ccc"
    ),
    OfficialFile(
        "rt-polaritydata/rt-polarity.pos", 626168, "d79ef14009bbf87cd6be21f91c3ea1a3cbcb73b34dfb4231aef7bbcd7677abc4"
    ),
)
_MIRRORS = (
    "https://www.cs.cornell.edu/people/pabo/movie-review-data",
    "https://storage.googleapis.com/seldon-datasets/sentence_polarity_v1",
)
_NAMES = ("negative", "positive")


class MrPolarity(TextSource):
    """The small benchmark of sentence classification (Kim 2014 and many after): praise, or not.

    There is no official test part: ``dev`` and ``test`` are drawn class by class from ``split_seed``, a tenth each, so
    figures stand beside those of ten-fold cross-validation, of which one such draw is a tenth.

    Raises:
        DataError: The official files are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(TextFields):
        """The official files, from ``$NETSMITH_DATA/mr-polarity``, the cache, or the network.

        Attributes:
            test: Share held out as ``test``.
            pattern: By default a word, the second part of a contraction (``'s``, ``n't``), or one sign.
        """

        test: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
        max_length: Annotated[int, Field(gt=0, le=100_000)] = 48  # 99 % of the sentences are no longer
        pattern: str = r"\w+?(?=n't)|n't|'(?:s|ve|re|d|ll|m)\b|\w+|[^\w\s]"

    def __init__(self, config: Config) -> None:
        texts, labels = _twin() if config.twin else _official(config)
        at, made = divide({"train": labels}, dev=config.dev, test=config.test, seed=config.split_seed)
        super().__init__(
            config,
            dataset="mr-polarity",
            texts={split: [texts[index] for index in where.tolist()] for split, (_, where) in at.items()},
            targets={split: labels[where] for split, (_, where) in at.items()},
            outputs=Outputs(kind="classes", names=_NAMES, size=2),
            made=made,
            seeds=dict.fromkeys(at, config.split_seed),
        )


def _official(config: MrPolarity.Config) -> tuple[list[str], torch.Tensor]:
    """Return the sentences, the negative ones first, and their labels."""
    step = tokenizer(config)
    found = official_members("mr-polarity", _FILES, archive=_ARCHIVE, mirrors=_MIRRORS)
    texts: list[str] = []
    labels: list[int] = []
    for label, file in enumerate(_FILES):
        lines = found[file.name].decode("cp1252").split("\n")  # splitlines would cut at the ellipsis of cp1252 too
        for row, line in enumerate(lines[:-1], start=1):
            if not tokenize(line, step):
                raise DataError(f"has no token that {config.pattern!r} finds; expected a sentence", file.name, row)
            texts.append(line.strip())
            labels.append(label)
    return texts, torch.tensor(labels)


def _twin() -> tuple[list[str], torch.Tensor]:
    """Make sentences of 6 to 40 words, all of one group (class 0) or of both: counts of words are alike in the classes.

    A sum over words cannot tell them apart; what looks at two words of a text can, wherever they stand.
    """
    count = 640
    generator = torch.Generator().manual_seed(named_key(0, "twin", "mr_polarity"))
    groups = tuple([f"{name}{number}" for number in range(10)] for name in ("sun", "rain"))
    texts: list[str] = []
    labels: list[int] = []
    for _ in range(count):
        label, side, length, *draws = torch.randint(0, 2**31, (83,), generator=generator).tolist()
        pairs = zip(draws[0::2], draws[1::2], strict=True)
        words = [groups[(group if label % 2 else side) % 2][number % 10] for group, number in pairs]
        texts.append(" ".join(words[: 6 + length % 35]))
        labels.append(label % 2)
    return texts, torch.tensor(labels)
