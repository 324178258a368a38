"""A hierarchical encoder-decoder for dialogues, with an emotion that is asked for (Serban et al.; Zhou et al.)."""

from __future__ import annotations

from typing import Annotated, ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.errors import ConfigError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.dialogue_text import FIRST_EMOTION, TURN_NUMBER
from netsmith.layers.writing import Writer

__all__ = ["Hred", "turns_of"]


class _State(NamedTuple):
    hidden: Tensor  # (N, H)
    emotion: Tensor  # (N, E)


class Hred(Writer):
    r"""Answer in a dialogue: words make turns, turns make the context, the context begins the answer.

    Serban, Sordoni, Bengio, Courville, Pineau, "Building end-to-end dialogue systems using generative hierarchical
    neural network models", AAAI 2016, arXiv:1507.04808; the emotion by the embedding of Zhou, Huang, Zhang, Zhu, Liu,
    "Emotional chatting machine", AAAI 2018, arXiv:1704.01074. With the words :math:`w_{m,n}` of turn m:

    .. math::
        h_{m,n} &= GRU_{enc}(h_{m,n-1}, w_{m,n}) \\
        c_m &= GRU_{con}(c_{m-1}, h_{m,N_m}) \\
        d_0 &= \tanh(D_0 c_M + b_0), \qquad d_n = GRU_{dec}(d_{n-1}, [w_n; v_e]) \\
        p(w_{n+1}) &= \mathrm{softmax}(O^\top (H_o d_n + E_o w_n + b_o))

    where :math:`v_e` is the vector of the emotion, fed at each step as in the emotional chatting machine; its internal
    and external memories and its attention are left out. A source is the answer's emotion, if ``emotions`` is above 0,
    and the turns before it with a mark between two (:mod:`netsmith.layers.dialogue_text`); of more than ``turns`` of
    them the last are read.

    Shapes:
        Tokens ``(B, L)`` and words ``(B, T)`` int64, to logits ``(B, T, V)``.

    Raises:
        ConfigError: More emotions than the vocabulary has words.
    """

    class Config(ModelConfig):
        """The network's form.

        Attributes:
            turns: The most turns that are read.
            emotions: How many emotions a text may begin with; 0 for none.
            embedding_size: Numbers per word.
            hidden_size: Units of the encoder and of the decoder.
            context_size: Units of the context's network.
            emotion_size: Numbers per emotion.
            dropout: Share dropped in training of the words' vectors, and of what goes into the last layer.
            vocab_size: Tokens known of what is read.
            num_outputs: Words known of what is written.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("text",)
        widths: ClassVar[tuple[str, ...]] = ("embedding_size", "hidden_size", "context_size")

        turns: int = Field(default=3, ge=1, le=100)
        emotions: Annotated[int, Field(ge=0)] | Auto = 0
        embedding_size: int = Field(default=300, ge=1)
        hidden_size: int = Field(default=300, ge=1)
        context_size: int = Field(default=300, ge=1)
        emotion_size: int = Field(default=100, ge=1)
        dropout: float = Field(default=0.0, ge=0, lt=1)
        vocab_size: int | Auto = AUTO
        num_outputs: int | Auto = AUTO

    def __init__(self, config: Hred.Config) -> None:
        super().__init__()
        if FIRST_EMOTION + int(config.emotions) > int(config.vocab_size):
            raise ConfigError(f"emotions={config.emotions}: the vocabulary has {config.vocab_size} tokens in all")
        self.turns = config.turns
        self.emotions = emotions = int(config.emotions)
        words, size = config.embedding_size, config.hidden_size
        mood = config.emotion_size if emotions else 0
        self.reading = nn.Embedding(int(config.vocab_size), words, padding_idx=0)
        self.emotion = nn.Embedding(emotions, mood) if mood else None
        self.encoder = nn.GRU(words, size, batch_first=True)
        self.context = nn.GRU(size, config.context_size, batch_first=True)
        self.context.weight_hh_l0.requires_grad_(config.turns > 1)  # of one turn nothing comes before
        self.first = nn.Linear(config.context_size, size)
        self.writing = nn.Embedding(int(config.num_outputs), words)
        self.decoder = nn.GRU(words + mood, size, batch_first=True)
        self.from_state = nn.Linear(size, words)
        self.from_word = nn.Linear(words, words, bias=False)
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(words, int(config.num_outputs))

    def begin(self, source: Tensor) -> _State:
        """Read the turns; return the state before the answer."""
        turns, count = turns_of(source, most=self.turns, first_word=FIRST_EMOTION + self.emotions)
        rows, most, _ = turns.shape
        lengths = (turns != 0).sum(2)  # (B, U)
        states, _ = self.encoder(self.dropout(self.reading(turns.flatten(0, 1))))  # (B U, W, H)
        last = (lengths.flatten() - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[2])
        ends = states.gather(1, last)[:, 0].view(rows, most, -1)  # (B, U, H)
        ends = ends * (lengths > 0)[..., None]  # a turn without a word says nothing
        contexts, _ = self.context(ends)
        final = (count - 1)[:, None, None].expand(-1, 1, contexts.shape[2])
        hidden = torch.tanh(self.first(contexts.gather(1, final)[:, 0]))
        return _State(hidden, self._mood(source))

    def step(self, tokens: Tensor, state: _State) -> tuple[Tensor, _State]:
        """Return the logits after one more word of each answer."""
        logits, state = self._write(tokens[:, None], state)
        return logits[:, 0], state

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """Return the logits after every word."""
        return self._write(written, self.begin(source))[0]

    def _write(self, written: Tensor, state: _State) -> tuple[Tensor, _State]:
        words = self.dropout(self.writing(written))  # (B, T, E)
        mood = state.emotion[:, None].expand(-1, written.shape[1], -1)
        states, hidden = self.decoder(torch.cat([words, mood], 2), state.hidden[None].contiguous())
        deep = self.from_state(states) + self.from_word(words)
        return self.head(self.dropout(deep)), _State(hidden[0], state.emotion)

    def _mood(self, source: Tensor) -> Tensor:
        """Return the vector of the emotion that a text begins with, zeros where it begins with none: ``(B, E)``."""
        if self.emotion is None:
            return self.first.weight.new_zeros(source.shape[0], 0)
        number = source[:, 0] - FIRST_EMOTION
        known = (number >= 0) & (number < self.emotions)
        return self.emotion(number.clamp(0, self.emotions - 1)) * known[:, None]

    def landmarks(self) -> dict[str, str]:
        """Return where the words come in and the head."""
        return {"stem": "reading", "head": "head"}


def turns_of(tokens: Tensor, *, most: int, first_word: int) -> tuple[Tensor, Tensor]:
    """Cut texts at the marks between turns.

    Args:
        tokens: ``(B, L)`` int64, 0 is padding, :data:`~netsmith.layers.dialogue_text.TURN_NUMBER` ends a turn.
        most: U; of more turns the last are kept.
        first_word: Numbers from :data:`~netsmith.layers.dialogue_text.FIRST_EMOTION` up to it are emotions: no words.

    Returns:
        The words of each turn ``(B, U, W)``, padded with 0 on the right, and how many turns there are ``(B,)``.

    Example:
        >>> turns, count = turns_of(torch.tensor([[4, 8, 9, 3, 7, 0], [6, 3, 6, 3, 5, 5]]), most=2, first_word=5)
        >>> turns.tolist(), count.tolist()
        ([[[8, 9], [7, 0]], [[6, 0], [5, 5]]], [2, 2])
    """
    rows, length = tokens.shape
    mark = tokens == TURN_NUMBER
    emotion = (tokens >= FIRST_EMOTION) & (tokens < first_word)
    turn = mark.long().cumsum(1) - mark.long()  # a mark belongs to the turn that it ends
    count = mark.sum(1) + 1
    word = (tokens != 0) & ~mark & ~emotion
    turn = turn - (count - most).clamp(min=0)[:, None]
    word = word & (turn >= 0)
    slot = torch.where(word, turn, most)  # what is no word of these turns goes to a slot that is thrown away
    same = slot[:, :, None] == torch.arange(most, device=tokens.device)  # (B, L, U)
    place = (same.long().cumsum(1) * same).sum(2) - 1  # how many words of the same turn stand before
    index = torch.where(word, slot * length + place, most * length)
    found = torch.zeros(rows, most * length + 1, dtype=tokens.dtype, device=tokens.device)
    found = found.scatter(1, index, torch.where(word, tokens, 0))[:, : most * length].view(rows, most, length)
    if not (torch.jit.is_tracing() or torch.compiler.is_exporting()):
        found = found[:, :, : max(1, int((found != 0).sum(2).max()))]
    return found, count.clamp(max=most)
