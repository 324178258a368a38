"""Weight noise: the gradient at randomly moved weights (An 1996, doi:10.1162/neco.1996.8.3.643)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from netsmith.optim._closure import Closure, moved, needed
from netsmith.optim._step_noise import NoisyConfig, NoisyWrapper

__all__ = ["WeightNoise"]


class WeightNoise(NoisyWrapper):
    r"""Take each gradient where normal noise has moved the weights, and step from where they were: favors flat minima.

    .. math:: g = \nabla L(w + \sigma \epsilon), \qquad \epsilon \sim \mathcal N(0, 1)

    drawn anew for every step, one draw for the whole batch, and taken away before the step, to the last bit. For a
    small :math:`\sigma` and squared errors the expected loss is that of ``w`` plus :math:`\sigma^2 E \lVert \nabla_w
    \hat y \rVert^2` where the residuals are small (Goodfellow et al., Deep Learning, section 7.5). The loss in the log
    is that of the moved weights; all of the player's parameters are moved. Ours: torch has none.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(NoisyConfig):
        """How strong the noise is.

        Attributes:
            inner: Takes the step.
            std: sigma, in units of the weights.
        """

        needs_closure: ClassVar[bool] = True

        std: float = Field(default=0.01, gt=0)

    config: WeightNoise.Config

    def __init__(self, config: WeightNoise.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__(config, parameters, name="weight_noise")

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float:  # type: ignore[override]
        """Step once; return the loss at the moved weights."""
        gradient = needed(closure, type(self).__name__)
        base, step = self._place()
        every = [parameter for group in self.param_groups for parameter in group["params"]]
        with moved(every):
            for parameter, draw in zip(every, self._draws(every, base, step), strict=True):
                parameter.add_(draw, alpha=self.config.std)
            loss = gradient()
        parameters = self._with_gradient()
        self.inner.step()
        self._remember(parameters, base, step + 1)
        return loss
