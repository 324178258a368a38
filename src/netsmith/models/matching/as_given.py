"""The order in which candidates are given: what any ranking must be above, where that order says something."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from netsmith.core.roles import ModelConfig
from netsmith.core.spec import InputKind
from netsmith.layers.candidates import parted, sealed
from netsmith.models.matching._unlearned import Unlearned

__all__ = ["AsGiven"]


class AsGiven(Unlearned):
    """Score candidates by their place alone, the first one highest: a control that reads no word.

    Sentences of a page stand in its order, and what a page is asked for often stands first. The method
    ``closed_form`` lets it pass through training.

    Shapes:
        ``(B, 1 + C, L)`` int64, see :mod:`netsmith.layers.candidates`, to scores ``(B, C)``.
    """

    class Config(ModelConfig):
        """It has no settings."""

        takes: ClassVar[tuple[InputKind, ...]] = ("text", "tokens")
        uncounted: ClassVar[str] = "it reads no word, and multiplies nothing"

    def __init__(self, config: AsGiven.Config) -> None:
        super().__init__()
        self.config = config

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the scores."""
        _, _, there = parted(inputs)
        places = torch.arange(there.shape[1], device=inputs.device, dtype=torch.get_default_dtype())
        return sealed(-places.expand(there.shape[0], -1), there)

    def landmarks(self) -> dict[str, str]:
        """Return that there are no layers."""
        return {}
