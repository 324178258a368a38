import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from netsmith.layers.spatial_transformer import (
    SpatialTransformer,
    sampling_grid,
    spatial_transform,
    transformation_matrix,
)

IDENTITY = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], dtype=torch.float64)


def sampled(image, matrix, size):
    """Eq. 1 and 5 in numpy, pixel by pixel."""
    channels, height, width = image.shape
    out = np.zeros((channels, *size))
    for i in range(size[0]):
        for j in range(size[1]):
            target = np.array([(2 * j + 1) / size[1] - 1, (2 * i + 1) / size[0] - 1, 1])
            x, y = matrix @ target
            x, y = ((x + 1) * width - 1) / 2, ((y + 1) * height - 1) / 2
            for n in range(height):
                for m in range(width):
                    out[:, i, j] += image[:, n, m] * max(0, 1 - abs(x - m)) * max(0, 1 - abs(y - n))
    return out


@pytest.mark.parametrize("size", [(5, 7), (4, 4), (8, 3)])
def test_against_the_slow_sampler(size):
    torch.manual_seed(0)
    images, noise = torch.randn(3, 2, 5, 7, dtype=torch.float64), torch.randn(3, 2, 3, dtype=torch.float64)
    matrices = IDENTITY + 0.5 * noise
    wanted = np.stack([sampled(u.numpy(), a.numpy(), size) for u, a in zip(images, matrices, strict=True)])
    found = spatial_transform(images, matrices, size).numpy()
    assert np.abs(found - wanted).max() < 1e-12
    assert np.abs(wanted).max() > 0.5
    grid = F.affine_grid(matrices, [3, 2, *size], align_corners=False)
    torch.testing.assert_close(sampling_grid(matrices, size), grid, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("dtype", "size", "error"),
    [
        (torch.float32, (28, 28), 1e-6),
        (torch.float32, (42, 17), 2.5e-6),  # of a float32 place in torch's sampler, half a step at 42 pixels
        (torch.float64, (28, 28), 1e-12),
        (torch.float64, (42, 17), 1e-12),
    ],
)
def test_the_identity_is_exact(dtype, size, error):
    torch.manual_seed(0)
    images = torch.rand(2, 3, *size, dtype=dtype)
    found = spatial_transform(images, IDENTITY.to(dtype).expand(2, 2, 3))
    assert float((found - images).abs().max()) <= error


@pytest.mark.parametrize(("down", "right"), [(2, 0), (0, -3), (-1, 4)])
def test_a_shift_by_whole_pixels_is_slicing(down, right):
    torch.manual_seed(0)
    height, width = 9, 12
    images = torch.rand(1, 2, height, width, dtype=torch.float64)
    matrix = IDENTITY.clone()[None]
    matrix[0, :, 2] = torch.tensor([2 * right / width, 2 * down / height], dtype=torch.float64)
    padded = F.pad(images, (5, 5, 5, 5))
    wanted = padded[:, :, 5 + down : 5 + down + height, 5 + right : 5 + right + width]
    found = spatial_transform(images, matrix)
    assert float((found - wanted).abs().max()) <= 1e-12
    assert float((found - images).abs().max()) > 0.5


def test_a_quarter_turn_a_mirror_and_a_scale():
    torch.manual_seed(0)
    images = torch.rand(1, 1, 8, 8, dtype=torch.float64)
    turn = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]], dtype=torch.float64)
    torch.testing.assert_close(spatial_transform(images, turn), images.rot90(1, (2, 3)), rtol=0, atol=1e-12)
    mirror = torch.tensor([[[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]], dtype=torch.float64)
    torch.testing.assert_close(spatial_transform(images, mirror), images.flip(3), rtol=0, atol=1e-12)
    # attention: half the scale reads the middle; a quarter to the right and below, one corner
    theta = torch.tensor([[0.5, 0.0, 0.0], [0.5, 0.5, 0.5]], dtype=torch.float64)
    found = spatial_transform(images.expand(2, 1, 8, 8), transformation_matrix(theta, "attention"), (4, 4))
    torch.testing.assert_close(found[0], images[0, :, 2:6, 2:6], rtol=0, atol=1e-12)
    torch.testing.assert_close(found[1], images[0, :, 4:, 4:], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("transformation", "theta"),
    [("affine", [0.83, 0.21, 0.11, -0.17, 0.91, -0.07]), ("attention", [0.77, 0.13, -0.06])],
)
def test_the_gradient_is_that_of_finite_differences(transformation, theta):
    torch.manual_seed(0)
    images = torch.randn(1, 2, 5, 4, dtype=torch.float64, requires_grad=True)
    theta = torch.tensor([theta], dtype=torch.float64, requires_grad=True)
    grid = sampling_grid(transformation_matrix(theta, transformation), (4, 3)).detach()
    places = ((grid + 1) * torch.tensor([4, 5]) - 1) / 2
    assert float((places - places.round()).abs().min()) > 1e-3  # no kink of Eq. 5 is near

    def moved(images, theta):
        return spatial_transform(images, transformation_matrix(theta, transformation), (4, 3))

    assert torch.autograd.gradcheck(moved, (images, theta))
    (slope,) = torch.autograd.grad(moved(images, theta).square().sum(), theta)
    assert float(slope.abs().min()) > 1e-2


@pytest.mark.parametrize(("transformation", "count"), [("affine", 6), ("attention", 3)])
def test_it_starts_as_the_identity_and_learns(transformation, count):
    torch.manual_seed(0)
    localization = nn.Sequential(nn.Flatten(), nn.Linear(2 * 6 * 6, 5))
    transformer = SpatialTransformer(localization, 5, transformation=transformation)
    images = torch.rand(3, 2, 6, 6)
    assert transformer.theta(images).shape == (3, count)
    assert float((transformer(images) - images).detach().abs().max()) <= 1e-6
    assert not transformer.regressor.weight.any()

    def gradients():
        loss = (transformer(images) * torch.linspace(-1, 1, 36).view(6, 6)).square().sum()
        return torch.autograd.grad(loss, [transformer.regressor.weight, localization[1].weight])

    first, behind = gradients()
    assert first.any()
    assert not behind.any()  # zero weights let nothing through
    with torch.no_grad():
        transformer.regressor.weight -= 0.01 * first
    assert gradients()[1].any()
    assert float((transformer(images) - images).detach().abs().max()) > 1e-3


def test_each_image_is_moved_by_its_own_theta():
    torch.manual_seed(0)
    transformer = SpatialTransformer(nn.Flatten(), 16, transformation="affine", size=(3, 5)).double()
    nn.init.normal_(transformer.regressor.weight, std=0.3)
    images = torch.rand(4, 1, 4, 4, dtype=torch.float64)
    whole = transformer(images)
    assert whole.shape == (4, 1, 3, 5)
    for at in range(4):
        torch.testing.assert_close(transformer(images[at : at + 1])[0], whole[at], rtol=0, atol=1e-14)
    with torch.no_grad():
        theta = images.flatten(1) @ transformer.regressor.weight.T + torch.tensor([1.0, 0, 0, 0, 1, 0])
        wanted = sampled(images[2].numpy(), theta[2].view(2, 3).numpy(), (3, 5))
    assert np.abs(whole[2].detach().numpy() - wanted).max() < 1e-12


def test_the_grid_is_exact_under_autocast():
    angle = math.radians(20)
    matrix = torch.tensor([[[math.cos(angle), -math.sin(angle), 0.1], [math.sin(angle), math.cos(angle), 0.0]]])
    wanted = sampling_grid(matrix, (64, 64))
    with torch.autocast("cpu", torch.bfloat16):
        found, theirs = sampling_grid(matrix, (64, 64)), F.affine_grid(matrix, [1, 1, 64, 64], align_corners=False)
    assert torch.equal(found, wanted)
    assert float((theirs - wanted).abs().max()) * 32 > 0.05  # pixels


def test_theta_may_learn_more_slowly():
    torch.manual_seed(0)
    images = torch.randn(2, 1, 6, 6, dtype=torch.float64)
    slopes = []
    for rate in (1.0, 0.1):
        torch.manual_seed(1)
        transformer = SpatialTransformer(nn.Flatten(), 36, rate=rate).double()
        nn.init.normal_(transformer.regressor.weight, std=0.05)
        (slope,) = torch.autograd.grad(transformer(images).square().sum(), [transformer.regressor.weight])
        slopes.append(slope)
    assert slopes[0].abs().max() > 0.01
    torch.testing.assert_close(slopes[1], 0.1 * slopes[0], rtol=1e-12, atol=1e-14)
