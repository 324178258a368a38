"""Descent with the soft threshold: L1 with exact zeros (Daubechies, Defrise & De Mol 2004, doi:10.1002/cpa.20042)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from netsmith.optim._closure import Closure, ask
from netsmith.optim._groups import DecayedConfig, descents, parameter_groups

__all__ = ["ProximalSGD", "soft_threshold"]


def soft_threshold(values: Tensor, threshold: float) -> Tensor:
    r"""Return :math:`\mathrm{sign}(x) \max(|x| - \theta, 0)`, the minimizer of :math:`(z - x)^2 / 2 + \theta |z|` in z.

    Args:
        values: x, of any shape.
        threshold: theta, from 0.

    Example:
        >>> soft_threshold(torch.tensor([-3.0, 0.5, 2.0]), 1.0).tolist()
        [-2.0, 0.0, 1.0]
    """
    return values - values.clamp(-threshold, threshold)


class ProximalSGD(torch.optim.Optimizer):
    r"""Descend, then pull every weight toward zero by a fixed amount and stop it there: weights become exactly zero.

    .. math:: w \leftarrow S_{\eta \lambda}(w - \eta \, g), \qquad S_\theta(x) = \mathrm{sign}(x) \max(|x| - \theta, 0)

    the proximal step for the loss plus :math:`\lambda \lVert w \rVert_1` (ISTA). Over the whole data with a rate below
    2 / L, L the largest curvature, it converges to the lasso's solution. There is no momentum: inside a velocity or
    behind an adaptive scale the same threshold would stand for another penalty. ``weight_decay`` is added to the
    gradient (L2), which makes it the elastic net; with ``decay_norms=False`` biases and normalization parameters are
    neither decayed nor pulled. The loss in the log is without the penalty. Ours: torch has none.

    Args:
        config: The fields below.
        parameters: A player's parameters by name.

    Raises:
        ConfigError: There is no parameter.
    """

    class Config(DecayedConfig):
        """How to descend.

        Attributes:
            l1: lambda, the strength of the L1 penalty.
            decay_norms: Whether biases and normalization parameters are decayed and pulled too; here they are not
                unless it is said.
        """

        l1: float = Field(gt=0)
        decay_norms: bool = False

    def __init__(self, config: ProximalSGD.Config, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__(parameter_groups(parameters, config), {"lr": config.lr})
        self.config = config

    @torch.no_grad()
    def step(self, closure: Closure | None = None) -> float | None:  # type: ignore[override]
        """Step once; return the closure's loss if there is one."""
        loss = ask(closure)
        for parameter, gradient, rate in descents(self):
            parameter.sub_(gradient, alpha=rate)
            if self.config.decay_norms or parameter.dim() > 1:
                parameter.copy_(soft_threshold(parameter, rate * self.config.l1))
        return loss
