"""Layer-sequential unit variance: weights by what layers answer to a batch (Mishkin & Matas 2016, arXiv:1511.06422)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.layers.initializers._drawn import Drawn, DrawnConfig, Fans

__all__ = ["Lsuv"]


class Lsuv(Drawn):
    r"""Draw orthonormal weights, then scale each layer so that its answers to a batch have variance 1.

    .. math:: W_l \leftarrow W_l / \sqrt{\operatorname{Var}(B_l)} \quad\text{while}\quad
              |\operatorname{Var}(B_l) - 1| \ge \epsilon

    ``B_l`` are all numbers that layer ``l`` answers (before its nonlinearity), over the batch; layers are taken in the
    order in which they are run. It needs no formula for the nonlinearity, nor for what else lies between the layers.

    One pass through the network is enough: a layer is run again until it is right, and what comes after it sees the
    answer that is. The pass is made in evaluation mode. A layer that is run several times (shared weights) is scaled
    at its first; recurrent and attention layers, and those the pass does not reach, stay orthonormal.
    """

    class Config(DrawnConfig):
        """When to stop.

        Attributes:
            tolerance: By how much the variance of a layer may differ from 1.
            rounds: How often a layer is scaled at most.
        """

        tolerance: float = Field(default=0.01, gt=0)
        rounds: int = Field(default=10, ge=1)

    def __init__(self, config: Lsuv.Config) -> None:
        super().__init__(config)
        self.config = config

    def fill(self, weight: Tensor, fans: Fans, generator: torch.Generator | None) -> None:  # noqa: ARG002
        nn.init.orthogonal_(weight, generator=generator)

    @torch.no_grad()
    def __call__(
        self,
        module: nn.Module,
        *,
        generator: torch.Generator | None = None,
        run: Callable[[], Any] | None = None,
    ) -> list[str]:
        """Draw the weights of a network and scale them, in place.

        Raises:
            ConfigError: No ``run``, or what :class:`Drawn` raises.
            UnsupportedError: No layer is reached, or one answers the same number to everything.
        """
        if run is None:
            raise ConfigError("lsuv looks at what layers answer; give run=lambda: network(examples)")
        drawn = super().__call__(module, generator=generator)
        scaled: set[int] = set()
        modes = {part: part.training for part in module.modules()}
        layers = [(name, layer) for name, layer in self.layers(module) if isinstance(layer, (nn.Linear, _ConvNd))]
        handles = [layer.register_forward_hook(self._scale(name, scaled)) for name, layer in layers]
        try:
            module.eval()
            run()
        finally:
            for handle in handles:
                handle.remove()
            for part, mode in modes.items():
                part.training = mode
        if not scaled:
            raise UnsupportedError(
                f"lsuv: the examples reached no linear or convolution layer of {type(module).__name__}; take orthogonal"
            )
        return drawn

    def _scale(self, name: str, scaled: set[int]) -> Callable[..., Tensor | None]:
        def look(layer: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor | None:
            weight = layer.weight
            assert isinstance(weight, Tensor)
            if id(weight) in scaled:
                return None
            scaled.add(id(weight))
            for _ in range(self.config.rounds):  # Algorithm 1
                variance = float(output.var(correction=0))
                if not variance > 0:  # NaN too
                    raise UnsupportedError(
                        f"lsuv: the answers of {name} to the batch have variance {variance:g}; no factor makes it 1; "
                        "name it in leave, take more examples to a batch, or another initializer"
                    )
                if abs(variance - 1) < self.config.tolerance:
                    break
                weight.div_(variance**0.5)
                output = layer.forward(*inputs)
            return output

        return look
