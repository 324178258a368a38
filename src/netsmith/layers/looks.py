"""What a network with an eye that moves offers, and what it tells about its looks."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor

__all__ = ["Looker", "Looks"]


class Looks(NamedTuple):
    """An answer and how it came about.

    Attributes:
        output: The answer.
        places: ``(B, T, 2)``, the places it drew, x before y; it looks at the nearest place within -1..1.
        means: ``(B, T, 2)``, the means of the policy it drew them from.
        baselines: ``(B, T)``, the reward it expected before each look.
    """

    output: Tensor
    places: Tensor
    means: Tensor
    baselines: Tensor


@runtime_checkable
class Looker(Protocol):
    """What a network with an eye that moves offers besides an answer when called."""

    looks: int
    """How often it looks, T."""

    def look(self, images: Tensor, noise: Tensor | None = None) -> Looks:
        """Look with ``noise`` ``(B, T, 2)`` on the places, and answer."""
        ...
