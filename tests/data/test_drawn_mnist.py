"""Distorted and translated digits: each drawing against a slow reference, fixed where it must be, fresh where asked."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.interpolate import RBFInterpolator

from netsmith.core.errors import ConfigError
from netsmith.core.keys import key as named_key
from netsmith.core.roles import SourceConfig
from netsmith.core.spec import Spec
from netsmith.data._twin import twin_digits
from netsmith.data.distorted_mnist import DistortedMnist
from netsmith.data.mnist_pairs import _PAIRS, MnistPairs, _places
from netsmith.data.translated_mnist import TranslatedMnist
from netsmith.engine.random import example_keys, keyed_normal, keyed_uniform
from netsmith.layers.preprocess import Preprocess

KINDS = ["rotated", "moved", "projected", "elastic"]
ALL = [
    *(DistortedMnist.Config(distortion=kind, twin=True) for kind in KINDS[1:]),
    TranslatedMnist.Config(twin=True, clutter=4),
    MnistPairs.Config(twin=True, target="sequence", fresh=True),
]


def name_of(config):
    return getattr(config, "distortion", f"clutter{getattr(config, 'clutter', '')}")


def sample(image, x, y):
    """The bilinear value at (x, y) pixels from the center, 0 outside, one pixel at a time."""
    x, y, value = x + 13.5, y + 13.5, 0.0
    for yy in (math.floor(y), math.floor(y) + 1):
        for xx in (math.floor(x), math.floor(x) + 1):
            if 0 <= yy < 28 and 0 <= xx < 28:
                value += image[yy, xx] * (1 - abs(x - xx)) * (1 - abs(y - yy))
    return value


def rotation(degrees, scale):
    angle = math.radians(degrees)
    return scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def origins_rotated(key, pixels):
    turn = rotation(-90 + 180 * float(keyed_uniform(key, stream="rotated")[0]), 1)
    return np.linalg.solve(turn, pixels.T).T


def origins_moved(key, pixels):
    u = keyed_uniform(key, 4, stream="moved")[0].tolist()
    scale = 0.7 + 0.5 * u[1]
    corner = np.array([u[2], u[3]]) * (42 - 28 * scale)  # of the scaled digit in the image
    center = corner + 14 * scale - 21
    return np.linalg.solve(rotation(-45 + 90 * u[0], scale), (pixels - center).T).T


def origins_projected(key, pixels):
    scale = 0.75 + 0.25 * float(keyed_uniform(key, stream="projected/scale")[0])
    corners = 14.0 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    moves = 5 * keyed_normal(key, 4, 2, stream="projected/corners")[0].numpy()

    def narrow(points):
        a, b = np.roll(points, -1, 0) - points, np.roll(points, -2, 0) - np.roll(points, -1, 0)
        return (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] <= 98).any()

    while narrow(scale * corners + moves):
        moves = moves / 2
    rows, values = [], []  # the eight equations of the map from the image to the digit
    for (x, y), (u, v) in zip(scale * corners + moves, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    h = np.append(np.linalg.solve(np.array(rows), np.array(values)), 1).reshape(3, 3)
    moved = np.c_[pixels, np.ones(len(pixels))] @ h.T
    middle = h[2, :2] @ (scale * corners + moves).mean(0) + 1
    out = moved[:, :2] / moved[:, 2:]
    out[moved[:, 2] * np.sign(middle) <= 0] = 1e3
    return out


def origins_elastic(key, pixels):
    scale = 0.75 + 0.25 * float(keyed_uniform(key, stream="elastic/scale")[0])
    moves = 1.5 * keyed_normal(key, 16, 2, stream="elastic/points")[0].numpy()
    line = np.linspace(-13.5, 13.5, 4)
    points = np.array([[x, y] for y in line for x in line])
    bent = RBFInterpolator(points, points + moves, kernel="thin_plate_spline", degree=1)
    return bent(pixels) / scale


@pytest.mark.parametrize("kind", KINDS)
def test_against_the_slow_reference(kind):
    source = DistortedMnist.Config(distortion=kind, twin=True).build()
    digits, labels = twin_digits("drawn/test", count=256)
    size = source.spec.inputs.shape[-1]
    assert size == (42 if kind == "moved" else 28)
    line = np.arange(size) - (size - 1) / 2
    pixels = np.array([[x, y] for y in line for x in line])
    keys = example_keys(named_key(0, "draw", "test"), torch.arange(256))
    at = torch.tensor([0, 3, 41, 97, 200, 255])
    got = source.raw("test", at)
    changed = 0.0
    for index, image in zip(at.tolist(), got[:, 0].numpy(), strict=True):
        origins = globals()[f"origins_{kind}"](keys[index : index + 1], pixels)
        wanted = np.array([sample(digits[index, 0].numpy(), x, y) for x, y in origins]).reshape(size, size)
        assert np.abs(wanted - image).max() < 0.51, (index, np.abs(wanted - image).max())
        changed += np.abs(image[:28, :28].astype(float) - digits[index, 0].numpy()).mean()
    assert changed > 30  # and they are other pictures than the digits
    assert torch.equal(source.load("test", at).targets, labels[at])


@pytest.mark.parametrize("config", ALL, ids=name_of)
def test_evaluation_is_fixed_and_training_is_fresh(config):
    source, again = config.build(), config.derive(batch=7).build()
    at = torch.tensor([5, 0, 77])
    for split in ("train", "dev", "test"):
        at_split = at % source.spec.split(split).size
        plain = source.load(split, at_split)
        assert torch.equal(plain.inputs, again.load(split, at_split).inputs)
        assert torch.equal(plain.inputs, Preprocess(source.spec.inputs)(source.raw(split, at_split)))
    first, second = source.load("train", at, key=1), source.load("train", at, key=2)
    assert not torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.targets, second.targets) or isinstance(config, MnistPairs.Config)
    assert torch.equal(first.inputs[2:], source.load("train", at[2:], key=1).inputs)  # whatever else is in the batch
    whole = source.load("train", torch.arange(300), key=1).inputs
    assert torch.equal(first.inputs, whole[at])
    assert not torch.equal(first.inputs, source.load("train", at).inputs)
    assert source.spec.split("train").made.endswith("; drawn anew in every epoch")
    frozen = config.derive(fresh=False).build()
    assert torch.equal(frozen.load("train", at, key=1).inputs, frozen.load("train", at).inputs)
    assert frozen.spec.split("train").made.endswith("; each drawn once")
    other = config.derive(split_seed=1, dev=0.0).build()
    assert not torch.equal(other.raw("test", at), source.raw("test", at))
    assert len({split.sha256 for split in source.spec.splits}) == 3
    assert SourceConfig.load(config.dump()) == config
    assert Spec.load(source.spec.dump()) == source.spec


def test_a_translated_digit_lies_whole_and_anywhere():
    source = TranslatedMnist.Config(twin=True).build()
    digits, _ = twin_digits("drawn/train", count=640)
    seen = torch.cat([source.load("train", torch.arange(576), key=key).inputs[:, 0] for key in range(6)])
    mean, std = (value[0] for value in source._moments)
    images = ((seen * std + mean) * 255).round()
    assert images.shape[1:] == (60, 60)
    ink = {float(digit.sum()) for digit in digits.float()}
    assert {float(image.sum()) for image in images} <= ink  # nothing is cut off, nothing is added
    rows = (images.sum(2) > 0).double()
    tops = rows.argmax(1)
    half = (tops < tops.double().median()).double().mean()
    assert abs(float(half) - 0.5) < 0.05
    assert int(tops.min()) <= 6
    assert int(tops.max()) >= 36


def test_clutter_only_adds_small_pieces_of_digits():
    plain, cluttered = (TranslatedMnist.Config(twin=True, clutter=count).build() for count in (0, 4))
    at = torch.arange(256)
    before, after = plain.raw("test", at).int(), cluttered.raw("test", at).int()
    assert bool((after >= before).all())
    added = (after > before).sum((1, 2, 3))
    assert int(added.max()) <= 4 * 64
    assert 20 < float(added.double().mean()) < 130
    assert cluttered.spec.dataset == "cluttered-translated-mnist"
    # Four pieces of one image: each is a window of a digit, found again at the place that its key names.
    digits, _ = twin_digits("drawn/test", count=256)
    keys = example_keys(named_key(0, "draw", "test"), at)[9:10]
    which = (keyed_uniform(keys, 4, stream="clutter/digit")[0] * 256).long()
    cuts = (keyed_uniform(keys, 4, 2, stream="clutter/from")[0] * 21).long()
    corners = (keyed_uniform(keys, 4, 2, stream="clutter/to")[0] * 53).long()
    wanted = before[9, 0].clone()
    for digit, (row, column), (y, x) in zip(which.tolist(), cuts.tolist(), corners.tolist(), strict=True):
        piece = digits[digit, 0, row : row + 8, column : column + 8].int()
        wanted[y : y + 8, x : x + 8] = torch.maximum(wanted[y : y + 8, x : x + 8], piece)
    assert torch.equal(wanted, after[9, 0])


@pytest.mark.parametrize("size", [84, 100])
def test_two_boxes_never_touch(size):
    first, second = _places(example_keys(3, torch.arange(20_000)), size=size)
    assert bool(((first - second).abs() >= 28).any(1).all())
    for corners in (first, second):
        assert int(corners.min()) == 0
        assert int(corners.max()) == size - 28


def test_pairs_are_named_by_what_is_in_the_image():
    images, answers = {}, {}
    for target in ("pair", "sum", "sequence"):
        source = MnistPairs.Config(twin=True, target=target).build()
        images[target], answers[target] = source.raw("test", torch.arange(256)), source.load("test", torch.arange(256))
    assert torch.equal(images["pair"], images["sum"])
    sequence = answers["sequence"].targets
    assert sequence.shape == (256, 2)
    assert answers["sum"].targets.tolist() == sequence.sum(1).tolist()
    assert [_PAIRS[pair] for pair in answers["pair"].targets.tolist()] == [tuple(sorted(s)) for s in sequence.tolist()]
    assert len(_PAIRS) == len(MnistPairs.Config(twin=True, target="pair").build().spec.outputs.names) == 55
    # The image is its own digit and another of the split, each whole, at the places that the key names.
    digits, labels = twin_digits("drawn/test", count=256)
    keys = example_keys(named_key(0, "draw", "test"), torch.arange(256))
    corners = _places(keys, size=100)
    for index in (0, 17, 255):
        other = int(keyed_uniform(keys[index : index + 1], stream="pairs/other")[0] * 256)
        wanted = torch.zeros(100, 100, dtype=torch.uint8)
        places = []
        for digit, (row, column) in zip((index, other), (corner[index].tolist() for corner in corners), strict=True):
            wanted[row : row + 28, column : column + 28] = digits[digit, 0]
            places.append((column, row, int(labels[digit])))
        assert torch.equal(images["sum"][index, 0], wanted)
        assert sequence[index].tolist() == [place[2] for place in sorted(places)]


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ConfigError, match="clutter_size=6 means nothing with clutter=0"):
        TranslatedMnist.Config(clutter_size=6)
    with pytest.raises(ConfigError, match="size"):
        DistortedMnist.Config(size=20)
    with pytest.raises(ConfigError, match="distortion"):
        DistortedMnist.Config(distortion="bent")


def test_the_official_digits():
    base = os.environ.get("NETSMITH_DATA")
    if not base or not (Path(base) / "mnist").is_dir():
        pytest.skip("no official files here")
    source = DistortedMnist.Config(distortion="rotated").build()
    assert {split.name: split.size for split in source.spec.splits} == {"train": 54001, "dev": 5999, "test": 10000}
    counts = torch.bincount(source.load("test", torch.arange(10000)).targets).tolist()
    assert counts == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # A turn about the center keeps the ink but for what the corners lose: the mean of MNIST is 0.1307.
    assert source.spec.inputs.preprocessing[1].mean[0] == pytest.approx(0.1307, abs=5e-4)
