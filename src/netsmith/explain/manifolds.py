"""Three projections that may bend: locally linear embedding, Isomap, metric scaling.

Where examples lie on a curved sheet, the straight line between two of them leaves it. Locally linear embedding (Roweis
& Saul 2000, Science 290:2323) keeps the weights by which each example is made of its neighbors; Isomap (Tenenbaum et
al. 2000, Science 290:2319) keeps the lengths of ways from neighbor to neighbor, by classical scaling; both are
scikit-learn's. Metric scaling (Kruskal 1964, by the majorization of de Leeuw 1977) keeps all distances as well as a
plane can, and so does not bend the sheet; it is ours. All come with the trustworthiness of the plane.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from netsmith.core.errors import UserError
from netsmith.core.extras import require
from netsmith.explain.eigen_projections import classical_scaling
from netsmith.explain.projections import Projection, feature_rows, judged

__all__ = ["isomap", "locally_linear", "metric_scaling", "stress"]


def locally_linear(features: Tensor, *, count: int = 2, around: int = 12, neighbors: int = 5) -> Projection:
    """Return a plane in which each example is made of its neighbors by the same weights.

    Args:
        features: ``(N, ...)``; flattened.
        count: Axes.
        around: Neighbors that an example is made of.
        neighbors: Of the trustworthiness.

    Raises:
        UserError: Shapes that do not fit, or values that are not finite.
        MissingExtraError: scikit-learn is not installed.
    """
    rows = _near(features, count, around)
    manifold = require("sklearn.manifold", extra="classic")
    model = manifold.LocallyLinearEmbedding(
        n_neighbors=around, n_components=count, eigen_solver="dense" if len(rows) <= 1000 else "arpack", random_state=0
    )
    return judged(rows, _upright(model.fit_transform(rows)), neighbors)


def isomap(features: Tensor, *, count: int = 2, around: int = 12, neighbors: int = 5) -> Projection:
    """Return a plane whose distances are the lengths of the shortest ways from neighbor to neighbor.

    Args:
        features: ``(N, ...)``; flattened.
        count: Axes.
        around: Neighbors that a way may go on to.
        neighbors: Of the trustworthiness.

    Raises:
        UserError: Shapes that do not fit, values that are not finite, or examples that no way joins.
        MissingExtraError: scikit-learn is not installed.
    """
    rows = _near(features, count, around)
    manifold = require("sklearn.manifold", extra="classic")
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="The number of connected components", category=UserWarning)
        try:
            points = manifold.Isomap(n_neighbors=around, n_components=count).fit_transform(rows)
        except UserWarning:
            raise UserError(f"no way joins all examples over {around} neighbors; raise around") from None
    return judged(rows, _upright(points), neighbors)


def metric_scaling(
    features: Tensor, *, count: int = 2, iterations: int = 300, tolerance: float = 1e-6, neighbors: int = 5
) -> Projection:
    r"""Return a plane whose distances are those of the features, with the least sum of squared errors nearby.

    From the classical scaling on, each step is the Guttman transform, which never raises the error:

    .. math:: X \leftarrow \tfrac1N B(X) X, \qquad B_{ij} = -\delta_{ij} / |x_i - x_j| \; (i \ne j), \quad
              B_{ii} = -\textstyle\sum_{j \ne i} B_{ij}

    Args:
        features: ``(N, ...)``; flattened.
        count: Axes.
        iterations: Steps at most.
        tolerance: Ends where a step lowers the error by a smaller share.
        neighbors: Of the trustworthiness.

    Raises:
        UserError: Shapes that do not fit, or values that are not finite.
        MissingExtraError: scikit-learn is not installed (it judges the plane).
    """
    rows = feature_rows(features, least=4)
    wanted = torch.cdist(torch.from_numpy(rows), torch.from_numpy(rows), compute_mode="donot_use_mm_for_euclid_dist")
    points = classical_scaling(wanted, count=count).points
    error = stress(wanted, points)
    for _ in range(iterations):
        ratio = wanted / torch.cdist(points, points).clamp(min=1e-12)
        ratio.fill_diagonal_(0.0)
        points = (ratio.sum(1, keepdim=True) * points - ratio @ points) / len(points)
        before, error = error, stress(wanted, points)
        if before - error <= tolerance * before:
            break
    return judged(rows, points.numpy(), neighbors)


def stress(distances: Tensor, points: Tensor) -> float:
    """Return Kruskal's normalized stress: the root of the squared errors' share in the squared distances, 0 if exact.

    Args:
        distances: ``(N, N)`` that are wanted.
        points: ``(N, count)``.
    """
    wanted, found = distances.double(), torch.cdist(points.double(), points.double())
    return float(((wanted - found).square().sum() / wanted.square().sum()).sqrt())


def _near(features: Tensor, count: int, around: int) -> Any:
    rows = feature_rows(features, least=4)
    if not 1 <= count <= min(around, rows.shape[1]) or not around < len(rows):
        raise UserError(
            f"count is {count}, around {around}; expected 1 <= count <= around < {len(rows)} examples, and count at "
            f"most {rows.shape[1]} features"
        )
    return rows


def _upright(points: Any) -> Any:
    """Return the points with the sign of each axis chosen: the farthest point is on its positive side."""
    far = points[abs(points).argmax(0), range(points.shape[1])]
    return points * (1 - 2 * (far < 0))
