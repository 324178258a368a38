"""Pictures: PNG files decode to the same pixels, and the colormap is even to the eye."""

import io

import numpy as np
import pytest
import torch

from netsmith.core.errors import UserError
from netsmith.report.pictures import colormap, colors, enlarge, heat_pixels, overlay, png, to_pixels

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(1, 1), (7, 5), (64, 33), (1, 1, 3), (9, 4, 3)])
@pytest.mark.parametrize("scale", [1, 3])
def test_png_decodes_to_the_same_pixels(shape, scale):
    image = pytest.importorskip("PIL.Image")
    pixels = RANDOM.integers(0, 256, shape, dtype=np.uint8)
    with image.open(io.BytesIO(png(pixels, scale=scale))) as opened:
        opened.load()
        assert opened.mode == ("L" if len(shape) == 2 else "RGB")
        decoded = np.asarray(opened)
    assert np.array_equal(decoded, np.kron(pixels, np.ones((scale, scale) + (1,) * (len(shape) - 2), np.uint8)))


def test_png_of_a_view_that_is_not_contiguous():
    image = pytest.importorskip("PIL.Image")
    pixels = RANDOM.integers(0, 256, (3, 6, 8), dtype=np.uint8).transpose(1, 2, 0)[::-1]
    with image.open(io.BytesIO(png(pixels))) as opened:
        assert np.array_equal(np.asarray(opened), pixels)


def test_wrong_pixels_are_refused():
    for wrong in (np.zeros((2, 2)), np.zeros((2, 2, 4), np.uint8), np.zeros((0, 2), np.uint8), np.zeros(3, np.uint8)):
        with pytest.raises(UserError, match="expected uint8"):
            png(wrong)
    with pytest.raises(UserError, match="scale is 0"):
        enlarge(np.zeros((1, 1), np.uint8), scale=0)


def test_to_pixels():
    image = torch.tensor([[[0.0, 0.5], [1.0, float("nan")]]], requires_grad=True)
    assert to_pixels(image).tolist() == [[0, 128], [255, 0]]
    assert to_pixels(image, low=-1, high=1)[0, 0] == 128
    assert to_pixels(torch.full((1, 2, 2), 3.0)).tolist() == [[0, 0], [0, 0]]
    color = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(0))
    assert np.abs(to_pixels(color, low=0, high=1).transpose(2, 0, 1) / 255 - color.numpy()).max() <= 0.5 / 255 + 1e-6
    with pytest.raises(UserError, match=r"\(2, 4, 4\); expected"):
        to_pixels(torch.zeros(2, 4, 4))


def lab(rgb):
    """CIELAB (D65), a judge independent of the OKLab the map was made in."""
    srgb = rgb / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    )
    xyz = linear @ to_xyz.T / [0.95047, 1.0, 1.08883]
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def test_the_colormap_is_even_and_lightness_alone_tells_the_order():
    table = colormap().astype(float)
    assert table.shape == (256, 3)
    light = lab(table)[:, 0]
    assert light[0] < 12
    assert light[-1] > 92
    coarse = lab(table[::15])
    assert (np.diff(coarse[:, 0]) > 2).all()
    steps = np.linalg.norm(np.diff(coarse, axis=0), axis=1)
    assert steps.max() / steps.min() < 2.2
    assert steps.std() / steps.mean() < 0.22


def test_the_signed_colormap_has_white_in_its_middle_and_even_sides():
    table = colormap(signed=True, size=257)
    assert table.shape == (257, 3)
    light = lab(table.astype(float))[:, 0]
    assert int(light.argmax()) == 128
    assert light[128] > 95
    assert abs(light[0] - light[-1]) < 8
    assert (np.diff(light[:129:16]) > 0).all()
    assert (np.diff(light[128::16]) < 0).all()
    assert table[0, 2] > table[0, 0]
    assert table[-1, 0] > table[-1, 2]
    assert colors(np.array([0.5]), signed=True).tolist() == [table[128].tolist()]


def test_heat_pixels():
    heat = np.array([[-1.0, 0.0, 2.0]])
    signed = heat_pixels(heat, signed=True)
    table = colormap(signed=True, size=257)
    assert signed[0].tolist() == [table[64].tolist(), table[128].tolist(), table[256].tolist()]
    plain = heat_pixels(heat)
    assert plain[0, 0].tolist() == colormap()[0].tolist()
    assert plain[0, 2].tolist() == colormap()[255].tolist()
    with pytest.raises(UserError, match="a signed map has no low"):
        heat_pixels(heat, low=0.0, signed=True)


def test_overlay_keeps_the_picture_visible_and_colors_the_heat():
    image = np.zeros((1, 2, 2))
    image[0, 0] = 1
    heat = np.array([[0.0, 1.0], [0.0, 1.0]])
    mixed = overlay(image, heat).astype(int)
    assert mixed.shape == (2, 2, 3)
    assert mixed[0, 0].sum() > mixed[1, 0].sum() + 300  # without heat: bright stays bright, dark stays dark
    assert mixed[0, 1].sum() > mixed[1, 1].sum() + 60  # and still so under the hottest place
    assert mixed[1, 1, 0] > mixed[1, 1, 2] + 50
    assert overlay(np.repeat(image, 3, 0), heat).shape == (2, 2, 3)
    with pytest.raises(UserError, match=r"expected \(2, 2\), the size of the image"):
        overlay(image, np.zeros((3, 3)))
