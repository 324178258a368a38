"""Descent on quadratics through the engine's updater."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from netsmith.core.roles import OptimizerConfig
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.ranks import Ranks
from netsmith.engine.task import Loss
from netsmith.engine.updater import Updater, UpdaterSettings

__all__ = ["descend"]


class _Quadratic(Method):
    """One player, a row of weights, whose loss is ``w H w' / 2 - w b``."""

    def __init__(self, hessian: Tensor, slope: Tensor, start: Tensor) -> None:
        super().__init__()
        self.model = nn.ParameterList([nn.Parameter(start[None].clone())])
        self.hessian, self.slope = hessian, slope

    def step(self, feed: Feed, update: Update) -> Logs:
        return update("model", self._loss, next(feed))

    def _loss(self, _batch: Batch) -> Loss:
        weights = self.model[0][0]
        return Loss(0.5 * weights @ self.hessian @ weights - self.slope @ weights, 1.0)


def descend(hessian: Tensor, slope: Tensor, optimizer: OptimizerConfig, *, start: Tensor, steps: int) -> Tensor:
    """Return the weights before the first step and after each: ``(steps + 1, D)``.

    Args:
        hessian: H, ``(D, D)``.
        slope: b, ``(D,)``: the minimum is where H w = b.
        optimizer: Makes the steps.
        start: ``(D,)``.
        steps: How many.
    """
    method = _Quadratic(hessian, slope, start)
    update = Updater(method, {"model": optimizer}, settings=UpdaterSettings(steps=steps, seed=0), ranks=Ranks())
    feed = iter(lambda: Batch(inputs=torch.zeros(1)), None)
    places = [start]
    for step in range(steps):
        update.begin(step)
        method.step(feed, update)
        places.append(method.model[0].detach()[0].clone())
    return torch.stack(places)
