"""Show, attend and tell: an LSTM that looks at a part of the picture before each word (Xu et al. 2015)."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.writing import Writer
from netsmith.models.captioning._features import PictureFeatures

__all__ = ["ShowAttendAndTell"]

SIZES = {"show_attend_and_tell": {"encoder": {"kind": "small_cnn", "in_channels": 3, "num_classes": 1}}}


class _State(NamedTuple):
    features: Tensor  # a: (N, L, D)
    keys: Tensor  # (N, L, A)
    hidden: Tensor  # h: (N, H)
    cell: Tensor
    weights: Tensor  # alpha of the last step: (N, L)


class ShowAttendAndTell(Writer):
    r"""Say what is in a picture, and show for each word where that was read.

    Xu, Ba, Kiros, Cho, Courville, Salakhutdinov, Zemel, Bengio, "Show, attend and tell: neural image caption generation
    with visual attention", ICML 2015, arXiv:1502.03044; its deterministic soft attention (section 4.2). With the
    vectors :math:`a_1 \ldots a_L` of the places of a feature map:

    .. math::
        e_{ti} &= f_{att}(a_i, h_{t-1}), \qquad \alpha_{ti} = \exp e_{ti} / \sum_k \exp e_{tk} \\
        \hat z_t &= \beta_t \sum_i \alpha_{ti} a_i, \qquad \beta_t = \sigma(f_\beta(h_{t-1})) \\
        h_t &= LSTM(E y_{t-1}, \hat z_t; h_{t-1}) \\
        p(y_t) &\propto \exp(L_o (E y_{t-1} + L_h h_t + L_z \hat z_t))

    (Eqs. 1 to 7 and 13.) The first h and c are functions of the mean of the a. With ``penalty`` :math:`\lambda` each
    text's loss gets :math:`\lambda \sum_i (1 - \sum_t \alpha_{ti})^2` (Eq. 14), so that over the whole text every place
    is looked at about as much as any other.

    Names: our ``keys`` are the part of :math:`f_{att}` that does not change from word to word; the attention is an MLP
    of one hidden layer of tanh, as Bahdanau's.

    Shapes:
        Pictures ``(B, C, S, S)`` and words ``(B, T)`` int64, to logits ``(B, T, V)``.
    """

    class Config(ModelConfig):
        """The network's form; the paper's LSTM has 1,000 units for Flickr8k (its code), word vectors 512.

        Attributes:
            encoder: The network whose features are looked at; trained along.
            places: Each place has a learned vector that is added to what is seen there: a feature map whose places see
                little of the borders does not know where they are. Not in the paper.
            embedding_size: Numbers per word.
            hidden_size: Units of the LSTM.
            attention_size: Hidden units of the attention.
            gate: Whether beta scales what is seen; else it is 1.
            penalty: lambda.
            dropout: Share dropped in training of what goes into the last layer.
            num_outputs: Words known, padding, unknown and the end mark included.
            in_channels: Channels of a picture.
            image_size: Height and width of a picture.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size", "attention_size")

        encoder: ModelConfig
        places: bool = False
        embedding_size: int = Field(default=512, ge=1)
        hidden_size: int = Field(default=1000, ge=1)
        attention_size: int = Field(default=512, ge=1)
        gate: bool = True
        penalty: float = Field(default=1.0, ge=0)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        num_outputs: int | Auto = AUTO
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO

    def __init__(self, config: ShowAttendAndTell.Config) -> None:
        super().__init__()
        self.config = config
        self.features = PictureFeatures(config.encoder, channels=int(config.in_channels), size=int(config.image_size))
        seen, size, words = self.features.width, config.hidden_size, config.embedding_size
        count = self.features.grid[0] * self.features.grid[1]
        self.places = nn.Parameter(0.1 * torch.randn(count, seen)) if config.places else None
        self.first_hidden = nn.Linear(seen, size)
        self.first_cell = nn.Linear(seen, size)
        self.key = nn.Linear(seen, config.attention_size)
        self.query = nn.Linear(size, config.attention_size, bias=False)
        self.energy = nn.Linear(config.attention_size, 1, bias=False)  # a bias falls out of the softmax
        self.gate = nn.Linear(size, 1) if config.gate else None
        self.embedding = nn.Embedding(int(config.num_outputs), words)
        self.cell = nn.LSTMCell(words + seen, size)
        self.from_hidden = nn.Linear(size, words)
        self.from_seen = nn.Linear(seen, words, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(words, int(config.num_outputs))

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the places that the attention is over."""
        return self.features.grid

    def begin(self, source: Tensor) -> _State:
        """Look at the pictures; return the state before the first word."""
        features = self.features(source)  # (B, L, D)
        if self.places is not None:
            features = features + self.places
        mean = features.mean(1)
        hidden, cell = torch.tanh(self.first_hidden(mean)), torch.tanh(self.first_cell(mean))
        return _State(features, self.key(features), hidden, cell, torch.zeros_like(features[..., 0]))

    def step(self, tokens: Tensor, state: _State) -> tuple[Tensor, _State]:
        """Return the logits after one more word of each text."""
        words = self.embedding(tokens)
        seen, state = self._look(words, state)
        return self._answer(words, state.hidden, seen), state

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """Return the logits after every word."""
        return self.costly(source, written, torch.ones_like(written, dtype=torch.bool))[0]

    def costly(self, source: Tensor, written: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits, and what each text adds to its loss, ``(B,)`` (the second term of Eq. 14)."""
        state = self.begin(source)
        words = self.embedding(written)  # (B, T, E)
        hidden, seen, weights = [], [], []
        for word in words.unbind(1):
            found, state = self._look(word, state)
            hidden.append(state.hidden)
            seen.append(found)
            weights.append(state.weights)
        alpha = torch.stack(weights, 1)  # (B, T, L)
        looked = (alpha * inside[..., None]).sum(1)
        cost = self.config.penalty * (1 - looked).square().sum(1)  # Eq. 14
        return self._answer(words, torch.stack(hidden, 1), torch.stack(seen, 1)), cost

    def attention(self, state: _State) -> Tensor:
        """Return alpha of the last word."""
        return state.weights

    def _look(self, words: Tensor, state: _State) -> tuple[Tensor, _State]:
        """Return what is seen for the next word, ``(N, D)``, and the state."""
        energies = self.energy(torch.tanh(state.keys + self.query(state.hidden)[:, None]))[..., 0]  # Eq. 4
        weights = energies.softmax(1)  # Eq. 5
        seen = torch.einsum("nl,nld->nd", weights, state.features)  # Eq. 13
        if self.gate is not None:
            seen = torch.sigmoid(self.gate(state.hidden)) * seen  # section 4.2.1
        hidden, cell = self.cell(torch.cat([words, seen], 1), (state.hidden, state.cell))  # Eqs. 1 to 3
        return seen, _State(state.features, state.keys, hidden, cell, weights)

    def _answer(self, words: Tensor, hidden: Tensor, seen: Tensor) -> Tensor:
        return self.head(self.dropout(words + self.from_hidden(hidden) + self.from_seen(seen)))  # Eq. 7

    def landmarks(self) -> dict[str, str]:
        """Return where the picture comes in and the head."""
        return {"stem": "features", "head": "head"}
