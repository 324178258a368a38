"""What a surgery did, as JSON, and how to do it again: a network's class plus the log gives the cut network.

A log holds positions and numbers only. Applying one lowers attributes that are whole numbers and slices parameters;
nothing in it is ever executed or imported.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.compress.graph import ChannelGraph, Scale
from netsmith.core.errors import CheckpointError, did_you_mean

__all__ = ["Step", "SurgeryLog", "TensorCut", "apply_surgery", "plan_surgery"]

_FORMAT = 1
_TORCHS = frozenset(name for name in dir(nn.Module()) if name.startswith("_"))  # none of a network's own


@dataclass(frozen=True)
class TensorCut:
    """What happened to one parameter or buffer.

    Attributes:
        before: Its shape before.
        after: Its shape after.
        kept: By axis, the positions that stayed, in increasing order.
        values: New values of a buffer that holds positions (a shortcut's sources); None for all others.
        scaled: Positions along axis 0, before the cut, that are multiplied by ``factor`` (an attention's queries, whose
            scores are divided by the root of their length).
        factor: What they are multiplied by.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    kept: Mapping[int, tuple[int, ...]]
    values: tuple[int, ...] | None = None
    scaled: tuple[int, ...] = ()
    factor: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """Return the cut as JSON values."""
        found: dict[str, Any] = {"before": list(self.before), "after": list(self.after)}
        found["kept"] = {str(axis): list(positions) for axis, positions in self.kept.items()}
        if self.scaled:
            found |= {"scaled": list(self.scaled), "factor": self.factor}
        return found if self.values is None else found | {"values": list(self.values)}


@dataclass(frozen=True)
class Step:
    """What happened to one module.

    Attributes:
        module: Its full name; empty for the network itself.
        attributes: New values of its attributes.
        tensors: Its own parameters and buffers that were cut, by their names in it.
    """

    module: str
    attributes: Mapping[str, int]
    tensors: Mapping[str, TensorCut]

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON values."""
        return {
            "module": self.module,
            "attributes": dict(self.attributes),
            "tensors": {name: cut.to_json() for name, cut in self.tensors.items()},
        }


@dataclass(frozen=True)
class SurgeryLog:
    """Everything that turns the original network into the cut one.

    Attributes:
        steps: In the order to apply them; later ones see the shapes that earlier ones left.
        proof: What the proof of surgery found, one entry per cut.
    """

    steps: tuple[Step, ...]
    proof: tuple[Mapping[str, Any], ...] = field(default=())

    def then(self, later: SurgeryLog) -> SurgeryLog:
        """Return one log for two surgeries after each other."""
        return SurgeryLog(self.steps + later.steps, self.proof + later.proof)

    def cut(self, name: str, tensor: Tensor) -> Tensor:
        """Cut any tensor of a parameter's shape along with it (momentum, a gradient, an average).

        Args:
            name: Full name of the parameter.
            tensor: A tensor of the parameter's original shape.

        Raises:
            CheckpointError: The shapes differ.
        """
        for step in self.steps:
            for own, change in step.tensors.items():
                if _join(step.module, own) == name:
                    tensor = _slice(tensor, change, name)
        return tensor

    def to_json(self) -> dict[str, Any]:
        """Return the log as JSON values."""
        return {"format": _FORMAT, "steps": [s.to_json() for s in self.steps], "proof": [dict(p) for p in self.proof]}

    @staticmethod
    def from_json(value: Any) -> SurgeryLog:
        """Read a log, trusting nothing.

        Raises:
            CheckpointError: It is not a surgery log, or sets no attribute of a network's own, or to no number above 0.
        """
        top = _mapping(value, "the log", {"format", "steps", "proof"})
        if top.get("format") != _FORMAT:
            raise CheckpointError(f"expected a surgery log of format {_FORMAT}, got {top.get('format')!r}")
        steps = []
        for item in _list(top.get("steps"), "steps"):
            entry = _mapping(item, "a step", {"module", "attributes", "tensors"})
            module = entry.get("module")
            if not isinstance(module, str):
                raise CheckpointError(f"surgery log: expected a module's name, got {module!r}")
            attributes = _mapping(entry.get("attributes", {}), "attributes", None)
            for name, number in attributes.items():
                if not name.isidentifier() or name.startswith("__") or name in _TORCHS:
                    raise CheckpointError(f"surgery log: attributes cannot hold {name!r}")
                if type(number) is not int or number < 1:
                    raise CheckpointError(f"surgery log: {module}.{name} must be a number above 0, got {number!r}")
            tensors = {str(n): _read_cut(c) for n, c in _mapping(entry.get("tensors", {}), "tensors", None).items()}
            steps.append(Step(module, attributes, tensors))
        proof = tuple(_mapping(p, "proof", None) for p in _list(top.get("proof", []), "proof"))
        return SurgeryLog(tuple(steps), proof)


def plan_surgery(
    module: nn.Module,
    graph: ChannelGraph,
    units: set[int],
    *,
    stated: Mapping[tuple[str, str], int] | None = None,
    divided: Collection[str] = (),
) -> SurgeryLog:
    """Return the log of cutting units out of a module; the module is not touched.

    Args:
        module: The network that was traced.
        graph: What the trace found.
        units: The units to cut.
        stated: New values of attributes by module and name, beside those that the trace knows.
        divided: Modules whose code divides the scores of an attention by the root of their queries' length.
    """
    scales = [scale for scale in graph.scales if scale.module is None or scale.module in divided]
    tensors = dict(module.named_parameters()) | dict(module.named_buffers())
    cuts: dict[str, dict[str, TensorCut]] = {}
    keeps = graph.keeps(units)
    values = {remap.tensor: _remapped(tensors[remap.tensor], remap.units, units) for remap in graph.remaps}
    for name in dict.fromkeys([*keeps, *values]):
        before, kept = tuple(tensors[name].shape), keeps.get(name, {})
        after = tuple(len(kept[axis]) if axis in kept else size for axis, size in enumerate(before))
        new = None
        if name in values:
            new = tuple(values[name][place] for place in kept.get(0, range(before[0])))
            if not kept and list(new) == tensors[name].tolist():
                continue
        owner, _, own = name.rpartition(".")
        cuts.setdefault(owner, {})[own] = TensorCut(before, after, kept, new, *_scaling(name, scales, units))
    attributes: dict[str, dict[str, int]] = {}
    for count in graph.counts:
        left = sum(unit not in units for unit in count.units.tolist())
        if left != len(count.units):
            attributes.setdefault(count.module, {})[count.attribute] = left
    for (name, attribute), left in (stated or {}).items():
        attributes.setdefault(name, {}).setdefault(attribute, left)
    order = [name for name, _ in module.named_modules() if name in cuts or name in attributes]
    return SurgeryLog(tuple(Step(name, attributes.get(name, {}), cuts.get(name, {})) for name in order))


def _scaling(name: str, scales: Sequence[Scale], units: set[int]) -> tuple[tuple[int, ...], float]:
    """Return which rows of a tensor are scaled, and by what, so that their scores stay as they were."""
    for scale in scales:
        left = sum(unit not in units for unit in scale.units.tolist())
        if name in scale.tensors and left != len(scale.units):
            return scale.rows, (left / len(scale.units)) ** 0.5
    return (), 1.0


def apply_surgery(module: nn.Module, log: SurgeryLog) -> nn.Module:
    """Cut a network in place as a log says, so that the cut network's weights can be loaded into its class.

    Applied to the network the log was made from, it gives the cut network itself. Parameters keep their type, device
    and ``requires_grad``; shared ones stay shared.

    Args:
        module: A network of the original's class and shapes.
        log: What was done to the original.

    Returns:
        The same module.

    Raises:
        CheckpointError: The log does not fit the network; nothing has been changed then.
    """
    modules = dict(module.named_modules())
    # every change is computed, and so checked, before the first is made
    attributes: dict[tuple[str, str], int | tuple[int]] = {}
    held: dict[str, Tensor] = dict(module.named_parameters()) | dict(module.named_buffers())
    changed: dict[str, Tensor] = {}
    for step in log.steps:
        if step.module not in modules:
            raise CheckpointError(f"the surgery log names {step.module!r}{did_you_mean(step.module, modules)}")
        for name, number in step.attributes.items():
            known = vars(modules[step.module]).get(name)
            single = known[0] if isinstance(known, tuple) and len(known) == 1 else known
            if type(single) is not int or number > single:
                raise CheckpointError(f"the surgery log sets {step.module}.{name} to {number}; it is {known!r}")
            attributes[step.module, name] = number if single is known else (number,)
        for own, cut in step.tensors.items():
            name = _join(step.module, own)
            if name not in held:
                raise CheckpointError(f"the surgery log names the tensor {name!r}{did_you_mean(name, held)}")
            source = changed.get(name, held[name])
            new = _slice(_rescaled(source.detach(), cut, name), cut, name)
            if cut.values is not None:
                if source.dtype != torch.int64 or source.requires_grad or tuple(new.shape) != (len(cut.values),):
                    raise CheckpointError(f"the surgery log gives positions for {name}, which holds none")
                new = torch.tensor(cut.values, dtype=torch.int64, device=source.device)
            changed[name] = new
    swap = {id(held[name]): _like(held[name], new) for name, new in changed.items()}
    for child in modules.values():
        for own, old in [*child._parameters.items(), *child._buffers.items()]:
            if old is not None and id(old) in swap:
                setattr(child, own, swap[id(old)])  # as a user would: recurrent modules keep a list of their own
    for (name, attribute), number in attributes.items():
        setattr(modules[name], attribute, number)
    return module


def _like(old: Tensor, new: Tensor) -> Any:
    return nn.Parameter(new, requires_grad=old.requires_grad) if isinstance(old, nn.Parameter) else new


def _join(module: str, own: str) -> str:
    return f"{module}.{own}" if module else own


def _remapped(source: Tensor, pointed: Any, cut: set[int]) -> list[int]:
    """Return sources in the new numbering; what is gone becomes -1."""
    new, place = [], 0
    for unit in pointed.tolist():
        new.append(-1 if unit in cut else place)
        place += unit not in cut
    return [-1 if at < 0 else new[at] for at in source.tolist()]


def _rescaled(tensor: Tensor, cut: TensorCut, name: str) -> Tensor:
    if not cut.scaled:
        return tensor
    if tensor.dim() == 0 or max(cut.scaled) >= len(tensor) or not tensor.is_floating_point():
        raise CheckpointError(f"the surgery log scales rows of {name}, shape {tuple(tensor.shape)}, that it has not")
    tensor = tensor.clone()
    tensor[torch.tensor(cut.scaled, device=tensor.device)] *= cut.factor
    return tensor


def _slice(tensor: Tensor, cut: TensorCut, name: str) -> Tensor:
    if tuple(tensor.shape) != cut.before:
        raise CheckpointError(f"the surgery log expects {name} of shape {cut.before}, got {tuple(tensor.shape)}")
    for axis, positions in cut.kept.items():
        if axis >= tensor.dim() or positions[-1] >= cut.before[axis]:
            raise CheckpointError(f"the surgery log keeps position {positions[-1]} of {name}, shape {cut.before}")
        tensor = tensor.index_select(axis, torch.tensor(positions, device=tensor.device))
    if tuple(tensor.shape) != cut.after:
        raise CheckpointError(f"the surgery log says {cut.after} for {name}, its positions give {tuple(tensor.shape)}")
    return tensor.clone()


def _mapping(value: Any, what: str, known: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or any(not isinstance(name, str) for name in value):
        raise CheckpointError(f"surgery log: expected {what} as a JSON object, got {type(value).__name__}")
    wrong = next((name for name in value if known is not None and name not in known), None)
    if wrong is not None:
        raise CheckpointError(f"surgery log: {what} cannot hold {wrong!r}; expected {', '.join(sorted(known))}")
    return value


def _list(value: Any, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise CheckpointError(f"surgery log: expected {what} as a JSON list, got {type(value).__name__}")
    return value


def _numbers(value: Any, what: str, least: int) -> tuple[int, ...]:
    found = _list(value, what)
    if any(type(number) is not int or number < least for number in found):
        raise CheckpointError(f"surgery log: {what} must be whole numbers from {least}")
    return tuple(found)


def _read_cut(value: Any) -> TensorCut:
    entry = _mapping(value, "a tensor", {"before", "after", "kept", "values", "scaled", "factor"})
    factor = entry.get("factor", 1.0)
    if type(factor) not in (int, float) or not 0 < factor <= 1:
        raise CheckpointError(f"surgery log: a factor must be above 0 and at most 1, got {factor!r}")
    kept = {}
    for axis, listed in _mapping(entry.get("kept", {}), "kept", None).items():
        positions = _numbers(listed, "positions", 0)
        if not positions or any(a >= b for a, b in pairwise(positions)):
            raise CheckpointError("surgery log: kept positions must increase, and at least one must stay")
        if not axis.isdecimal() or len(axis) > 2:
            raise CheckpointError(f"surgery log: expected an axis, got {axis!r}")
        kept[int(axis)] = positions
    values = entry.get("values")
    return TensorCut(
        _numbers(entry.get("before"), "before", 0),
        _numbers(entry.get("after"), "after", 0),
        kept,
        None if values is None else _numbers(values, "values", -1),
        _numbers(entry.get("scaled", []), "scaled", 0),
        float(factor),
    )
