"""Cut an optimizer along with its network, so that momentum survives surgery."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from netsmith.compress.surgery import SurgeryLog
from netsmith.core.errors import CheckpointError, UnsupportedError

__all__ = ["cut_optimizer"]


def cut_optimizer(optimizer: torch.optim.Optimizer, before: nn.Module, after: nn.Module, log: SurgeryLog) -> None:
    """Point an optimizer at a cut network's parameters, and cut its state as their weights were cut.

    For elementwise optimizers (SGD, Adam and their like) the cut network then takes the very steps that the masked
    original would (but for rows of queries that a cut within heads scales): tensors of a parameter's shape lose the
    same positions, numbers (step counts) stay. Groups, their settings and schedulers that hold the optimizer are left
    as found; gradients are not carried over, so cut between a step and the next backward pass.

    Args:
        optimizer: Whose parameters are all the network's before; changed in place, wholly or not at all.
        before: The network before the cut.
        after: The network after, with parameters of the same names.
        log: The surgery that turned one into the other: what :func:`~netsmith.compress.prune.prune` returned.

    Raises:
        UnsupportedError: The optimizer holds a parameter of another network, or state that is neither a number nor of
            its parameter's shape (Adafactor's rows and columns, L-BFGS's history): names the parameter and the entry.
        CheckpointError: The log does not lead from one network to the other.
    """
    names = {id(parameter): name for name, parameter in before.named_parameters()}
    targets = dict(after.named_parameters())
    kind = type(optimizer).__name__
    groups: list[list[nn.Parameter]] = []
    states: dict[nn.Parameter, dict[str, Any]] = {}
    # all of it is computed, and so checked, before anything changes
    for number, group in enumerate(optimizer.param_groups):
        groups.append([])
        for place, old in enumerate(group["params"]):
            name = names.get(id(old))
            if name is None:
                raise UnsupportedError(
                    f"parameter {place} of group {number} of {kind}, shape {tuple(old.shape)}, is not one of the "
                    "network before the cut; give the network that the optimizer trains"
                )
            new = targets.get(name)
            cut = log.cut(name, old.detach())
            if new is None or new.shape != cut.shape:
                got = "has no such parameter" if new is None else f"has it in shape {tuple(new.shape)}"
                raise CheckpointError(f"the surgery log gives {name} shape {tuple(cut.shape)}; the cut network {got}")
            groups[-1].append(new)
            if old in optimizer.state:
                entries = optimizer.state[old].items()
                states[new] = {entry: _cut(value, old, log, name, f"{kind}'s {entry}") for entry, value in entries}
    for group, parameters in zip(optimizer.param_groups, groups, strict=True):
        group["params"] = parameters
    optimizer.state.clear()
    optimizer.state.update(states)


def _cut(value: Any, old: Tensor, log: SurgeryLog, name: str, what: str) -> Any:
    if isinstance(value, Tensor) and value.shape == old.shape:
        return log.cut(name, value)
    if value is None or isinstance(value, (bool, int, float)) or (isinstance(value, Tensor) and not value.dim()):
        return value
    found = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
    raise UnsupportedError(
        f"{what} of {name} is {found}; only numbers and tensors of the parameter's shape {tuple(old.shape)} can be cut "
        "along. Start the optimizer anew after the cut"
    )
