"""Decoupled weight decay for any optimizer (Hanson & Pratt 1988; Loshchilov & Hutter 2019, arXiv:1711.05101)."""

from __future__ import annotations

import torch
from pydantic import Field, model_validator

from netsmith.core.roles import OptimizerConfig
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
            inner: Takes the step; neither it nor what it wraps has a weight decay.
            strength: lambda; times the learning rate it is below 1.
            vectors: Whether biases and normalization parameters (all vectors and scalars) are decayed too.
        """

        strength: float = Field(gt=0)
        vectors: bool = True

        @model_validator(mode="after")
        def _check(self) -> DecoupledDecay.Config:
            refuse_asking(self)
            inner: OptimizerConfig | None = self.inner
            while inner is not None:
                name = "strength" if isinstance(inner, DecoupledDecay.Config) else "weight_decay"
                own = dict(inner).get(name, 0.0)
                if own:
                    raise ValueError(
                        f"inner={inner.kind_name()} has a {name} of its own ({own:g}), and the weights would be pulled "
                        "twice; set inner.weight_decay=0, and take one decoupled_decay"
                    )
                inner = inner.inner if isinstance(inner, WrapperConfig) else None
            if self.rate * self.strength >= 1:
                raise ValueError(
                    f"strength={self.strength:g} at lr={self.rate:g} takes {self.rate * self.strength:g} of each "
                    "weight away in one step; expected lr * strength below 1"
                )
            return self

    config: DecoupledDecay.Config

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
