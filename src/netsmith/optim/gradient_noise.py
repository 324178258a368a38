"""Gradient noise that fades (Neelakantan et al. 2015, arXiv:1511.06807)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._closure import Closure, ask
from netsmith.optim._step_noise import NoisyConfig, NoisyWrapper

__all__ = ["GradientNoise"]


class GradientNoise(NoisyWrapper):
    r"""Add normal noise to every gradient, less with each step: helps very deep or badly initialized networks.

    .. math:: g_t \leftarrow g_t + \mathcal N(0, \sigma_t^2), \qquad \sigma_t^2 = \frac{\eta}{(1 + t)^\gamma}

    Our ``scale`` is the paper's :math:`\eta`, not the learning rate; ``t`` counts this optimizer's steps from 0. The
    noise comes after ``clip_norm`` and before the inner optimizer's weight decay. What has no
    gradient gets no noise. Ours: torch has none.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(NoisyConfig):
        """How strong the noise is.

        Attributes:
            inner: Takes the step with the noisy gradient.
            scale: eta, the variance at the first step; the paper tries 0.01, 0.3 and 1.
            decay: gamma, how fast it fades; 0 keeps it.
        """

        scale: float = Field(default=0.01, gt=0)
        decay: float = Field(default=0.55, ge=0)

    config: GradientNoise.Config

    def __init__(self, config: GradientNoise.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__(config, parameters, name="gradient_noise")

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        """Step once; return the closure's loss if there is one."""
        loss = ask(closure)
        base, step = self._place()
        parameters = self._with_gradient()
        std = (self.config.scale / (1 + step) ** self.config.decay) ** 0.5  # Eq. 1
        for parameter, draw in zip(parameters, self._draws(parameters, base, step), strict=True):
            parameter.grad.add_(draw, alpha=std)  # type: ignore[union-attr]
        self.inner.step()
        self._remember(parameters, base, step + 1)
        return loss
