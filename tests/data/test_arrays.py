"""The readers of fixed arrays: splits, order, keys, normalization, preprocessing, twins."""

import os
import warnings
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError, UnknownNameError
from netsmith.core.roles import SourceConfig
from netsmith.core.spec import Spec
from netsmith.data._pictures import resize_picture
from netsmith.data._splits import draw_splits
from netsmith.data.cifar10 import Cifar10
from netsmith.data.diabetes import Diabetes
from netsmith.data.digits import Digits
from netsmith.data.distorted_mnist import DistortedMnist
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.data.fsdd import Fsdd
from netsmith.data.image_folder import ImageFolder
from netsmith.data.imagenet import ImageNet
from netsmith.data.mnist import Mnist
from netsmith.data.mnist_pairs import MnistPairs
from netsmith.data.omniglot import Omniglot
from netsmith.data.translated_mnist import TranslatedMnist
from netsmith.engine.random import example_keys
from netsmith.layers.preprocess import Preprocess

TWINS = [
    Digits.Config(twin=True),
    Mnist.Config(twin=True),
    FashionMnist.Config(twin=True),
    Cifar10.Config(twin=True),
    ImageFolder.Config(twin=True),
    Digits.Config(twin=True, size=24),
]
REAL = {"mnist": Mnist, "fashion-mnist": FashionMnist}


def whole(source, split):
    return source.load(split, torch.arange(source.spec.split(split).size))


@pytest.fixture(scope="module")
def digits():
    return Digits.Config().build()


def test_digits_are_those_of_scikit_learn(digits):
    data = load_digits()
    sizes = {split.name: split.size for split in digits.spec.splits}
    assert sizes == {"train": 1439, "dev": 179, "test": 179}
    values = torch.cat([digits.raw(s, torch.arange(n)) for s, n in sizes.items()])
    wanted = sorted(map(bytes, data.images.astype(np.uint8).reshape(len(data.images), -1)))
    assert sorted(map(bytes, values.numpy().reshape(len(values), -1))) == wanted
    counts = torch.bincount(whole(digits, "test").targets).tolist()
    assert min(counts) == 17
    assert max(counts) == 18


def test_normalization_is_measured_on_train_only(digits):
    size = digits.spec.split("train").size
    train = digits.raw("train", torch.arange(size)).double() / 16
    scale, normalize = digits.spec.inputs.preprocessing
    assert (scale.low, scale.high) == (0.0, 16.0)
    assert normalize.mean[0] == pytest.approx(float(train.mean()), abs=1e-6)
    assert normalize.std[0] == pytest.approx(float(train.std(correction=0)), abs=1e-6)
    everything = torch.cat([digits.raw(s.name, torch.arange(s.size)) for s in digits.spec.splits]).double() / 16
    assert abs(normalize.mean[0] - float(everything.mean())) > 1e-6


MORE = [
    DistortedMnist.Config(twin=True),
    DistortedMnist.Config(twin=True, distortion="elastic"),
    TranslatedMnist.Config(twin=True),
    MnistPairs.Config(twin=True),
    Omniglot.Config(twin=True),
    ImageNet.Config(twin=True, image_size=24),
    Fsdd.Config(twin=True, shift=True, length=1000),
]


@pytest.mark.parametrize("config", [*TWINS, *MORE], ids=lambda c: c.kind_name())
def test_a_source_travels_to_the_processes_that_load(config):
    source = config.build()
    at = torch.tensor([3, 0])
    there = ForkingPickler.loads(ForkingPickler.dumps(source))
    assert torch.equal(there.load("train", at, key=3).inputs, source.load("train", at, key=3).inputs)


@pytest.mark.parametrize("config", TWINS, ids=lambda c: c.kind_name())
def test_source_contract(config):
    source = config.derive(batch=48, evaluation_batch=50).build()
    size = source.spec.split("train").size
    order = source.order("train", seed=1, epoch=2)
    assert [len(b) for b in order] == [48] * (size // 48)  # the last partial batch is dropped
    assert len(torch.cat(list(order)).unique()) == 48 * (size // 48)
    again, other = source.order("train", seed=1, epoch=2), source.order("train", seed=1, epoch=3)
    assert torch.equal(order[0], again[0])
    assert not torch.equal(order[0], other[0])
    test = source.order("test", seed=1, epoch=0)
    assert torch.equal(torch.cat(list(test)), torch.arange(source.spec.split("test").size))
    batch = source.load("train", order[0])
    assert batch.inputs.dtype == torch.float32
    assert batch.inputs.shape[1:] == source.spec.inputs.shape
    assert batch.targets.dtype == torch.int64
    assert torch.equal(batch.indices, order[0])
    assert torch.equal(batch.keys, example_keys(0, order[0]))
    assert torch.equal(source.load("train", order[0], key=9).keys, example_keys(9, order[0]))
    model_input = Preprocess(source.spec.inputs)(source.raw("train", order[0]))
    assert torch.equal(model_input, batch.inputs)
    assert SourceConfig.load(config.dump()) == config
    assert Spec.load(source.spec.dump()) == source.spec
    assert [s.sha256 for s in config.build().spec.splits] == [s.sha256 for s in source.spec.splits]
    assert len({s.sha256 for s in source.spec.splits}) == 3
    with pytest.raises(UnknownNameError, match=r"no split of .* named 'valid'"):
        source.load("valid", order[0])


def test_augmentation_is_keyed_and_only_with_a_key():
    source = Mnist.Config(twin=True, augment=("crop", {"kind": "noise", "std": 0.1})).build()
    at = torch.tensor([5, 3, 400])
    plain, changed = source.load("train", at), source.load("train", at, key=7)
    assert not torch.equal(plain.inputs, changed.inputs)
    assert torch.equal(changed.inputs[1:2], source.load("train", at[1:2], key=7).inputs)
    assert not torch.equal(changed.inputs, source.load("train", at, key=8).inputs)
    assert torch.equal(plain.inputs, Preprocess(source.spec.inputs)(source.raw("train", at)))


def test_splits_keep_each_class_and_do_not_overlap():
    labels = torch.tensor([0] * 100 + [1] * 20 + [2] * 3 + [3] * 2)
    parts = draw_splits(labels, {"dev": 0.1, "test": 0.1}, seed=0)
    assert torch.equal(torch.cat(list(parts.values())).sort().values, torch.arange(125))
    counts = {name: torch.bincount(labels[at], minlength=4).tolist() for name, at in parts.items()}
    assert counts == {"train": [80, 16, 1, 2], "dev": [10, 2, 1, 0], "test": [10, 2, 1, 0]}
    assert torch.equal(parts["dev"], draw_splits(labels, {"dev": 0.1, "test": 0.1}, seed=0)["dev"])
    assert not torch.equal(parts["dev"], draw_splits(labels, {"dev": 0.1, "test": 0.1}, seed=1)["dev"])
    with pytest.raises(ConfigError, match="half of the data"):
        draw_splits(labels, {"dev": 0.3, "test": 0.3}, seed=0)


def test_dev_zero_means_no_dev():
    source = Mnist.Config(twin=True, dev=0.0).build()
    assert source.splits() == ["train", "test"]
    assert source.spec.split("train").made == "official"


class Small(nn.Module):
    """Two convolutions: what a twin must be learnable by."""

    def __init__(self, shape, classes):
        super().__init__()
        stride = 1 if shape[-1] <= 8 else 2
        self.first = nn.Conv2d(shape[0], 16, 3, stride=stride, padding=1)
        self.second = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        size = -(-shape[-1] // stride)
        self.last = nn.Linear(32 * (-(-size // 2)) ** 2, classes)

    def forward(self, x):
        return self.last(self.second(self.first(x).relu()).relu().flatten(1))


def cnn_accuracy(source, steps=90):
    train, test = whole(source, "train"), whole(source, "test")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Small(source.spec.inputs.shape, source.spec.outputs.size)
    parameters = list(model.parameters())
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    generator = torch.Generator().manual_seed(0)
    for step in range(1, steps + 1):
        at = torch.randint(0, len(train), (64,), generator=generator)
        gradients = torch.autograd.grad(F.cross_entropy(model(train.inputs[at]), train.targets[at]), parameters)
        with torch.no_grad():
            for p, g, (m, v) in zip(parameters, gradients, moments, strict=True):  # Adam
                m.lerp_(g, 0.1)
                v.lerp_(g * g, 0.01)
                p -= 3e-3 * (m / (1 - 0.9**step)) / ((v / (1 - 0.99**step)).sqrt() + 1e-8)
    with torch.no_grad():
        return float((model(test.inputs).argmax(1) == test.targets).double().mean())


@pytest.mark.parametrize("config", [*TWINS[:2], TWINS[4].derive(image_size=32)], ids=lambda c: c.kind_name())
def test_twin_needs_more_than_a_linear_model(config):
    source = config.build()
    train, test = whole(source, "train"), whole(source, "test")
    linear = LogisticRegression(C=0.1, max_iter=30, tol=1e-2)
    step = max(1, train.inputs[0].numel() // 800)
    flat = [part.inputs.flatten(1)[:, ::step].double().numpy() for part in (train, test)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        linear.fit(flat[0], train.targets.numpy())
    linear_accuracy = linear.score(flat[1], test.targets.numpy())
    network_accuracy = cnn_accuracy(source)
    assert linear_accuracy <= 0.70, linear_accuracy
    assert network_accuracy >= 0.90, network_accuracy


@pytest.mark.parametrize("folder", sorted(REAL))
def test_official_files(folder):
    base = os.environ.get("NETSMITH_DATA")
    if not base or not (Path(base) / folder).is_dir():
        pytest.skip("no official files here")
    source = REAL[folder].Config().build()
    assert source.spec.inputs.shape == (1, 28, 28)
    assert source.spec.split("test").size == 10_000
    assert source.spec.split("train").size + source.spec.split("dev").size == 60_000
    mean = {"mnist": 0.1307, "fashion-mnist": 0.286}[folder]
    assert source.spec.inputs.preprocessing[1].mean[0] == pytest.approx(mean, abs=5e-4)
    counts = torch.bincount(whole(source, "test").targets).tolist()
    assert (
        counts
        == {"mnist": [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], "fashion-mnist": [1000] * 10}[folder]
    )


def test_without_normalization_a_network_sees_light():
    plain, usual = (Digits.Config(normalize=on).build() for on in (False, True))
    at = torch.arange(50)
    inputs = plain.load("train", at).inputs
    assert [step.name for step in plain.spec.inputs.preprocessing] == ["scale"]
    assert torch.equal(inputs, plain.raw("train", at) / 16)
    assert float(usual.load("train", at).inputs.min()) < 0
    assert "normalize" not in Digits.Config().dump()  # experiments recorded before it are the same


@pytest.mark.parametrize(
    ("config", "high"), [(Digits.Config(size=20), 16), (FashionMnist.Config(twin=True, size=64), 255)]
)
def test_images_are_enlarged_as_pillow_does_and_only_if_asked(config, high):
    larger, usual = config.build(), type(config)(twin=config.twin).build()
    at, size = torch.arange(20), config.size
    raw = larger.raw("test", at)
    assert larger.spec.inputs.shape == (1, size, size) == tuple(raw.shape[1:])
    assert [step.name for step in larger.spec.inputs.preprocessing] == ["resize", "scale", "normalize"]
    theirs = torch.stack([resize_picture(image, (size, size)) for image in usual.raw("test", at)])
    assert int((raw.int() - theirs.int()).abs().max()) <= 1  # Pillow rounds after the rows and after the columns
    assert int(raw.max()) <= high
    again = Preprocess(larger.spec.inputs)(usual.raw("test", at))  # what a user hands in as it was scanned
    assert float((again - larger.load("test", at).inputs).abs().max()) < 0.51 / high / min(
        larger.spec.inputs.preprocessing[2].std
    )
    assert "size" not in type(config)().dump()  # experiments recorded before it are the same
    assert larger.spec.split("test").sha256 != usual.spec.split("test").sha256


def test_diabetes_is_that_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    source = Diabetes.Config().build()
    sizes = {split.name: split.size for split in source.spec.splits}
    assert sizes == {"train": 310, "dev": 44, "test": 88}
    rows = torch.cat([source.raw(split, torch.arange(size)) for split, size in sizes.items()])
    values = torch.cat([source.load(split, torch.arange(size)).targets for split, size in sizes.items()])
    theirs = datasets.load_diabetes(scaled=False)
    assert sorted(rows.tolist()) == sorted(torch.from_numpy(theirs.data).float().tolist())
    assert sorted(values[:, 0].tolist()) == sorted(theirs.target.tolist())
    train = source.load("train", torch.arange(310)).inputs.double()
    assert train.mean(0).abs().max() < 1e-4  # single precision
    assert (train.std(0, correction=0) - 1).abs().max() < 1e-4
    assert source.spec.facts() == {"num_outputs": 1, "in_features": 10}
