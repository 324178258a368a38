"""A cut network in a folder: weights as safetensors, logs as JSON, and their hashes; nothing in it can execute code."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from netsmith.compress.factorize import FactorLog, apply_factors
from netsmith.compress.surgery import SurgeryLog, apply_surgery
from netsmith.core.errors import CheckpointError, UnsupportedError, shorten
from netsmith.engine import checkpoint

__all__ = ["Log", "load_cut", "operate", "read_log", "save_cut"]

Log = SurgeryLog | FactorLog
"""What was done to a network, as plain data."""


def read_log(value: Any) -> Log:
    """Return the log that JSON values say, trusting nothing.

    Raises:
        CheckpointError: They are no log of either kind.
    """
    factors = isinstance(value, dict) and "factors" in value
    return FactorLog.from_json(value) if factors else SurgeryLog.from_json(value)


def operate(module: nn.Module, log: Log) -> nn.Module:
    """Give a network of the original's class the shapes that a log says, in place, so that weights can be loaded.

    Raises:
        CheckpointError: The log does not fit the network; nothing has been changed then.
    """
    return apply_surgery(module, log) if isinstance(log, SurgeryLog) else apply_factors(module, log)


def save_cut(folder: str | Path, module: nn.Module, logs: Sequence[Log]) -> Path:
    """Keep a network that was cut or factorized, so that :func:`load_cut` can build it again.

    Args:
        folder: Where a checkpoint of the weights and the logs goes (:mod:`netsmith.engine.checkpoint`).
        module: The changed network.
        logs: What was done to the original, in that order.

    Returns:
        The checkpoint's folder.

    Raises:
        UnsupportedError: The network's state holds more than tensors.
        RunError: The disk is full or not writable.
    """
    state = module.state_dict()
    other = next((name for name, value in state.items() if not isinstance(value, Tensor)), None)
    if other is not None:
        raise UnsupportedError(f"{type(module).__name__} keeps {other!r} in its state, which is no tensor")
    states = {"surgery": [log.to_json() for log in logs]}
    return checkpoint.save(Path(folder), checkpoint.Snapshot(0, state, states=states))


def load_cut(folder: str | Path, module: nn.Module) -> tuple[nn.Module, tuple[Log, ...]]:
    """Build again what :func:`save_cut` kept: a copy of a fresh network, cut as the logs say, with the weights.

    Args:
        folder: As it was given to :func:`save_cut`.
        module: A network of the original's class and shapes; not touched.

    Returns:
        The network, equal to the one that was saved, and the logs.

    Raises:
        CheckpointError: Nothing was saved there, a hash does not hold, or logs or weights do not fit the network.

    Example:
        >>> import tempfile, torch
        >>> from netsmith.compress.prune import prune
        >>> def original(): return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> small, log = prune(original(), torch.zeros(1, 4), ratio=0.5)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = save_cut(folder, small, [log])
        ...     again, _ = load_cut(folder, original())
        >>> torch.equal(again[0].weight, small[0].weight)
        True
    """
    root = Path(folder)
    found = checkpoint.folders(root)
    if not found:
        raise CheckpointError(f"{root.name} holds no network that was saved; give the folder that it was saved to")
    snapshot = checkpoint.load(found[0])
    logs = snapshot.states.get("surgery") if isinstance(snapshot.states, dict) else None
    if not isinstance(logs, list):
        raise CheckpointError(f"{root.name} holds a checkpoint without a list of logs; expected one by save_cut")
    module, read = copy.deepcopy(module), tuple(read_log(log) for log in logs)
    for log in read:
        module = operate(module, log)
    for name, held in module.state_dict().items():
        new = snapshot.weights.get(name)
        if new is not None and isinstance(held, Tensor) and new.dtype != held.dtype:
            raise CheckpointError(f"{root.name}: {name} is {new.dtype}, and the network's is {held.dtype}")
    try:
        module.load_state_dict(snapshot.weights)
    except RuntimeError as error:
        problem = " ".join(str(error).split())
        raise CheckpointError(f"{root.name} does not fit {type(module).__name__}: {shorten(problem, 200)}") from None
    return module, read
