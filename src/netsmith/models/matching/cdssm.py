"""CDSSM: DSSM that sees words in their order, by a convolution and a maximum over places (Shen et al. 2014)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.candidates import parted, sealed

__all__ = ["CDSSM"]


class CDSSM(nn.Module):
    r"""Slide a window over the words, each a count of letter n-grams; keep each unit's maximum; compare by the cosine.

    .. math::
        h_t &= \tanh(W_c\, [f_{t-1}, f_t, f_{t+1}] + b_c) \\
        v(i) &= \max_t h_t(i) \\
        y &= \tanh(W_s v + b_s), \qquad R(Q, D) = \cos(y_Q, y_D)

    (Shen, He, Gao, Deng & Mesnil, "A Latent Semantic Model with Convolutional-Pooling Structure for Information
    Retrieval", CIKM 2014, doi:10.1145/2661829.2661935, equations 1 to 5; biases added.) f counts the letter n-grams of
    a word (data with ``letters=3``), or is the word itself. Outside of the text there are zeros: the answer does not
    depend on padding.

    Shapes:
        ``(B, 1 + C, L, M)`` or ``(B, 1 + C, L)`` int64, see :mod:`netsmith.layers.candidates`, to cosines ``(B, C)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            window: Words that the convolution sees: an odd number.
            channels: Units of the convolution.
            embedding_size: Numbers of a text's vector.
            vocab_size: Letter n-grams (or words) known, padding and unknown included.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        published: ClassVar[Mapping[str, int]] = MappingProxyType({"candidates": 10, "letters": 8})
        widths: ClassVar[tuple[str, ...]] = ("channels", "embedding_size")

        window: int = Field(default=3, ge=1)
        channels: int = Field(default=300, ge=1)
        embedding_size: int = Field(default=128, ge=1)
        vocab_size: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> CDSSM.Config:
            if self.window % 2 == 0:
                raise ValueError(f"window={self.window}: expected an odd number, as many words before as after")
            return self

    def __init__(self, config: CDSSM.Config) -> None:
        super().__init__()
        self.config = config
        grams, width = int(config.vocab_size), config.window * config.channels
        self.window = nn.Parameter(torch.empty(grams, width))  # W_c: for each n-gram what it adds at each place
        self.bias = nn.Parameter(torch.zeros(config.channels))
        self.head = nn.Linear(config.channels, config.embedding_size)
        bound = (6 / (config.window * grams + config.channels)) ** 0.5
        nn.init.uniform_(self.window, -bound, bound)
        nn.init.xavier_uniform_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the cosines."""
        if inputs.dim() == 3:
            inputs = inputs[..., None]
        query, documents, there = parted(inputs)
        ours, theirs = self.vectors(query[:, None]), self.vectors(documents)
        return sealed(F.cosine_similarity(ours, theirs, dim=-1), there)  # Eq. 5

    def vectors(self, tokens: Tensor) -> Tensor:
        """Return the vectors of texts ``(B, N, L, M)``, M n-grams of each word: ``(B, N, embedding_size)``."""
        inside = (tokens != 0).any(3)  # (B, N, L)
        known = tokens.masked_fill(tokens == 1, 0).flatten(0, 2)  # (B * N * L, M)
        graph = torch.jit.is_tracing() or torch.compiler.is_compiling()
        if graph or tokens.is_meta:
            sums = (F.embedding(known, self.window) * (known != 0)[..., None]).sum(1)
        else:
            sums = F.embedding_bag(known, self.window, mode="sum", padding_idx=0)
        size, channels = self.config.window, self.config.channels
        parts = sums.view(*inside.shape, size, channels)  # what each word adds at the places around it
        half = size // 2
        shifted = F.pad(parts, (0, 0, 0, 0, half, half))  # (B, N, L + 2 half, size, channels)
        length = inside.shape[2]
        scores = sum(shifted[:, :, by : by + length, by] for by in range(size)) + self.bias  # Eq. 1
        states = scores.tanh().masked_fill(~inside[..., None], -1)  # (B, N, L, channels)
        return self.head(states.amax(2)).tanh()  # Eq. 3, 4

    def landmarks(self) -> dict[str, str]:
        """Return where the vector of a text is made."""
        return {"stem": "", "features": "head", "head": "head"}
