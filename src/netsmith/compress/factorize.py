"""Low rank: a linear layer as the product of two thin ones (truncated singular value decomposition)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.core.errors import CheckpointError, UnknownNameError, UnsupportedError, did_you_mean

__all__ = ["Factor", "FactorLog", "apply_factors", "factorize", "truncated_svd"]


@dataclass(frozen=True)
class Factor:
    """One layer that was factorized.

    Attributes:
        module: Its full name.
        rank: Size of the middle.
        energy: Part of the squared singular values that is kept, 0 to 1.
        error: Frobenius norm of what the product lacks, relative to the weight's.
        before: Parameters of the weight before.
        after: Parameters of the two weights after.
    """

    module: str
    rank: int
    energy: float
    error: float
    before: int
    after: int


@dataclass(frozen=True)
class FactorLog:
    """All layers that were factorized; with the original's class it rebuilds the network."""

    factors: tuple[Factor, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the log as JSON values."""
        return {"format": 1, "factors": [asdict(factor) for factor in self.factors]}

    @staticmethod
    def from_json(value: Any) -> FactorLog:
        """Read a log, trusting nothing.

        Raises:
            CheckpointError: It is not a log of factors.
        """
        try:
            if value["format"] != 1:
                raise CheckpointError(f"expected a log of factors of format 1, got {value['format']!r}")
            factors = tuple(Factor(**entry) for entry in value["factors"])
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"not a log of factors: {error}") from None
        for factor in factors:
            if type(factor.rank) is not int or factor.rank < 1 or not isinstance(factor.module, str):
                raise CheckpointError(f"not a log of factors: {factor.module!r} with rank {factor.rank!r}")
        return FactorLog(factors)


def truncated_svd(
    weight: Tensor, *, rank: int | None = None, energy: float | None = None
) -> tuple[Tensor, Tensor, int]:
    """Return the best product of two thin matrices (Eckart & Young 1936).

    No other matrix of that rank is nearer to ``weight`` in the Frobenius norm, and the squared distance is the sum of
    the squared singular values that are left out.

    Args:
        weight: ``(O, I)``.
        rank: Size of the middle; give this or ``energy``.
        energy: Keep the least rank whose squared singular values sum to this part of all.

    Returns:
        ``(O, rank)``, ``(rank, I)`` (the singular values shared between them) and the rank.
    """
    if (rank is None) == (energy is None):
        raise UnsupportedError(f"give a rank or an energy, got rank={rank} and energy={energy}")
    left, values, right = torch.linalg.svd(weight.detach().double(), full_matrices=False)
    if energy is not None:
        if not 0 < energy <= 1:
            raise UnsupportedError(f"energy must be in (0, 1], got {energy}")
        parts = values.square().cumsum(0) / values.square().sum().clamp(min=torch.finfo(torch.float64).tiny)
        rank = min(int((parts < energy * (1 - 1e-12)).sum()) + 1, len(values))
    assert rank is not None
    if not 1 <= rank <= len(values):
        raise UnsupportedError(f"rank must be in 1..{len(values)} for a weight of {tuple(weight.shape)}, got {rank}")
    root = values[:rank].sqrt()
    return (left[:, :rank] * root).to(weight), (root[:, None] * right[:rank]).to(weight), rank


def factorize(
    module: nn.Module,
    *,
    energy: float | None = None,
    rank: int | Mapping[str, int] | None = None,
    protect: Iterable[str] = (),
) -> tuple[nn.Module, FactorLog]:
    """Return a copy in which linear layers are two thin ones, wherever that has fewer parameters.

    Args:
        module: Any module; not touched.
        energy: Part of the squared singular values to keep in every layer.
        rank: One rank for every layer, or ranks by module name; give this or ``energy``.
        protect: Names of layers to leave alone.

    Raises:
        UnsupportedError: Both or neither of energy and rank, or one out of range.
        UnknownNameError: A name is not a linear layer's.
    """
    if (rank is None) == (energy is None):
        raise UnsupportedError(f"give a rank or an energy, got rank={rank} and energy={energy}")
    layers = _linears(module)
    named = tuple(protect)
    for name in (*named, *(rank if isinstance(rank, Mapping) else ())):
        if name not in layers:
            raise UnknownNameError("linear layer", name, layers)
    result = copy.deepcopy(module)
    factors = []
    for name, layer in layers.items():
        if name in named or (isinstance(rank, Mapping) and name not in rank):
            continue
        size = rank[name] if isinstance(rank, Mapping) else rank
        rows, columns = layer.weight.shape
        size = min(size, rows, columns) if size is not None and not isinstance(rank, Mapping) else size
        left, right, kept = truncated_svd(layer.weight, rank=size, energy=energy)
        after = kept * (rows + columns)
        if after >= rows * columns:
            continue
        lost = float((layer.weight.detach().double() - left.double() @ right.double()).square().sum())
        whole = max(float(layer.weight.detach().double().square().sum()), 1e-300)
        factors.append(Factor(name, kept, 1 - lost / whole, (lost / whole) ** 0.5, rows * columns, after))
        pair = _pair(result.get_submodule(name), kept)
        with torch.no_grad():
            pair[0].weight.copy_(right)
            pair[1].weight.copy_(left)
        _replace(result, name, pair)
    return result, FactorLog(tuple(factors))


def apply_factors(module: nn.Module, log: FactorLog) -> nn.Module:
    """Give a network of the original's class the factorized shapes, in place, so that weights can be loaded.

    Raises:
        CheckpointError: The log does not fit the network; nothing has been changed then.
    """
    layers = _linears(module)
    for factor in log.factors:
        if factor.module not in layers or factor.rank > min(layers[factor.module].weight.shape):
            raise CheckpointError(
                f"the log factorizes {factor.module!r} to rank {factor.rank}{did_you_mean(factor.module, layers)}"
            )
    for factor in log.factors:
        _replace(module, factor.module, _pair(module.get_submodule(factor.module), factor.rank))
    return module


def _linears(module: nn.Module) -> dict[str, nn.Linear]:
    """Return plain linear layers whose weight is theirs alone."""
    owners: dict[int, int] = {}
    for _, parameter in module.named_parameters(remove_duplicate=False):
        owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    return {
        name: child
        for name, child in module.named_modules()
        if name and type(child) is nn.Linear and owners.get(id(child.weight)) == 1
    }


def _pair(layer: nn.Module, rank: int) -> nn.Sequential:
    assert isinstance(layer, nn.Linear)
    rows, columns = layer.weight.shape
    weight = layer.weight
    like = {"device": weight.device, "dtype": weight.dtype}
    pair = nn.Sequential(
        nn.utils.skip_init(nn.Linear, columns, rank, bias=False, **like),
        nn.utils.skip_init(nn.Linear, rank, rows, bias=layer.bias is not None, **like),
    )
    with torch.no_grad():
        for parameter in pair.parameters():
            parameter.zero_().requires_grad_(weight.requires_grad)
        if layer.bias is not None:
            pair[1].bias.copy_(layer.bias).requires_grad_(layer.bias.requires_grad)
    return pair.train(layer.training)


def _replace(module: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, own = name.rpartition(".")
    module.get_submodule(parent)._modules[own] = new
