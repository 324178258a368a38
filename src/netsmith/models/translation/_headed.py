"""What writers share that end in one linear layer over what they see at each place."""

from __future__ import annotations

import abc
from typing import Any

from torch import Tensor, nn

from netsmith.layers.writing import Writer

__all__ = ["HeadedWriter"]


class HeadedWriter(Writer):
    """Abstract: a writer whose logits are a layer ``head`` of what it sees after each token.

    Padding costs nothing in training: the head sees the places inside alone.

    Attributes:
        head: To the logits of the tokens.
    """

    head: nn.Linear

    @abc.abstractmethod
    def _write(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return what the head sees at each place of the tokens ``(B, T)``, ``(B, T, H)``, and the state at the end."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Return the logits of what follows the tokens, and the state after them."""
        found, after = self._write(tokens[:, None], state)
        return self.head(found[:, 0]), after

    def forward(self, source: Tensor, written: Tensor) -> Tensor:
        """Return the logits after each token."""
        return self.head(self._write(written, self.begin(source))[0])

    def packed(self, source: Tensor, written: Tensor, inside: Tensor) -> Tensor:
        """Return the logits ``(M, V)`` of the places inside alone."""
        return self.head(self._write(written, self.begin(source))[0][inside])
