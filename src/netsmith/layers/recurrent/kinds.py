"""Cells by name, and which of them torch has a fused kernel for."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.layers.biases import forget_gate_biases
from netsmith.layers.recurrent.additive import AdditiveCell
from netsmith.layers.recurrent.cell import Cell
from netsmith.layers.recurrent.elman import ElmanCell
from netsmith.layers.recurrent.gru import GRUCell
from netsmith.layers.recurrent.jordan import JordanCell
from netsmith.layers.recurrent.lstm import LSTMCell

__all__ = ["CellKind", "check_kind", "make_cell", "make_fused", "own_cell"]

CellKind = Literal[
    "elman",
    "elman_relu",
    "elman_sigmoid",
    "jordan",
    "lstm",
    "lstm_without_forget",
    "lstm_peephole",
    "lstm_coupled",
    "gru",
    "gru_reset_before",
    "additive",
    "additive_recurrent",
]
"""``elman`` has tanh, ``gru`` resets after the product (torch's form); the others say what they are."""

_FUSED = ("elman", "elman_relu", "lstm", "gru")
_WITH_FORGET_BIAS = ("lstm", "lstm_peephole")


def check_kind(kind: CellKind, *, output_size: int = 0, forget_bias: float | None = None) -> None:
    """Refuse settings that a kind of cell does not have.

    Raises:
        ConfigError: An ``output_size`` without or besides a Jordan cell, a ``forget_bias`` without a forget gate.
    """
    if (kind == "jordan") != (output_size > 0):
        raise ConfigError(
            f"output_size={output_size}: a jordan cell needs one above 0, and no other has one (here: {kind})"
        )
    if forget_bias is not None and kind not in _WITH_FORGET_BIAS:
        raise ConfigError(
            f"forget_bias={forget_bias:g}: {kind} has no bias of a forget gate, only {' and '.join(_WITH_FORGET_BIAS)}"
        )


def make_cell(
    kind: CellKind, input_size: int, hidden_size: int, *, output_size: int = 0, forget_bias: float | None = None
) -> Cell:
    """Return a cell of ours by its name.

    Args:
        kind: Its name.
        input_size: Numbers per step that come in.
        hidden_size: Hidden units.
        output_size: Numbers per step that go out; of ``jordan`` alone.
        forget_bias: What the forget gate's bias starts at; None draws it.

    Raises:
        ConfigError: Settings the kind does not have.
    """
    check_kind(kind, output_size=output_size, forget_bias=forget_bias)
    if kind == "jordan":
        return JordanCell(input_size, hidden_size, output_size=output_size)
    if kind in ("gru", "gru_reset_before"):
        return GRUCell(input_size, hidden_size, reset="after" if kind == "gru" else "before")
    if kind in ("additive", "additive_recurrent"):
        return AdditiveCell(input_size, hidden_size, recurrent=kind == "additive_recurrent")
    if kind == "elman" or kind == "elman_relu" or kind == "elman_sigmoid":
        activations = {"elman": "tanh", "elman_relu": "relu", "elman_sigmoid": "sigmoid"}
        return ElmanCell(input_size, hidden_size, activation=activations[kind])  # type: ignore[arg-type]
    forget = {"lstm_without_forget": "none", "lstm_coupled": "coupled"}.get(kind, "gate")
    return LSTMCell(
        input_size,
        hidden_size,
        forget=forget,  # type: ignore[arg-type]
        peepholes=kind == "lstm_peephole",
        forget_bias=forget_bias,
    )


def make_fused(
    kind: CellKind, input_size: int, hidden_size: int, *, forget_bias: float | None = None
) -> nn.RNNBase | None:
    """Return torch's module of one layer and direction that is the same function, batch first; None where it has none.

    It adds two biases where the cell of ours has one.
    """
    check_kind(kind, output_size=1 if kind == "jordan" else 0, forget_bias=forget_bias)
    if kind not in _FUSED:
        return None
    if kind == "gru":
        return nn.GRU(input_size, hidden_size, batch_first=True)
    if kind != "lstm":
        return nn.RNN(input_size, hidden_size, nonlinearity="tanh" if kind == "elman" else "relu", batch_first=True)
    layer = nn.LSTM(input_size, hidden_size, batch_first=True)
    if forget_bias is not None:
        forget_gate_biases(layer, forget_bias)
    return layer


@torch.no_grad()
def own_cell(fused: nn.RNNBase, *, layer: int = 0, reverse: bool = False) -> Cell:
    """Return a cell of ours with the weights of one layer and direction of torch's module: to go step by step.

    Args:
        fused: ``nn.RNN``, ``nn.LSTM`` or ``nn.GRU``.
        layer: Which layer.
        reverse: Whether of its backward direction.

    Raises:
        UnsupportedError: A projected LSTM.
    """
    if fused.proj_size:
        raise UnsupportedError(f"a cell of ours has no projection, and the module's proj_size is {fused.proj_size}")
    kinds: dict[str, CellKind] = {"RNN_TANH": "elman", "RNN_RELU": "elman_relu", "LSTM": "lstm", "GRU": "gru"}
    suffix = f"l{layer}{'_reverse' if reverse else ''}"
    given, fed_back = (getattr(fused, f"weight_{which}_{suffix}") for which in ("ih", "hh"))
    cell = make_cell(kinds[fused.mode], given.shape[1], fused.hidden_size).to(given.dtype).to(given.device)
    recurrent = cell.recurrent
    assert isinstance(recurrent, nn.Linear)
    cell.inputs.weight.copy_(given)
    recurrent.weight.copy_(fed_back)
    first, second = (
        (getattr(fused, f"bias_{which}_{suffix}") if fused.bias else torch.zeros_like(cell.inputs.bias))
        for which in ("ih", "hh")
    )
    if isinstance(cell, GRUCell):
        assert cell.candidate_bias is not None
        before, inside = second.split([2 * fused.hidden_size, fused.hidden_size])
        cell.candidate_bias.copy_(inside)
        second = torch.cat([before, torch.zeros_like(inside)])
    cell.inputs.bias.copy_(first + second)
    return cell
