"""A convolutional network over words (Kim 2014, arXiv:1408.5882)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize

__all__ = ["TextCNN"]


class TextCNN(nn.Module):
    r"""Look for short phrases anywhere in a text: a small, strong classifier of sentences.

    .. math:: c_i = w \cdot x_{i:i+h-1} + b, \qquad \hat c = \mathrm{relu}(\max_i c_i)

    for every window size h and every filter (Eqs. 2 and 4; the maximum of the ReLU is the ReLU of the maximum); dropout
    and one linear layer follow. Index 0 is padding: its vector is zero, and no window may begin there, so the answer
    does not depend on how far a text is padded on the right.

    Deviations: one channel of word vectors, learned from scratch (the paper's CNN-rand), and no limit on the norm of
    the last layer's weights. Word vectors are drawn from U(-0.25, 0.25) as in the author's code, the other layers by
    :func:`~netsmith.layers.initialization.he_initialize`.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, num_classes)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            embedding_size: Numbers per word.
            windows: Window sizes h in words.
            filters: Filters of each window size.
            dropout: Share of the pooled features dropped in training.
            vocab_size: Words known, padding and unknown included.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "filters")

        embedding_size: int = Field(default=128, ge=1)
        windows: tuple[int, ...] = (3, 4, 5)
        filters: int = Field(default=100, ge=1)
        dropout: float = Field(default=0.5, ge=0, lt=1)
        vocab_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        @model_validator(mode="after")
        def _check(self) -> TextCNN.Config:
            if not self.windows or min(self.windows) < 1:
                raise ValueError("windows needs at least one size, all positive")
            return self

    def __init__(self, config: TextCNN.Config) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=0)
        self.convs = nn.ModuleList(nn.Conv1d(config.embedding_size, config.filters, size) for size in config.windows)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.filters * len(config.windows), config.num_classes)
        he_initialize(self)
        with torch.no_grad():
            self.embedding.weight.uniform_(-0.25, 0.25)
            self.embedding.weight[0] = 0

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits."""
        words = self.embedding(tokens).transpose(1, 2)  # (B, E, L)
        padding = (tokens == 0)[:, None]  # (B, 1, L)
        pooled = []
        for conv in self.convs:
            found = conv(F.pad(words, (0, conv.kernel_size[0] - 1)))  # Eq. 2: (B, filters, L)
            found = found.masked_fill(padding, float("-inf"))
            pooled.append(F.relu(found.amax(2)))  # Eq. 4: (B, filters); an empty text gives zeros
        return self.head(self.dropout(torch.cat(pooled, 1)))

    def landmarks(self) -> dict[str, str]:
        """Return where the word vectors, the pooled features and the head are."""
        return {"stem": "embedding", "features": "dropout", "head": "head"}
