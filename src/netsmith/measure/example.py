"""Example inputs: what a module is called with, and other random ones of the same form."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from netsmith.core.errors import UnsupportedError, did_you_mean
from netsmith.engine.batch import map_tensors

__all__ = [
    "Example",
    "arguments",
    "batch_size",
    "called",
    "keywords",
    "random_like",
    "returned",
    "shared_batch",
    "taken_apart",
    "tensors",
]

Example = Any
"""One tensor; a tuple of them (positional arguments); or a dict of tensors. The batch is axis 0.

A dict gives arguments by name where the module's ``forward`` has all these names (what a tokenizer returns, say) or
takes nothing but names, and is one argument elsewhere. In a tuple ``None`` and plain values stand for arguments that
are no tensors.
"""

_PLAIN = (type(None), bool, int, float, str)


def arguments(example: Example, module: nn.Module | None = None) -> tuple[Any, ...]:
    """Return the positional arguments an example stands for.

    Args:
        example: See :data:`Example`.
        module: Whose arguments a dict may name; without one a dict is one argument.

    Raises:
        UnsupportedError: It holds no tensor, or something that is neither a tensor, a container of them nor a plain
            value.
    """
    named = keywords(example, module) if module is not None else {}
    if module is not None and isinstance(example, Mapping) and _names_alone(module):
        example = dict(example)  # any mapping gives names, as a tokenizer's does
    found = tuple(named.values()) if named else example if isinstance(example, tuple) else (example,)
    leaves = pytree.tree_leaves(found)
    wrong = [leaf for leaf in leaves if not isinstance(leaf, (Tensor, *_PLAIN))]
    if wrong or not tensors(found):
        got = type((wrong or leaves)[0]).__name__ if leaves else "nothing"
        raise UnsupportedError(f"an example input is a tensor, a tuple of tensors or a dict of tensors; got {got}")
    return found


def called(module: nn.Module, given: tuple[Any, ...]) -> Any:
    """Return what a module returns for arguments as :func:`arguments` gives them: by name where it takes them so alone.

    Args:
        module: Any module.
        given: Positional arguments; of a ``forward`` that takes names alone one dict.
    """
    by_name = len(given) == 1 and isinstance(given[0], dict) and _names_alone(module)
    return module(**given[0]) if by_name else module(*given)


def keywords(example: Example, module: nn.Module) -> dict[str, Any]:
    """Return the arguments that a dict gives by name, in the order of ``forward``; empty where it is one argument.

    It stays one where ``forward`` takes names alone: :func:`called` gives them. Those of ``forward`` that stand before
    the last one given have their defaults.

    Raises:
        UnsupportedError: Some of the names are arguments of ``forward`` and some are not, or one that it needs lacks.
    """
    if not isinstance(example, Mapping) or not example:
        return {}
    kinds = inspect.Parameter
    taken = list(inspect.signature(module.forward).parameters.values())
    if _names_alone(module):
        _check_names(example, taken, type(module).__name__)
        return {}
    by_place = [one for one in taken if one.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)]
    names = [one.name for one in by_place if one.kind is kinds.POSITIONAL_OR_KEYWORD]
    if set(example).isdisjoint(names):
        return {}
    other = next((name for name in example if name not in names), None)
    if other is not None:
        more = any(one.kind is kinds.VAR_KEYWORD or one.name == other for one in taken)
        where = "is taken by name alone" if more else "is none of its arguments"
        raise UnsupportedError(
            f"{type(module).__name__}.forward takes {', '.join(names)} by place or name; {other!r} {where}"
            f"{did_you_mean(str(other), names) if 'none' in where else ': wrap the module in one that gives it'}"
        )
    last = max(place for place, one in enumerate(by_place) if one.name in example)
    found = {one.name: example.get(one.name, one.default) for one in by_place[: last + 1]}
    lacking = [name for name, value in found.items() if value is kinds.empty]
    if lacking:
        raise UnsupportedError(f"{type(module).__name__}.forward needs {', '.join(lacking)} too; got {list(example)}")
    return found


def _names_alone(module: nn.Module) -> bool:
    """Return whether ``forward`` takes arguments by name and none by place: ``(**named)`` or ``(*, ids, mask)``."""
    kinds = {one.kind for one in inspect.signature(module.forward).parameters.values()}
    return bool(kinds) and kinds <= {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}


def _check_names(example: Mapping[Any, Any], taken: Sequence[inspect.Parameter], module: str) -> None:
    names = [one.name for one in taken if one.kind is inspect.Parameter.KEYWORD_ONLY]
    other = next((name for name in example if not isinstance(name, str) or name not in names), None)
    if other is not None and (not isinstance(other, str) or len(names) == len(taken)):  # no **named takes it
        raise UnsupportedError(
            f"{module}.forward takes {', '.join(names) or 'names'}; {other!r} is none of its arguments"
            f"{did_you_mean(str(other), names)}"
        )
    lacking = [one.name for one in taken if one.name in names and one.default is one.empty and one.name not in example]
    if lacking:
        raise UnsupportedError(f"{module}.forward needs {', '.join(lacking)} too; got {list(example)}")


def tensors(example: Any) -> list[Tensor]:
    """Return the tensors of an example (or of a module's output) in a fixed order."""
    return [leaf for leaf in pytree.tree_leaves(example) if isinstance(leaf, Tensor)]


def taken_apart(example: Any) -> tuple[list[Tensor], Callable[[Sequence[Any]], Any]]:
    """Return the tensors of an example, and what makes an example of others in their places."""
    leaves, form = pytree.tree_flatten(example)
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
    plain = [None if isinstance(leaf, Tensor) else leaf for leaf in leaves]

    def put_together(parts: Sequence[Any]) -> Any:
        whole = list(plain)
        for place, part in zip(places, parts, strict=True):
            whole[place] = part
        return pytree.tree_unflatten(whole, form)

    return [leaves[place] for place in places], put_together


def returned(output: Any) -> list[Tensor]:
    """Return the tensors that a module returned.

    Raises:
        UnsupportedError: There is none, or an object that holds them hides them.
    """
    made = tensors(output)
    hidden = next((leaf for leaf in pytree.tree_leaves(output) if is_dataclass(leaf)), None if made else output)
    if hidden is not None or not made:
        raise UnsupportedError(
            f"no tensors are found in the {type(hidden).__name__} that the network returns: return a tensor, or a "
            "tuple, list or dict of them"
        )
    return made


def batch_size(example: Example) -> int:
    """Return the length of axis 0, which all tensors of an example share; single numbers have none.

    Raises:
        UnsupportedError: They do not share it, or there is none.
    """
    sizes = _sizes(example)
    if len(sizes) != 1 or 0 in sizes:
        raise UnsupportedError(f"expected one batch size >= 1 on axis 0 of every input, got {sorted(sizes)}")
    return sizes.pop()


def shared_batch(example: Example) -> int | None:
    """Return the length of axis 0 that all tensors share; None where they do not (the nodes and links of a graph)."""
    sizes = _sizes(example)
    return None if len(sizes) > 1 and 0 not in sizes else batch_size(example)


def _sizes(example: Example) -> set[int]:
    return {int(t.shape[0]) for t in tensors(example) if t.dim()}


def random_like(example: Example, batch: int | None, *, generator: torch.Generator) -> Example:
    """Return a random example of the same form with another batch size.

    Floating point tensors get normal numbers of the example's mean and deviation (0 and 1 where it is constant), whole
    numbers are drawn between its least and its largest (0..255 for uint8), booleans are fair coins.

    Args:
        example: What to imitate.
        batch: The length of axis 0; None keeps those of the example, which may differ from input to input.
        generator: Where the randomness comes from (a CPU generator).
    """

    def draw(like: Tensor) -> Tensor:
        shape = like.shape if batch is None or not like.dim() else (batch, *like.shape[1:])
        if like.is_floating_point() or like.is_complex():
            values = like.detach().double() if like.is_floating_point() else like.detach().real.double()
            values = values[values.isfinite()]
            spread = float(values.std()) if values.numel() > 1 else 0.0
            mean, spread = (float(values.mean()), spread) if spread > 0 else (0.0, 1.0)
            noise = torch.randn(shape, generator=generator, dtype=torch.float64) * spread + mean
            return noise.to(like.device, like.dtype)
        if like.dtype == torch.bool:
            low, high = 0, 1
        elif like.dtype == torch.uint8:
            low, high = 0, 255
        else:
            low, high = (int(like.min()), int(like.max())) if like.numel() else (0, 0)
        return torch.randint(low, high + 1, shape, generator=generator).to(like.device, like.dtype)

    return map_tensors(example, draw)
