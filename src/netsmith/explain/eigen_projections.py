"""Three projections that are one eigenproblem each: principal components, discriminants, classical scaling.

Principal components (Pearson 1901, Hotelling 1933) are the directions of most variance; linear discriminants (Fisher
1936, Rao 1948) those in which the classes' means lie far apart for the spread within the classes; classical scaling
(Torgerson 1952) finds points from nothing but the distances between them. Of Euclidean distances it gives the principal
components. All are determined up to the sign of each axis.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import UserError

__all__ = ["Axes", "Scaled", "classical_scaling", "discriminants", "principal_axes"]


class Axes(NamedTuple):
    """Linear directions, the strongest first.

    Attributes:
        points: ``(N, count)`` float64, the centered examples along them.
        directions: ``(F, count)`` float64; of each the largest weight is positive.
        strengths: ``(count,)`` float64: the variance along each, or that between classes over that within.
        shares: ``(count,)`` float64, of the sum of all strengths.
    """

    points: Tensor
    directions: Tensor
    strengths: Tensor
    shares: Tensor


class Scaled(NamedTuple):
    """Points that have given distances, as far as they can.

    Attributes:
        points: ``(N, count)`` float64, centered.
        eigenvalues: ``(N,)`` float64, falling; those below 0 are what no Euclidean space holds.
    """

    points: Tensor
    eigenvalues: Tensor


def principal_axes(features: Tensor, *, count: int) -> Axes:
    r"""Return the directions of most variance.

    .. math:: C = \tfrac{1}{N - 1} X_c^T X_c, \quad C v_k = \lambda_k v_k, \quad
              \text{share}_k = \lambda_k / \textstyle\sum_j \lambda_j

    Where there are more features than examples the eigenvectors u of :math:`X_c X_c^T` are found instead, and
    :math:`v = X_c^T u / |X_c^T u|`.

    Args:
        features: ``(N, F)``.
        count: Directions, at most the smaller of N and F.

    Raises:
        UserError: Shapes that do not fit.

    Example:
        >>> found = principal_axes(torch.tensor([[0.0, 0.0], [2.0, 2.0], [4.0, 4.0]]), count=2)
        >>> [round(share, 6) for share in found.shares.tolist()]
        [1.0, 0.0]
    """
    _check_rows(features, count, most=min(features.shape))
    centered = features.double() - features.double().mean(0)
    examples, width = centered.shape
    if width <= examples:
        values, vectors = _largest(centered.T @ centered, count)
    else:
        values, sides = _largest(centered @ centered.T, count)
        vectors = torch.nn.functional.normalize(centered.T @ sides, dim=0)
    vectors = vectors * _signs(vectors)
    variances = values.clamp(min=0) / (examples - 1)
    total = centered.square().sum() / (examples - 1)
    return Axes(centered @ vectors, vectors, variances, variances / total)


def discriminants(features: Tensor, labels: Tensor, *, count: int) -> Axes:
    r"""Return the directions that tell classes apart: the generalized eigenproblem of two scatters.

    .. math:: S_B w = \lambda S_W w, \qquad
              S_B = \sum_c N_c (\mu_c - \mu)(\mu_c - \mu)^T, \quad
              S_W = \sum_c \sum_{n \in c} (x_n - \mu_c)(x_n - \mu_c)^T

    and :math:`w^T S_W w = N - C`: within the classes the variance along each direction is 1. It is solved where S_W has
    a spread at all: directions without any within the classes are left out. scikit-learn's answer up to its scale.

    Args:
        features: ``(N, F)``.
        labels: ``(N,)`` int64 classes.
        count: Directions, at most one less than there are classes.

    Raises:
        UserError: Shapes that do not fit, or fewer than two classes.
    """
    if labels.shape != features.shape[:1] or labels.is_floating_point():
        raise UserError(
            f"labels have shape {tuple(labels.shape)}; expected a class for each of {len(features)} examples"
        )
    classes, place = labels.unique(return_inverse=True)
    if len(classes) < 2 or len(features) <= len(classes):
        raise UserError(f"{len(features)} examples of {len(classes)} classes; expected two classes and more examples")
    _check_rows(features, count, most=min(len(classes) - 1, features.shape[1]))
    rows = features.double()
    members = torch.nn.functional.one_hot(place, len(classes)).double()  # (N, C)
    sizes = members.sum(0)
    means = members.T @ rows / sizes[:, None]
    within = rows - means[place]
    values, vectors = torch.linalg.eigh(within.T @ within)
    kept = values > values[-1] * 1e-10
    white = vectors[:, kept] / values[kept].sqrt()  # W^T S_W W = 1
    between = sizes.sqrt()[:, None] * (means - rows.mean(0)) @ white
    strengths, turned = _largest(between.T @ between, min(count, int(kept.sum())))
    directions = white @ turned * (len(rows) - len(classes)) ** 0.5
    directions = directions * _signs(directions)
    return Axes((rows - rows.mean(0)) @ directions, directions, strengths, strengths / between.square().sum())


def classical_scaling(distances: Tensor, *, count: int) -> Scaled:
    r"""Return points whose Euclidean distances are the given ones, as nearly as ``count`` axes allow.

    .. math:: B = -\tfrac12 J D^{\circ 2} J, \quad J = I - \tfrac1N 1 1^T, \quad
              B u_k = \lambda_k u_k, \quad \text{points}_k = \sqrt{\lambda_k}\, u_k

    Args:
        distances: ``(N, N)``, symmetric.
        count: Axes, at most N.

    Raises:
        UserError: No symmetric square matrix, or a count out of range.
    """
    if distances.dim() != 2 or distances.shape[0] != distances.shape[1]:
        raise UserError(f"distances have shape {tuple(distances.shape)}; expected (N, N)")
    _check_rows(distances, count, most=len(distances))
    squares = distances.double().square()
    if not torch.allclose(squares, squares.T):
        raise UserError("the distances are not symmetric; expected as far from a to b as from b to a")
    inner = -0.5 * (squares - squares.mean(0) - squares.mean(1, keepdim=True) + squares.mean())
    values, vectors = torch.linalg.eigh((inner + inner.T) / 2)
    values, vectors = values.flip(0), vectors.flip(1)[:, :count]
    return Scaled(vectors * values[:count].clamp(min=0).sqrt() * _signs(vectors), values)


def _largest(matrix: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the largest eigenvalues of a symmetric matrix, falling, and their vectors in columns."""
    values, vectors = torch.linalg.eigh(matrix)
    return values.flip(0)[:count], vectors.flip(1)[:, :count]


def _signs(vectors: Tensor) -> Tensor:
    """Return for each column the sign that makes its largest number positive."""
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return torch.where(largest < 0, -1.0, 1.0).to(vectors)


def _check_rows(rows: Tensor, count: int, *, most: int) -> None:
    if rows.dim() != 2 or len(rows) < 2 or not bool(rows.isfinite().all()):
        raise UserError(f"expected (N, F) finite numbers of at least two examples, got shape {tuple(rows.shape)}")
    if not 1 <= count <= most:
        raise UserError(f"count is {count}; expected 1..{most} for shape {tuple(rows.shape)}")
