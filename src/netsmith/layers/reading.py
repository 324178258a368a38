"""A language model as what predict, export and serve take: texts in, logits of the next token out."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol, overload, runtime_checkable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree

__all__ = ["END_NUMBER", "UNKNOWN_NUMBER", "Factored", "Read", "Reading", "Stepping"]

UNKNOWN_NUMBER = 1
"""The number of every token that a vocabulary lacks."""
END_NUMBER = 2
"""The number of the mark that ends a line in every stream's vocabulary; a text begins after one."""

_LOGITS = 2**22  # numbers that one window of a reading may hold: 16 MB in single precision


@runtime_checkable
class Factored(Protocol):
    """A model that says what some tokens cost without computing the logits of all."""

    def nats(self, tokens: Tensor, targets: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Return the negative log-likelihood of each target, ``(B, L)``, and the state at the end.

        Args:
            tokens: ``(B, L)`` int64.
            targets: ``(B, L)`` int64, what came next; a negative one may cost anything.
            state: The state before.
        """
        ...


class Read(NamedTuple):
    """What reading some texts gave.

    Attributes:
        nats: ``(B,)``, each text's negative log-likelihood, its first token after the mark that ends a line.
        tokens: ``(B,)`` int64, how many tokens each has.
        following: ``(B, V)`` logits of what follows each text.
        state: The model's state at the end of each text; None where their lengths differ.
    """

    nats: Tensor
    tokens: Tensor
    following: Tensor
    state: Any


class Reading(nn.Module):
    """A model ``(tokens, state) -> (logits, state)``, read from the beginning of each text.

    The first axis of every tensor of a state counts the texts; None is the state before a text.

    Args:
        network: The model.

    Shapes:
        ``(B, L)`` int64, padded on the right with 0, to ``(B, L, V)``: at each place the logits of the token after it.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    @overload
    def forward(self, tokens: Tensor, state: Any = None, *, carry: Literal[False] = False) -> Tensor: ...
    @overload
    def forward(self, tokens: Tensor, state: Any = None, *, carry: Literal[True]) -> tuple[Tensor, Any]: ...
    @overload
    def forward(self, tokens: Tensor, state: Any = None, *, targets: Tensor) -> tuple[Tensor, Any]: ...
    def forward(self, tokens: Tensor, state: Any = None, *, carry: bool = False, targets: Tensor | None = None) -> Any:
        """Return the logits; with ``carry`` those and the state at the end; with ``targets`` what those cost in nats,
        ``(B, L)``, and the state, where the model is :class:`Factored`.
        """
        if targets is not None:
            assert isinstance(self.network, Factored)
            return self.network.nats(tokens, targets, state)
        logits, state = self.network(tokens, state)
        return (logits, state) if carry else logits

    def read(self, tokens: Tensor) -> Read:
        """Read texts a window at a time, so that memory does not grow with their length.

        Args:
            tokens: ``(B, L)`` int64, padded on the right with 0.
        """
        rows = len(tokens)
        lengths = (tokens != 0).sum(1)
        inputs = F.pad(tokens, (1, 0), value=END_NUMBER)  # (B, 1 + L)
        targets = F.pad(tokens, (0, 1))
        state: Any = None
        nats, following, at, window = 0, None, 0, 1
        while at < inputs.shape[1]:
            logits, state = self(inputs[:, at : at + window], state, carry=True)  # (B, T, V)
            wanted = targets[:, at : at + window]
            lost = F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=0, reduction="none")
            nats = nats + lost.view(rows, -1).double().sum(1)
            if following is None:
                following = logits[:, 0]
            places = lengths - at  # of the last token, in this window
            here = (places >= 0) & (places < logits.shape[1])
            last = logits[torch.arange(rows), places.clamp(0, logits.shape[1] - 1)]
            following = torch.where(here[:, None], last, following)
            at += logits.shape[1]
            window = max(1, _LOGITS // (rows * logits.shape[2]))
        assert following is not None
        return Read(nats, lengths, following, state if bool((lengths == lengths[0]).all()) else None)

    def landmarks(self) -> dict[str, str]:
        """Return the model's landmarks by their names here."""
        declare = getattr(self.network, "landmarks", None)
        return {name: f"network.{place}" for name, place in declare().items()} if callable(declare) else {}


class Stepping(nn.Module):
    """A reading that goes on: its state comes in and goes out as plain tensors, for files that write text.

    Args:
        reading: The model.

    Attributes:
        start: The state after the mark that ends a line, where a text begins: tensors of one row.

    Shapes:
        Tokens ``(B, L)`` and the tensors of a state, to logits ``(B, L, V)`` and the tensors of the state at the end.
    """

    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self.reading = reading
        first = next((tensor.device for tensor in (*reading.parameters(), *reading.buffers())), None)
        with torch.no_grad():
            _, state = reading(torch.full((1, 1), END_NUMBER, device=first), carry=True)
        leaves, self.form = pytree.tree_flatten(state)
        self.start: tuple[Tensor, ...] = tuple(leaves)

    def forward(self, tokens: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """Return the logits, and the state's tensors."""
        logits, after = self.reading(tokens, pytree.tree_unflatten(list(state), self.form), carry=True)
        return logits, *pytree.tree_leaves(after)
