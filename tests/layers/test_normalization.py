"""The four normalizations of small_cnn against their formulas: what is averaged over, in training and at inference."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.models.vision.small_cnn import SmallCNN

CHANNELS = 6


def norm_of(kind: str, **fields) -> nn.Module:
    config = SmallCNN.Config(channels=(CHANNELS,), normalization=kind, in_channels=1, num_classes=2, **fields)
    return config.build().get_submodule("stages.0.norm1").double()


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(5, CHANNELS, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3 + 1


def by_hand(x: torch.Tensor, axes: tuple[int, ...], eps: float = 1e-5) -> torch.Tensor:
    return (x - x.mean(axes, keepdim=True)) / (x.var(axes, correction=0, keepdim=True) + eps).sqrt()


def test_one_group_is_layer_normalization_over_an_image_and_a_group_each_is_instance_normalization(images):
    one, all_of_them = norm_of("group", groups=1), norm_of("group", groups=CHANNELS)
    torch.testing.assert_close(one(images), F.layer_norm(images, images.shape[1:]), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(norm_of("layer")(images), by_hand(images, (1, 2, 3)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(all_of_them(images), F.instance_norm(images), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(norm_of("instance")(images), by_hand(images, (2, 3)), rtol=1e-12, atol=1e-12)


def test_a_group_shares_mean_and_variance(images):
    grouped = images.unflatten(1, (2, 3))
    expected = by_hand(grouped, (2, 3, 4)).flatten(1, 2)
    torch.testing.assert_close(norm_of("group", groups=2)(images), expected, rtol=1e-12, atol=1e-12)


def test_the_running_variance_is_unbiased_and_the_one_that_divides_is_not(images):
    norm = norm_of("batch").train()
    torch.testing.assert_close(norm(images), by_hand(images, (0, 2, 3)), rtol=1e-12, atol=1e-12)
    count = images.numel() // CHANNELS
    biased = images.var((0, 2, 3), correction=0)
    expected = 0.9 * 1 + 0.1 * biased * count / (count - 1)
    torch.testing.assert_close(norm.running_var, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(norm.running_mean, 0.1 * images.mean((0, 2, 3)), rtol=1e-12, atol=1e-12)


def test_inference_uses_running_statistics_and_an_image_alone_gets_the_same_answer(images):
    norm = norm_of("batch").train()
    for part in images.split(1):
        norm(part)
    norm.eval()
    before = norm.running_var.clone()
    mean, var = (value[None, :, None, None] for value in (norm.running_mean, norm.running_var))
    torch.testing.assert_close(norm(images), (images - mean) / (var + 1e-5).sqrt(), rtol=1e-12, atol=1e-12)
    assert torch.equal(norm(images)[:1], norm(images[:1]))
    assert torch.equal(norm.running_var, before)
    for kind in ("group", "layer", "instance"):  # what has no statistics of the batch answers the same in both modes
        other = norm_of(kind, **({"groups": 2} if kind == "group" else {}))
        assert torch.equal(other.train()(images)[:1], other.eval()(images[:1]))
