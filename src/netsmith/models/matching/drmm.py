"""DRMM: how each word of a query is matched, as a histogram that a small network judges (Guo et al. 2016)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind, Spec
from netsmith.layers.candidates import parted, sealed, whole_words
from netsmith.layers.collection import CollectionCounts, WordVectors
from netsmith.layers.matching_histogram import HistogramForm, matching_histogram
from netsmith.layers.term_gating import TermGating

__all__ = ["DRMM"]


class DRMM(nn.Module):
    r"""Judge each word of the query by how near the document's words are to it; add up by how much the word says.

    .. math::
        z_i^{(0)} &= h(w_i \otimes d) \\
        z_i^{(l)} &= \tanh(W^{(l)} z_i^{(l-1)} + b^{(l)}) \\
        s &= \sum_i g_i z_i^{(L)}

    (Guo, Fan, Ai & Croft, "A Deep Relevance Matching Model for Ad-hoc Retrieval", CIKM 2016, arXiv:1711.08611,
    equations 1 to 3.) h is the histogram of the cosines of a word with those of the document, with a bin of their own
    for exact matches; g, the gate, a softmax over the query's words, of their vector (``vector``: the paper's TV) or
    their inverse document frequency (``idf``). Some two hundred numbers are learned: it needs few judgments.

    Word vectors are fixed; the initializer ``collection`` puts them in, and counts the words. Answers do not depend on
    padding.

    Shapes:
        ``(B, 1 + C, L)`` int64, see :mod:`netsmith.layers.candidates`, to scores ``(B, C)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            histogram: What a bin holds: ``count`` (CH), ``share`` (NH) or ``log_count`` (LCH).
            bins: How many, with that of exact matches.
            hidden: Units of the hidden layers.
            gate: What decides how much a word counts.
            embedding_size: Numbers of a word's vector.
            vocab_size: Tokens known.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        published: ClassVar[Mapping[str, int]] = MappingProxyType({"candidates": 10})
        widths: ClassVar[tuple[str, ...]] = ("hidden",)

        histogram: HistogramForm = "log_count"
        bins: int = Field(default=30, ge=2, le=1000)
        hidden: tuple[int, ...] = (5,)
        gate: Literal["vector", "idf"] = "idf"
        embedding_size: int = Field(default=50, ge=1)
        vocab_size: int | Auto = AUTO

        def misfit(self, spec: Spec) -> str:
            """Return why it could not work on data of this schema, ``""`` if it can."""
            return super().misfit(spec) or whole_words(self.kind_name(), spec)

    def __init__(self, config: DRMM.Config) -> None:
        super().__init__()
        self.config = config
        words = int(config.vocab_size)
        self.embedding = WordVectors(words, config.embedding_size, learned=False)
        self.counts = CollectionCounts(words) if config.gate == "idf" else None
        sizes = (config.bins, *config.hidden, 1)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs), nn.Tanh()]
        self.judge = nn.Sequential(*layers)
        self.gate = TermGating(1 if config.gate == "idf" else config.embedding_size)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the scores."""
        query, documents, there = parted(inputs)
        cosines = self.embedding.cosines(query, documents)  # (B, C, Q, D)
        histograms = matching_histogram(
            cosines, (documents != 0)[:, :, None], bins=self.config.bins, form=self.config.histogram
        )  # (B, C, Q, bins)
        judged = self.judge(histograms)[..., 0]  # (B, C, Q), Eq. 2
        terms = self.embedding(query) if self.counts is None else self.counts(query)[..., None]
        gates = self.gate(terms, query != 0)  # (B, Q), Eq. 3
        return sealed((gates[:, None] * judged).sum(2), there)  # Eq. 1

    def landmarks(self) -> dict[str, str]:
        """Return where the word vectors, the gate, and what judges histograms are."""
        return {"stem": "embedding", "features": "gate", "head": "judge"}
