"""What named layers of a network answered in one forward pass; the network itself is not edited."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError, UnknownNameError, UnsupportedError
from netsmith.core.spec import Spec

__all__ = ["check_layers", "probe_of", "run_with_features"]


class _Enough(Exception):
    """No error: every wanted layer has answered, and nobody needs the rest of the forward pass."""


def check_layers(network: nn.Module, names: Collection[str], *, whose: str) -> None:
    """Refuse names that are no submodule of a network.

    Args:
        network: Whose submodules are meant.
        names: As ``named_modules`` gives them, ``"stages.1.relu1"``.
        whose: What the network is called in the message, for example ``"teacher"``.

    Raises:
        UnknownNameError: A name that does not exist; the nearest ones are suggested.
    """
    known = [name for name, _ in network.named_modules(remove_duplicate=False) if name]
    for name in names:
        if name not in known:
            raise UnknownNameError(f"layer of the {whose} ({type(network).__name__})", name, known)


def probe_of(spec: Spec, count: int, *, method: str) -> Tensor:
    """Return inputs of zeros, by which a method reads the shapes of layers before it has data.

    Args:
        spec: Of the data.
        count: How many examples.
        method: Who asks, for the message.

    Raises:
        UnsupportedError: The inputs are not of one fixed shape of numbers.
    """
    shape = spec.inputs.shape
    if spec.inputs.kind in ("text", "tokens", "graph", "set", "none") or -1 in shape:
        other = "distillation" if spec.inputs.kind == "graph" else "feature_distillation"
        raise UnsupportedError(
            f"{method} asks for inputs of one fixed shape of numbers, and {spec.dataset} has {spec.inputs.kind} of "
            f"shape {shape}; use {other}, which asks for none"
        )
    return torch.zeros(count, *shape)


def run_with_features(
    network: nn.Module, inputs: Any, names: Collection[str], *, whose: str, whole: bool = True
) -> tuple[Any, dict[str, Tensor]]:
    """Return a network's output and what some of its layers answered on the way.

    Hooks live for this one call, also where it fails: no copy, checkpoint or export of the network ever holds one.

    Args:
        network: Is called with ``inputs``.
        inputs: What it takes.
        names: Layers, checked before by :func:`check_layers`.
        whose: What the network is called in a message.
        whole: False leaves the forward pass after the last of these layers; the output is then None, and what lies
            behind them does not run (nor count in a batch normalization's statistics).

    Raises:
        ConfigError: A layer ran never or more than once, gave no tensor, or its answer was overwritten in place.
        UnsupportedError: The network is compiled: then hooks are silently passed over.
    """
    # What compile() leaves behind; torch has no public name for it.
    if network._compiled_call_impl is not None:  # type: ignore[attr-defined]
        raise UnsupportedError(f"compile=True: the layers inside a compiled {whose} cannot be read; set it to false")
    found: dict[str, Tensor] = {}
    versions: dict[str, int] = {}

    def keep(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:  # noqa: ARG001
            if name in found:
                raise ConfigError(f"the {whose}'s layer {name!r} runs twice in one pass; name one that runs once")
            if not isinstance(output, Tensor):
                got = type(output).__name__
                raise ConfigError(f"the {whose}'s layer {name!r} answers with a {got}; name one that gives a tensor")
            found[name] = output
            versions[name] = output._version
            if not whole and len(found) == len(set(names)):
                raise _Enough

        return hook

    handles = [network.get_submodule(name).register_forward_hook(keep(name)) for name in dict.fromkeys(names)]
    try:
        output = network(inputs)
    except _Enough:
        output = None
    finally:
        for handle in handles:
            handle.remove()
    for name in names:
        if name not in found:
            raise ConfigError(f"the {whose}'s layer {name!r} did not run in the forward pass; name one that does")
        if found[name]._version != versions[name]:
            raise ConfigError(
                f"what the {whose}'s layer {name!r} answers is overwritten in place by a later layer; name that one"
            )
    return output, found
