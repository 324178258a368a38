"""LAMB: layer-wise adaptive moments for batches of thousands (You et al. 2020, ICLR; arXiv:1904.00962v5)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from netsmith.optim._closure import Closure, ask
from netsmith.optim._groups import Beta, DecayedConfig, parameter_groups

__all__ = ["Lamb"]


class Lamb(torch.optim.Optimizer):
    r"""Adam's direction, as long for each layer as the layer's own weights; for very large batches.

    .. math::

        u = \frac{\hat m}{\sqrt{\hat v} + \epsilon} + \lambda p, \qquad
        p \leftarrow p - \eta \, \frac{\phi(\lVert p \rVert)}{\lVert u \rVert} \, u, \qquad
        \phi(z) = \min(\max(z, \gamma_l), \gamma_u)

    Algorithm 2 of the published version, with Adam's bias correction (version 3 had none; NVIDIA's variant also divides
    the gradients by the norm of all of them before). A layer is one parameter tensor. ``phi`` is the identity, as in
    the paper's experiments, unless ``bounds`` are given. Where a norm is 0 the ratio is 1, as in the authors' code:
    weights that start at zero would never leave it. ``weight_decay`` is decoupled from the moments, as in AdamW, and
    counts in the ratio. Ours: torch has none.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(DecayedConfig):
        """How to descend.

        Attributes:
            betas: Decay of the first and of the second moment, each in [0, 1).
            eps: Added to the root of the second moment.
            bounds: The least and the greatest norm of a layer that ``phi`` gives; None for the norm as it is.
            adapt_norms: Whether biases and normalization parameters (all vectors and scalars) have a ratio too, as in
                the paper; the authors' code for BERT gives them 1.
        """

        lr: float = Field(default=1e-3, gt=0)
        weight_decay: float = Field(default=0.01, ge=0)
        betas: tuple[Beta, Beta] = (0.9, 0.999)
        eps: float = Field(default=1e-6, ge=0)
        bounds: tuple[float, float] | None = None
        adapt_norms: bool = True

        @model_validator(mode="after")
        def _check(self) -> Lamb.Config:
            if self.bounds is not None and not 0 <= self.bounds[0] < self.bounds[1]:
                raise ValueError(f"bounds are a least and a greater norm, from 0 (got {self.bounds})")
            return self

    def __init__(self, config: Lamb.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__(parameter_groups(parameters, config), {"lr": config.lr})
        self.config = config

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        """Step once; return the closure's loss if there is one."""
        loss = ask(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    direction = self._direction(parameter).add_(parameter, alpha=group["weight_decay"])
                    parameter.sub_(direction * self._ratio(parameter, direction), alpha=group["lr"])
        return loss

    def _direction(self, parameter: nn.Parameter) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        assert gradient is not None
        if not state:
            state |= {name: torch.zeros_like(parameter) for name in ("exp_avg", "exp_avg_sq")}
            state["step"] = torch.zeros(())
        state["step"] += 1
        (beta1, beta2), step = self.config.betas, state["step"].item()
        mean = state["exp_avg"].lerp_(gradient, 1 - beta1)
        square = state["exp_avg_sq"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (square / (1 - beta2**step)).sqrt_().add_(self.config.eps)
        return (mean / (1 - beta1**step)).div_(root)

    def _ratio(self, parameter: Tensor, direction: Tensor) -> Tensor | float:
        if parameter.dim() <= 1 and not self.config.adapt_norms:
            return 1.0
        size, length = parameter.norm(), direction.norm()
        if self.config.bounds is not None:
            size = size.clamp(*self.config.bounds)
        return torch.where((size > 0) & (length > 0), size / length, 1.0)
