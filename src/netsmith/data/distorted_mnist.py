"""MNIST digits rotated, moved, projected or bent (Jaderberg et al. 2015, arXiv:1506.02025, section 4.1, appendix)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.config import AUTO, Auto
from netsmith.data._drawn import DrawnFields, DrawnSource
from netsmith.engine.random import keyed_normal, keyed_uniform

__all__ = ["DistortedMnist"]

_SIDE = 28
_SIZES = {"rotated": 28, "moved": 42, "projected": 28, "elastic": 28}


class DistortedMnist(DrawnSource):
    r"""What a spatial transformer is to undo; the paper's letters are R, RTS, P and E.

    - ``rotated`` (R): turned by an angle uniform in -90 to 90 degrees.
    - ``moved`` (RTS): turned by -45 to 45 degrees, scaled by 0.7 to 1.2, put on a random place of 42 x 42 pixels.
    - ``projected`` (P): scaled by 0.75 to 1, then each corner is moved by normal numbers of deviation 5 pixels, and the
      projective map of the corners moves the rest.
    - ``elastic`` (E): scaled by 0.75 to 1, then bent by a thin plate spline through 4 x 4 points, regularly spaced,
      that are moved by normal numbers of deviation 1.5 pixels.

    Every pixel of the image asks where in the digit it comes from, and takes the value there (bilinear). Splits are
    those of MNIST.

    Deviations: four corners that are no convex quadrangle have no projective map, and in a narrow one a digit is a
    line: their moves are halved until they are a wide one. The spline interpolates the way back, from the image to the
    digit.

    Raises:
        DataError: The official files of MNIST are neither at hand nor to be downloaded, or are damaged.
    """

    class Config(DrawnFields):
        """The official files of MNIST, from ``$NETSMITH_DATA/mnist``, the cache, or the network.

        Attributes:
            distortion: What is done to the digits.
            size: Height and width of an image, in pixels; ``auto`` is 42 for ``moved`` and 28 for the others.
        """

        distortion: Literal["rotated", "moved", "projected", "elastic"] = "moved"
        size: Annotated[int, Field(ge=28, le=256)] | Auto = AUTO

    def __init__(self, config: Config) -> None:
        kind = config.distortion
        size = _SIZES[kind] if config.size == AUTO else int(config.size)
        draw = functools.partial(_draw, origins=_origins(kind, size))
        super().__init__(config, dataset=f"{kind}-mnist", draw=draw, size=size)


def _draw(digits: Tensor, at: Tensor, keys: Tensor, *, origins: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Tensor:
    x, y = origins(keys)  # (B, S, S) each, pixels of the digit from its center
    grid = torch.stack([x, y], dim=-1).mul_(2 / _SIDE).to(torch.float32)
    images = F.grid_sample(digits[at].to(torch.float32), grid, padding_mode="zeros", align_corners=False)
    return images.round_().clamp_(0, 255).to(torch.uint8)


def _origins(kind: str, size: int) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Return what tells, from the keys, where in the digits the pixels of images of this size come from."""
    if kind == "elastic":
        return functools.partial(_elastic, size=size, spline=_spline(size))
    return functools.partial({"rotated": _rotated, "moved": _moved, "projected": _projected}[kind], size=size)


def _pixels(size: int) -> tuple[Tensor, Tensor]:
    """Return columns and rows of an image's pixels from its center: ``(1, 1, S)`` and ``(1, S, 1)`` float64."""
    line = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    return line[None, None, :], line[None, :, None]


def _between(u: Tensor, low: float, high: float) -> Tensor:
    return (low + (high - low) * u)[:, None, None]


def _turned(x: Tensor, y: Tensor, angle: Tensor, scale: Tensor | float = 1.0) -> tuple[Tensor, Tensor]:
    """Undo a rotation by ``angle`` and a factor ``scale``."""
    cos, sin = angle.cos() / scale, angle.sin() / scale
    return cos * x + sin * y, cos * y - sin * x


def _rotated(keys: Tensor, *, size: int) -> tuple[Tensor, Tensor]:
    angle = _between(keyed_uniform(keys, stream="rotated"), -math.pi / 2, math.pi / 2)
    return _turned(*_pixels(size), angle)


def _moved(keys: Tensor, *, size: int) -> tuple[Tensor, Tensor]:
    u = keyed_uniform(keys, 4, stream="moved")
    angle, scale = _between(u[:, 0], -math.pi / 4, math.pi / 4), _between(u[:, 1], 0.7, 1.2)
    room = (size - _SIDE * scale).clamp(min=0)  # what is left beside the scaled digit
    x, y = _pixels(size)
    return _turned(x - room * _between(u[:, 2], -0.5, 0.5), y - room * _between(u[:, 3], -0.5, 0.5), angle, scale)


def _projected(keys: Tensor, *, size: int) -> tuple[Tensor, Tensor]:
    half = _SIDE / 2
    corners = torch.tensor([[-half, -half], [half, -half], [half, half], [-half, half]], dtype=torch.float64)
    scale = _between(keyed_uniform(keys, stream="projected/scale"), 0.75, 1.0)
    moves = 5.0 * keyed_normal(keys, 4, 2, stream="projected/corners")
    corners = corners * scale
    for _ in range(6):
        crossed = ~_convex(corners + moves)
        moves = torch.where(crossed[:, None, None], moves / 2, moves)
    return _from_quadrangle(corners + moves, *_pixels(size))


def _convex(corners: Tensor) -> Tensor:
    """Say of each ``(B, 4, 2)`` quadrangle whether it turns the same way at every corner, and by enough."""
    edges = corners.roll(-1, dims=1) - corners
    following = edges.roll(-1, dims=1)
    turns = edges[..., 0] * following[..., 1] - edges[..., 1] * following[..., 0]  # (B, 4), twice a triangle's area
    return (turns > _SIDE * _SIDE / 8).all(dim=1)


def _from_quadrangle(corners: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return where in the digit's square the pixels come from, under the projective map of its corners.

    The map from the unit square to the corners in closed form (Heckbert 1989, section 2.2.3), and its adjugate.
    """
    (x0, x1, x2, x3), (y0, y1, y2, y3) = (corners[..., axis].unbind(1) for axis in (0, 1))
    dx1, dx2, sx = x1 - x2, x3 - x2, x0 - x1 + x2 - x3
    dy1, dy2, sy = y1 - y2, y3 - y2, y0 - y1 + y2 - y3
    area = dx1 * dy2 - dx2 * dy1
    g, h = (sx * dy2 - dx2 * sy) / area, (dx1 * sy - sx * dy1) / area
    a, b, c = x1 - x0 + g * x1, x3 - x0 + h * x3, x0
    d, e, f = y1 - y0 + g * y1, y3 - y0 + h * y3, y0
    rows = (
        (e - f * h, c * h - b, b * f - c * e),
        (f * g - d, a - c * g, c * d - a * f),
        (d * h - e * g, b * g - a * h, a * e - b * d),
    )
    u, v, w = (
        p[:, None, None] * x + q[:, None, None] * y + r[:, None, None] for p, q, r in rows
    )  # homogeneous coordinates in the unit square
    behind = w <= 1e-6 * w.abs().amax((1, 2), keepdim=True)  # beyond the horizon: outside of the digit
    w = torch.where(behind, 1.0, w)
    far = torch.where(behind, 1e3, 0.0)
    return (u / w - 0.5) * _SIDE + far, (v / w - 0.5) * _SIDE + far


def _elastic(keys: Tensor, *, size: int, spline: Tensor) -> tuple[Tensor, Tensor]:
    scale = _between(keyed_uniform(keys, stream="elastic/scale"), 0.75, 1.0)
    moves = 1.5 * keyed_normal(keys, 16, 2, stream="elastic/points")  # (B, 16, 2) pixels
    x, y = (part.repeat(len(keys), size // part.shape[1], size // part.shape[2]) for part in _pixels(size))
    for point, weight in enumerate(spline):  # a sum over 16 points: a matrix product depends on the batch's size
        x.addcmul_(moves[:, point, 0, None, None], weight)
        y.addcmul_(moves[:, point, 1, None, None], weight)
    return x.div_(scale), y.div_(scale)


def _spline(size: int) -> Tensor:
    r"""Return how far each pixel follows each of 4 x 4 control points: ``(16, S, S)`` float64.

    The thin plate spline :math:`f(p) = a + b \cdot p + \sum_i w_i\, U(|p - c_i|)`, :math:`U(r) = r^2 \ln r^2`
    (Bookstein 1989), is linear in the values at the control points c; these are its values for each unit vector.
    """
    line = (torch.arange(4, dtype=torch.float64) / 3 - 0.5) * (size - 1)
    points = torch.cartesian_prod(line, line).flip(1)  # (16, 2), columns then rows
    x, y = _pixels(size)
    pixels = torch.stack([x.expand(1, size, size), y.expand(1, size, size)], dim=-1).reshape(-1, 2)
    system = torch.zeros(19, 19, dtype=torch.float64)
    system[:16] = _terms(points, points)
    system[16:, :16] = system[:16, 16:].T
    values = torch.zeros(19, 16, dtype=torch.float64)
    values[:16] = torch.eye(16, dtype=torch.float64)
    coefficients = torch.linalg.solve(system, values)  # (19, 16)
    return (_terms(pixels, points) @ coefficients).T.reshape(16, size, size)


def _terms(at: Tensor, points: Tensor) -> Tensor:
    """Return U at each point, 1 and the coordinates: ``(N, 19)``."""
    squared = (at[:, None] - points).square().sum(-1)
    u = torch.where(squared > 0, squared * squared.clamp(min=1e-12).log(), 0.0)
    return torch.cat([u, torch.ones_like(at[:, :1]), at], dim=1)
