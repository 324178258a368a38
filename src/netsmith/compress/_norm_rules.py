"""Rules for normalization: with stored statistics channel by channel, with its own over the channels that stay."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from netsmith.compress._labels import argument, freeze_all, make_constant, named_tensor, only_axis, varying
from netsmith.compress._marks import Mark, along, frozen
from netsmith.compress._state import State
from netsmith.compress.graph import Labels

__all__ = ["batch_norm", "group_norm", "instance_norm", "layer_norm", "rms_norm"]


def batch_norm(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Normalization with stored statistics: channel by channel."""
    _per_channel(state, args, kwargs, output, nn.modules.batchnorm._BatchNorm)


def instance_norm(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Statistics of each channel of each example."""
    if set(varying(state.mark(args[0]).labels)) - {1}:  # statistics over positions that may go
        freeze_all(state, (args, kwargs))
        make_constant(state, output)
        return
    _per_channel(state, args, kwargs, output, nn.modules.instancenorm._InstanceNorm)


def _per_channel(state: State, args: Any, kwargs: Any, output: Tensor, kind: type[nn.Module]) -> None:
    x = args[0]
    names = ("running_mean", "running_var", "weight", "bias")
    given = {name: argument(args, kwargs, place, name) for place, name in enumerate(names, start=1)}
    zero = state.mark(x).zero or given["weight"] is not None
    channels = only_axis(state, x, 1, sums=False)
    for role, tensor in given.items():
        if tensor is not None:
            # a masked channel has scale, shift and mean 0, so it comes out as zero
            state.slot(named_tensor(state, tensor, role), 0, channels, makes=role != "running_var")
    state.count(kind, num_features=channels)
    state.put(output, Mark(along(channels, 1, output.dim()), zero))


def layer_norm(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Statistics over the last axes: of the positions that stay, in the cut network and in the masked one alike."""
    _last_axes(state, args, kwargs, output, ("weight", "bias"))


def rms_norm(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """As :func:`layer_norm`, without the mean."""
    _last_axes(state, args, kwargs, output, ("weight",))


def _last_axes(state: State, args: Any, kwargs: Any, output: Tensor, roles: tuple[str, ...]) -> None:
    x, axes = args[0], len(argument(args, kwargs, 1, "normalized_shape"))
    given = {role: argument(args, kwargs, place, role) for place, role in enumerate(roles, start=2)}
    mark = state.mark(x)
    inside = {axis - x.dim() for axis in varying(mark.labels) if axis >= x.dim() - axes}
    if inside - {-1} or (axes > 1 and inside) or len(varying(mark.labels)) > 1:
        # the shape is written in the module for several axes at once
        state.norm(frozen(x))
        freeze_all(state, (args, kwargs))
        make_constant(state, output)
        return
    if not inside:
        freeze_all(state, given)
        state.norm(frozen(x))
        shifted = given.get("bias") is not None
        state.put(output, Mark(mark.labels, mark.zero and not shifted))
        return
    channels = only_axis(state, x, -1, sums=False)
    for role, tensor in given.items():
        if tensor is not None:
            state.slot(named_tensor(state, tensor, role), 0, channels, makes=True)
    state.count((nn.LayerNorm, nn.RMSNorm), normalized_shape=channels)
    labels = along(channels, x.dim() - 1, x.dim())
    state.norm(labels)
    state.put(output, Mark(labels))


def group_norm(state: State, args: Any, kwargs: Any, output: Tensor) -> None:
    """Statistics within groups of channels: every group loses the same positions; groups of one go whole."""
    x, groups = args[0], int(argument(args, kwargs, 1, "num_groups"))
    given = {role: argument(args, kwargs, place, role) for place, role in ((2, "weight"), (3, "bias"))}
    channels: Labels = only_axis(state, x, 1, sums=False)
    rows = channels.reshape(groups, -1)
    if rows.shape[1] > 1:
        state.atoms.unite(rows[:1], rows)
    else:
        state.count(nn.GroupNorm, num_groups=channels)
    for role, tensor in given.items():
        if tensor is not None:
            state.slot(named_tensor(state, tensor, role), 0, channels, makes=True)
    state.count(nn.GroupNorm, num_channels=channels)
    labels = along(channels, 1, x.dim())
    state.norm(labels)
    state.put(output, Mark(labels))
