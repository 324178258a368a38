"""SAM: sharpness-aware minimization (Foret et al. 2021, arXiv:2010.01412)."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field, model_validator
from torch import nn

from netsmith.optim._closure import Closure, moved, needed
from netsmith.optim._wrapper import Wrapper, WrapperConfig, refuse_asking

__all__ = ["SAM"]


class SAM(Wrapper):
    r"""Descend along the gradient of the worst point nearby, which leads to flat minima; twice the time of a step.

    .. math:: \hat\epsilon = \rho \, \nabla L(p) / \lVert \nabla L(p) \rVert_2, \qquad
              g = \nabla L(p + \hat\epsilon)

    and the inner optimizer takes its step from ``p`` with ``g``. Both gradients are of the same batch with the same
    noise; what a forward pass counts (the running statistics of batch normalization) the engine moves by the first
    only. The norm is that of all the player's gradients together, over the whole batch and all processes (the paper
    lets each accelerator climb on its own share). The loss in the log is that of ``p``; ``clip_norm`` clips both
    gradients. Weight decay is the inner one's, at ``p``, and no part of the climb. The paper's ``p = 2`` only. Ours:
    torch has none.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(WrapperConfig):
        """How far to climb.

        Attributes:
            inner: Takes the step.
            rho: The distance of the worst point, above 0.
        """

        needs_closure: ClassVar[bool] = True

        rho: float = Field(default=0.05, gt=0)

        @model_validator(mode="after")
        def _check(self) -> SAM.Config:
            refuse_asking(self)
            return self

    config: SAM.Config

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float:  # type: ignore[override]
        """Step once; return the loss before it."""
        gradient = needed(closure, type(self).__name__)
        loss = gradient()
        climbing = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        if climbing:
            norm = nn.utils.get_total_norm([parameter.grad for parameter in climbing])
            scale = torch.where(norm > 0, self.config.rho / norm, 0.0)  # from a critical point there is no way up
            with moved(climbing):
                for parameter in climbing:
                    parameter.add_(parameter.grad * scale)  # Eq. 2
                gradient()  # Eq. 3
        self.inner.step()
        return loss
