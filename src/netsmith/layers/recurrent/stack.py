"""Recurrent layers above each other, in one or both directions, of any cell."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from netsmith.core.errors import ConfigError, DataError
from netsmith.layers.recurrent.cell import Cell, State
from netsmith.layers.recurrent.kinds import CellKind, check_kind, make_cell, make_fused
from netsmith.layers.recurrent.unroll import places_inside, reversed_within, unroll

__all__ = ["Recurrent"]


class Recurrent(nn.Module):
    r"""A stack of recurrent layers over sequences, of any kind of cell.

    Each layer reads the outputs of the one below; with ``bidirectional`` a second pass reads from the end, and both
    stand side by side (Schuster & Paliwal 1997). ``passes`` holds one module for each layer and direction, in the order
    of torch's states. Where torch's fused kernel is the same function (Elman with tanh or ReLU, LSTM, GRU), each is
    such a module, so that surgery and export know it; else the cell is run by
    :func:`~netsmith.layers.recurrent.unroll.unroll`.

    The result never depends on padding: the backward pass begins at each sequence's own last step. For this sequences
    are turned within their lengths rather than packed: on a CPU a packed LSTM takes twice the time, and ONNX does not
    know packing.

    Args:
        input_size: Numbers per step that come in.
        hidden_size: Hidden units of each layer and direction.
        cell: Kind of cell.
        num_layers: Layers above each other.
        bidirectional: Whether both directions are read.
        dropout: Share dropped in training between the layers.
        output_size: Numbers per step of each layer and direction; of ``jordan`` alone.
        forget_bias: What forget gates' biases start at; None draws them.
        fused: Take torch's kernel where it has one.

    Shapes:
        ``(B, L, input_size)``, padded on the right, to ``(B, L, width)``: ``width`` is that of a layer's outputs, both
        directions counted.

    Raises:
        ConfigError: Settings the kind of cell does not have, or numbers out of range.

    Example:
        >>> layer = Recurrent(3, 5, cell="gru", num_layers=2, bidirectional=True)
        >>> layer(torch.zeros(4, 7, 3), torch.tensor([7, 5, 2, 1])).shape, layer.width
        (torch.Size([4, 7, 10]), 10)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        cell: CellKind = "lstm",
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        output_size: int = 0,
        forget_bias: float | None = None,
        fused: bool = True,
    ) -> None:
        super().__init__()
        check_kind(cell, output_size=output_size, forget_bias=forget_bias)
        if num_layers < 1 or not 0 <= dropout < 1:
            raise ConfigError(f"expected num_layers >= 1 and dropout in [0, 1), got {num_layers} and {dropout:g}")
        self.directions = 2 if bidirectional else 1
        self.width = self.directions * (output_size or hidden_size)
        self.dropout = nn.Dropout(dropout)
        self.passes = nn.ModuleList()
        for layer in range(num_layers):
            size = self.width if layer else input_size
            for _ in range(self.directions):
                made = make_fused(cell, size, hidden_size, forget_bias=forget_bias) if fused else None
                own = made or make_cell(cell, size, hidden_size, output_size=output_size, forget_bias=forget_bias)
                self.passes.append(own)

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the outputs of the last layer, 0 behind each sequence's length; what networks of whole sequences take.

        Args:
            x: ``(B, L, input_size)``.
            lengths: ``(B,)`` steps of each sequence; None for L.
        """
        self._check(x)
        for layer in range(len(self.passes) // self.directions):
            outputs = []
            for direction in range(self.directions):
                given = reversed_within(x, lengths) if direction else x
                output, _ = _run(self.passes[layer * self.directions + direction], given)
                outputs.append(reversed_within(output, lengths) if direction else output)
            x = self._between(outputs, layer)
            if lengths is not None:
                x = x * places_inside(x, lengths)
        return x

    def carry(self, x: Tensor, lengths: Tensor | None = None, *, state: State | None = None) -> tuple[Tensor, State]:
        """Return the outputs and the states after each sequence's last step: for streams, encoders and decoders.

        Args:
            x: ``(B, L, input_size)``.
            lengths: ``(B,)`` steps of each sequence; None for L.
            state: What an earlier call returned; None for zeros.

        Returns:
            The outputs of :meth:`forward`, and tensors ``(num_layers * directions, B, S)`` as torch orders them: of an
            LSTM (h, c).

        Raises:
            DataError: ``x`` or ``state`` of another shape.
        """
        self._check(x)
        if state is not None and any(part.shape[:2] != (len(self.passes), len(x)) for part in state):
            shapes = [tuple(part.shape) for part in state]
            raise DataError(f"expected a state of shapes ({len(self.passes)}, {len(x)}, units), got {shapes}")
        states = []
        for layer in range(len(self.passes) // self.directions):
            outputs = []
            for direction in range(self.directions):
                place = layer * self.directions + direction
                before = None if state is None else tuple(part[place] for part in state)
                given = reversed_within(x, lengths) if direction else x
                output, after = _run(self.passes[place], given, lengths=lengths, state=before)
                outputs.append(reversed_within(output, lengths) if direction else output)
                states.append(after)
            x = self._between(outputs, layer)
        return x, tuple(torch.stack(parts) for parts in zip(*states, strict=True))

    def _between(self, outputs: list[Tensor], layer: int) -> Tensor:
        x = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
        return x if layer == len(self.passes) // self.directions - 1 else self.dropout(x)

    def _check(self, x: Tensor) -> None:
        size = self.passes[0].input_size
        if x.dim() != 3 or x.shape[2] != size or not x.shape[1]:
            raise DataError(f"expected sequences of shape (batch, steps, {size}), got {tuple(x.shape)}")


def _run(
    layer: nn.Module, x: Tensor, *, lengths: Tensor | None = None, state: State | None = None
) -> tuple[Tensor, State]:
    """Run one layer in one direction; the state it returns counts with the lengths it is given."""
    if isinstance(layer, Cell):
        return unroll(layer, x, lengths=lengths, state=state)
    assert isinstance(layer, nn.RNNBase)
    single = not isinstance(layer, nn.LSTM)
    before = None if state is None else tuple(part[None] for part in state)
    given = before[0] if single and before is not None else before
    if lengths is None:
        outputs, after = layer(x, given)
    else:  # only a packed run ends at each sequence's last step
        packed = pack_padded_sequence(x, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
        outputs, after = layer(packed, given)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True, total_length=x.shape[1])
        outputs = outputs * places_inside(outputs, lengths)
    found = tuple(part[0] for part in ((after,) if single else after))
    if lengths is not None:  # an empty sequence was packed as one step
        start = tuple(torch.zeros_like(part) for part in found) if state is None else state
        found = tuple(torch.where(lengths[:, None] > 0, new, old) for new, old in zip(found, start, strict=True))
    return outputs, found
