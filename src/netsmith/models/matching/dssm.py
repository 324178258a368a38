"""DSSM: query and document as points of one space, from the letters of their words (Huang et al. 2013)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.candidates import parted, sealed

__all__ = ["DSSM"]

_SPECIAL = 2  # padding and unknown: no letter n-grams


class DSSM(nn.Module):
    r"""Count the letter n-grams of a text, and let layers of tanh make a short vector of them; compare by the cosine.

    .. math::
        l_1 &= W_1 x \\
        l_i &= \tanh(W_i l_{i-1} + b_i), \qquad y = \tanh(W_N l_{N-1} + b_N) \\
        R(Q, D) &= \cos(y_Q, y_D)

    (Huang, He, Gao, Deng, Acero & Heck, "Learning Deep Structured Semantic Models for Web Search using Clickthrough
    Data", CIKM 2013, equations 3 and 4.) x counts the letter n-grams (data with ``letters=3``), which is the paper's
    word hashing, a matrix of its own there; so the first layer of weights is that of 300 units behind it. Of words that
    training did not have it knows the n-grams, too. On whole words it is the paper's DNN without hashing.

    A text without any known n-gram is the vector that the biases make. Weights are drawn as in the paper's section 3.4
    (Glorot & Bengio 2010). The answer does not depend on padding.

    Shapes:
        ``(B, 1 + C, L, M)`` or ``(B, 1 + C, L)`` int64, see :mod:`netsmith.layers.candidates`, to cosines ``(B, C)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            hidden: Units of the hidden layers.
            embedding_size: Units of the last layer: numbers of a text's vector.
            vocab_size: Letter n-grams (or words) known, padding and unknown included.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        published: ClassVar[Mapping[str, int]] = MappingProxyType({"candidates": 10, "letters": 8})
        widths: ClassVar[tuple[str, ...]] = ("hidden", "embedding_size")
        depths: ClassVar[tuple[str, ...]] = ("hidden",)

        hidden: tuple[int, ...] = (300, 300)
        embedding_size: int = Field(default=128, ge=1)
        vocab_size: int | Auto = AUTO

    def __init__(self, config: DSSM.Config) -> None:
        super().__init__()
        self.config = config
        sizes = (int(config.vocab_size) - _SPECIAL, *config.hidden, config.embedding_size)
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes):
            linear = nn.Linear(inputs, outputs)
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)
            layers += [linear, nn.Tanh()]
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the cosines."""
        query, documents, there = parted(inputs)
        ours, theirs = self.vectors(query.flatten(1)[:, None]), self.vectors(documents.flatten(2))
        return sealed(F.cosine_similarity(ours, theirs, dim=-1), there)  # Eq. 4

    def vectors(self, tokens: Tensor) -> Tensor:
        """Return the vectors of texts, ``(B, N, embedding_size)``, of ``(B, N, T)`` tokens in any order."""
        weight = self.layers.get_parameter("0.weight")
        counts = tokens.new_zeros((*tokens.shape[:2], weight.shape[1] + _SPECIAL), dtype=weight.dtype)
        counts = counts.scatter_add(2, tokens, torch.ones_like(tokens, dtype=weight.dtype))  # (B, N, V)
        return self.layers(counts[..., _SPECIAL:])  # Eq. 3

    def landmarks(self) -> dict[str, str]:
        """Return where n-grams become units, the hidden layers and the last one are."""
        return {"stem": "layers.0", "features": "layers", "head": f"layers.{len(self.layers) - 2}"}
