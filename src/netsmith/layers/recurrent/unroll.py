"""Running a cell over sequences: full and truncated back-propagation through time, padding, both directions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError
from netsmith.layers.recurrent.cell import Cell, State

__all__ = ["places_inside", "reversed_within", "truncated", "unroll"]


def unroll(cell: Cell, x: Tensor, *, lengths: Tensor | None = None, state: State | None = None) -> tuple[Tensor, State]:
    """Run a cell over sequences, a step after the other; gradients go back through all of them.

    Args:
        cell: Any cell.
        x: ``(B, L, input_size)``, padded on the right.
        lengths: ``(B,)`` steps of each; None for L. Behind them outputs are 0 and the state stays.
        state: The state before the first step; None for the cell's own.

    Returns:
        Outputs ``(B, L, output_size)``, and the state after each sequence's last step.

    Raises:
        DataError: ``x`` has another shape, or no step.

    Example:
        >>> from netsmith.layers.recurrent.elman import ElmanCell
        >>> outputs, (last,) = unroll(ElmanCell(3, 4), torch.zeros(2, 5, 3), lengths=torch.tensor([5, 2]))
        >>> bool((last[1] == outputs[1, 1]).all()), bool((outputs[1, 2:] == 0).all())
        (True, True)
    """
    if x.dim() != 3 or x.shape[2] != cell.input_size or not x.shape[1]:
        raise DataError(f"expected sequences of shape (batch, steps, {cell.input_size}), got {tuple(x.shape)}")
    state = cell.start(x.shape[0]) if state is None else state  # of a graph, any number
    outputs = []
    for time, projected in enumerate(cell.project(x).unbind(1)):
        output, after = cell.step(projected, state)
        outputs.append(output)
        if lengths is not None:
            inside = (time < lengths)[:, None]  # (B, 1)
            after = tuple(torch.where(inside, new, old) for new, old in zip(after, state, strict=True))
        state = after
    result = torch.stack(outputs, dim=1)  # (B, L, O)
    return (result if lengths is None else result * places_inside(result, lengths)), state


def truncated(
    run: Callable[[Tensor, State | None], tuple[Tensor, State]],
    x: Tensor,
    *,
    window: int,
    state: State | None = None,
) -> tuple[Tensor, State]:
    r"""Run over sequences in windows: the state goes on from one to the next, the gradient does not.

    Truncated back-propagation through time (Williams & Peng 1990, with :math:`h = h'`): the values are those of the
    whole, and so is the gradient where one window covers the sequence.

    Args:
        run: Takes a stretch ``(B, l, I)`` and a state, returns outputs and the next state: :func:`unroll` of a cell, or
            :meth:`~netsmith.layers.recurrent.stack.Recurrent.carry`.
        x: ``(B, L, I)``.
        window: Steps of a window.
        state: The state before the first step.

    Raises:
        ConfigError: A window below 1.
    """
    if window < 1:
        raise ConfigError(f"window={window}: expected at least one step")
    outputs = []
    for stretch in x.split(window, dim=1):
        state = None if state is None else tuple(part.detach() for part in state)
        output, state = run(stretch, state)
        outputs.append(output)
    assert state is not None
    return torch.cat(outputs, dim=1), state


def places_inside(x: Tensor, lengths: Tensor) -> Tensor:
    """Return 1 at the places before each sequence's length and 0 behind: ``(B, L, 1)`` of the type of ``(B, L, ...)``.

    Example:
        >>> places_inside(torch.zeros(2, 3), torch.tensor([3, 1])).squeeze(2).tolist()
        [[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]
    """
    return (torch.arange(x.shape[1], device=x.device) < lengths[:, None])[..., None].to(x.dtype)


def reversed_within(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Return sequences ``(B, L, F)`` the other way round, each within its length; padding stays where it is.

    Example:
        >>> reversed_within(torch.tensor([[[1], [2], [3], [0]]]), torch.tensor([3])).flatten().tolist()
        [3, 2, 1, 0]
    """
    if lengths is None:
        return x.flip(1)
    time = torch.arange(x.shape[1], device=x.device)
    source = torch.where(time < lengths[:, None], lengths[:, None] - 1 - time, time)  # (B, L)
    return x.gather(1, source[..., None].expand_as(x))
