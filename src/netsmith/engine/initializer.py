"""The contract of an initializer: how a network's first weights are drawn, in place of the model's own rule."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from netsmith.engine.source import Source

__all__ = ["Initializer"]


class Initializer(abc.ABC):
    """Draws first weights; called once, after the networks are built and before the first step."""

    def prepare(self, source: Source) -> None:  # noqa: B027
        """Look at the data of the run before weights are drawn; most draw without them."""

    @abc.abstractmethod
    def __call__(
        self,
        module: nn.Module,
        *,
        generator: torch.Generator | None = None,
        run: Callable[[], Any] | None = None,
    ) -> list[str]:
        """Draw the weights of a network, in place.

        Args:
            module: The network, or a method with all of its networks.
            generator: Where random numbers come from; None for torch's default generator.
            run: Passes examples through the network, for an initializer that looks at what its layers answer.

        Returns:
            The names of the parameters that were drawn.
        """
