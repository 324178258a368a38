import pytest
import torch

from netsmith.core.errors import ConfigError, UnsupportedError
from netsmith.core.spec import Outputs
from netsmith.tasks.generate import Generate, ring

TASK = Generate.Config(centers=((0.0, 0.0), (10.0, 0.0), (0.0, 10.0)), sd=1.0, least_share=0.2)


def figures(*pieces):
    metrics = TASK.build().metrics()
    for piece in pieces:
        for metric in metrics.values():
            metric.update(torch.tensor(piece), None)
    return {name: metric.compute() for name, metric in metrics.items()}


def test_good_samples_lie_within_three_deviations():
    assert figures([[0.0, 2.99], [0.0, 3.01], [10.0, -2.99], [5.0, 5.0]])["high_quality"] == 0.5


def test_a_mode_needs_its_share_of_good_samples():
    near, second, third = [0.0, 0.0], [10.0, 0.1], [0.0, 9.0]
    assert figures([near] * 8 + [second] * 2)["modes"] == 2  # 0.2 of all
    assert figures([near] * 9 + [second])["modes"] == 1
    assert figures([near, second, third])["modes"] == 3
    assert figures([[5.0, 5.0]] * 3)["modes"] == 0


def test_figures_do_not_depend_on_the_cut():
    samples = (torch.randn(50, 2, generator=torch.Generator().manual_seed(0)) * 4).tolist()
    whole = figures(samples)
    assert figures(samples[:7], samples[7:]) == whole
    one, other = TASK.build().metrics(), TASK.build().metrics()
    for name, metric in one.items():
        metric.update(torch.tensor(samples[:7]), None)
        other[name].update(torch.tensor(samples[7:]), None)
        metric.merge(other[name])
        assert metric.compute() == whole[name]
    assert 0 < whole["high_quality"] < 1


def test_ring():
    assert ring(4, radius=2.0)[1] == pytest.approx((0.0, 2.0))
    assert ring(4, radius=2.0)[2] == pytest.approx((-2.0, 0.0))


def test_samples_are_read_by_name():
    rows = TASK.build().decode(torch.tensor([[1.0, 2.0]]), Outputs(kind="samples", names=("x", "y")))
    assert rows == [{"x": 1.0, "y": 2.0}]


def test_what_is_wrong_is_said():
    with pytest.raises(ConfigError, match="same number of coordinates"):
        Generate.Config(centers=((0.0,), (1.0, 2.0)), sd=1.0)
    with pytest.raises(ConfigError, match="more than everything"):
        Generate.Config(centers=((0.0,), (1.0,)), sd=1.0, least_share=0.6)
    with pytest.raises(UnsupportedError, match="method adversarial"):
        TASK.build().loss(torch.zeros(1, 2), None)
