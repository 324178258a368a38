"""KNRM: soft counts of matches by kernels, through which word vectors are learned for ranking (Xiong et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind, Spec
from netsmith.layers.candidates import parted, sealed, whole_words
from netsmith.layers.collection import WordVectors
from netsmith.layers.kernel_pooling import kernel_centers, kernel_pooling

__all__ = ["KNRM"]


class KNRM(nn.Module):
    r"""Count how many words of the document are how near to those of the query, softly, and weigh the counts.

    .. math::
        M_{ij} &= \cos(v_{t_i^q}, v_{t_j^d}) \\
        \phi_k &= \sum_i \log \sum_j \exp\Bigl(-\frac{(M_{ij} - \mu_k)^2}{2 \sigma_k^2}\Bigr) \\
        f(q, d) &= \tanh(w^T \phi + b)

    (Xiong, Dai, Callan, Liu & Power, "End-to-End Neural Ad-hoc Ranking with Kernel Pooling", SIGIR 2017,
    arXiv:1706.06613, equations 1 to 6.) Where DRMM's histograms have no gradient, kernels have one: the vectors are
    learned so that words that go together in answers come near. The sums of logarithms are scaled down before the
    tanh, as its authors do, which else would be flat. The initializer ``collection`` gives the vectors to begin with.

    Answers do not depend on padding.

    Shapes:
        ``(B, 1 + C, L)`` int64, see :mod:`netsmith.layers.candidates`, to scores ``(B, C)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            kernels: How many, with that of exact matches.
            scale: What the sums of logarithms are multiplied with.
            embedding_size: Numbers of a word's vector.
            vocab_size: Tokens known.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        published: ClassVar[Mapping[str, int]] = MappingProxyType({"candidates": 10})

        kernels: int = Field(default=11, ge=2, le=1000)
        scale: float = Field(default=0.01, gt=0)
        embedding_size: int = Field(default=50, ge=1)
        vocab_size: int | Auto = AUTO

        def misfit(self, spec: Spec) -> str:
            """Return why it could not work on data of this schema, ``""`` if it can."""
            return super().misfit(spec) or whole_words(self.kind_name(), spec)

    def __init__(self, config: KNRM.Config) -> None:
        super().__init__()
        self.config = config
        self.embedding = WordVectors(int(config.vocab_size), config.embedding_size, learned=True)
        self.means, self.widths = kernel_centers(config.kernels)
        self.head = nn.Linear(config.kernels, 1)
        with torch.no_grad():  # the nearer, the better: of drawn weights some have the wrong signs and keep them
            self.head.weight.copy_(torch.as_tensor(self.means))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the scores."""
        query, documents, there = parted(inputs)
        cosines = self.embedding.cosines(query, documents)  # (B, C, Q, D), Eq. 2
        batch, count = there.shape
        pooled = kernel_pooling(
            cosines.flatten(0, 1),
            (query != 0)[:, None].expand(-1, count, -1).flatten(0, 1),
            (documents != 0).flatten(0, 1),
            means=self.means,
            widths=self.widths,
        )  # (B * C, K), Eq. 3 to 5
        scores = self.head(self.config.scale * pooled).tanh()  # Eq. 6
        return sealed(scores.view(batch, count), there)

    def landmarks(self) -> dict[str, str]:
        """Return where the word vectors and the weights of kernels are."""
        return {"stem": "embedding", "features": "head", "head": "head"}
