"""Show and tell: a picture is the first word that an LSTM reads (Vinyals et al. 2015)."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.writing import Writer
from netsmith.models.captioning._features import PictureFeatures

__all__ = ["ShowAndTell"]

SIZES = {"show_and_tell": {"encoder": {"kind": "small_cnn", "in_channels": 3, "num_classes": 1}}}


class _State(NamedTuple):
    hidden: Tensor  # (N, H)
    cell: Tensor


class ShowAndTell(Writer):
    r"""Translate a picture into words: a convolutional network in the place of the reading half of seq2seq.

    Vinyals, Toshev, Bengio, Erhan, "Show and tell: a neural image caption generator", CVPR 2015, arXiv:1411.4555.

    .. math::
        x_{-1} &= CNN(I) \\
        x_t &= W_e S_t, \qquad t = 0 \ldots N - 1 \\
        p_{t+1} &= \mathrm{softmax}(W\, LSTM(x_t))

    (Eqs. 10 to 12.) The picture is shown once, before the first word: shown at every step it was worse. ``CNN(I)`` is a
    linear map of the encoder's feature map, of its mean over the places (as in the paper, whose network ends with that
    mean) or of all of them.

    Shapes:
        Pictures ``(B, C, S, S)`` and words ``(B, T)`` int64, to logits ``(B, T, V)``.
    """

    class Config(ModelConfig):
        """The network's form; the paper's LSTM and word vectors have 512.

        Attributes:
            encoder: The network whose features are read; trained along.
            pool: ``mean`` over the places of the feature map, or ``all`` of them.
            embedding_size: Numbers per word, and of the picture.
            hidden_size: Units of the LSTM.
            dropout: Share dropped in training of what goes into the LSTM and comes out of it.
            num_outputs: Words known, padding, unknown and the end mark included.
            in_channels: Channels of a picture.
            image_size: Height and width of a picture.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size")

        encoder: ModelConfig
        pool: str = Field(default="mean", pattern="^(mean|all)$")
        embedding_size: int = Field(default=512, ge=1)
        hidden_size: int = Field(default=512, ge=1)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        num_outputs: int | Auto = AUTO
        in_channels: int | Auto = AUTO
        image_size: int | Auto = AUTO

    def __init__(self, config: ShowAndTell.Config) -> None:
        super().__init__()
        self.config = config
        self.features = PictureFeatures(config.encoder, channels=int(config.in_channels), size=int(config.image_size))
        places = self.features.grid[0] * self.features.grid[1] if config.pool == "all" else 1
        self.picture = nn.Linear(places * self.features.width, config.embedding_size)
        self.embedding = nn.Embedding(int(config.num_outputs), config.embedding_size)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(config.embedding_size, config.hidden_size, batch_first=True)
        self.head = nn.Linear(config.hidden_size, int(config.num_outputs))

    def begin(self, source: Tensor) -> _State:
        """Return the LSTM's state after the picture."""
        seen = self.features(source)  # (B, L, D)
        seen = seen.mean(1) if self.config.pool == "mean" else seen.flatten(1)
        _, (hidden, cell) = self.lstm(self.dropout(self.picture(seen))[:, None])  # Eq. 10
        return _State(hidden[0], cell[0])

    def step(self, tokens: Tensor, state: _State) -> tuple[Tensor, _State]:
        """Return the logits after one more word of each text."""
        states, state = self._read(tokens[:, None], state)
        return self.head(self.dropout(states[:, 0])), state

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """Return the logits after every word."""
        states, _ = self._read(written, self.begin(source))
        return self.head(self.dropout(states))  # Eq. 12

    def _read(self, words: Tensor, state: _State) -> tuple[Tensor, _State]:
        x = self.dropout(self.embedding(words))  # Eq. 11
        states, (hidden, cell) = self.lstm(x, (state.hidden[None].contiguous(), state.cell[None].contiguous()))
        return states, _State(hidden[0], cell[0])

    def landmarks(self) -> dict[str, str]:
        """Return where the picture comes in and the head."""
        return {"stem": "features", "head": "head"}
