"""Threshold units, alone and in layers: the first model of a neuron (McCulloch & Pitts 1943)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.core.errors import UnknownNameError
from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind

__all__ = ["GATES", "McCullochPitts", "fires", "gate"]

Layer = tuple[tuple[tuple[float, ...], ...], tuple[float, ...]]
"""The weights of each unit, and its threshold."""

_AND: Layer = (((1.0, 1.0),), (2.0,))
_OR: Layer = (((1.0, 1.0),), (1.0,))
_NAND: Layer = (((-1.0, -1.0),), (-1.0,))
_NOR: Layer = (((-1.0, -1.0),), (0.0,))
_OR_NAND: Layer = (((1.0, 1.0), (-1.0, -1.0)), (1.0, -1.0))
_AND_NOR: Layer = (((1.0, 1.0), (-1.0, -1.0)), (2.0, 0.0))

GATES: Mapping[str, tuple[Layer, ...]] = MappingProxyType(
    {
        "not": ((((-1.0,),), (0.0,)),),
        "and": (_AND,),
        "or": (_OR,),
        "nand": (_NAND,),
        "nor": (_NOR,),
        "xor": (_OR_NAND, _AND),
        "xnor": (_AND_NOR, _OR),
    }
)
"""Layers that compute each gate, first to last; no single unit computes xor or xnor."""


def fires(inputs: Tensor, weights: Tensor, thresholds: Tensor) -> Tensor:
    r"""Return 1 where the weighted sum of the inputs reaches the threshold, and 0 elsewhere.

    .. math:: y_i = [\textstyle\sum_j w_{ij} x_j \ge \theta_i]

    Args:
        inputs: ``(B, F)`` of zeros and ones.
        weights: ``(U, F)``.
        thresholds: ``(U,)``.

    Returns:
        ``(B, U)``, of the type of ``weights``.
    """
    return (inputs.to(weights.dtype) @ weights.T >= thresholds).to(weights.dtype)


class McCullochPitts(nn.Module):
    """Compute a logic function by units that fire or do not; nothing is learned.

    McCulloch & Pitts 1943, Bulletin of Mathematical Biophysics 5. Their units have excitatory inputs of weight 1, and
    inhibitory ones of which a single active one silences the unit: the same as a weight below the threshold less the
    sum of all positive weights.

    Shapes:
        ``(B, ...)`` with as many zeros and ones per example as the first units have weights, to ``(B, U)`` float64,
        zeros and ones of the last layer's units.

    Example:
        >>> xor = gate("xor").build()
        >>> xor(torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]])).flatten().tolist()
        [0.0, 1.0, 1.0, 0.0]
    """

    class Config(ModelConfig):
        """The network; the default computes xor.

        Attributes:
            weights: By layer, by unit, one for each of its inputs.
            thresholds: By layer, one for each unit.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")
        uncounted: ClassVar[str] = "its weights are given, and with them the width of its inputs"

        weights: tuple[tuple[tuple[float, ...], ...], ...] = Field(
            default=tuple(layer[0] for layer in GATES["xor"]), min_length=1
        )
        thresholds: tuple[tuple[float, ...], ...] = tuple(layer[1] for layer in GATES["xor"])

        @model_validator(mode="after")
        def _check(self) -> McCullochPitts.Config:
            if len(self.weights) != len(self.thresholds):
                raise ValueError(f"{len(self.weights)} layers of weights, but {len(self.thresholds)} of thresholds")
            width = len(self.weights[0][0]) if self.weights[0] else 0
            for at, (rows, thresholds) in enumerate(zip(self.weights, self.thresholds, strict=True)):
                if not width or not rows or len(rows) != len(thresholds) or {len(row) for row in rows} != {width}:
                    raise ValueError(
                        f"layer {at}: expected a threshold and {max(1, width)} weights for each unit, got "
                        f"{len(thresholds)} thresholds and rows of {[len(row) for row in rows]} weights"
                    )
                width = len(rows)
            return self

    def __init__(self, config: McCullochPitts.Config) -> None:
        super().__init__()
        self.config = config
        for at, (weights, thresholds) in enumerate(zip(config.weights, config.thresholds, strict=True)):
            self.register_buffer(f"weight_{at}", torch.tensor(weights, dtype=torch.float64))
            self.register_buffer(f"threshold_{at}", torch.tensor(thresholds, dtype=torch.float64))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return which units of the last layer fire."""
        answer = inputs.flatten(1)
        for at in range(len(self.config.weights)):
            answer = fires(answer, self.get_buffer(f"weight_{at}"), self.get_buffer(f"threshold_{at}"))
        return answer

    def landmarks(self) -> dict[str, str]:
        """Return where the head is: the model itself."""
        return {"head": ""}


def gate(name: str) -> McCullochPitts.Config:
    """Return the network of a logic gate.

    Args:
        name: One of :data:`GATES`.

    Raises:
        UnknownNameError: There is no such gate.
    """
    if name not in GATES:
        raise UnknownNameError("gate", name, GATES)
    return McCullochPitts.Config(
        weights=tuple(layer[0] for layer in GATES[name]), thresholds=tuple(layer[1] for layer in GATES[name])
    )
