"""The plane in which a training moves: principal components of its weights (Li et al. 2018, arXiv:1712.09913).

In a space of very many dimensions two random directions are nearly orthogonal to any path: drawn on them a training
seems to stand still. Its own principal components show most of its way (section 7 of the paper), and
:func:`~netsmith.explain.landscape.loss_surface` the loss under it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import UnknownNameError, UserError

__all__ = ["Trajectory", "trajectory_plane"]


class Trajectory(NamedTuple):
    """The plane of a training, and the training in it.

    Attributes:
        directions: As :func:`loss_surface` takes them; orthonormal, float64.
        coordinates: ``(T, K)`` float64: each state's place, the center's is 0.
        explained: ``(K,)`` float64: the share of the states' variance along each direction, 0..1.
    """

    directions: list[dict[str, Tensor]]
    coordinates: Tensor
    explained: Tensor


def trajectory_plane(
    states: Sequence[Mapping[str, Tensor]],
    *,
    count: int = 2,
    center: Mapping[str, Tensor] | None = None,
    names: Iterable[str] | None = None,
) -> Trajectory:
    """Return the principal components of a training's states, and the states projected on them (Li et al., section 7).

    Args:
        states: T > ``count`` state dicts (or parameters by name) in the order of the training.
        count: How many components.
        center: Where the coordinates are 0; None is the last state. Hand it to :func:`loss_surface` too.
        names: The tensors that count; None takes every floating-point one, buffers of a state dict among them (give
            the names of the parameters to leave running statistics out).

    Raises:
        UserError: Too few states, states that differ in names or shapes or are not finite, or that span fewer
            directions than asked for.
        UnknownNameError: A name that is in no state.

    Example:
        >>> states = [{"w": torch.tensor([1.0, 2.0]) * t} for t in (2.0, 1.0, 0.0)]
        >>> trajectory_plane(states, count=1).explained.tolist()
        [1.0]
    """
    if count < 1 or len(states) <= count:
        raise UserError(f"got {len(states)} states for {count} directions; expected more states than directions")
    last = states[-1] if center is None else center
    kept = [name for name, tensor in last.items() if tensor.is_floating_point()] if names is None else list(names)
    for name in kept:
        for at, state in enumerate((*states, last)):
            if name not in state:
                raise UnknownNameError(f"tensor (in state {at})", name, state)
            if state[name].shape != last[name].shape:
                shapes = f"{tuple(state[name].shape)}; expected {tuple(last[name].shape)}"
                raise UserError(f"{name} of state {at} has shape {shapes}")
    if not kept:
        raise UserError("the states hold no floating-point tensor; expected weights by name")
    origin, *rows = (
        torch.cat([state[name].detach().cpu().double().flatten() for name in kept]) for state in (last, *states)
    )
    offsets = torch.stack(rows) - origin  # (T, P)
    if not bool(offsets.isfinite().all()):
        raise UserError(f"{int((~offsets.isfinite()).any(1).sum())} states are not finite; leave them out")
    _, spread, components = torch.linalg.svd(offsets - offsets.mean(0), full_matrices=False)
    rank = int((spread > 1e-12 * spread[0]).sum())
    if rank < count:
        raise UserError(f"the {len(states)} states span {rank} directions; expected at least {count}: ask for fewer")
    chosen = components[:count]
    # A component's sign is free; one rule makes two runs draw the same picture.
    largest = chosen.abs().argmax(1, keepdim=True)
    chosen = chosen * chosen.gather(1, largest).sign()
    sizes = [last[name].numel() for name in kept]
    directions = [
        {name: part.reshape(last[name].shape).clone() for name, part in zip(kept, row.split(sizes), strict=True)}
        for row in chosen
    ]
    shares = spread.square() / spread.square().sum()
    return Trajectory(directions, offsets @ chosen.T, shares[:count])
