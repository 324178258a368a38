import numpy as np
import pytest
import torch

from netsmith.engine.batch import Batch
from netsmith.models.foundations.hebb import Hebb


@pytest.fixture
def cloud():
    rng = np.random.default_rng(0)
    turned = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    x = rng.normal(size=(400, 5)) * [3.0, 2.0, 1.0, 0.5, 0.2] @ turned
    x -= x.mean(0)
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    return torch.as_tensor(x), values[::-1], vectors.T[::-1]


def learned(x, rule, *, units=1, rate=0.02, steps=2000, weights=None):
    torch.manual_seed(1)
    model = Hebb.Config(rule=rule, units=units, in_features=x.shape[1]).build()
    first = model.weight.numpy().copy()
    logs = [model.learn(Batch(x, weights=weights), rate=rate) for _ in range(steps)]
    return model.weight.numpy(), first, logs


def test_oja_comes_to_the_first_component_with_norm_one(cloud):
    x, values, vectors = cloud
    weight, _, logs = learned(x, "oja", units=3)
    assert weight * np.sign(weight @ vectors[0])[:, None] == pytest.approx(np.stack([vectors[0]] * 3), abs=1e-9)
    assert logs[-1]["norm"] == pytest.approx(1.0, abs=1e-9)
    assert logs[-1]["power"] == pytest.approx(values[0], rel=1e-9)


def test_sanger_comes_to_the_components_in_their_order(cloud):
    x, _, vectors = cloud
    weight, _, _ = learned(x, "sanger", units=3, steps=6000)
    assert weight * np.sign((weight * vectors[:3]).sum(1))[:, None] == pytest.approx(vectors[:3], abs=1e-6)


def test_plain_hebb_multiplies_along_each_eigenvector_and_grows_without_bound(cloud):
    x, values, vectors = cloud
    weight, first, logs = learned(x, "hebb", rate=0.01, steps=200)
    expected = (first @ vectors.T * (1 + 0.01 * values) ** 200) @ vectors  # closed form
    assert weight == pytest.approx(expected, rel=1e-9)
    norms = [one["norm"] for one in logs]
    assert norms == sorted(norms)
    assert norms[-1] / norms[-2] == pytest.approx(1 + 0.01 * values[0], rel=1e-6)
    assert norms[-1] > 1e6


def test_one_example_is_eta_times_x_times_y_and_weights_count(cloud):
    x = cloud[0]
    weight, first, _ = learned(x[:1], "hebb", rate=0.1, steps=1)
    assert weight - first == pytest.approx(0.1 * (first @ x[0].numpy())[:, None] * x[0].numpy(), abs=1e-12)
    doubled, _, _ = learned(torch.cat([x[:2], x[:1]]), "oja", steps=3)
    weighted, _, _ = learned(x[:2], "oja", steps=3, weights=torch.tensor([2.0, 1.0]))
    assert weighted == pytest.approx(doubled, abs=1e-12)
