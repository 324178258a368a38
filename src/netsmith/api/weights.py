"""Weights that others published: read without executing anything, and named as ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from netsmith.core.errors import ConfigError, DataError, first_line, shorten
from netsmith.core.roles import ModelConfig, Renaming

__all__ = ["adopt_weights", "read_weights", "renamed"]

_PARALLEL = "module."
_COUNTERS = ".num_batches_tracked"  # of a batch normalization: older files have none, and evaluation asks for none
_VARIANCE = "running_var"


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """Read named tensors: a ``.safetensors`` file, or a ``.pth``, ``.pt`` or ``.bin`` of tensors alone.

    Nothing in the file is executed. The prefix that torch's DataParallel puts before every name is taken off.

    Raises:
        DataError: There is no such file, or it holds something else.
    """
    found = _read(Path(path), str(path))
    if found and all(name.startswith(_PARALLEL) for name in found):
        return {name.removeprefix(_PARALLEL): tensor for name, tensor in found.items()}
    return found


def _read(file: Path, path: str) -> dict[str, Tensor]:
    if file.is_dir():
        raise DataError(f"{path}: expected a file of weights, got a folder")
    if not file.is_file():
        raise DataError(f"{path}: there is no such file")
    try:
        if file.suffix.lower() == ".safetensors":
            return safetensors.torch.load_file(file)
        found = torch.load(file, map_location="cpu", weights_only=True)  # noqa: TID251
    except (SafetensorError, OSError, ValueError, RuntimeError, EOFError, KeyError, AttributeError) as error:
        raise DataError(f"{file.name} does not hold named tensors: {first_line(error)}") from None
    except Exception as error:  # torch raises its pickle module's own error, which must not be imported
        what = next((line for line in str(error).splitlines() if "GLOBAL" in line or "class" in line), str(error))
        raise DataError(f"{file.name} holds more than tensors and is refused: {shorten(what.strip(), 200)}") from None
    for wrapper in ("state_dict", "model", "model_state_dict"):
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict) or not found:
        raise DataError(f"{file.name} does not hold named tensors, but {type(found).__name__!r}")
    other = next((name for name, value in found.items() if not isinstance(value, Tensor)), None)
    if other is not None:
        kind = type(found[other]).__name__
        raise DataError(f"{file.name} does not hold named tensors alone: {shorten(str(other), 60)!r} is {kind!r}")
    return {str(name): value for name, value in found.items()}


def adopt_weights(module: nn.Module, config: ModelConfig, weights: Mapping[str, Tensor]) -> str:
    """Copy weights into a network of the catalogue, whose names are ours or those of a library it knows.

    Args:
        module: What ``config`` builds; changed in place, all or nothing.
        config: Its config, which knows the public names.
        weights: Tensors by name.

    Returns:
        The library whose names they are, ``netsmith`` for our own.

    Raises:
        DataError: A tensor that is sparse, quantized or without numbers, of another kind of numbers, or not finite; a
            variance below zero.
        ConfigError: No set of names fits; what is missing, unknown or of another shape under the nearest is named.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    tries: list[tuple[int, str, str, dict[str, Tensor]]] = []
    for library, rules in {"netsmith": (), **config.public_names()}.items():
        named = renamed(weights, rules)
        shapes = {name: tuple(tensor.shape) for name, tensor in named.items()}
        missing = [name for name in wanted if name not in shapes and not name.endswith(_COUNTERS)]
        unknown = [name for name in shapes if name not in wanted]
        other = [name for name in wanted if name in shapes and shapes[name] != wanted[name]]
        words = [f"{what} {_few(names)}" for what, names in (("missing", missing), ("unknown", unknown)) if names]
        words += [f"{name} is {shapes[name]}, expected {wanted[name]}" for name in other[:3]]
        words += [f"they hold {part!r}: set {part}=true (--set {part}=true)" for part in _optional(config, unknown)]
        tries.append((len(missing) + len(unknown) + len(other), library, "; ".join(words), named))
    faults, library, words, named = min(tries, key=lambda one: one[0])
    if faults:
        names = ", ".join(library for _, library, _, _ in tries)
        raise ConfigError(
            f"these weights do not fit {config.kind_name()} under the names of {names}; "
            f"nearest are those of {library}: {words}"
        )
    for name, ours in module.state_dict().items():
        if name in named:
            _check_numbers(name, named[name], ours)
    module.load_state_dict(named, strict=False)  # but for counters nothing is missing
    return library


def _check_numbers(name: str, theirs: Tensor, ours: Tensor) -> None:
    if theirs.layout is not torch.strided or theirs.is_quantized or theirs.is_meta:
        raise DataError(f"{name} is sparse, quantized or without numbers; expected a plain tensor")
    counts = name.endswith(_COUNTERS)  # some libraries save them as floating-point numbers
    if theirs.is_complex() or (theirs.is_floating_point() != ours.is_floating_point() and not counts):
        raise DataError(f"{name} holds {theirs.dtype}; expected numbers like {ours.dtype}")
    if theirs.is_floating_point() and not bool(torch.isfinite(theirs).all()):
        raise DataError(f"{name} holds values that are not finite")
    if name.endswith(_VARIANCE) and bool((theirs < 0).any()):
        raise DataError(f"{name} holds {float(theirs.min()):g}; a variance is not below zero")


def renamed(weights: Mapping[str, Tensor], rules: Renaming) -> dict[str, Tensor]:
    """Return the same tensors under the names that a renaming gives them."""
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        for pattern, replacement in rules:
            name = re.sub(pattern, replacement, name)
        while name in found:  # two of theirs would be one of ours: it stays unknown, and is refused
            name += " (again)"
        found[name] = tensor
    return found


def _optional(config: ModelConfig, unknown: list[str]) -> list[str]:
    """Return the part that all unknown tensors are of, where it is one that the network has on demand."""
    parts = {name.partition(".")[0] for name in unknown}
    return [part for part in parts if len(parts) == 1 and getattr(config, part, None) is False]


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
