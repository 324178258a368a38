"""Mixup and noise on labels against slow references, and their independence of how the data is cut."""

import numpy as np
import pytest
import torch
from scipy import stats

from netsmith.core.errors import ConfigError
from netsmith.data._label_noise import flipped
from netsmith.data._mixup import keyed_beta, mixed
from netsmith.data.augment.flip import Flip
from netsmith.data.digits import Digits
from netsmith.data.distorted_mnist import DistortedMnist
from netsmith.data.mnist_pairs import MnistPairs
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys, keyed_uniform

KEYS = example_keys(5, torch.arange(20_000))


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0, 8.0])
def test_shares_are_beta(alpha):
    draws = keyed_beta(KEYS, alpha, stream="x").numpy()
    assert stats.kstest(draws, stats.beta(alpha, alpha).cdf).pvalue > 0.01
    assert np.array_equal(keyed_beta(KEYS[7:9], alpha, stream="x").numpy(), draws[7:9])


def test_mixup_is_what_a_loop_over_the_examples_makes():
    plain = Digits.Config(augment=(Flip.Config(),)).build()
    source = Digits.Config(augment=(Flip.Config(),), mixup=0.4).build()
    at = torch.tensor([3, 100, 7, 1000, 8])
    found = source.load("train", at, key=11)
    size = source.spec.split("train").size
    for row, index in enumerate(at):
        key = example_keys(11, index[None])
        share = float(keyed_beta(key, 0.4, stream="mixup share"))
        other = int(keyed_uniform(key, stream="mixup partner") * size)
        one, two = (plain.load("train", torch.tensor([int(i)]), key=11) for i in (index, other))
        for x, a, b in zip(found.inputs[row].flatten(), one.inputs.flatten(), two.inputs.flatten(), strict=True):
            assert float(x) == pytest.approx(share * float(a) + (1 - share) * float(b), abs=1e-6)
        label = [0.0] * 10
        label[int(one.targets)] += share
        label[int(two.targets)] += 1 - share
        assert found.targets[row].tolist() == pytest.approx(label, abs=1e-6)


def test_mixup_does_not_depend_on_the_batch_and_leaves_evaluation_alone():
    source = Digits.Config(mixup=1.0).build()
    whole = source.load("train", torch.arange(64), key=3)
    parts = [source.load("train", torch.arange(64)[a:b], key=3) for a, b in ((0, 5), (5, 64))]
    assert torch.equal(whole.inputs, torch.cat([part.inputs for part in parts]))
    assert torch.equal(whole.targets, torch.cat([part.targets for part in parts]))
    assert not torch.equal(whole.inputs, source.load("train", torch.arange(64), key=4).inputs)
    plain = source.load("dev", torch.arange(9))
    assert plain.targets.dtype == torch.int64
    assert torch.equal(plain.inputs, Digits.Config().build().load("dev", torch.arange(9)).inputs)


def test_mixed_labels_are_probabilities():
    inputs = torch.randn(200, 3)
    labels = torch.arange(200) % 4
    batch = mixed(
        Batch(inputs, labels, KEYS[:200]), Batch(inputs.flip(0), labels.flip(0), KEYS[:200]), alpha=0.2, classes=4
    )
    assert batch.targets.shape == (200, 4)
    assert torch.allclose(batch.targets.sum(1), torch.ones(200))
    assert batch.targets.min() >= 0


def test_flips_are_symmetric_fixed_and_keyed_by_position():
    labels = torch.arange(40_000) % 5
    noisy = flipped(labels, 0.3, classes=5, seed=1)
    counts = np.zeros((5, 5))
    for old, new in zip(labels.tolist(), noisy.tolist(), strict=True):
        counts[old, new] += 1
    wanted = np.where(np.eye(5, dtype=bool), 0.7, 0.3 / 4) * 8000
    assert abs(counts - wanted).max() < 5 * wanted.max() ** 0.5
    assert torch.equal(flipped(labels[:100], 0.3, classes=5, seed=1), noisy[:100])
    assert not torch.equal(flipped(labels, 0.3, classes=5, seed=2), noisy)
    assert torch.equal(flipped(labels, 0.0, classes=5, seed=1), labels)
    assert not (flipped(labels, 1.0, classes=5, seed=1) == labels).any()


def test_only_training_labels_are_noisy_and_the_schema_says_so():
    clean, noisy = Digits.Config().build(), Digits.Config(label_noise=0.4).build()
    for split, wanted in (("train", 0.6), ("dev", 1.0), ("test", 1.0)):
        every = torch.arange(clean.spec.split(split).size)
        same = clean.load(split, every).targets == noisy.load(split, every).targets
        assert float(same.double().mean()) == pytest.approx(wanted, abs=5 * 0.5 / len(every) ** 0.5 * (wanted < 1))
    for epoch in (1, 2):
        again = noisy.load("train", torch.arange(50), key=epoch).targets
        assert torch.equal(again, noisy.load("train", torch.arange(50)).targets)
    hashes = [source.spec.split("train").sha256 for source in (clean, noisy)]
    assert hashes[0] != hashes[1]
    assert noisy.spec.split("train").made.endswith("label noise 0.4 seeded 0")
    assert Digits.Config().dump().keys().isdisjoint({"mixup", "label_noise"})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (MnistPairs.Config(twin=True, target="sequence", mixup=0.2), r"MnistPairs\.Config\.mixup=0\.2"),
        (DistortedMnist.Config(twin=True, label_noise=0.2), r"DistortedMnist\.Config\.label_noise=0\.2: moved"),
    ],
)
def test_what_has_no_single_fixed_label_is_refused(config, message):
    with pytest.raises(ConfigError, match=message):
        config.build()
