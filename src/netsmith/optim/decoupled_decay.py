"""Decoupled weight decay for any optimizer (Hanson & Pratt 1988; Loshchilov & Hutter 2019, arXiv:1711.05101)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field, model_validator
from torch import nn

from netsmith.optim._closure import Closure, ask
from netsmith.optim._wrapper import Wrapper, WrapperConfig, refuse_asking

__all__ = ["DecoupledDecay"]


class DecoupledDecay(Wrapper):
    r"""Shrink the weights by themselves, beside the step: the decay passes through no momentum and no adaptive scale.

    .. math:: w \leftarrow (1 - \eta \lambda) \, w - \eta \, u(g)

    with ``u`` what the inner optimizer makes of the gradient. For plain descent (``sgd`` without momentum) this is the
    L2 penalty :math:`\lambda \lVert w \rVert^2 / 2` in the loss, which is what ``weight_decay`` of ``sgd``, ``adam``
    and most others means; behind momentum or a scale the two differ. Around ``adam`` it is ``adamw``, around ``sgd``
    the paper's SGDW. As in torch the rate multiplies the decay; the paper has its schedule's factor there alone.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(WrapperConfig):
        """How strong the decay is.

        Attributes:
            inner: Takes the step; without a weight decay of its own.
            strength: lambda.
            vectors: Whether biases and normalization parameters (all vectors and scalars) are decayed too.
        """

        strength: float = Field(gt=0)
        vectors: bool = True

        @model_validator(mode="after")
        def _check(self) -> DecoupledDecay.Config:
            refuse_asking(self)
            own = dict(self.inner).get("weight_decay", 0.0)
            if own:
                raise ValueError(
                    f"inner={self.inner.kind_name()} has a weight_decay of its own ({own:g}), and the weights would be "
                    "pulled twice; set inner.weight_decay=0"
                )
            return self

    def __init__(self, config: DecoupledDecay.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__(config.inner.build(parameters))
        self.config = config

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        """Step once; return the closure's loss if there is one."""
        loss = ask(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and (self.config.vectors or parameter.dim() > 1):
                    parameter.mul_(1 - group["lr"] * self.config.strength)  # Algorithm 1, line 9
        self.inner.step()
        return loss
