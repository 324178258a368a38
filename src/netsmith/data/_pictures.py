"""Decoding one picture, treated as hostile; the same function in training, predict and serve."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netsmith.core.errors import DataError, shorten
from netsmith.core.extras import require
from netsmith.core.spec import Inputs
from netsmith.layers.preprocess import resize_window

__all__ = [
    "PICTURE_SUFFIXES", "PIXEL_LIMIT", "Told", "cut_picture", "decode_picture", "is_gray", "read_picture",
    "resize_picture", "silent",
]  # fmt: skip

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
Told = Callable[[str, str], None]
"""What was changed in a picture, such as ``"resized to 28 x 28 pixels"``, and the picture's name."""
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
PIXEL_LIMIT = 50_000_000
_ORIENTATION = 0x0112  # of EXIF; 1 is upright
_WHOLE = 16  # times the window: so many pixels are computed and thrown away


def _refuse(name: str, problem: str) -> DataError:
    """Return the error with the name in full: pictures of different classes often share the last part."""
    return DataError(f"{shorten(name, 100)}: {problem}")


def _open(data: bytes, name: str) -> Any:
    image_module = require("PIL.Image", extra="data")
    if not data:
        raise _refuse(name, "is empty; expected a picture")
    image = image_module.open(io.BytesIO(data), formats=_FORMATS)
    width, height = image.size  # from the header: nothing is decoded yet
    if width * height > PIXEL_LIMIT:
        raise _refuse(name, f"has {width} x {height} pixels; expected at most {PIXEL_LIMIT} in all")
    if min(width, height) < 1:
        raise _refuse(name, f"has {width} x {height} pixels; expected at least one")
    return image


def is_gray(data: bytes, *, name: str) -> bool:
    """Say whether a picture has one channel, from its header alone.

    Raises:
        DataError: It is no picture.
    """
    try:
        return _open(data, name).mode in ("1", "L", "I", "I;16", "I;16L", "I;16B")
    except (DataError, ImportError):
        raise
    except Exception as error:  # Pillow's readers raise anything on damaged data
        raise _unreadable(error, name) from None


def _unreadable(error: Exception, name: str) -> DataError:
    what = "is not a picture" if type(error).__name__ == "UnidentifiedImageError" else f"is a damaged picture: {error}"
    return _refuse(name, f"{what}; expected one of {', '.join(_FORMATS)}")


def silent(_change: str, _name: str) -> None:
    """Tell nobody what was changed in a picture."""


def decode_picture(
    data: bytes,
    *,
    channels: int,
    size: tuple[int, int] | None,
    name: str,
    told: Told = silent,
) -> Tensor:
    """Decode a picture and bring it to one shape.

    It is turned as its EXIF says, put on white where it is transparent, taken to gray or RGB, and squashed to ``size``
    with Pillow's antialiased bilinear filter. Pictures of 16 bits keep their upper 8; of an animation the first frame.

    Args:
        data: The file's contents.
        channels: 1 or 3.
        size: Height and width in pixels; None leaves them as they are.
        name: The file's name, for messages.
        told: Is called with every change that was made, such as ``"resized to 28 x 28 pixels"``, and the name.

    Returns:
        ``(C, H, W)`` uint8.

    Raises:
        DataError: No picture of a known format, damaged or cut off, of other numbers than 8 or 16 bits, or more than 50
            million pixels.
    """
    try:
        given = _open(data, name)
        if getattr(given, "is_animated", False):
            told("read at its first frame alone", name)
        image = require("PIL.ImageOps", extra="data").exif_transpose(given)
        if given.getexif().get(_ORIENTATION, 1) in range(2, 9):
            told("turned as its EXIF says", name)
        if image.mode == "F":
            raise _refuse(name, "holds floating-point pixels; expected 8 or 16 bits per channel")
        if image.mode == "I" and given.format == "TIFF":
            raise _refuse(name, "holds pixels of 32 bits, or with a sign; expected 8 or 16 bits per channel")
        if image.mode.startswith("I"):  # 16 bits
            told("cut to the upper 8 of its 16 bits", name)
            values = np.clip(np.asarray(image, dtype=np.int64), 0, 65535) // 256
            image = require("PIL.Image", extra="data").fromarray(values.astype(np.uint8))
        mode = image.mode.removesuffix("A")
        if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
            image = image.convert("RGBA")
            white = require("PIL.Image", extra="data").new("RGBA", image.size, "white")
            image = require("PIL.Image", extra="data").alpha_composite(white, image)
            told("put on white where it is transparent", name)
        if (mode in ("1", "L")) != (channels == 1) or mode not in ("1", "L", "P", "RGB"):
            had = {"1": "gray", "L": "gray", "P": "color", "RGB": "color"}.get(mode, mode)
            told(f"taken from {had} to {'gray' if channels == 1 else 'RGB'}", name)
        image = image.convert("L" if channels == 1 else "RGB")
        if size is not None and (image.height, image.width) != size:
            told(f"resized to {size[1]} x {size[0]} pixels", name)
            image = image.resize((size[1], size[0]), require("PIL.Image", extra="data").Resampling.BILINEAR)
        pixels = np.array(image, dtype=np.uint8).reshape(image.height, image.width, channels)
    except (DataError, ImportError):
        raise
    except Exception as error:  # Pillow's readers raise anything on damaged data
        raise _unreadable(error, name) from None
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def resize_picture(pixels: Tensor, size: tuple[int, int]) -> Tensor:
    """Squash a picture to a size with Pillow's antialiased bilinear filter, as :func:`decode_picture` does.

    Args:
        pixels: ``(C, H, W)`` uint8, of 1 or 3 channels.
        size: Height and width in pixels.
    """
    if tuple(pixels.shape[1:]) == size:
        return pixels
    return _resized(pixels, size, (0, 0, pixels.shape[2], pixels.shape[1]))


def _resized(pixels: Tensor, size: tuple[int, int], box: tuple[float, float, float, float]) -> Tensor:
    image_module = require("PIL.Image", extra="data")
    array = pixels[0].numpy() if len(pixels) == 1 else pixels.permute(1, 2, 0).numpy()
    image = image_module.fromarray(array).resize((size[1], size[0]), image_module.Resampling.BILINEAR, box=box)
    return torch.from_numpy(np.array(image, dtype=np.uint8).reshape(*size, len(pixels))).permute(2, 0, 1).contiguous()


def cut_picture(pixels: Tensor, full: tuple[int, int], size: tuple[int, int], *, top: int, left: int) -> Tensor:
    """Return a window of a picture resized to ``full``.

    Where the whole would be much larger than the window (a long thin picture), only the window is computed; its values
    may then be rounded otherwise, by one.

    Args:
        pixels: ``(C, H, W)`` uint8, of 1 or 3 channels.
        full: Height and width of the whole, resized as :func:`resize_picture` does.
        size: Height and width of the window.
        top: Where it begins, in pixels of the whole.
        left: Where it begins, in pixels of the whole.
    """
    if full[0] * full[1] <= _WHOLE * size[0] * size[1]:
        return resize_picture(pixels, full)[:, top : top + size[0], left : left + size[1]]
    down, right = pixels.shape[1] / full[0], pixels.shape[2] / full[1]
    box = (left * right, top * down, (left + size[1]) * right, (top + size[0]) * down)
    box = (box[0], box[1], min(box[2], pixels.shape[2]), min(box[3], pixels.shape[1]))  # not beyond, by rounding
    return _resized(pixels, size, box)


def read_picture(data: bytes, inputs: Inputs, *, name: str, told: Told = silent) -> Tensor:
    """Decode a picture into the raw array of a run's schema, for ``Preprocess``.

    Args:
        data: The file's contents.
        inputs: The schema's inputs of kind ``image``.
        name: The file's name, for messages.
        told: As in :func:`decode_picture`.

    Returns:
        ``(C, H, W)`` uint8, from ``inputs.low`` to ``inputs.high`` (255 becomes ``high``).

    Raises:
        DataError: As in :func:`decode_picture`, or a schema that is not of images with 1 or 3 channels.
    """
    if inputs.kind != "image" or len(inputs.shape) != 3 or inputs.shape[0] not in (1, 3) or -1 in inputs.shape:
        raise _refuse(name, f"a picture does not fit inputs of kind {inputs.kind!r} and shape {inputs.shape}")
    channels, height, width = inputs.shape
    shorter = next((step.shorter for step in inputs.preprocessing if step.name == "resize"), 0)
    size = None if shorter else (height, width)
    pixels = decode_picture(data, channels=channels, size=size, name=name, told=told)
    if shorter:
        told(f"scaled to {shorter} pixels at its shorter side and cut to its middle {width} x {height}", name)
        full, top, left = resize_window(tuple(pixels.shape[1:]), (height, width), shorter=shorter)
        pixels = cut_picture(pixels, full, (height, width), top=top, left=left)
    low, high = inputs.low or 0.0, 255.0 if inputs.high is None else inputs.high
    if (low, high) == (0.0, 255.0):
        return pixels
    if not 0 <= low < high <= 255:
        raise _refuse(name, f"a picture has whole values from 0 to 255; the schema wants {low:g} to {high:g}")
    return (pixels.to(torch.float32) / 255 * (high - low) + low).round().to(torch.uint8)
