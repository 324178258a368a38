"""A bidirectional LSTM over words (Hochreiter & Schmidhuber 1997; Schuster & Paliwal 1997; Graves 2005)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.initialization import he_initialize

__all__ = ["BiLSTM"]


class BiLSTM(nn.Module):
    r"""Read a text from both ends: where the order of words matters and texts are short.

    .. math::
        i, f, o &= \sigma(W_{i,f,o}\, x_t + U_{i,f,o}\, h_{t-1} + b_{i,f,o}) \\
        g &= \tanh(W_g\, x_t + U_g\, h_{t-1} + b_g) \\
        c_t &= f \odot c_{t-1} + i \odot g, \qquad h_t = o \odot \tanh(c_t)

    in each direction (Graves & Schmidhuber 2005, doi:10.1016/j.neunet.2005.06.042, without their peepholes; the forget
    gate is of Gers et al. 2000). The states of both directions stand side by side at every word (Schuster & Paliwal
    1997, doi:10.1109/78.650093); their maximum over the words (or 0, where all are below it) or their mean, dropout and
    a linear layer follow.

    The answer does not depend on how far a text is padded, though the backward direction begins on the padding: a state
    of zeros stays zero where the input and the biases are zero (g = 0, so c = 0 and h = 0). So padding has zero
    vectors, and the biases are the weights of one more input, which is 1 at words and 0 at padding.

    Forget gates begin open, at a bias of 1 (Gers et al. 2000); word vectors are drawn from U(-0.25, 0.25) as in
    :class:`~netsmith.models.text.text_cnn.TextCNN`, the other weights of an LSTM as torch does.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, num_classes)``.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            embedding_size: Numbers per word.
            hidden_size: Hidden units per layer and direction.
            num_layers: Layers above each other; each reads both directions of the one below.
            pooling: What the states of a text become: the ``max`` of each unit over its words and 0, or the
                ``mean``.
            embedding_dropout: Share of the words' numbers dropped in training.
            dropout: Share dropped in training of what goes from layer to layer and of the pooled features.
            vocab_size: Words known, padding and unknown included.
            num_classes: Number of classes.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size")
        depths: ClassVar[tuple[str, ...]] = ("num_layers",)

        embedding_size: int = Field(default=100, ge=1)
        hidden_size: int = Field(default=100, ge=1)
        num_layers: int = Field(default=1, ge=1)
        pooling: Literal["max", "mean"] = "max"
        embedding_dropout: float = Field(default=0.5, ge=0, lt=1)
        dropout: float = Field(default=0.5, ge=0, lt=1)
        vocab_size: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: BiLSTM.Config) -> None:
        super().__init__()
        self.pooling = config.pooling
        self.embedding = nn.Embedding(config.vocab_size, config.embedding_size, padding_idx=0)
        self.embedding_dropout = nn.Dropout(config.embedding_dropout)
        self.between = nn.Dropout(config.dropout)
        sizes = [config.embedding_size] + [2 * config.hidden_size] * (config.num_layers - 1)
        self.layers = nn.ModuleList(  # no layer drops its own input: masks come between, so they are single ones
            nn.LSTM(size + 1, config.hidden_size, bias=False, batch_first=True, bidirectional=True) for size in sizes
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(2 * config.hidden_size, config.num_classes)
        he_initialize(self, nonlinearity="linear")
        with torch.no_grad():
            self.embedding.weight.uniform_(-0.25, 0.25)
            self.embedding.weight[0] = 0
            for layer in self.layers:
                for weight in (layer.weight_ih_l0, layer.weight_ih_l0_reverse):
                    biases = weight[:, -1].view(4, config.hidden_size)  # of i, f, g, o, in torch's order
                    biases.zero_()
                    biases[1] = 1.0

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits."""
        states = self.embedding_dropout(self.embedding(tokens))  # (B, L, E)
        valid = (tokens != 0)[..., None].to(states.dtype)  # (B, L, 1)
        for place, layer in enumerate(self.layers):
            if place:
                states = self.between(states)
            states, _ = layer(torch.cat([states, valid], dim=-1))  # (B, L, 2H): forward, backward
            states = states * valid  # the forward direction ran on behind the text
        return self.head(self.dropout(self._pool(states, valid)))

    def _pool(self, states: Tensor, valid: Tensor) -> Tensor:
        """Return one state per text, ``(B, 2H)``; an empty text gives zeros."""
        if self.pooling == "mean":
            return states.sum(1) / valid.sum(1).clamp(min=1)
        return states.relu().amax(1)  # padding is 0, and so is what was below it

    def landmarks(self) -> dict[str, str]:
        """Return where the word vectors, the pooled features and the head are."""
        return {"stem": "embedding", "features": "dropout", "head": "head"}
