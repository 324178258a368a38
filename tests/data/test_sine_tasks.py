import math

import pytest
import torch

from netsmith.core.roles import SourceConfig
from netsmith.data.sine_tasks import SineTasks


def test_every_task_is_one_sine_wave():
    source = SineTasks.Config(shots=6, queries=4).build()
    batch = source.load("train", torch.arange(500), key=2)
    x = torch.cat([batch.inputs["support"], batch.inputs["query"]], dim=1).double()[..., 0]
    y = torch.cat([batch.inputs["support_targets"], batch.targets], dim=1).double()
    # A sin(x - p) = a sin x + b cos x: two unknowns for ten points.
    design = torch.stack([x.sin(), x.cos()], dim=2)
    solution = torch.linalg.lstsq(design, y).solution
    assert (design @ solution - y).abs().max() < 1e-4
    amplitude = solution[:, :, 0].norm(dim=1)
    phase = torch.atan2(-solution[:, 1, 0], solution[:, 0, 0])
    assert 0.1 <= amplitude.min() < 0.2
    assert 4.9 < amplitude.max() <= 5.0
    assert float(amplitude.mean()) == pytest.approx(2.55, abs=0.2)
    assert phase.min() > -1e-3
    assert phase.max() < math.pi + 1e-3
    assert float(phase.mean()) == pytest.approx(math.pi / 2, abs=0.12)
    assert x.abs().max() <= 5
    assert float(x.std()) == pytest.approx(10 / math.sqrt(12), rel=0.03)


def test_shapes_and_splits():
    source = SineTasks.Config(shots=3, queries=5, evaluation_queries=9, batch=7, batches=2, evaluation_tasks=11).build()
    train = source.load("train", source.order("train", seed=0, epoch=0)[1], key=2)
    assert train.inputs["support"].shape == train.inputs["support_targets"].shape == (7, 3, 1)
    assert train.inputs["query"].shape == train.targets.shape == (7, 5, 1)
    assert len(train) == 7
    assert source.load("dev", torch.arange(2)).targets.shape == (2, 9, 1)
    assert sum(len(batch) for batch in source.order("test", seed=1, epoch=0)) == 11


def test_a_task_is_a_function_of_its_key():
    source = SineTasks.Config().build()
    whole = source.load("train", torch.arange(8), key=2)
    piece = source.load("train", torch.tensor([5, 1]), key=2)
    assert torch.equal(piece.targets, whole.targets[[5, 1]])
    assert torch.equal(piece.inputs["support"], whole.inputs["support"][[5, 1]])
    assert not torch.equal(source.load("train", torch.arange(8), key=3).targets, whole.targets)
    test = source.load("test", torch.arange(8)).targets
    assert torch.equal(source.load("test", torch.arange(8), key=3).targets, test)
    assert not torch.equal(source.load("dev", torch.arange(8)).targets, test)


def test_the_twin_draws_the_same_tasks_but_fewer():
    twin, full = SineTasks.Config(twin=True).build(), SineTasks.Config().build()
    assert len(twin.order("train", seed=0, epoch=0)) == 8
    assert twin.spec.split("test").size == 100
    assert torch.equal(twin.load("test", torch.arange(5)).targets, full.load("test", torch.arange(5)).targets)
    assert SourceConfig.load(twin.config.dump()) == twin.config
