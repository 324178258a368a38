"""Every augmentation against a slow reference that works pixel by pixel, and its independence of the batch."""

import math

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.core.roles import AugmentConfig
from netsmith.data.augment.affine import Affine
from netsmith.data.augment.color_jitter import ColorJitter
from netsmith.data.augment.crop import Crop
from netsmith.data.augment.cutout import Cutout
from netsmith.data.augment.flip import Flip
from netsmith.data.augment.noise import Noise
from netsmith.engine.random import example_keys, keyed_normal, keyed_uniform

ALL = [
    Crop.Config(padding=3),
    Flip.Config(probability=0.4),
    Affine.Config(degrees=25.0, shift=0.15, scale=(0.8, 1.3), shear=15.0),
    ColorJitter.Config(brightness=0.4, contrast=0.3, saturation=0.5),
    Cutout.Config(size=5, fill=0.5),
    Noise.Config(std=0.2),
]


def reference_crop(config, image, key):
    channels, height, width = image.shape
    dy, dx = (
        math.floor(float(u) * (2 * config.padding + 1)) - config.padding
        for u in keyed_uniform(key, 2, stream="crop")[0]
    )
    out = np.zeros_like(image)
    for c in range(channels):
        for y in range(height):
            for x in range(width):
                if 0 <= y + dy < height and 0 <= x + dx < width:
                    out[c, y, x] = image[c, y + dy, x + dx]
    return out


def reference_flip(config, image, key):
    return image[:, :, ::-1] if float(keyed_uniform(key, stream="flip")[0]) < config.probability else image


def reference_affine(config, image, key):
    u = [2 * float(v) - 1 for v in keyed_uniform(key, 5, stream="affine")[0]]
    angle, shear = math.radians(u[0] * config.degrees), math.radians(u[1] * config.shear)
    scale = config.scale[0] + (config.scale[1] - config.scale[0]) * (u[2] + 1) / 2
    _, height, width = image.shape
    rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    matrix = rotation @ np.array([[1, math.tan(shear)], [0, 1]]) * scale
    out = np.zeros_like(image)
    for y in range(height):
        for x in range(width):
            target = np.array(
                [x - (width - 1) / 2 - u[3] * config.shift * width, y - (height - 1) / 2 - u[4] * config.shift * height]
            )
            sx, sy = np.linalg.solve(matrix, target) + np.array([(width - 1) / 2, (height - 1) / 2])
            for yy in (math.floor(sy), math.floor(sy) + 1):
                for xx in (math.floor(sx), math.floor(sx) + 1):
                    if 0 <= yy < height and 0 <= xx < width:
                        out[:, y, x] += image[:, yy, xx] * (1 - abs(sy - yy)) * (1 - abs(sx - xx))
    return out


def reference_color_jitter(config, image, key):
    u = [2 * float(v) - 1 for v in keyed_uniform(key, 3, stream="color_jitter")[0]]
    image = np.clip(image * (1 + u[0] * config.brightness), 0, 1)
    gray = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
    f = 1 + u[1] * config.contrast
    image = np.clip(f * image + (1 - f) * gray.mean(), 0, 1)
    gray = 0.299 * image[0] + 0.587 * image[1] + 0.114 * image[2]
    f = 1 + u[2] * config.saturation
    return np.clip(f * image + (1 - f) * gray, 0, 1)


def reference_cutout(config, image, key):
    _, height, width = image.shape
    u = keyed_uniform(key, 2, stream="cutout")[0]
    cy, cx = math.floor(float(u[0]) * height), math.floor(float(u[1]) * width)
    out = image.copy()
    for y in range(height):
        for x in range(width):
            if 0 <= y - cy + config.size // 2 < config.size and 0 <= x - cx + config.size // 2 < config.size:
                out[:, y, x] = config.fill
    return out


def reference_noise(config, image, key):
    return np.clip(image + config.std * keyed_normal(key, *image.shape, stream="noise")[0].numpy(), 0, 1)


@pytest.mark.parametrize("config", ALL, ids=lambda c: c.kind_name())
def test_against_the_slow_reference(config):
    images = torch.rand(12, 3, 9, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    keys = example_keys(5, torch.arange(12))
    got = config.build()(images, keys)
    reference = globals()[f"reference_{config.kind_name()}"]
    wanted = np.stack([reference(config, images[i].numpy(), keys[i : i + 1]) for i in range(12)])
    assert np.abs(got.numpy() - wanted).max() < 1e-12
    assert np.abs(wanted - images.numpy()).max() > 0.1
    assert float(got.min()) >= 0
    assert float(got.max()) <= 1


@pytest.mark.parametrize("config", ALL, ids=lambda c: c.kind_name())
def test_an_example_does_not_depend_on_its_batch(config):
    images = torch.rand(33, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    before, keys = images.clone(), example_keys(11, torch.arange(33))
    change = config.build()
    whole = change(images, keys)
    assert whole.dtype == torch.float32
    assert whole.shape == images.shape
    assert torch.equal(images, before)
    for at in (torch.tensor([7]), torch.tensor([32, 0, 7]), torch.arange(5, 20)):
        assert torch.equal(change(images[at], keys[at]), whole[at])
    other = change(images, example_keys(12, torch.arange(33)))
    assert not torch.equal(other, whole)
    assert AugmentConfig.load(config.dump()) == config


def test_crop_offsets_and_flips_are_uniform():
    keys = example_keys(0, torch.arange(6000))
    ramp = torch.arange(1.0, 6.0).view(1, 1, 1, 5).expand(6000, 1, 5, 5)
    middle = Crop.Config(padding=2).build()(ramp, keys)[:, 0, 2, 2].long()
    counts = torch.bincount(middle, minlength=6)[1:]
    assert (counts - 1200).abs().max() < 5 * math.sqrt(1200)  # five equally likely offsets
    flipped = (Flip.Config().build()(ramp, keys)[:, 0, 0, 0] == 5).double().mean()
    assert abs(float(flipped) - 0.5) < 5 * 0.5 / math.sqrt(6000)


def test_settings_that_do_not_apply_are_refused():
    with pytest.raises(ConfigError, match=r"saturation=0.1 needs 3 channels, got 1"):
        ColorJitter.Config(saturation=0.1).build()(torch.rand(2, 1, 4, 4), example_keys(0, torch.arange(2)))
    with pytest.raises(ConfigError, match="smaller first"):
        Affine.Config(scale=(1.1, 0.9))
    with pytest.raises(ConfigError, match="padding"):
        Crop.Config(padding=0)
