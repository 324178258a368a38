"""Run a network once and note which channels depend on which: the tracer behind all surgery.

The network runs on its example (on the meta device where it can) while every torch function it calls is intercepted.
Each result gets labels (see :mod:`netsmith.compress.graph`) by the rule of the function; a function without a rule
stops the trace by name and place. Nothing is assumed about the network's class: only the operations count.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch._C import _functorch as functorch  # type: ignore[attr-defined]
from torch.nn import functional as F
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode, resolve_name

from netsmith.compress._fed import Fed
from netsmith.compress._labels import make_constant
from netsmith.compress._state import State
from netsmith.compress.graph import ChannelGraph
from netsmith.compress.rules import function_rule, makes_channels, module_rule
from netsmith.core.errors import NetsmithError, UnsupportedError, first_line
from netsmith.measure.example import Example, arguments, called, returned, tensors
from netsmith.measure.macs import on_meta

__all__ = ["slow_attention", "trace"]

_SAME_FORM = (F.batch_norm, F.layer_norm, F.group_norm)
"""Functions whose result has the form of what they are given; computing that on the meta device is slow."""


def trace(module: nn.Module, example: Example, *, heads: Literal["whole", "width"] = "whole") -> ChannelGraph:
    """Find which slices of which parameters must be cut together.

    Args:
        module: Any module; left as found. It is traced in evaluation mode, along the branches that the example takes
            by its shapes and whole numbers (lengths, masks).
        example: One tensor, a tuple (positional arguments) or a dict of tensors; the batch is axis 0.
        heads: What goes from an attention: ``whole`` heads, or the same ``width`` of every head.

    Raises:
        UnsupportedError: An operation has no rule; it is named with the module it stands in. Or code reads numbers that
            depend on the inputs: the ways it takes for others are not seen. Or the network does not run on its example,
            or holds a module that cannot be looked into; or ``heads`` is neither.
    """
    if heads not in ("whole", "width"):
        raise UnsupportedError(f"heads must be whole or width, got {heads!r}")
    _look_into(module)
    state: State | None = None

    def run(clone: nn.Module, given: tuple[Any, ...]) -> State:
        nonlocal state
        whole: frozenset[int] = frozenset()
        while True:  # what a split axis is used for is seen behind the split
            state = State(clone, module, heads=heads, whole=whole)
            _follow(state, clone, given)
            found = whole | state.reduced | (state.attention if heads == "whole" else set())
            if found == whole:
                return state
            whole = found

    try:
        with slow_attention():
            return on_meta(module, example, run).result()
    except NetsmithError:
        raise
    except Exception as error:  # whatever a network that is not ours raises
        place = f" at {state.place}" if state is not None else ""
        raise UnsupportedError(
            f"surgery cannot run a copy of the network on its example{place}: {first_line(error)}"
        ) from error


def _look_into(module: nn.Module) -> None:
    """Refuse modules that are closed, not yet made, or not to be copied."""
    for name, child in module.named_modules():
        why = None
        if isinstance(child, torch.jit.ScriptModule):
            why = "is compiled: its operations cannot be seen; prune the module it was made of"
        elif any(is_lazy(tensor) for tensor in [*child.parameters(recurse=False), *child.buffers(recurse=False)]):
            why = "has no shapes yet: call the network once before it is pruned"
        elif any(isinstance(value, torch.Tensor) and not value.is_leaf for value in vars(child).values()):
            why = (
                "keeps a tensor that is computed from others: make the pruning by torch.nn.utils.prune or the old "
                "weight_norm permanent, or detach what it keeps"
            )
        if why is not None:
            raise UnsupportedError(f"{name or 'the network'} ({type(child).__name__}) {why}")


def _follow(state: State, clone: nn.Module, given: Any) -> None:
    make_constant(state, given)
    with torch.no_grad(), _Tracer(state, tensors(given)).watching():
        output = called(clone, arguments(given))
    made = returned(output)
    state.atoms.running = ""
    for tensor in made:
        state.atoms.freeze(state.mark(tensor).labels)


@contextlib.contextmanager
def slow_attention() -> Iterator[None]:
    """Keep torch's transformer modules from their fused path, which hides its operations."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class _Tracer(TorchFunctionMode):
    """Intercept torch functions and module calls, and label what they return.

    Args:
        state: Where it is noted.
        inputs: The network's.
    """

    def __init__(self, state: State, inputs: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.state = state
        self.paused = 0  # modules that are taken as a whole and are running
        self.fed = Fed(state, inputs)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        handles = []
        for name, child in self.state.modules.items():
            handles.append(child.register_forward_pre_hook(self._enter(name), with_kwargs=True))
            handles.append(child.register_forward_hook(self._leave(name), with_kwargs=True))
        try:
            with self:
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _enter(self, name: str) -> Any:
        def hook(child: nn.Module, args: Any, kwargs: Any) -> None:
            self.state.stack.append(name)
            self.state.claim(tensors((args, kwargs)))
            self.paused += module_rule(child) is not None

        return hook

    def _leave(self, name: str) -> Any:
        def hook(child: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            rule = module_rule(child)
            if rule is not None:
                self.paused -= 1
                if not self.paused:
                    self.state.atoms.running = f"{type(child).__name__} in {self.state.place}"
                    rule(self.state, child, (args, kwargs), output)
            self.state.stack.pop()
            found = tensors(output)
            if next(child.children(), None) is None and len(found) == 1 and not self.paused:
                self.state.returned(name, found[0])

        return hook

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = args[0] if args else None
        if not self.paused and self.fed.tells(func, args, kwargs or {}):
            raise self.state.refuse_reading(resolve_name(func) or func.__name__)
        before = tuple(given.shape) if isinstance(given, torch.Tensor) else ()
        if func in _SAME_FORM and isinstance(given, torch.Tensor) and given.is_meta:
            output = torch.empty_like(given, memory_format=torch.contiguous_format)
        else:
            output = func(*args, **(kwargs or {}))
        self.fed.follow(func, args, kwargs or {}, output)
        if not self.paused:
            self.state.shape = before
            self._called(func, args, dict(kwargs or {}), output)
        return output

    def _called(self, function: Any, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        state, made = self.state, tensors(output)
        name = resolve_name(function) or getattr(function, "__name__", repr(function))
        rule = function_rule(function)
        if not made and not name.endswith("__setitem__"):
            return  # a size, a type, a number
        state.atoms.running = f"{name} in {state.place}"
        if functorch.maybe_current_level() is not None:  # what comes out of it is another tensor, with no labels
            if any(state.cuttable(_unwrapped(t)) for t in tensors((args, kwargs))):
                raise state.refuse("torch.vmap or another transform of torch.func")
            return
        if rule is not None:
            if not args and "input" in kwargs:
                args = (kwargs.pop("input"),)
            sites = frozenset().union(*map(state.sites, tensors((args, kwargs))))  # in place they are written over
            rule(state, args, kwargs, output)
            if not makes_channels(function):
                state.inherit(sites, made)
        elif any(state.cuttable(t) for t in tensors((args, kwargs))):
            raise state.refuse(f"the operation {name}")
        else:  # made of nothing that can be cut: a constant
            make_constant(state, made)


def _unwrapped(tensor: torch.Tensor) -> torch.Tensor:
    return functorch.get_unwrapped(tensor) if functorch.is_functorch_wrapped_tensor(tensor) else tensor
