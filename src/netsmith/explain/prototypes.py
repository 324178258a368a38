r"""Class prototypes: what the network would draw for a class, and the real examples nearest to its idea of one.

Activation maximization (Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034, Eq. 1) climbs

.. math:: \arg\max_I \; S_c(I) - \lambda \lVert I - \bar I \rVert_2^2 - \mu \, TV(I)

with the total variation of Mahendran & Vedaldi 2015 (arXiv:1412.0035) and the occasional Gaussian blur of Yosinski et
al. 2015 (arXiv:1506.06579) as priors; without them the result is noise that scores well. Our ``l2`` is their lambda and
``variation`` their mu, but both norms are means over the pixels in units of the input's range, so that one weight suits
every size of picture. The step is normalized to a fixed root mean square per image: one rate suits every network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.engine.batch import map_tensors
from netsmith.explain._forward import (
    captured,
    evaluating,
    fill_like,
    find_layer,
    pick,
    resolve_targets,
    size_of,
    slopes,
)

__all__ = ["Nearest", "Prototypes", "activation_maximization", "features_at", "nearest_examples"]


class Prototypes(NamedTuple):
    """Drawn pictures, one per class.

    Attributes:
        images: ``(K, C, H, W)``.
        scores: ``(K,)``, the score of each class for its picture.
        first_scores: ``(K,)``, the same at the random start, to compare with.
    """

    images: Tensor
    scores: Tensor
    first_scores: Tensor


class Nearest(NamedTuple):
    """Real examples nearest to the centroid of their class.

    Attributes:
        indices: ``(K, count)`` int64 rows of the features, nearest first; -1 where a class has fewer examples.
        distances: ``(K, count)``, Euclidean; infinite where the index is -1.
        centroids: ``(K, D)``, NaN for a class without examples.
    """

    indices: Tensor
    distances: Tensor
    centroids: Tensor


def activation_maximization(
    module: nn.Module,
    classes: Sequence[int],
    *,
    start: Tensor | float,
    shape: Sequence[int],
    generator: torch.Generator,
    steps: int = 200,
    rate: float = 0.05,
    noise: float = 0.05,
    l2: float = 40.0,
    variation: float = 3.0,
    blur_every: int = 4,
    blur: float = 0.5,
    low: Tensor | float = 0.0,
    high: Tensor | float = 1.0,
) -> Prototypes:
    """Draw the picture that each class likes best; all classes climb in one batch.

    Args:
        module: Returns ``(B, K)`` scores (before the softmax); it is left as found.
        classes: The classes to draw.
        start: Where the climb starts and what the L2 prior pulls toward: a number, or better the mean image of the
            training data, from which the pictures come out most like real ones.
        shape: ``(C, H, W)`` of one input.
        generator: Draws the noise of the start.
        steps: Steps of the climb.
        rate: The root mean square of a step, as a share of ``high - low``; it falls linearly to a tenth.
        noise: The standard deviation of the start's noise, as a share of ``high - low``.
        l2: Lambda of Eq. 1: what a mean squared distance of 1 from ``start`` costs, in units of the score.
        variation: Mu: what a mean absolute difference of 1 between neighbors costs.
        blur_every: Blur after every so many steps; 0 never does. The last tenth is climbed without.
        blur: The standard deviation of the Gaussian blur, pixels.
        low: The least value of an input, a number or broadcastable to ``shape`` (normalized inputs: per channel).
        high: The largest value of an input.

    Returns:
        The pictures within ``low`` and ``high``, and their scores.

    Raises:
        UserError: A class or a shape that does not fit, or settings out of range.
        UnsupportedError: The module returns no table of scores.
    """
    if len(shape) != 3 or not classes or steps < 1 or not rate > 0 or blur_every < 0 or not blur > 0:
        raise UserError(
            f"got shape {tuple(shape)}, {len(classes)} classes, steps {steps}, rate {rate}, blur_every {blur_every}, "
            f"blur {blur}; expected (C, H, W), at least one class, positive steps, rate and blur"
        )
    example = next((p for p in module.parameters() if p.is_floating_point()), torch.zeros(()))
    images = torch.zeros(len(classes), *shape, dtype=example.dtype, device=example.device)
    lower, upper = fill_like(low, images, "low"), fill_like(high, images, "high")
    extent = upper - lower
    if not bool((extent > 0).all()):
        raise UserError("low is not below high everywhere")
    center = fill_like(start, images, "start")
    draws = torch.randn(images.shape, generator=generator, device=generator.device).to(images)
    images = (center + noise * extent * draws).clamp(lower, upper)
    wanted = torch.tensor(list(classes), device=images.device)
    with evaluating(module):
        first = _scores(module, images, wanted)
        for step in range(steps):
            variable = images.detach().requires_grad_(True)
            unit = (variable - center) / extent
            prior = l2 * unit.square().mean(dim=(1, 2, 3)) + variation * _total_variation(variable / extent)  # (K,)
            objective = _scores(module, variable, wanted) - prior  # Eq. 1
            slope = slopes(objective, variable, "the inputs") * extent
            length = slope.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
            pace = rate * (1 - 0.9 * step / steps)
            images = (images + pace * extent * slope / length).clamp(lower, upper)
            if blur_every and (step + 1) % blur_every == 0 and step < 0.9 * steps:
                images = _blur(images, blur)
        with torch.no_grad():
            last = _scores(module, images, wanted)
    return Prototypes(images.detach(), last, first.detach())


def features_at(module: nn.Module, inputs: Any, *, layer: str, rows: int = 512) -> Tensor:
    """Return what a layer says about each example, one vector each: ``(N, D)``.

    Args:
        module: Left as found.
        inputs: A tensor, or a tuple or dict of tensors, of N examples.
        layer: The name of a submodule that runs once; maps ``(N, K, h, w)`` are averaged over their places.
        rows: Examples in one forward pass.

    Raises:
        UnknownNameError: No such layer.
        UnsupportedError: The layer does not return one floating-point tensor per pass.
    """
    part = find_layer(module, layer)
    found = []
    with evaluating(module), torch.no_grad():
        for start in range(0, size_of(inputs), rows):
            with captured(part) as outputs:
                module(map_tensors(inputs, lambda tensor, start=start: tensor[start : start + rows]))
            if len(outputs) != 1 or not isinstance(outputs[0], Tensor) or not outputs[0].is_floating_point():
                raise UnsupportedError(
                    f"layer {layer!r} gave {len(outputs)} outputs in one pass; expected one floating-point tensor"
                )
            maps = outputs[0]
            found.append(maps.mean(dim=(2, 3)) if maps.dim() == 4 else maps.flatten(1))
    return torch.cat(found)


def nearest_examples(features: Tensor, labels: Tensor, *, num_classes: int, count: int = 5) -> Nearest:
    """Find the real examples nearest to the centroid of their own class, the typical ones.

    Args:
        features: ``(N, D)``, from :func:`features_at`.
        labels: ``(N,)`` int64; give the predicted classes to see what the network takes for typical.
        num_classes: The number of classes.
        count: Examples per class.

    Raises:
        UserError: Shapes that do not fit.
    """
    if features.dim() != 2 or labels.shape != features.shape[:1] or num_classes < 1 or count < 1:
        raise UserError(
            f"features {tuple(features.shape)}, labels {tuple(labels.shape)}, num_classes {num_classes}, count {count}"
            "; expected (N, D), (N,), and positive numbers"
        )
    indices = torch.full((num_classes, count), -1, dtype=torch.int64)
    distances = torch.full((num_classes, count), torch.inf, dtype=features.dtype)
    centroids = torch.full((num_classes, features.shape[1]), torch.nan, dtype=features.dtype)
    for label in range(num_classes):
        members = torch.nonzero(labels == label).flatten()
        if len(members) == 0:
            continue
        own = features[members]
        centroids[label] = own.mean(0)
        away = (own - own.mean(0)).norm(dim=1)
        order = torch.argsort(away, stable=True)[:count]
        indices[label, : len(order)] = members[order].cpu()
        distances[label, : len(order)] = away[order].cpu()
    return Nearest(indices, distances, centroids)


def _scores(module: nn.Module, images: Tensor, wanted: Tensor) -> Tensor:
    output = module(images)
    return pick(output, resolve_targets(output, wanted))


def _total_variation(images: Tensor) -> Tensor:
    """Return the mean absolute difference of vertical plus that of horizontal neighbors: ``(K,)``."""
    down = (images[..., 1:, :] - images[..., :-1, :]).abs().flatten(1)
    right = (images[..., 1:] - images[..., :-1]).abs().flatten(1)
    return down.sum(1) / max(1, down.shape[1]) + right.sum(1) / max(1, right.shape[1])


def _blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, separable, with the edge repeated outside."""
    radius = max(1, round(3 * sigma))
    offsets = torch.arange(-radius, radius + 1, dtype=images.dtype, device=images.device)
    weights = torch.exp(-0.5 * (offsets / sigma) ** 2)
    weights = weights / weights.sum()
    channels = images.shape[1]
    padded = F.pad(images, [radius] * 4, mode="replicate")
    rows = F.conv2d(padded, weights.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(rows, weights.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
