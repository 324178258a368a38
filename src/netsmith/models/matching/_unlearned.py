"""What rankings share that learn nothing from judgments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

__all__ = ["Unlearned"]


class Unlearned(nn.Module):
    """Abstract: a model that the method ``closed_form`` lets pass through training as it is."""

    def absorb(
        self,
        inputs: Any,
        targets: Any,
        *,
        weights: Tensor | None,
        sum_ranks: Callable[[list[Tensor]], None],
    ) -> None:
        """Learn nothing."""
