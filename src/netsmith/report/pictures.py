"""Pictures from arrays: a PNG writer of our own, pixel-exact enlargement, heat maps in a perceptually even colormap.

Everything here takes numpy arrays or CPU tensors; pixels are ``uint8``, ``(H, W)`` gray or ``(H, W, 3)`` sRGB.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

from netsmith.core.errors import UserError

__all__ = ["colormap", "colors", "enlarge", "heat_pixels", "overlay", "png", "to_pixels", "visible"]


def png(pixels: Any, *, scale: int = 1) -> bytes:
    """Return a PNG file (8 bits, gray or RGB) of ``pixels``, each enlarged to ``scale`` x ``scale``.

    Args:
        pixels: uint8, ``(H, W)`` or ``(H, W, 3)``.
        scale: Whole-numbered enlargement without smoothing.

    Raises:
        UserError: Another type or shape.
    """
    array = enlarge(np.asarray(pixels), scale=scale)
    height, width = array.shape[:2]
    rows = np.ascontiguousarray(array).reshape(height, -1)
    filtered = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1)  # filter type 0 before each row
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if array.ndim == 2 else 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(filtered.tobytes(), 9)), (b"IEND", b"")]
    chunks = (struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in parts)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def enlarge(pixels: np.ndarray, *, scale: int) -> np.ndarray:
    """Repeat every pixel ``scale`` times in both directions."""
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,)) or not pixels.size:
        raise UserError(f"pixels are {pixels.dtype} {pixels.shape}; expected uint8 (H, W) or (H, W, 3)")
    if scale < 1:
        raise UserError(f"scale is {scale}; expected at least 1")
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def visible(image: Any) -> Any:
    """Return a ``(C, H, W)`` tensor with one or three channels: the mean of them where it has another number."""
    return image if len(image) in (1, 3) else image.float().mean(0, keepdim=True)


def to_pixels(image: Any, *, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Turn one image tensor into pixels.

    Args:
        image: ``(H, W)``, ``(1, H, W)`` or ``(3, H, W)``, any real numbers.
        low: The value shown black; None is the least value of the image.
        high: The value shown white; None is the largest.

    Returns:
        uint8, ``(H, W)`` or ``(H, W, 3)``. What is not a number is shown black.
    """
    array = _array(image)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[0] not in (1, 3) or not array.size:
        raise UserError(f"image has shape {array.shape}; expected (H, W), (1, H, W) or (3, H, W)")
    unit = _unit(array, low, high)
    pixels = np.round(unit * 255).astype(np.uint8)
    return pixels[0] if pixels.shape[0] == 1 else pixels.transpose(1, 2, 0)


def heat_pixels(heat: Any, *, low: float | None = None, high: float | None = None, signed: bool = False) -> np.ndarray:
    """Color a map ``(H, W)``: dark is low and bright is high, or blue is negative and orange positive.

    Args:
        heat: Any real numbers.
        low: The value at the dark end; None is the least value.
        high: The value at the bright end; None is the largest.
        signed: Zero is white and both ends are equally far from it (``low`` is ignored: it must be None).
    """
    array = _array(heat)
    if array.ndim != 2:
        raise UserError(f"heat has shape {array.shape}; expected (H, W)")
    if signed:
        if low is not None:
            raise UserError("a signed map has no low: it reaches from -high to high")
        finite = np.abs(array[np.isfinite(array)])
        high = (float(finite.max()) if finite.size else 0.0) if high is None else high
        return colors(_unit(array, -high, high), signed=True)
    return colors(_unit(array, low, high))


def overlay(image: Any, heat: Any, *, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Lay a heat map over a picture: the picture stays visible everywhere, color comes with the heat.

    Args:
        image: ``(H, W)``, ``(1, H, W)`` or ``(3, H, W)``; shown in gray so that color means heat only.
        heat: ``(H, W)``, never negative (a Grad-CAM, a saliency map); scaled to its largest value.
        low: The image value shown black; None is its least.
        high: The image value shown white; None is its largest.
    """
    pixels = to_pixels(image, low=low, high=high).astype(float)
    gray = pixels if pixels.ndim == 2 else pixels @ np.array([0.2126, 0.7152, 0.0722])
    array = _array(heat)
    if array.shape != gray.shape:
        raise UserError(f"heat has shape {array.shape}; expected {gray.shape}, the size of the image")
    unit = _unit(array, 0.0, None)
    share = (0.12 + 0.68 * np.sqrt(unit))[..., None]  # how much of the color covers the picture
    mixed = (1 - share) * (0.85 * gray[..., None]) + share * colors(unit)
    return np.round(mixed).clip(0, 255).astype(np.uint8)


def colors(unit: np.ndarray, *, signed: bool = False) -> np.ndarray:
    """Look up numbers in 0..1: ``(...)`` becomes uint8 ``(..., 3)``."""
    table = colormap(signed=signed, size=257 if signed else 256)  # an odd size has zero in its middle
    return table[np.round(np.clip(unit, 0, 1) * (len(table) - 1)).astype(int)]


def colormap(*, signed: bool = False, size: int = 256) -> np.ndarray:
    """Return a perceptually even colormap, ``(size, 3)`` uint8 sRGB.

    A path in OKLab (Ottosson 2020) from a dark violet over red and orange to a light yellow, or from blue over white to
    orange for signed maps, with as much chroma as sRGB holds, walked at constant speed: equal steps of the number look
    like equal steps of color, and lightness alone (a gray print, a color-blind reader) tells the order.
    """
    if signed:
        side = (size + 1) // 2
        cold = _walk(np.array([0.97, 0.45]), np.array([255.0, 262.0]), np.array([0.0, 0.17]), side)[::-1]
        warm = _walk(np.array([0.97, 0.45]), np.array([60.0, 35.0]), np.array([0.0, 0.17]), size - side + 1)
        return np.concatenate([cold, warm[1:]])
    return _walk(np.array([0.16, 0.97]), np.array([285.0, 465.0]), np.array([0.19, 0.12]), size)


def _walk(lightness: np.ndarray, hue: np.ndarray, chroma: np.ndarray, size: int) -> np.ndarray:
    """Colors at equal distances on a path whose lightness, hue (degrees) and wished chroma change linearly."""
    along = np.linspace(0, 1, 1024)
    light = np.interp(along, [0, 1], lightness)
    angle = np.deg2rad(np.interp(along, [0, 1], hue))
    lowest, highest = np.zeros_like(along), np.interp(along, [0, 1], chroma)
    for _ in range(24):  # bisection: the largest chroma, up to the wish, that sRGB can show
        middle = (lowest + highest) / 2
        rgb = _oklab_to_linear(np.stack([light, middle * np.cos(angle), middle * np.sin(angle)], -1))
        inside = ((rgb >= 0) & (rgb <= 1)).all(-1)
        lowest, highest = np.where(inside, middle, lowest), np.where(inside, highest, middle)
    path = np.stack([light, lowest * np.cos(angle), lowest * np.sin(angle)], -1)
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    even = np.interp(np.linspace(0, way[-1], size), way, along)
    lab = np.stack([np.interp(even, along, path[:, axis]) for axis in range(3)], -1)
    linear = _oklab_to_linear(lab).clip(0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(srgb * 255).astype(np.uint8)


def _oklab_to_linear(lab: np.ndarray) -> np.ndarray:
    """OKLab to linear sRGB (Ottosson 2020, the published matrices)."""
    to_cone = np.array(
        [[1, 0.3963377774, 0.2158037573], [1, -0.1055613458, -0.0638541728], [1, -0.0894841775, -1.2914855480]]
    )
    to_rgb = np.array(
        [
            [4.0767416621, -3.3077115913, 0.2309699292],
            [-1.2684380046, 2.6097574011, -0.3413193965],
            [-0.0041960863, -0.7034186147, 1.7076147010],
        ]
    )
    return (lab @ to_cone.T) ** 3 @ to_rgb.T


def _array(values: Any) -> np.ndarray:
    """Return a numpy array of doubles; tensors are detached and brought to the CPU."""
    if type(values).__module__.partition(".")[0] == "torch":
        values = values.detach().cpu().double().numpy()
    return np.asarray(values, dtype=np.float64)


def _unit(array: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
    finite = array[np.isfinite(array)]
    low = (float(finite.min()) if finite.size else 0.0) if low is None else low
    high = (float(finite.max()) if finite.size else 1.0) if high is None else high
    if not high > low:
        return np.zeros_like(array)
    return np.nan_to_num(((array - low) / (high - low)).clip(0, 1), nan=0.0)
