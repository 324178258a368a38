"""What labs on transfer share: two halves of the classes, and a network that begins with weights of another."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from netsmith.core.config import AUTO, Auto
from netsmith.core.keys import key
from netsmith.core.roles import SourceConfig
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.source import Source
from netsmith.labs._data import need
from netsmith.methods.fine_tuning import begin_with
from netsmith.methods.supervised import Supervised
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle

__all__ = ["halves", "trained"]


def halves(data: SourceConfig, *, seed: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Draw two halves of the classes of images, each in ascending order.

    Raises:
        ConfigError: The data have no classes, no images, or no test split.
    """
    spec = data.build().spec
    need(data, spec, splits=("test",), images=True)
    classes = len(spec.outputs.names)
    order = torch.randperm(classes, generator=torch.Generator().manual_seed(key(seed, "halves"))).tolist()
    return tuple(sorted(order[: classes // 2])), tuple(sorted(order[classes // 2 :]))


def trained(
    method: Supervised.Config,
    source: Source,
    *,
    data: SourceConfig,
    rate: float,
    seed: int,
    epochs: int = 0,
    steps: int | Auto = AUTO,
    weights: Mapping[str, Tensor] | None = None,
    decay: float = 1.0,
) -> Engine:
    """Train by AdamW in one cycle of the rate.

    Args:
        method: What is learned, and how.
        source: The examples.
        data: What they are a part of.
        rate: The largest learning rate.
        seed: Of the first weights and the order.
        epochs: Passes over the examples.
        steps: Or their number in place of that.
        weights: Those of another network, to begin with below a fresh head.
        decay: What a layer's rate is divided by for the layer below.
    """
    optimizer = AdamW.Config(lr=rate, weight_decay=0.01, schedule=OneCycle.Config(), layer_decay=decay)
    config = Experiment.Config(
        method=method, data=data, optimizers={"model": optimizer}, epochs=epochs, steps=steps, seed=seed
    )
    experiment = Experiment(config, source=source)
    if weights is not None:
        begin_with(experiment, weights, same_answers=False)
    engine = Engine(experiment)
    engine.fit()
    return engine
