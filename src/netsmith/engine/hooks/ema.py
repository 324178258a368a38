"""Exponential moving average of the weights: evaluate and ship the average, train the weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.roles import HookConfig
from netsmith.engine.hook import Hook

if TYPE_CHECKING:
    from netsmith.engine.engine import Engine

__all__ = ["Ema"]


class Ema(Hook):
    """Average the product's parameters and floating buffers over the steps.

    Polyak & Juditsky (1992); with the warm-up of the decay of Tarvainen & Valpola (2017)::

        d_t = min(decay, (1 + t) / (10 + t));   average = d_t * average + (1 - d_t) * weight
    """

    class Config(HookConfig):
        """Settings.

        Attributes:
            decay: Largest share of the old average that is kept at each step.
        """

        decay: float = Field(default=0.999, ge=0, lt=1)

    order = 20

    def __init__(self, config: Config) -> None:
        self.config = config
        self.average: dict[str, Tensor] = {}
        self.count = 0

    @staticmethod
    def _tensors(engine: Engine) -> dict[str, Tensor]:
        product = engine.method.product()
        named = [*product.named_parameters(), *product.named_buffers()]
        return {name: tensor.detach() for name, tensor in named if tensor.is_floating_point()}

    def start(self, engine: Engine) -> None:
        if not self.average:
            self.average = {name: tensor.clone() for name, tensor in self._tensors(engine).items()}

    def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:  # noqa: ARG002
        self.count += 1
        decay = min(self.config.decay, (1 + self.count) / (10 + self.count))
        current = self._tensors(engine)
        torch._foreach_lerp_(list(self.average.values()), [current[name] for name in self.average], 1 - decay)

    @contextmanager
    def _swapped(self, engine: Engine) -> Iterator[None]:
        current = self._tensors(engine)
        kept = {name: tensor.clone() for name, tensor in current.items()}
        for name, tensor in current.items():
            tensor.copy_(self.average[name])
        try:
            yield
        finally:
            for name, tensor in current.items():
                tensor.copy_(kept[name])

    def evaluate(self, engine: Engine, run: Callable[[], dict[str, float]]) -> dict[str, float]:
        with self._swapped(engine):
            return run()

    def apply(self, engine: Engine) -> None:
        for name, tensor in self._tensors(engine).items():
            tensor.copy_(self.average[name])

    def state(self) -> dict[str, Any]:
        return {"average": self.average, "count": self.count}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.average = {name: tensor.clone() for name, tensor in state["average"].items()}
        self.count = state["count"]
