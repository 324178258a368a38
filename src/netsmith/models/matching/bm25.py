"""BM25 as a network's equal: it scores the same candidates, and learns nothing from judgments."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field
from torch import Tensor

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind, Spec
from netsmith.layers.candidates import parted, sealed, whole_words
from netsmith.layers.collection import CollectionCounts
from netsmith.models.matching._unlearned import Unlearned

__all__ = ["BM25"]


class BM25(Unlearned):
    r"""Score documents by the words they share with the query (Robertson & Zaragoza 2009): what others must be above.

    .. math:: \sum_{w \in q} \mathrm{idf}_w \,
        \frac{(k_1 + 1)\, f_{w,d}}{f_{w,d} + k_1 (1 - b + b\, |d| / \overline{|d|})}

    as :func:`netsmith.layers.bm25.bm25_scores` has it. The weights of words and the mean length are those of the
    collection, put in by the initializer ``collection``; the method ``closed_form`` lets it pass through training.

    Shapes:
        ``(B, 1 + C, L)`` int64, see :mod:`netsmith.layers.candidates`, to scores ``(B, C)``.
    """

    class Config(ModelConfig):
        """How counts weigh.

        Attributes:
            k1: How late the count of a word saturates.
            b: How much a document's length counts.
            vocab_size: Tokens known.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        uncounted: ClassVar[str] = "it counts words, and multiplies next to nothing"

        k1: float = Field(default=1.2, ge=0)
        b: float = Field(default=0.75, ge=0, le=1)
        vocab_size: int | Auto = AUTO

        def misfit(self, spec: Spec) -> str:
            """Return why it could not work on data of this schema, ``""`` if it can."""
            return super().misfit(spec) or whole_words(self.kind_name(), spec)

    def __init__(self, config: BM25.Config) -> None:
        super().__init__()
        self.config = config
        self.counts = CollectionCounts(int(config.vocab_size))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the scores."""
        query, documents, there = parted(inputs)
        weights = self.counts(query) * (query > 1)  # (B, Q); an unknown word without a slot is none
        same = query[:, None, :, None] == documents[:, :, None, :]  # (B, C, Q, D)
        counts = same.sum(3).to(weights.dtype)
        k1, b = self.config.k1, self.config.b
        lengths = (documents != 0).sum(2).to(weights.dtype) / self.counts.mean_length  # (B, C)
        gains = (k1 + 1) * counts / (counts + k1 * (1 - b + b * lengths)[..., None]).clamp(min=1e-12)
        return sealed((weights[:, None] * gains).sum(2), there)

    def landmarks(self) -> dict[str, str]:
        """Return where the weights of words are."""
        return {"stem": "counts", "head": ""}
