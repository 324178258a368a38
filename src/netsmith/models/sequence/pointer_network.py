"""Pointer networks: answers that are places of the input (Vinyals, Fortunato & Jaitly 2015)."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.attention_scores import AdditiveScores
from netsmith.layers.reading import END_NUMBER
from netsmith.layers.recurrent.stack import Recurrent
from netsmith.layers.sets import split_set
from netsmith.layers.writing import Writer

__all__ = ["PointerNetwork", "Pointing"]


class Pointing(NamedTuple):
    """What is known of N sets while their answers are written; slot 0 is the end, slot j + 1 place j.

    Attributes:
        items: ``(N, 1 + L, H)``, what the decoder reads after it has named a slot.
        keys: ``(N, 1 + L, H)``, of each slot: W1 e.
        glimpsed: ``(N, 1 + L, H)``, the same for the glimpse; of width 0 without one.
        values: ``(N, 1 + L, H)``, the encoder's states; of width 0 without a glimpse.
        open: ``(N, 1 + L)`` bool, slots that may be named.
        hidden: ``(N, H)``, the decoder's state.
        memory: ``(N, H)``, its memory.
        weights: ``(N, L)``, the distribution over the places at the last step.
    """

    items: Tensor
    keys: Tensor
    glimpsed: Tensor
    values: Tensor
    open: Tensor
    hidden: Tensor
    memory: Tensor
    weights: Tensor


class PointerNetwork(Writer):
    r"""Answer with places of the input, of which there may be any number.

    Vinyals, Fortunato, Jaitly, "Pointer networks", NIPS 2015, arXiv:1506.03134. An LSTM reads the elements, another
    one writes; attention is no means to mix them but the answer itself:

    .. math::
        u_j^i &= v^\top \tanh(W_1 e_j + W_2 d_i) \\
        p(C_i \mid C_1, \ldots, C_{i-1}, P) &= \mathrm{softmax}(u^i) \qquad \text{(Eq. 3)}

    with e the states of the encoder and d those of the decoder, which begins with the last state of the encoder and
    reads the element it named last. The end is a slot of its own with a learned e and a learned element. With a
    ``glimpse`` (Vinyals, Bengio & Kudlur 2016, arXiv:1511.06391, section 4.1.1) d is first replaced by the mean of e
    under an attention of the same form. First weights are from U(-0.08, 0.08), as in the paper.

    Shapes:
        Sets ``(B, L, F + 1)`` (see :func:`~netsmith.layers.sets.pad_sets`) and tokens ``(B, T)`` to logits
        ``(B, T, 3 + L)``: padding and unknown (minus infinity), the end, the places.
    """

    class Config(ModelConfig):
        """The network's form; the paper has 256 or 512 units.

        Attributes:
            hidden_size: Units of encoder, decoder and attention.
            glimpse: Look at the elements once before each answer.
            repeats: Whether a place may be named twice. If not, it is impossible from then on, in training too, as in
                the paper's search for tours.
            in_features: Numbers of an element.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("set",)
        widths: ClassVar[tuple[str, ...]] = ("hidden_size",)

        hidden_size: int = Field(default=256, ge=1)
        glimpse: bool = False
        repeats: bool = True
        in_features: int | Auto = AUTO

    def __init__(self, config: PointerNetwork.Config) -> None:
        super().__init__()
        size, features = config.hidden_size, config.in_features
        self.repeats = config.repeats
        self.embedding = nn.Linear(features, size)
        self.encoder = Recurrent(size, size)
        self.decoder = nn.LSTM(size, size, batch_first=True)
        self.end_item = nn.Parameter(torch.empty(size))
        self.end_state = nn.Parameter(torch.empty(size))
        self.glimpse = AdditiveScores(size, size, size=size) if config.glimpse else None
        self.pointer = AdditiveScores(size, size, size=size)
        with torch.no_grad():
            for parameter in (self.end_item, self.end_state):
                parameter.uniform_(-1, 1)

    def begin(self, source: Tensor) -> Pointing:
        """Read the sets."""
        given, there = split_set(source)  # (B, L, F), (B, L)
        items = self.embedding(given)
        exported = torch.jit.is_tracing() or torch.compiler.is_exporting()  # a file takes sets without padding
        states, (hidden, memory) = self.encoder.carry(items, None if exported else there.sum(1))
        states = torch.cat([_first(self.end_state, states), states], 1)  # (B, 1 + L, H)
        glimpse = self.glimpse
        return Pointing(
            items=torch.cat([_first(self.end_item, items), items], 1),
            keys=self.pointer.project(states),
            glimpsed=states[..., :0] if glimpse is None else glimpse.project(states),
            values=states[..., :0] if glimpse is None else states,
            open=torch.cat([torch.ones_like(there[:, :1]), there], 1),
            hidden=hidden[0],
            memory=memory[0],
            weights=torch.zeros_like(given[..., 0]),
        )

    def step(self, tokens: Tensor, state: Pointing) -> tuple[Tensor, Pointing]:
        """Return the logits of the next slot ``(N, 3 + L)`` after the tokens ``(N,)``."""
        slots = _slots(tokens)[:, None]  # (N, 1)
        read, (hidden, memory) = self.decoder(_taken(state.items, slots), (state.hidden[None], state.memory[None]))
        state = state._replace(hidden=hidden[0], memory=memory[0])
        if not self.repeats:
            state = state._replace(open=state.open & ~_named(slots, state.open.shape[1])[:, 0])
        scores = self._scores(read, state, state.open[:, None])[:, 0]  # (N, 1 + L)
        return _logits(scores), state._replace(weights=scores.softmax(1)[:, 1:])

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """Return the logits after each written token, ``(B, T, 3 + L)``."""
        state = self.begin(source)
        slots = _slots(written)  # (B, T)
        read, _ = self.decoder(_taken(state.items, slots), (state.hidden[None], state.memory[None]))
        allowed = state.open[:, None]
        if not self.repeats:
            allowed = allowed & ~_named(slots, state.open.shape[1]).cummax(1).values
        return _logits(self._scores(read, state, allowed))

    def attention(self, state: Pointing) -> Tensor:
        """Return the distribution over the places at the last step, ``(N, L)``; what is missing to 1 is the end's."""
        return state.weights

    def bars_written(self) -> bool:
        """Return whether a place can be named once alone."""
        return not self.repeats

    def _scores(self, read: Tensor, state: Pointing, allowed: Tensor) -> Tensor:
        """Return u ``(N, T, 1 + L)`` for the decoder's states ``(N, T, H)``."""
        if self.glimpse is not None:
            looked = self.glimpse(read, state.glimpsed).masked_fill(~allowed, -torch.inf).softmax(2)
            read = looked @ state.values
        return self.pointer(read, state.keys).masked_fill(~allowed, -torch.inf)

    def landmarks(self) -> dict[str, str]:
        """Return where reading and pointing are."""
        return {"stem": "encoder", "features": "decoder", "head": "pointer"}


def _first(learned: Tensor, others: Tensor) -> Tensor:
    """Return a learned vector ``(H,)`` once for each row of ``(B, L, H)``: ``(B, 1, H)``."""
    return learned + torch.zeros_like(others[:, :1])


def _taken(items: Tensor, slots: Tensor) -> Tensor:
    """Return the items ``(N, T, H)`` at slots ``(N, T)``."""
    return items.gather(1, slots[..., None].expand(-1, -1, items.shape[2]))


def _slots(tokens: Tensor) -> Tensor:
    """Return the slots of tokens; padding reads as the end does."""
    return (tokens - END_NUMBER).clamp(min=0)


def _named(slots: Tensor, count: int) -> Tensor:
    """Return which places ``(N, T, count)`` bool are named at each step; the end never counts."""
    return (slots[..., None] == torch.arange(count, device=slots.device)) & (slots[..., None] > 0)


def _logits(scores: Tensor) -> Tensor:
    return nn.functional.pad(scores, (END_NUMBER, 0), value=-torch.inf)
