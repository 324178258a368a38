import itertools
import math

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Outputs
from netsmith.tasks.regress import Regress

N = 40


@pytest.fixture
def values():
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(N, 3, dtype=torch.float64, generator=generator) + torch.tensor([0.0, 5.0, -100.0])
    return target + 0.3 * torch.randn(N, 3, dtype=torch.float64, generator=generator), target


@pytest.mark.parametrize("cuts", [[], [20], [1, 2, 39], list(range(1, N)), [0, 40]])
def test_figures_are_scikit_learns_under_any_split(values, cuts):
    sklearn = pytest.importorskip("sklearn.metrics")
    output, target = values
    task = Regress.Config().build()
    metrics = task.metrics()
    assert list(metrics) == ["mse", "mae", "r2", "loss"]
    for start, stop in itertools.pairwise([0, *cuts, N]):
        for name, part in task.metrics().items():
            if stop > start:
                part.update(output[start:stop], target[start:stop])
            metrics[name].merge(part)
    y, p = target.numpy(), output.numpy()
    assert metrics["mse"].compute() == pytest.approx(sklearn.mean_squared_error(y, p), rel=1e-12)
    assert metrics["mae"].compute() == pytest.approx(sklearn.mean_absolute_error(y, p), rel=1e-12)
    assert metrics["r2"].compute() == pytest.approx(sklearn.r2_score(y, p), rel=1e-12)
    assert metrics["loss"].compute() == pytest.approx(sklearn.mean_squared_error(y, p), rel=1e-12)


def test_r2_keeps_its_digits_far_from_zero(values):
    output, target = values
    near, far = (Regress.Config().build().metrics()["r2"] for _ in range(2))
    shift = 2.0**27
    for start in range(0, N, 8):
        near.update(output[start : start + 8, 0], target[start : start + 8, 0])
        far.update(output[start : start + 8, 0] + shift, target[start : start + 8, 0] + shift)
    assert far.compute() == pytest.approx(near.compute(), abs=1e-6)  # a sum of squares would lose every digit


def test_r2_of_a_constant_and_of_too_little():
    r2 = Regress.Config().build().metrics()["r2"]
    r2.update(torch.tensor([1.0]), torch.tensor([1.0]))
    assert math.isnan(r2.compute())
    r2.update(torch.tensor([1.0]), torch.tensor([1.0]))
    assert r2.compute() == 1.0
    r2.update(torch.tensor([2.0]), torch.tensor([1.0]))
    assert r2.compute() == 0.0


def test_the_three_errors_by_their_definitions(values):
    output, target = values
    e = np.abs(output.numpy() - target.numpy())
    want = {"mse": e**2, "mae": e, "huber": np.where(e <= 0.25, e**2 / 2, 0.25 * (e - 0.125))}
    assert (e > 0.25).any()
    for name, errors in want.items():
        config = Regress.Config(error=name, huber_delta=0.25) if name == "huber" else Regress.Config(error=name)
        loss = config.build().loss(output, target)
        assert loss.total.item() == pytest.approx(errors.mean(1).sum(), rel=1e-12)
        assert loss.weight == N
        weighted = config.build().loss(output, target, torch.arange(N, dtype=torch.float64))
        assert weighted.total.item() == pytest.approx((errors.mean(1) * np.arange(N)).sum(), rel=1e-12)


def test_one_value_per_example_needs_no_second_axis():
    task = Regress.Config().build()
    assert task.loss(torch.tensor([[1.0], [2.0]]), torch.tensor([0.0, 4.0])).total.item() == 5.0
    with pytest.raises(DataError, match=r"answers \(2, 2\).*targets are \(2, 1\)"):
        task.loss(torch.zeros(2, 2), torch.zeros(2))


def test_predictions_have_names_and_units():
    task = Regress.Config().build()
    outputs = Outputs(kind="values", names=("mass", "length"), units=("kg", "m"))
    assert task.decode(torch.tensor([[1.5, 2.0]]), outputs) == [
        {"values": {"mass": 1.5, "length": 2.0}, "units": {"mass": "kg", "length": "m"}}
    ]
    assert task.decode(torch.tensor([0.5]), Outputs(kind="values")) == [{"values": {"value_0": 0.5}}]
    with pytest.raises(ConfigError, match="answers 3 values, the schema has 2 names"):
        task.decode(torch.zeros(1, 3), outputs)
    with pytest.raises(DataError, match="not finite"):
        task.decode(torch.tensor([[math.nan, 1.0]]), outputs)
    with pytest.raises(ConfigError, match="applies to error='huber' only"):
        Regress.Config(huber_delta=2.0).build()
