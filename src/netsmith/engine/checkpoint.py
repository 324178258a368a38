"""A checkpoint is a folder of plain data with a manifest of hashes, written last; nothing in it can execute code.

``weights.safetensors`` (players' parameters and the tensors of every state), ``optimizer.safetensors``, ``state.json``
and ``manifest.json`` (SHA-256 and size of each). A folder without a manifest was never finished and is passed over; one
whose hashes do not hold is damaged, is said to be, and the previous one is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from netsmith.core.errors import CheckpointError, NetsmithError, RunError, shorten
from netsmith.core.files import read_json, sha256_of, sync_folder, write_atomic, write_json

__all__ = [
    "Snapshot",
    "copy_into",
    "folders",
    "keep",
    "load",
    "load_latest",
    "merge_tensors",
    "save",
    "split_tensors",
    "tensors_sha256",
]

FORMAT = 1
_FILES = ("weights.safetensors", "optimizer.safetensors", "state.json")
_NAME = re.compile(r"step-(\d{8,})")
_MALFORMED = (
    NetsmithError, OSError, SafetensorError, LookupError, TypeError, ValueError, AttributeError, ArithmeticError,
    RuntimeError,
)  # fmt: skip


@dataclass
class Snapshot:
    """Everything a checkpoint holds.

    Attributes:
        step: Updates of the run so far.
        weights: The players' parameters by name.
        optimizer: The optimizers' state by ``player/parameter/entry``.
        states: Trees of tensors and JSON values: ``method``, ``source``, ``hooks``, ``position``, ``surgery``.
        facts: JSON values for people and for checks: experiment hash, versions, figures.
    """

    step: int
    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    states: dict[str, Any] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


def split_tensors(tree: Any, prefix: str, tensors: dict[str, Tensor]) -> Any:
    """Move the tensors of a tree into ``tensors``; return the tree as JSON values with their names in their places.

    Raises:
        TypeError: A value that is neither a tensor nor a JSON value.
    """
    if isinstance(tree, Tensor):
        while prefix in tensors:  # {"a/b": ...} beside {"a": {"b": ...}}
            prefix += "+"
        tensors[prefix] = tree.detach()
        return {"__tensor__": prefix}
    if isinstance(tree, Mapping):
        return {str(name): split_tensors(item, f"{prefix}/{name}", tensors) for name, item in tree.items()}
    if isinstance(tree, (list, tuple)):
        return [split_tensors(item, f"{prefix}/{number}", tensors) for number, item in enumerate(tree)]
    if isinstance(tree, float) and not math.isfinite(tree):
        return {"__float__": repr(tree)}
    if tree is None or isinstance(tree, (bool, int, float, str)):
        return tree
    raise TypeError(f"{prefix}: a state holds tensors and JSON values, not {type(tree).__name__}")


def merge_tensors(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Undo :func:`split_tensors`."""
    if isinstance(tree, dict):
        if set(tree) == {"__tensor__"}:
            return tensors[tree["__tensor__"]]
        if set(tree) == {"__float__"}:
            return float(tree["__float__"])
        return {name: merge_tensors(item, tensors) for name, item in tree.items()}
    if isinstance(tree, list):
        return [merge_tensors(item, tensors) for item in tree]
    return tree


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous tensors on the CPU that share no memory, which is what safetensors stores."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        if plain.untyped_storage().data_ptr() in seen and plain.numel():
            plain = plain.clone()
        seen.add(plain.untyped_storage().data_ptr())
        found[name] = plain
    return found


def save(root: Path, snapshot: Snapshot) -> Path:
    """Write a checkpoint under ``root`` and return its folder.

    Raises:
        RunError: The disk is full or not writable; earlier checkpoints are untouched.
    """
    folder = root / f"step-{snapshot.step:08d}"
    weights = dict(snapshot.weights)
    states = split_tensors(snapshot.states, "state:", weights)
    state = {"format": FORMAT, "step": snapshot.step, "facts": snapshot.facts, "states": states}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / "weights.safetensors", safetensors.torch.save(_plain(weights)))
        write_atomic(folder / "optimizer.safetensors", safetensors.torch.save(_plain(snapshot.optimizer)))
        write_json(folder / "state.json", state)
        files = {name: {"sha256": sha256_of(folder / name), "bytes": (folder / name).stat().st_size} for name in _FILES}
        write_json(folder / "manifest.json", {"format": FORMAT, "files": files})
    except (NetsmithError, OSError) as error:
        if not (folder / "manifest.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, NetsmithError):
            raise
        raise RunError(
            f"could not write checkpoint {folder.name}: {error.strerror or error}; what was saved before is intact. "
            "Free space or choose another folder, then resume"
        ) from None
    sync_folder(root)
    return folder


def folders(root: Path) -> list[Path]:
    """Return the finished checkpoints under ``root``, the newest first."""
    found = [path for path in root.glob("step-*") if _NAME.fullmatch(path.name) and (path / "manifest.json").exists()]
    return sorted(found, key=lambda path: int(path.name[5:]), reverse=True)


def keep(root: Path, wanted: Iterable[Path]) -> None:
    """Delete every checkpoint under ``root`` that is not wanted, unfinished ones too; the manifest goes first."""
    names = {path.name for path in wanted}
    for path in root.glob("step-*"):
        if path.name not in names and _NAME.fullmatch(path.name):
            with contextlib.suppress(OSError):
                (path / "manifest.json").unlink(missing_ok=True)
            shutil.rmtree(path, ignore_errors=True)


def load(folder: Path) -> Snapshot:
    """Read a checkpoint after checking the size and hash of every file.

    Raises:
        CheckpointError: A file is missing, of another size, does not match its hash, or is not of the known form.
    """
    try:
        return _load(folder)
    except CheckpointError:
        raise
    except _MALFORMED as error:
        text = shorten(" ".join(str(error).split()), 200)
        raise CheckpointError(f"checkpoint {folder.name} is damaged: {text}") from None


def _load(folder: Path) -> Snapshot:
    manifest = read_json(folder / "manifest.json", limit=2**20)
    if manifest["format"] != FORMAT:
        got = shorten(repr(manifest["format"]), 40)
        raise CheckpointError(f"checkpoint {folder.name} has format {got}; this netsmith reads {FORMAT}")
    if set(manifest["files"]) != set(_FILES):
        raise CheckpointError(f"checkpoint {folder.name} is damaged: its manifest does not list {', '.join(_FILES)}")
    contents: dict[str, bytes] = {}
    for name in _FILES:
        path, wanted = folder / name, manifest["files"][name]
        if not path.is_file():
            raise CheckpointError(f"checkpoint {folder.name} is damaged: {name} is missing")
        size = path.stat().st_size
        if size != wanted["bytes"]:
            text = f"{name} has {size} bytes, expected {wanted['bytes']}"
            raise CheckpointError(f"checkpoint {folder.name} is damaged: {text}")
        if sha256_of(path) != wanted["sha256"]:
            raise CheckpointError(f"checkpoint {folder.name} is damaged: {name} does not match its SHA-256")
        contents[name] = path.read_bytes()
    weights = _tensors(contents["weights.safetensors"])
    state = json.loads(contents["state.json"])
    if set(state) != {"format", "step", "facts", "states"} or state["format"] != FORMAT:
        raise CheckpointError(f"checkpoint {folder.name} is damaged: state.json is not of format {FORMAT}")
    named = _NAME.fullmatch(folder.name)
    if named and int(named[1]) != state["step"]:
        raise CheckpointError(f"checkpoint {folder.name} is damaged: it holds step {shorten(repr(state['step']), 40)}")
    inner = {name: weights.pop(name) for name in list(weights) if name.startswith("state:")}
    return Snapshot(
        step=int(state["step"]),
        weights=weights,
        optimizer=_tensors(contents["optimizer.safetensors"]),
        states=merge_tensors(state["states"], inner),
        facts=state["facts"],
    )


def _tensors(content: bytes) -> dict[str, Tensor]:
    tensors = safetensors.torch.load(content)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    if "__metadata__" in header:  # we write none, so somebody else did
        raise ValueError("a safetensors file with metadata; expected tensors only")
    return tensors


def load_latest(root: Path) -> tuple[Snapshot, list[str]]:
    """Read the newest checkpoint that is whole.

    Returns:
        The snapshot, and one line for each damaged checkpoint that was passed over.

    Raises:
        CheckpointError: No checkpoint is whole.
    """
    notices: list[str] = []
    for folder in folders(root):
        try:
            return load(folder), notices
        except CheckpointError as error:
            notices.append(f"{error}; using the previous one")
    detail = f" ({notices[0].removesuffix('; using the previous one')})" if notices else ""
    raise CheckpointError(f"no whole checkpoint in {root.parent.name}/{root.name}{detail}; train again")


def copy_into(module: torch.nn.Module, weights: Mapping[str, Tensor], *, what: str) -> None:
    """Copy parameters by name into a module, in place.

    Raises:
        CheckpointError: A name or a shape does not fit.
    """
    held = dict(module.named_parameters(remove_duplicate=False))
    for name, value in weights.items():
        if name not in held:
            raise CheckpointError(
                f"{what}: the network has no parameter {name!r}; another experiment wrote this checkpoint"
            )
        if held[name].shape != value.shape:
            raise CheckpointError(
                f"{what}: {name} has shape {tuple(value.shape)}, the network expects {tuple(held[name].shape)}"
            )
        with torch.no_grad():
            held[name].copy_(value)


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """Return the hash of names, types, shapes and values of tensors."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        value = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes() if value.numel() else b"")
    return digest.hexdigest()
