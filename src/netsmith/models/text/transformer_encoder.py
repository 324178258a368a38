"""The encoder of the Transformer as a classifier of texts (Vaswani et al. 2017, arXiv:1706.03762)."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind

__all__ = ["TransformerEncoder"]


class TransformerEncoder(nn.Module):
    r"""Let every word look at every other: the encoder on which BERT and its kin stand, small enough to read.

    .. math:: \mathrm{Attention}(Q, K, V) = \mathrm{softmax}(Q K^\top / \sqrt{d_k})\, V

    (Eq. 1) in several heads side by side (section 3.2.2), then two linear layers at each position (Eq. 2), each with a
    residual around it. Word vectors are scaled by the root of their size (section 3.4), and sines and cosines of the
    position are added (section 3.5). The mean over a text's words, dropout and a linear layer classify it; padding is
    seen by no word and not counted, so the answer does not depend on how far a text is padded.

    Our ``size`` is the paper's ``d_model``, ``feedforward_size`` its ``d_ff``, ``num_heads`` its ``h``.

    Deviations: with ``norm="pre"`` the normalization stands before each block and once at the end (Xiong et al. 2020,
    arXiv:2002.04745), which needs no warm-up; ``"post"`` is the paper's. Dropout falls on the attention weights and
    within the feed-forward block too, as in the authors' code. Weights are drawn by Glorot's rule, word vectors from a
    normal distribution of variance 1 / size.

    Shapes:
        ``(B, L)`` int64, ``L`` at most ``max_length``, padded on the right with 0, to ``(B, num_classes)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            size: Numbers per word.
            num_layers: Layers above each other.
            num_heads: Heads of each attention; they share ``size`` equally.
            feedforward_size: Hidden units of each feed-forward block.
            norm: Whether the normalization stands before each block (``pre``) or after its residual (``post``).
            dropout: Share dropped in training of words, attention weights, blocks and the pooled features.
            vocab_size: Words known, padding and unknown included.
            max_length: Longest text in words.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("size", "feedforward_size")
        depths: ClassVar[tuple[str, ...]] = ("num_layers",)

        size: int = Field(default=128, ge=2)
        num_layers: int = Field(default=2, ge=1)
        num_heads: int = Field(default=4, ge=1)
        feedforward_size: int = Field(default=256, ge=1)
        norm: Literal["pre", "post"] = "pre"
        dropout: float = Field(default=0.1, ge=0, lt=1)
        vocab_size: int | Auto = AUTO
        max_length: int | Auto = AUTO
        num_classes: int | Auto = AUTO

        def _times(self, name: str, value: int, factor: float) -> int:
            """Take a size that the heads can share."""
            if name == "size":
                step = math.lcm(2, self.num_heads)
                return step * max(1, round(value * factor / step))
            return super()._times(name, value, factor)

        @model_validator(mode="after")
        def _check(self) -> TransformerEncoder.Config:
            if self.size % self.num_heads or self.size % 2:
                raise ValueError(f"size {self.size} must be even and a multiple of num_heads {self.num_heads}")
            return self

    def __init__(self, config: TransformerEncoder.Config) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.size, padding_idx=0)
        self.scale = math.sqrt(config.size)
        self.register_buffer("positions", _positions(config.max_length, config.size), persistent=False)
        self.embedding_dropout = nn.Dropout(config.dropout)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_layers))
        self.norm = nn.LayerNorm(config.size) if config.norm == "pre" else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(config.size, config.num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.embedding.weight.normal_(std=1 / self.scale)
            self.embedding.weight[0] = 0

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits."""
        padding = tokens == 0  # (B, L)
        words = self.embedding(tokens) * self.scale + self.positions[: tokens.shape[1]]  # (B, L, D)
        words = self.embedding_dropout(words)
        for layer in self.layers:
            words = layer(words, padding)
        valid = (~padding)[..., None].to(words.dtype)  # (B, L, 1)
        pooled = (self.norm(words) * valid).sum(1) / valid.sum(1).clamp(min=1)  # (B, D); an empty text gives zeros
        return self.head(self.dropout(pooled))

    def landmarks(self) -> dict[str, str]:
        """Return where the word vectors, the pooled features and the head are."""
        return {"stem": "embedding", "features": "dropout", "head": "head"}


class _Attention(nn.Module):
    """Multi-head attention of a text to itself (section 3.2.2)."""

    def __init__(self, config: TransformerEncoder.Config) -> None:
        super().__init__()
        self.num_heads = config.num_heads
        self.scale = (config.size // config.num_heads) ** -0.5
        self.query = nn.Linear(config.size, config.size)
        self.key = nn.Linear(config.size, config.size, bias=False)  # one would move all scores of a word alike
        self.value = nn.Linear(config.size, config.size)
        self.output = nn.Linear(config.size, config.size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, words: Tensor, padding: Tensor) -> Tensor:
        """Return what each word takes from the others, ``(B, L, D)``."""
        query, key, value = (self._heads(project(words)) for project in (self.query, self.key, self.value))
        scores = query @ key.transpose(-2, -1) * self.scale  # (B, heads, L, L)
        scores = scores.masked_fill(padding[:, None, None], -6e4)  # a weight of 0, in half precision too
        weights = self.dropout(scores.softmax(-1))
        return self.output((weights @ value).transpose(1, 2).flatten(2))  # Eq. 1, and the heads side by side

    def _heads(self, words: Tensor) -> Tensor:
        return words.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # (B, heads, L, D / heads)


class _Layer(nn.Module):
    """Attention, then the feed-forward block, each with its residual and normalization (section 3.1)."""

    def __init__(self, config: TransformerEncoder.Config) -> None:
        super().__init__()
        self.pre = config.norm == "pre"
        self.attention = _Attention(config)
        self.attention_norm = nn.LayerNorm(config.size)
        self.wide = nn.Linear(config.size, config.feedforward_size)
        self.narrow = nn.Linear(config.feedforward_size, config.size)
        self.feedforward_norm = nn.LayerNorm(config.size)
        self.inner_dropout = nn.Dropout(config.dropout)
        self.attention_dropout = nn.Dropout(config.dropout)
        self.feedforward_dropout = nn.Dropout(config.dropout)

    def forward(self, words: Tensor, padding: Tensor) -> Tensor:
        """Return the words as the next layer sees them, ``(B, L, D)``."""
        if self.pre:
            words = words + self.attention_dropout(self.attention(self.attention_norm(words), padding))
            return words + self.feedforward_dropout(self._feedforward(self.feedforward_norm(words)))
        words = self.attention_norm(words + self.attention_dropout(self.attention(words, padding)))
        return self.feedforward_norm(words + self.feedforward_dropout(self._feedforward(words)))

    def _feedforward(self, words: Tensor) -> Tensor:
        return self.narrow(self.inner_dropout(F.relu(self.wide(words))))  # Eq. 2


def _positions(length: int, size: int) -> Tensor:
    """Return the sines (even numbers) and cosines (odd numbers) of section 3.5, ``(length, size)``."""
    place = torch.arange(length, dtype=torch.float64)[:, None]
    angles = place / 10_000 ** (torch.arange(0, size, 2, dtype=torch.float64) / size)  # (length, size / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).to(torch.get_default_dtype())
