"""Clipping by value: each number of the gradient within bounds (Mikolov 2012; Pascanu et al. 2013)."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator
from torch import nn

from netsmith.optim._closure import Closure, ask
from netsmith.optim._wrapper import Wrapper, WrapperConfig

__all__ = ["ClipValue"]


class ClipValue(Wrapper):
    r"""Cut every number of the gradient to a range before another optimizer takes its step.

    .. math:: g_i \leftarrow \max(-c, \min(c, g_i))

    Large numbers shrink more than small ones, so the step turns towards the diagonal. Clipping by the norm,
    :math:`g \leftarrow g \min(1, c / \lVert g \rVert_2)` (Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063,
    Algorithm 1), keeps the direction: it is the experiment's ``clip_norm``, and comes before this one where both are
    set. torch's own function on torch's or our optimizer.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(WrapperConfig):
        """How far a number may go.

        Attributes:
            inner: Takes the step.
            limit: c, the largest absolute value of any number of the gradient.
        """

        limit: float = Field(default=1.0, gt=0)

        @model_validator(mode="after")
        def _check(self) -> ClipValue.Config:
            if self.inner.needs_closure:
                raise ValueError(
                    f"inner={self.inner.kind_name()} computes gradients of its own, which would not be clipped; take "
                    "sgd, adam or another that takes the gradient as it is"
                )
            return self

    config: ClipValue.Config

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        """Step once; return the closure's loss if there is one."""
        loss = ask(closure)
        every = [parameter for group in self.param_groups for parameter in group["params"]]
        nn.utils.clip_grad_value_(every, self.config.limit)
        self.inner.step()
        return loss
