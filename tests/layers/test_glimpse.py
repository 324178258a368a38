import pytest
import torch
from torch.nn import functional as F

from netsmith.layers.glimpse import glimpse


@pytest.mark.parametrize("size", [1, 3, 4])
def test_patches_are_slices_of_the_image(size):
    """Every place of a small image, by hand: a slice of a padded copy, averaged down."""
    torch.manual_seed(0)
    image = torch.randn(1, 2, 6, 9, dtype=torch.float64)
    padded = F.pad(image, [20] * 4)
    for y in torch.linspace(-1, 1, 7, dtype=torch.float64):
        for x in torch.linspace(-1, 1, 8, dtype=torch.float64):
            found = glimpse(image, torch.stack([x, y])[None], size=size, scales=3)
            assert found.shape == (1, 6, size, size)
            for scale in range(3):
                side = size * 2**scale
                top = int(torch.floor((y + 1) / 2 * 6 - side / 2 + 0.5)) + 20
                left = int(torch.floor((x + 1) / 2 * 9 - side / 2 + 0.5)) + 20
                patch = padded[:, :, top : top + side, left : left + side]
                blocks = patch.unflatten(2, (size, 2**scale)).unflatten(4, (size, 2**scale)).mean((3, 5))
                torch.testing.assert_close(found[:, 2 * scale : 2 * scale + 2], blocks, rtol=0, atol=1e-12)


def test_each_image_has_its_own_place():
    images = torch.arange(32.0).view(2, 1, 4, 4)
    found = glimpse(images, torch.tensor([[-0.5, -0.5], [0.5, 0.5]]), size=2)
    assert found.flatten(1).tolist() == [[0, 1, 4, 5], [26, 27, 30, 31]]


def test_the_gradient_goes_to_the_pixels_seen_and_not_to_the_place():
    image = torch.ones(1, 1, 6, 6, requires_grad=True)
    place = torch.zeros(1, 2, requires_grad=True)
    glimpse(image, place, size=2, scales=2).sum().backward()
    expected = torch.zeros(6, 6)
    expected[1:5, 1:5] = 0.25
    expected[2:4, 2:4] += 1
    assert torch.equal(image.grad[0, 0], expected)
    assert place.grad is None
