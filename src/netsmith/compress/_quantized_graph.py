"""Where quantizers stand in a network: its torch.fx graph, with batch normalizations folded in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from netsmith.compress._by_mode import ByMode, calls_by_mode
from netsmith.compress._open_attention import opened
from netsmith.core.errors import UnsupportedError

__all__ = ["channel_axis", "fold_norms", "place", "quantized_layers", "traced"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_COMPUTED = (*_CONVOLUTIONS, nn.Linear)
"""Layers that a runtime computes in int8; exactly these classes, since a subclass may compute otherwise."""
_STORED = (*_TRANSPOSED, nn.Embedding)
"""Layers whose weights are stored in int8, while no runtime on a CPU computes them so: what they read stays exact."""

# what a runtime fuses into the convolution before it, or moves a quantization across
_PASSING = (nn.ReLU, nn.ReLU6, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.MaxPool1d, nn.MaxPool2d)
_PASSING_FUNCTIONS = ("relu", "relu_", "relu6", "max_pool1d", "max_pool2d", "boolean_dispatch")
_DROPPING_FUNCTIONS = ("dropout", "dropout1d", "dropout2d")  # where they are absent outside training
_JOINING = (nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
_JOINING_FUNCTIONS = ("add", "iadd", "add_", "cat", "concat", "avg_pool2d", "adaptive_avg_pool2d")


class _Tracer(fx.Tracer):
    """Go into what holds layers to quantize, and take all else as a whole."""

    proxy_buffer_attributes = True  # a table of positions is cut to the length of what comes in

    def iter(self, obj: fx.Proxy) -> Iterator[fx.Proxy]:
        """Let a loop run over the chunks of a tensor, whose number the call says."""
        node = obj.node
        if node.target in ("chunk", torch.chunk):
            count = node.args[1] if len(node.args) > 1 else node.kwargs.get("chunks")
            if isinstance(count, int):
                pieces = self.create_proxy("call_function", _pieces, (obj, count), {})
                return (pieces[place] for place in range(count))  # type: ignore[index]
        return super().iter(obj)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:  # noqa: ARG002
        if type(m).__module__.startswith("torch.nn") and not isinstance(m, (nn.Sequential, nn.ModuleList)):
            return True
        return not any(isinstance(part, (*_COMPUTED, *_STORED, *_NORMS)) for part in m.modules())


def _pieces(found: Sequence[Tensor], count: int) -> Sequence[Tensor]:
    """Return what ``chunk`` made; it may make fewer than it was asked for, which a trace does not see."""
    if len(found) != count:
        sizes = [tuple(piece.shape) for piece in found]
        raise UnsupportedError(
            f"chunk was asked for {count} pieces and made {len(found)}, {sizes}, but a loop over them was traced; "
            f"ask for {len(found)}, or for a number that divides the size"
        )
    return found


def traced(module: nn.Module) -> fx.GraphModule:
    """Return a copy of a module as a graph, in its mode.

    Raises:
        UnsupportedError: It is recurrent, torch.fx cannot trace it, or training would be lost in the graph.
    """
    name = type(module).__name__
    for path, part in module.named_modules():
        if isinstance(part, (nn.RNNBase, nn.RNNCellBase)):
            raise UnsupportedError(
                f"{name} is recurrent ({f'{path}: ' if path else ''}{type(part).__name__}): ONNX Runtime computes an "
                "LSTM in int8 with ranges that it takes as they come, a GRU or RNN not at all; take dynamic int8 of "
                "the network as it is (export with int8, or quantize_dynamic), which needs no training"
            )
    clone = opened(copy.deepcopy(module))
    modes = {path: part.training for path, part in clone.named_modules()}
    try:
        learning, graph = _Tracer().trace(clone.train()), _Tracer().trace(clone.eval())
    except Exception as error:
        # its forward runs on proxies and may raise anything
        reason = str(error).strip().splitlines()
        raise UnsupportedError(
            f"{name} cannot be traced for fake quantization: {reason[0] if reason else type(error).__name__}"
        ) from error
    switched = calls_by_mode(clone, graph, learning)
    if switched is None:  # by `self.training`: a graph has one form
        raise UnsupportedError(
            f"{name} itself computes otherwise in training, which a graph cannot; let modules do it (nn.Dropout)"
        )
    found = fx.GraphModule(clone, graph, class_name=name)
    for path, part in found.named_modules():
        part.training = modes[path]
    for node, part in switched.items():
        stack = node.meta.get("nn_module_stack") or {"": ("", None)}
        owner, _ = next(reversed(stack.values()))  # the keys of a layer called again are no paths
        _switch(found, node, part.train(modes[owner]))
    found.recompile()
    if not any(_layer(found, node) for node in graph.nodes):
        raise UnsupportedError(f"{name} has no convolution or linear layer to compute in int8")
    return found


def _switch(graph: fx.GraphModule, node: fx.Node, part: ByMode) -> None:
    """Let a module make a call whose settings follow the mode."""
    name = f"by_mode.{node.name}"
    graph.add_submodule(name, part)
    with graph.graph.inserting_before(node):
        called = graph.graph.call_module(name, (*node.args, *node.kwargs.values()))
    node.replace_all_uses_with(called)
    graph.graph.erase_node(node)


def fold_norms(graph: fx.GraphModule) -> None:
    """Fold each batch normalization into the convolution that it alone reads.

    One behind a linear layer stays: on which axis it works depends on how many the answer has, which no graph tells.
    """
    calls = [node.target for node in graph.graph.nodes if node.op == "call_module"]
    for node in list(graph.graph.nodes):
        if node.op != "call_module" or calls.count(node.target) > 1:
            continue
        norm = graph.get_submodule(node.target)
        before = node.args[0] if node.args else None
        if type(norm) not in _NORMS or not isinstance(before, fx.Node):
            continue
        if before.op != "call_module":
            continue
        layer = graph.get_submodule(str(before.target))
        transposed = type(layer) in _TRANSPOSED and layer.groups == 1  # torch folds those with groups wrongly
        if not (type(layer) in _CONVOLUTIONS or transposed) or len(before.users) > 1 or calls.count(before.target) > 1:
            continue
        assert isinstance(norm, nn.modules.batchnorm._BatchNorm)
        if norm.running_mean is None:
            continue
        mode = layer.training
        layer.eval()
        norm.eval()
        folded: nn.Module = fuse_conv_bn_eval(layer, norm, transposed)  # type: ignore[type-var]
        folded.train(mode)
        graph.set_submodule(str(before.target), folded)
        node.replace_all_uses_with(before)
        graph.graph.erase_node(node)
        graph.delete_submodule(str(node.target))
    graph.recompile()


def place(graph: fx.GraphModule, make: Callable[[], nn.Module]) -> None:
    """Put a quantizer behind every value that is to be read in 8 bits.

    These are the inputs of quantized layers; those of an addition, concatenation or average pool that reads what a
    convolution made; and what a convolution made where nothing of this follows, as without a quantization behind it a
    runtime computes it in full precision.
    """
    nodes = list(graph.graph.nodes)
    convolved: set[fx.Node] = set()
    chosen: dict[fx.Node, None] = {}
    for node in nodes:
        reads = node.all_input_nodes
        if _layer(graph, node) is not None:
            chosen.update(dict.fromkeys(reads[:1]))
            if isinstance(_layer(graph, node), _CONVOLUTIONS):
                convolved.add(node)
        elif _is(graph, node, _PASSING, _PASSING_FUNCTIONS):
            convolved.update([node] if convolved.intersection(reads) else [])
        elif _is(graph, node, _JOINING, _JOINING_FUNCTIONS) and convolved.intersection(reads):
            chosen.update(dict.fromkeys(reads))
            convolved.add(node)
    for node in nodes:
        if isinstance(_layer(graph, node), _CONVOLUTIONS):
            last = node
            while last not in chosen and len(last.users) == 1:
                (after,) = last.users
                if not _is(graph, after, _PASSING, _PASSING_FUNCTIONS):
                    break
                last = after
            chosen[last] = None
    graph.add_submodule("quantizers", nn.Module())
    for node in nodes:
        if node in chosen:
            name = f"quantizers.{node.name}"
            graph.add_submodule(name, make())
            users = list(node.users)
            with graph.graph.inserting_after(node):
                quantizer = graph.graph.call_module(name, (node,))
            for user in users:
                user.replace_input_with(node, quantizer)
    graph.graph.lint()
    graph.recompile()


def quantized_layers(graph: fx.GraphModule) -> list[nn.Module]:
    """Return the layers with weights to quantize that the graph itself calls.

    Others lie in modules that are taken as a whole. Tables whose rows are scaled when they are read, or whose gradient
    is sparse, stay as they are.
    """
    found = dict.fromkeys(_layer(graph, node, (*_COMPUTED, *_STORED)) for node in graph.graph.nodes)
    return [layer for layer in found if layer is not None and not (isinstance(layer, nn.Embedding) and _odd(layer))]


def channel_axis(layer: nn.Module) -> int | None:
    """Return along which axis of a layer's weight each position has a step of its own; None where all share one."""
    return None if isinstance(layer, nn.Embedding) else 1 if isinstance(layer, _TRANSPOSED) else 0


def _odd(table: nn.Embedding) -> bool:
    return table.max_norm is not None or table.sparse


def _layer(graph: fx.GraphModule, node: fx.Node, kinds: tuple[type, ...] = _COMPUTED) -> nn.Module | None:
    if node.op != "call_module":
        return None
    found = graph.get_submodule(str(node.target))
    return found if type(found) in kinds else None


def _is(graph: fx.GraphModule, node: fx.Node, modules: tuple[type, ...], functions: tuple[str, ...]) -> bool:
    if node.op == "call_module":
        part = graph.get_submodule(str(node.target))
        return type(part) in modules or (
            isinstance(part, ByMode) and part.function.__name__ in _DROPPING_FUNCTIONS and modules is _PASSING
        )
    if node.op == "call_method":
        return node.target in functions
    return node.op == "call_function" and getattr(node.target, "__name__", "") in functions
