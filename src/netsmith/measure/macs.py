"""Multiply-adds, counted per operation while the module runs on the meta device."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from netsmith.core.errors import NetsmithError
from netsmith.engine.batch import map_tensors
from netsmith.measure.example import Example, arguments, called

__all__ = ["Counter", "count_macs", "evaluating", "on_meta"]

Result = TypeVar("Result")

_MORE = {
    torch.ops.aten.mv: lambda args: args[0].numel(),
    torch.ops.aten.addmv: lambda args: args[1].numel(),
    torch.ops.aten.dot: lambda args: args[0].numel(),
    torch.ops.aten.vdot: lambda args: args[0].numel(),
    torch.ops.aten.addbmm: lambda args: args[1].numel() * args[2].shape[-1],
    # one layer and direction of an LSTM in one call, inputs (T, B, F), where the lengths need values
    torch.ops.aten.mkldnn_rnn_layer: lambda args: args[0].shape[:2].numel() * (args[1].numel() + args[2].numel()),
}


class Counter(TorchDispatchMode):
    """Count the multiply-adds of convolutions, matrix products and attention.

    Normalizations, activations, pooling and elementwise arithmetic count nothing, as is usual. A composite operation
    (attention, a recurrent layer) is counted through the products it consists of.

    Attributes:
        total: Multiply-adds so far.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one operation and add what it multiplies."""
        kwargs = kwargs or {}
        packet = func._overloadpacket
        if packet not in flop_registry and packet not in _MORE and func is not torch.ops.prim.device.default:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if packet in flop_registry:
            self.total += flop_registry[packet](*args, **kwargs, out_val=result) // 2
        elif packet in _MORE:
            self.total += _MORE[packet](args)
        return result


@contextlib.contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode without gradients; leave every submodule's mode as found."""
    modes = [(child, child.training) for child in module.modules()]
    module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for child, training in modes:
            child.training = training


def on_meta(module: nn.Module, example: Example, run: Callable[[nn.Module, tuple[Any, ...]], Result]) -> Result:
    """Return what ``run`` makes of a copy of a module and its arguments that compute shapes only.

    Where an operation needs values, ``run`` is called again with a real copy. The module given is not touched.

    Args:
        module: Any module.
        example: One tensor, a tuple (positional arguments) or a dict of tensors.
        run: Called with the copy, in evaluation mode, and the arguments.
    """
    given = arguments(example, module)
    held = [*module.parameters(), *module.buffers()]
    try:
        meta = copy.deepcopy(module, {id(tensor): _empty(tensor) for tensor in held})  # weights are not copied
        meta.eval()  # own modules may return nothing
        found = map_tensors(given, lambda t: torch.empty_like(t, device="meta"))
        with torch.no_grad():
            return run(meta, found)
    except NetsmithError:
        raise  # said on purpose
    except (NotImplementedError, RuntimeError, ValueError, TypeError):  # an operation that needs values
        clone = copy.deepcopy(module)
        clone.eval()
        return run(clone, given)


def _empty(tensor: Tensor) -> Tensor:
    empty = torch.empty_like(tensor, device="meta")
    return nn.Parameter(empty, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else empty


def count_macs(module: nn.Module, example: Example) -> int:
    """Return the multiply-adds of one forward pass in evaluation mode.

    A convolution counts ``out_positions * out_channels * in_channels / groups * kernel``, a linear layer
    ``rows * in_features * out_features``.

    Args:
        module: Any module; it is left as found.
        example: One tensor, a tuple (positional arguments) or a dict of tensors; give batch 1 for a figure per example.
    """

    def run(clone: nn.Module, given: tuple[Any, ...]) -> int:
        counter = Counter()
        with torch.no_grad(), counter:
            called(clone, given)
        return int(counter.total)

    return on_meta(module, example, run)
