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

from netsmith.core.errors import UnsupportedError, UserError
from netsmith.engine.batch import map_tensors
from netsmith.explain._climb import Drawn, draw
from netsmith.explain._forward import (
    captured,
    evaluating,
    find_layer,
    pick,
    resolve_targets,
    size_of,
)

__all__ = ["Drawn", "Nearest", "activation_maximization", "features_at", "nearest_examples"]


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
) -> Drawn:
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
    wanted = torch.tensor(list(classes))

    def score(images: Tensor) -> Tensor:
        output = module(images)
        return pick(output, resolve_targets(output, wanted))  # S_c of Eq. 1

    return draw(
        module,
        score,
        len(wanted),
        start=start,
        shape=shape,
        generator=generator,
        steps=steps,
        rate=rate,
        noise=noise,
        l2=l2,
        variation=variation,
        blur_every=blur_every,
        blur=blur,
        low=low,
        high=high,
    )


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
