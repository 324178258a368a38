"""Lookahead: k steps forward, 1 step back (Zhang et al. 2019, arXiv:1907.08610)."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator

from netsmith.optim._closure import Closure, ask
from netsmith.optim._wrapper import Wrapper, WrapperConfig

__all__ = ["Lookahead"]


class Lookahead(Wrapper):
    r"""Let another optimizer run ahead, and follow it part of the way every few steps; steadier, at almost no cost.

    .. math:: \phi \leftarrow \phi + \alpha (\theta_k - \phi), \qquad \theta \leftarrow \phi
              \qquad \text{every } k \text{ steps of } \theta

    The fast weights :math:`\theta` are the network's own: between two meetings they are what is evaluated and saved, so
    let the steps of a run, and of what lies between its evaluations, be multiples of ``steps``. The slow weights
    :math:`\phi`, a copy of the network, are state of this optimizer and go into checkpoints. The inner optimizer's
    moments stay as they are at a meeting, as by default in the authors' code. Weight decay is the inner one's. Ours:
    torch has none.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(WrapperConfig):
        """How to look ahead.

        Attributes:
            inner: Moves the fast weights.
            steps: k, the fast steps for each slow one.
            alpha: The share of the way that the slow weights follow, in (0, 1].
        """

        steps: int = Field(default=5, ge=1)
        alpha: float = Field(default=0.5, gt=0, le=1)

        @model_validator(mode="after")
        def _check(self) -> Lookahead.Config:
            if isinstance(self.inner, Lookahead.Config):
                raise ValueError(
                    "inner is a lookahead itself, and both would keep their slow weights in one place; take the "
                    "optimizer inside it"
                )
            if self.inner.needs_closure:
                raise ValueError(
                    f"inner={self.inner.kind_name()} asks for the loss itself, and lookahead has no answer; take sgd, "
                    "adam or another that takes the gradient as it is (sam goes outside: its inner may be a lookahead)"
                )
            return self

    config: Lookahead.Config

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        """Step once; return the closure's loss if there is one."""
        loss = ask(closure)
        every = [parameter for group in self.param_groups for parameter in group["params"]]
        followed = [parameter for parameter in every if "slow" in self.state.get(parameter, {})]
        count = 1 + (int(self.state[followed[0]]["lookahead_step"]) if followed else 0)
        # A parameter that has had no gradient stands where it stood at the start: its slow weights begin there as well.
        first = [p for p in every if p.grad is not None and "slow" not in self.state.get(p, {})]
        starts = [parameter.clone() for parameter in first]
        self.inner.step()
        for parameter, start in zip(first, starts, strict=True):
            self.state[parameter]["slow"] = start
        followed += first
        for parameter in followed:
            self.state[parameter]["lookahead_step"] = count
        if count % self.config.steps == 0 and followed:
            slow = [self.state[parameter]["slow"] for parameter in followed]
            torch._foreach_lerp_(slow, followed, self.config.alpha)  # Algorithm 1, the outer update
            torch._foreach_copy_(followed, slow)
        return loss
