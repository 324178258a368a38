"""Parameters, and a table of a module layer by layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from netsmith.measure.example import Example, called, tensors
from netsmith.measure.macs import Counter, on_meta

__all__ = ["Row", "count_parameters", "count_stored", "layer_table"]

_IN_PLACE = (
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.RReLU, nn.ELU, nn.CELU, nn.SELU, nn.SiLU, nn.GELU, nn.Mish),
    *(nn.Tanh, nn.Sigmoid, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Softplus, nn.Softsign, nn.LogSigmoid),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout),
)


@dataclass(frozen=True)
class Row:
    """One layer of a module.

    Attributes:
        name: Its name within the module; empty for what the module itself does outside its layers.
        type: Its class.
        output: Shape of its (first) output, batch included; empty where it has none.
        parameters: Its own parameters; a shared one counts where it is used first.
        macs: Multiply-adds of all its calls.
        memory: Bytes of the maps that a layer makes in all its calls, the whole batch. Views, dropout and activations
            make none: they can overwrite what comes in, as papers count them; sums and joins between layers, which
            are no layers, are not counted.
    """

    name: str
    type: str
    output: tuple[int, ...]
    parameters: int
    macs: int
    memory: int = 0


def count_parameters(module: nn.Module, *, trainable: bool = False) -> int:
    """Return the number of parameters, each shared one once.

    Args:
        module: Any module.
        trainable: Count only those that ask for a gradient.
    """
    return sum(p.numel() for p in module.parameters() if p.requires_grad or not trainable)


def count_stored(module: nn.Module) -> int:
    """Return the number of parameters; of a module without any, of the numbers that it keeps in buffers.

    So a learner without a gradient counts by what it has learned: the weights of a perceptron, the examples of a
    nearest-neighbor search.

    Example:
        >>> count_stored(nn.Linear(3, 2)), count_stored(nn.BatchNorm1d(4, affine=False))
        (8, 9)
    """
    return count_parameters(module) or sum(value.numel() for value in module.state_dict().values())


def layer_table(module: nn.Module, example: Example) -> list[Row]:
    """Return one row per layer, in the order of the first call.

    A layer is a module without submodules. What a container computes or holds itself (``F.linear``, a bare parameter)
    stands in a row of its own, so the columns sum to the whole.

    Args:
        module: Any module; it is left as found.
        example: One tensor, a tuple (positional arguments) or a dict of tensors.
    """
    outputs, macs, memory = on_meta(module, example, _called)
    rows, seen = [], set[int]()
    types = dict(module.named_modules())
    for name in [*outputs, *(n for n in types if n not in outputs)]:
        child = types[name]
        parameters = _own_parameters(child, seen)
        leaf = next(child.children(), None) is None
        if parameters or macs.get(name) or (leaf and name in outputs):
            kind, made = type(child).__name__, memory[name] if leaf and name in memory else 0
            rows.append(Row(name, kind, outputs.get(name, ()), parameters, int(macs.get(name, 0)), made))
    return rows


def _called(
    clone: nn.Module, given: tuple[Any, ...]
) -> tuple[dict[str, tuple[int, ...]], dict[str, int], dict[str, int]]:
    """Return what each module did, by name, in the order of the first call.

    Returns:
        The shape of its output, its own multiply-adds, the bytes of what it made.
    """
    counter = Counter()
    names = {child: name for name, child in clone.named_modules()}
    outputs: dict[str, tuple[int, ...]] = {}
    macs: dict[str, int] = {}
    memory: dict[str, int] = {}
    stack: list[int] = []  # multiply-adds of the submodules of each module that is running
    starts: list[int] = []

    def enter(_: nn.Module, __: Any) -> None:
        stack.append(0)
        starts.append(counter.total)

    def leave(child: nn.Module, args: Any, output: Any) -> None:
        spent = counter.total - starts.pop()
        own = spent - stack.pop()
        if stack:
            stack[-1] += spent
        found = tensors(output)
        outputs.setdefault(names[child], tuple(found[0].shape) if found else ())
        macs[names[child]] = macs.get(names[child], 0) + own
        if not isinstance(child, _IN_PLACE):
            new = [t for t in found if not t._is_view() and all(t is not given for given in tensors(args))]
            memory[names[child]] = memory.get(names[child], 0) + sum(t.numel() * t.element_size() for t in new)

    for child in clone.modules():
        child.register_forward_pre_hook(enter)
        child.register_forward_hook(leave)
    with torch.no_grad(), counter:
        called(clone, given)
    return outputs, macs, memory


def _own_parameters(module: nn.Module, seen: set[int]) -> int:
    count = 0
    for parameter in module.parameters(recurse=False):
        if id(parameter) not in seen:
            seen.add(id(parameter))
            count += parameter.numel()
    return count
