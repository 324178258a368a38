"""Low rank: layers as products of thin ones (truncated singular value decomposition, Tucker-2 of convolutions)."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from torch import nn

from netsmith.compress._factor_layers import (
    Kind,
    Rank,
    build,
    factorizable,
    kind_of,
    matrix_of,
    most,
    parameters_at,
    split,
)
from netsmith.compress._low_rank import fillable, least_rank, mode_values, truncated_svd, tucker2
from netsmith.compress._rank_budget import Prices, choices_of, multiply_prices, spread
from netsmith.core.errors import CheckpointError, UnknownNameError, UnsupportedError, did_you_mean
from netsmith.measure.example import Example
from netsmith.measure.macs import count_macs
from netsmith.measure.parameters import count_parameters

__all__ = ["Factor", "FactorLog", "apply_factors", "factorize", "truncated_svd", "tucker2"]

_KINDS: tuple[Kind, ...] = ("linear", "embedding", "convolution")
_WHAT = "linear layer, embedding or convolution"


@dataclass(frozen=True)
class Factor:
    """One layer that was factorized.

    Attributes:
        module: Its full name.
        rank: Size of the middle; of a convolution of more than one place, the (outputs, inputs) of its core.
        energy: Part of the squared weights that is kept, 0 to 1.
        error: Frobenius norm of what the product lacks, relative to the weight's.
        before: Parameters of the weight before.
        after: Parameters of the weights after.
        kind: What the layer was.
    """

    module: str
    rank: Rank
    energy: float
    error: float
    before: int
    after: int
    kind: Kind = "linear"


@dataclass(frozen=True)
class FactorLog:
    """All layers that were factorized; with the original's class it rebuilds the network."""

    factors: tuple[Factor, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the log as JSON values."""
        return {"format": 2, "factors": [asdict(factor) for factor in self.factors]}

    @staticmethod
    def from_json(value: Any) -> FactorLog:
        """Read a log, trusting nothing; format 1 knew linear layers only.

        Raises:
            CheckpointError: It is not a log of factors.
        """
        try:
            if value["format"] not in (1, 2):
                raise CheckpointError(f"expected a log of factors of format 1 or 2, got {value['format']!r}")
            factors = tuple(_read(entry, value["format"]) for entry in value["factors"])
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"not a log of factors: {error}") from None
        names = [factor.module for factor in factors]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise CheckpointError(f"not a log of factors: it names {twice!r} twice")
        return FactorLog(factors)


def _read(entry: Mapping[str, Any], version: int) -> Factor:
    if version == 1 and "kind" in entry:
        raise CheckpointError(f"not a log of factors of format 1: it holds a kind, {entry['kind']!r}")
    rank = entry["rank"]
    sizes = tuple(rank) if isinstance(rank, (list, tuple)) else (rank,)
    if len(sizes) not in (1, 2) or any(type(size) is not int or size < 1 for size in sizes):
        raise CheckpointError(f"not a log of factors: {entry['module']!r} with rank {rank!r}")
    if not isinstance(entry["module"], str) or entry.get("kind", "linear") not in _KINDS:
        raise CheckpointError(f"not a log of factors: {entry['module']!r} of kind {entry.get('kind')!r}")
    for name in ("energy", "error", "before", "after"):
        if type(entry[name]) not in (int, float):
            raise CheckpointError(f"not a log of factors: {entry['module']!r} with {name} {entry[name]!r}")
    return Factor(**{**entry, "rank": sizes if isinstance(rank, (list, tuple)) else rank})


def factorize(
    module: nn.Module,
    *,
    energy: float | None = None,
    rank: int | Mapping[str, Rank] | None = None,
    budget: float | None = None,
    of: Literal["parameters", "macs"] = "parameters",
    example: Example = None,
    kinds: Collection[Kind] = _KINDS,
    protect: Iterable[str] = (),
) -> tuple[nn.Module, FactorLog]:
    """Return a copy in which layers are products of thin ones, wherever that has fewer parameters.

    A linear layer and a convolution of one place become two (truncated singular value decomposition), an embedding a
    thin one and a linear map, any other convolution a small core between two changes of channels (Tucker-2, Kim et al.
    2016, arXiv:1511.06530). The copy needs fine-tuning; the original is not touched. Left alone, and refused where they
    are named in ``rank``: layers that share a weight or carry hooks, grouped convolutions, embeddings with
    ``max_norm``, ``scale_grad_by_freq``, ``sparse`` or a padding vector that is not zero.

    Args:
        module: Any module.
        energy: Part of the squared singular values to keep in every layer (of a Tucker-2: in each of the two modes).
        rank: One rank for every layer (for each mode), or ranks by module name: a number, or (outputs, inputs) of a
            core. Give one of ``energy``, ``rank`` and ``budget``.
        budget: Part of the whole network's cost that may stay, 0 to 1. It is spread over the layers greedily, by what
            energy a cost buys; :func:`netsmith.compress._rank_budget.spread` says how.
        of: What a budget counts: parameters, or multiply-adds.
        example: For a budget of multiply-adds: one tensor, a tuple (positional arguments) or a dict of tensors.
        kinds: What is factorized.
        protect: Names of layers to leave alone.

    Raises:
        UnsupportedError: Not one of energy, rank and budget, or one out of range; a budget that no ranks reach (it says
            which is); a layer named in ``rank`` that has no thin form.
        UnknownNameError: A name is not one of such a layer.

    Example:
        >>> small, log = factorize(nn.Sequential(nn.Conv2d(16, 32, 3)), rank=4)
        >>> log.factors[0].rank, log.factors[0].before, log.factors[0].after
        ((4, 4), 4608, 336)
    """
    if sum(given is not None for given in (energy, rank, budget)) != 1:
        raise UnsupportedError(
            f"give a rank or an energy or a budget, got rank={rank}, energy={energy} and budget={budget}"
        )
    if budget is None and (of != "parameters" or example is not None):
        raise UnsupportedError(f"of={of!r} and example belong to a budget; give budget, or leave them out")
    wrong = next((kind for kind in kinds if kind not in _KINDS), None)
    if wrong is not None:
        raise UnknownNameError("kind of layer to factorize", str(wrong), _KINDS)
    found = factorizable(module)
    kept = tuple(protect)
    for name in (*kept, *(rank if isinstance(rank, Mapping) else ())):
        if name not in found:
            raise UnknownNameError(_WHAT, name, found)
    layers = {
        name: module.get_submodule(name)
        for name, obstacle in found.items()
        if not obstacle and name not in kept and kind_of(module.get_submodule(name)) in kinds
    }
    if isinstance(rank, Mapping):
        ranks = {name: _asked(name, module.get_submodule(name), rank[name], found[name]) for name in rank}
        ranks = {name: ranks[name] for name in layers if name in ranks}
    elif budget is not None:
        ranks = _within(module, layers, budget, of=of, example=example)
    elif rank is not None:
        ranks = {name: _capped(layer, rank) for name, layer in layers.items()}
    else:
        assert energy is not None
        ranks = {name: _holding(layer, energy) for name, layer in layers.items()}
    result = copy.deepcopy(module)
    factors = []
    for name, size in ranks.items():
        layer: Any = layers[name]
        size = fillable(tuple(layer.weight.shape), size) if isinstance(size, tuple) else size
        before, after = layer.weight.numel(), parameters_at(layer, size)
        if after >= before:
            continue
        parts, lost = split(result.get_submodule(name), size)
        part = lost / max(float(layer.weight.detach().double().square().sum()), 1e-300)
        kind = kind_of(layer)
        assert kind is not None
        factors.append(Factor(name, size, 1 - part, part**0.5, before, after, kind))
        _replace(result, name, parts)
    return result, FactorLog(tuple(factors))


def apply_factors(module: nn.Module, log: FactorLog) -> nn.Module:
    """Give a network of the original's class the factorized shapes, in place, so that weights can be loaded.

    Raises:
        CheckpointError: The log does not fit the network; nothing has been changed then.
    """
    found = factorizable(module)
    for factor in log.factors:
        problem = _misfit(module, factor, found)
        if problem:
            raise CheckpointError(f"the log factorizes {factor.module!r} to rank {factor.rank}{problem}")
    for factor in log.factors:
        _replace(module, factor.module, build(module.get_submodule(factor.module), factor.rank))
    return module


def _misfit(module: nn.Module, factor: Factor, found: Mapping[str, str]) -> str:
    """Return why a network's layer cannot become what a log says, ``""`` if it can."""
    if factor.module not in found:
        return did_you_mean(factor.module, found)
    layer = module.get_submodule(factor.module)
    if kind_of(layer) != factor.kind:
        return f" as one of kind {factor.kind}; it is a {type(layer).__name__}"
    if found[factor.module]:
        return f", and it has no thin form: {found[factor.module]}"
    sizes, limits = _sizes(factor.rank), _sizes(most(layer))
    fits = len(sizes) == len(limits) and all(size <= limit for size, limit in zip(sizes, limits, strict=True))
    return "" if fits else f"; its weight of {_shape(layer)} has at most {most(layer)}"


def _asked(name: str, layer: nn.Module, rank: Rank, obstacle: str) -> Rank:
    """Return the rank that was asked for a layer by its name."""
    if obstacle:
        raise UnsupportedError(f"{name!r} cannot be factorized: {obstacle}; leave it out of rank")
    largest = most(layer)
    if isinstance(largest, tuple) and isinstance(rank, int):
        rank = (rank, rank)
    sizes, limits = _sizes(rank), _sizes(largest)
    wrong = len(sizes) != len(limits) or any(type(size) is not int for size in sizes)
    if wrong or not all(1 <= size <= limit for size, limit in zip(sizes, limits, strict=True)):
        ranges = " and ".join(f"1..{limit}" for limit in limits)
        raise UnsupportedError(f"rank must be in {ranges} for {name!r}, a weight of {_shape(layer)}, got {rank}")
    return rank


def _capped(layer: nn.Module, rank: int) -> Rank:
    if type(rank) is not int or rank < 1:
        raise UnsupportedError(f"rank must be a whole number of at least 1, got {rank!r}")
    largest = most(layer)
    return min(rank, largest) if isinstance(largest, int) else (min(rank, largest[0]), min(rank, largest[1]))


def _holding(layer: nn.Module, energy: float) -> Rank:
    if isinstance(most(layer), int):
        return least_rank(mode_values(matrix_of(layer), 0), energy)
    weight: Any = layer.weight
    return least_rank(mode_values(weight, 0), energy), least_rank(mode_values(weight, 1), energy)


def _within(
    module: nn.Module, layers: Mapping[str, nn.Module], budget: float, *, of: str, example: Example
) -> dict[str, Rank]:
    """Return the ranks of the layers that a budget makes thin."""
    if not 0 < budget <= 1:
        raise UnsupportedError(f"budget must be in (0, 1], got {budget}")
    if of not in ("parameters", "macs"):
        raise UnknownNameError("cost for a budget", of, ("parameters", "macs"))
    if (of == "macs") != (example is not None):
        raise UnsupportedError(
            "a budget of multiply-adds needs an example input; give example=..."
            if of == "macs"
            else "example belongs to a budget of multiply-adds; give of='macs', or leave it out"
        )
    if of == "macs":
        whole, prices = count_macs(module, example), multiply_prices(module, example, layers)
    else:
        whole = count_parameters(module)
        prices = {name: Prices.parameters(layer) for name, layer in layers.items()}
    choices = {name: choices_of(layer, prices[name]) for name, layer in layers.items()}
    fixed = whole - sum(one.whole for one in prices.values())
    least = fixed + sum(int(one.costs[0]) for one in choices.values())
    if least > budget * whole:
        raise UnsupportedError(
            f"budget={budget:g} of {whole} {of} is out of reach: with rank 1 everywhere {least} are left; "
            f"the least budget is {least / whole:.4f}"
        )
    places = spread(list(choices.values()), most=int(budget * whole) - fixed)
    chosen = {name: one.ranks[at] for (name, one), at in zip(choices.items(), places, strict=True)}
    return {name: rank for name, rank in chosen.items() if rank is not None}


def _sizes(rank: Rank) -> tuple[int, ...]:
    return rank if isinstance(rank, tuple) else (rank,)


def _shape(layer: nn.Module) -> tuple[int, ...]:
    return tuple(layer.weight.shape)  # type: ignore[arg-type]


def _replace(module: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    module.get_submodule(parent)._modules[own] = new
