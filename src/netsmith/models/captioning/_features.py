"""What a captioning network sees: the last feature map of any network of the catalogue, a vector for each place."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError, first_line
from netsmith.core.roles import ModelConfig

__all__ = ["PictureFeatures"]


class PictureFeatures(nn.Module):
    """Any network for pictures as an encoder: what its landmark ``features`` answers.

    Its head is taken out; layers between that landmark and the head, where there are some, keep their weights but are
    not learned through this.

    Args:
        config: The network, every field of it given but those that the data decide.
        channels: Channels of a picture.
        size: Height and width of a picture.

    Attributes:
        grid: Height and width of the feature map.
        width: D, its channels.

    Shapes:
        ``(B, C, size, size)`` to ``(B, L, D)`` with L the places row by row.

    Raises:
        ConfigError: The network names no such layer, or it answers with no map.
    """

    def __init__(self, config: ModelConfig, *, channels: int, size: int) -> None:
        super().__init__()
        self.network: nn.Module = config.build()
        declare: Callable[[], dict[str, str]] | None = getattr(self.network, "landmarks", None)
        marks = {} if declare is None else declare()
        self._layer = marks.get("features", "")
        if not self._layer:
            raise ConfigError(f"{config.kind_name()} names no layer of features; take another encoder")
        if marks.get("head"):
            self.network.set_submodule(marks["head"], nn.Identity())
        training = self.network.training
        with torch.no_grad():
            try:
                seen = self._map(torch.zeros(2, channels, size, size), evaluate=True)
            except RuntimeError as error:
                problem = f"cannot read pictures of {channels} x {size} x {size}: {first_line(error)}"
                raise ConfigError(f"{config.kind_name()} {problem}") from None
        self.network.train(training)
        if seen.dim() != 4:
            raise ConfigError(f"{config.kind_name()} answers {tuple(seen.shape)} at {self._layer!r}; expected a map")
        self.width = seen.shape[1]
        self.grid = (seen.shape[2], seen.shape[3])

    def forward(self, images: Tensor) -> Tensor:
        """Return the vectors of all places."""
        return self._map(images).flatten(2).transpose(1, 2)

    def _map(self, images: Tensor, *, evaluate: bool = False) -> Tensor:
        if evaluate:
            self.network.eval()
        found: list[Tensor] = []
        layer = self.network.get_submodule(self._layer)
        handle = layer.register_forward_hook(lambda *answer: found.append(answer[2]))
        try:
            self.network(images)
        finally:
            handle.remove()
        return found[-1]
