"""Features of many examples as points of a plane: principal components and t-SNE, with how far the picture lies.

PCA (Pearson 1901) is the plane with the most variance, a shadow of what is there. t-SNE (van der Maaten & Hinton 2008,
JMLR 9:2579) keeps neighbors next to each other and nothing else: distances between its clusters and their sizes mean
nothing; it is scikit-learn's. Each comes with its trustworthiness (Venna & Kaski 2001): 1 where every neighbor in
the plane is a neighbor among the features, about 0.5 where the points are shuffled.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import UserError
from netsmith.core.extras import require
from netsmith.explain.eigen_projections import principal_axes

__all__ = ["Projection", "feature_rows", "judged", "principal_components", "tsne"]


class Projection(NamedTuple):
    """Points of a plane.

    Attributes:
        points: ``(N, count)`` float64.
        trustworthiness: 0..1, over ``neighbors``.
        neighbors: How many neighbors of each point were looked at.
        shares: The share of the variance along each axis, for PCA; ``()`` for t-SNE.
    """

    points: Tensor
    trustworthiness: float
    neighbors: int
    shares: tuple[float, ...] = ()


def principal_components(features: Tensor, *, count: int = 2, neighbors: int = 5) -> Projection:
    """Return the coordinates along the directions of most variance.

    Args:
        features: ``(N, ...)``; flattened and centered, not scaled.
        count: Directions; at most N and the number of features.
        neighbors: Of the trustworthiness; fewer where N is small.

    Returns:
        The axes are determined up to their sign; here the largest weight of each is positive.

    Raises:
        UserError: Shapes that do not fit, or values that are not finite.
        MissingExtraError: scikit-learn is not installed.
    """
    rows = feature_rows(features, least=4)
    if not 1 <= count <= min(rows.shape):
        raise UserError(f"count is {count}; expected 1..{min(rows.shape)} for {tuple(rows.shape)} features")
    found = principal_axes(torch.from_numpy(rows), count=count)
    return judged(rows, found.points.numpy(), neighbors, tuple(found.shares.tolist()))


def tsne(features: Tensor, *, perplexity: float = 30.0, components: int = 50, neighbors: int = 5) -> Projection:
    """Return a plane in which neighbors stay neighbors; the same features give the same plane.

    Args:
        features: ``(N, ...)``; flattened. Wide ones are first reduced to their principal components, as the paper does,
            and the search starts from the first two instead of from random places (Kobak & Berens 2019,
            doi:10.1038/s41467-019-13056-x, who show that it keeps more of the arrangement of clusters).
        perplexity: About how many neighbors each point minds; at most (N - 1) / 3 is taken.
        components: Principal components kept before.
        neighbors: Of the trustworthiness.

    Raises:
        UserError: Fewer than 7 examples, values that are not finite, or settings out of range.
        MissingExtraError: scikit-learn is not installed.
    """
    rows = feature_rows(features, least=7)
    if not perplexity > 1 or components < 2:
        raise UserError(f"perplexity is {perplexity}, components {components}; expected above 1 and at least 2")
    kept = min(components, *rows.shape)
    if kept < 2:
        raise UserError("the features have one number per example; t-SNE needs at least two")
    manifold = require("sklearn.manifold", extra="classic")
    reduced = principal_axes(torch.from_numpy(rows), count=kept).points.numpy()
    start = reduced[:, :2] / reduced[:, 0].std() * 1e-4
    model = manifold.TSNE(perplexity=min(perplexity, (len(rows) - 1) / 3), init=start.astype("float32"), random_state=0)
    return judged(rows, model.fit_transform(reduced), neighbors)


def judged(rows: Any, points: Any, neighbors: int, shares: tuple[float, ...] = ()) -> Projection:
    """Return the points of a plane with the trustworthiness of the plane, over at most half as many neighbors."""
    neighbors = max(1, min(neighbors, (len(rows) - 1) // 2))
    manifold = require("sklearn.manifold", extra="classic")
    trust = float(manifold.trustworthiness(rows, points, n_neighbors=neighbors))
    return Projection(torch.from_numpy(points).double(), trust, neighbors, shares)


def feature_rows(features: Tensor, *, least: int) -> Any:
    """Return features as a float64 array ``(N, F)``, or say why there is nothing to project."""
    if features.dim() < 2 or len(features) < least:
        raise UserError(f"features have shape {tuple(features.shape)}; expected (N, ...) of at least {least} examples")
    rows = features.detach().cpu().flatten(1).double()
    if not bool(rows.isfinite().all()):
        raise UserError(f"features hold {int((~rows.isfinite()).sum())} values that are not finite")
    if not bool((rows != rows[0]).any()):
        raise UserError("the features are the same for all examples; there is nothing to project")
    return rows.numpy()
