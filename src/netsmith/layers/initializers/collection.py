"""First weights from the texts of a collection: vectors of its words, and how rare they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.core.errors import ConfigError
from netsmith.core.roles import InitializerConfig
from netsmith.engine.initializer import Initializer
from netsmith.engine.source import Source, TextCollection
from netsmith.layers.collection import CollectionCounts, WordVectors
from netsmith.layers.ppmi import ppmi_vectors

__all__ = ["Collection"]


class Collection(Initializer):
    """Count a collection's words, and give them vectors by how they come together; no judgment is read.

    For networks that match texts (:mod:`netsmith.models.matching`): where few pairs are judged, what words mean is
    learned from the texts that are there anyway. Vectors are the singular vectors of shifted positive pointwise mutual
    information (Levy & Goldberg 2014, :func:`netsmith.layers.ppmi.ppmi_vectors`), the same in every run; words without
    a context keep the random ones that their network drew.
    """

    class Config(InitializerConfig):
        """How vectors are found.

        Attributes:
            window: How many words to either side are context.
            negatives: The shift: k, whose logarithm is subtracted.
            smoothing: Power of the contexts' counts.
            power: Power of the singular values.
        """

        window: int = Field(default=5, ge=1, le=1000)
        negatives: float = Field(default=1.0, gt=0)
        smoothing: float = Field(default=0.75, gt=0, le=1)
        power: float = Field(default=0.5, ge=0, le=1)

    def __init__(self, config: Collection.Config) -> None:
        self.config = config
        self._texts: tuple[Tensor, ...] = ()

    def prepare(self, source: Source) -> None:
        """Take the texts of a source's collection.

        Raises:
            ConfigError: It has none.
        """
        if not isinstance(source, TextCollection):
            raise ConfigError(f"initialize: {source.spec.dataset} is no collection of texts; leave initialize out")
        self._texts = tuple(source.collection())

    @torch.no_grad()
    def __call__(
        self,
        module: nn.Module,
        *,
        generator: torch.Generator | None = None,  # noqa: ARG002
        run: Callable[[], Any] | None = None,  # noqa: ARG002
    ) -> list[str]:
        """Put counts and vectors into the layers of a network that take them.

        Raises:
            ConfigError: There is no such layer, the texts were not handed over, or are fewer words than a vector has
                numbers.
        """
        if not self._texts:
            raise ConfigError("initialize: there is no text to learn from; prepare(source) comes first")
        given: list[str] = []
        for name, layer in module.named_modules():
            if isinstance(layer, CollectionCounts):
                layer.count(self._texts)
                given += [f"{name}.{part}" for part, _ in layer.named_buffers()]
            elif isinstance(layer, WordVectors):
                size, dim = layer.weight.shape
                found = ppmi_vectors(
                    self._texts,
                    size=size,
                    dim=dim,
                    window=self.config.window,
                    negatives=self.config.negatives,
                    smoothing=self.config.smoothing,
                    power=self.config.power,
                    generator=torch.Generator().manual_seed(0),  # the seed of a run decides nothing here
                )
                layer.take(found)
                given.append(f"{name}.weight")
        if not given:
            raise ConfigError(
                f"initialize: {type(module).__name__} has no word vectors and no counts of a collection; leave "
                "initialize out"
            )
        return given
