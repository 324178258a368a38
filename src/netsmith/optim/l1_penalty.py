"""The L1 norm of the weights in the loss, by its subgradient (Tibshirani 1996, J. R. Stat. Soc. B 58:267)."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator

from netsmith.optim._closure import Closure, ask
from netsmith.optim._wrapper import Wrapper, WrapperConfig, refuse_asking

__all__ = ["L1Penalty"]


class L1Penalty(Wrapper):
    r"""Add the penalty :math:`\lambda \lVert w \rVert_1` to the loss of any optimizer; its weights come near zero.

    .. math:: g \leftarrow g + \lambda \, \mathrm{sign}(w), \qquad \mathrm{sign}(0) = 0

    No weight becomes exactly zero: one that should be steps from side to side of it by about the rate times
    :math:`\lambda`. For exact zeros take ``proximal_sgd``, which is plain descent. The loss in the log is without the
    penalty; ``clip_norm`` clips the gradient before it is added.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(WrapperConfig):
        """How strong the penalty is.

        Attributes:
            inner: Takes the step.
            strength: lambda.
            vectors: Whether biases and normalization parameters (all vectors and scalars) are penalized too.
        """

        strength: float = Field(gt=0)
        vectors: bool = False

        @model_validator(mode="after")
        def _check(self) -> L1Penalty.Config:
            refuse_asking(self)
            return self

    config: L1Penalty.Config

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        """Step once; return the closure's loss if there is one."""
        loss = ask(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None and (self.config.vectors or parameter.dim() > 1):
                    parameter.grad.add_(parameter.sign(), alpha=self.config.strength)
        self.inner.step()
        return loss
