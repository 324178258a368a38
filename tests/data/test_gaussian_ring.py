import math

import pytest
import torch

from netsmith.core.roles import SourceConfig
from netsmith.data.gaussian_ring import GaussianRing
from netsmith.tasks.generate import ring


def test_points_have_the_ring_s_moments():
    source = GaussianRing.Config(modes=5, radius=3.0, sd=0.1).build()
    points = source.load("train", torch.arange(20_000), key=1).inputs.double()
    angles = torch.atan2(points[:, 1], points[:, 0]) * 5 / (2 * math.pi)
    modes = angles.round().long() % 5
    counts = torch.bincount(modes, minlength=5) / 20_000
    torch.testing.assert_close(counts, torch.full((5,), 0.2), rtol=0, atol=0.012)
    centers = torch.tensor(ring(5, radius=3.0)).double()
    offsets = points - centers[modes]
    assert offsets.std(0).tolist() == pytest.approx([0.1, 0.1], rel=0.02)
    assert offsets.mean(0).abs().max() < 0.003
    within = (offsets.norm(dim=1) <= 0.3).double().mean()
    assert float(within) == pytest.approx(1 - math.exp(-4.5), abs=0.003)  # Rayleigh at three deviations: 0.9889


def test_default_is_the_ring_of_eight():
    source = GaussianRing.Config().build()
    torch.testing.assert_close(source.centers, torch.tensor(ring(8, radius=2.0)).double(), rtol=0, atol=1e-6)
    assert source.spec.facts()["in_features"] == 2
    assert source.spec.facts()["num_outputs"] == 2


def test_a_point_is_a_function_of_its_key():
    source = GaussianRing.Config(batch=10).build()
    whole = source.load("train", torch.arange(10), key=4)
    parts = [source.load("train", piece, key=4) for piece in torch.tensor([3, 9, 0, 1]).split(2)]
    assert torch.equal(torch.cat([part.inputs for part in parts]), whole.inputs[[3, 9, 0, 1]])
    assert not torch.equal(source.load("train", torch.arange(10), key=5).inputs, whole.inputs)
    test = source.load("test", torch.arange(10)).inputs
    assert torch.equal(source.load("test", torch.arange(10), key=5).inputs, test)
    assert not torch.equal(source.load("dev", torch.arange(10)).inputs, test)
    assert whole.inputs.dtype is torch.float32


def test_an_epoch_visits_each_position_once():
    source = GaussianRing.Config(batch=10, batches=7, evaluation_size=25, evaluation_batch=10).build()
    batches = source.order("train", seed=0, epoch=3)
    assert [len(batch) for batch in batches] == [10] * 7
    assert torch.equal(torch.cat(list(batches)), torch.arange(70))
    assert [len(batch) for batch in source.order("test", seed=0, epoch=0)] == [10, 10, 5]
    assert source.splits() == ["train", "dev", "test"]


def test_the_twin_is_the_same_mixture_but_shorter():
    twin = GaussianRing.Config(twin=True, batch=16).build()
    assert len(twin.order("train", seed=0, epoch=0)) == 8
    assert twin.spec.split("test").size == 1_000
    assert torch.equal(twin.centers, GaussianRing.Config().build().centers)
    assert SourceConfig.load(twin.config.dump()) == twin.config
