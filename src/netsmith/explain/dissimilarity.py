r"""Representational similarity analysis: two systems are alike where they take the same things for alike.

Kriegeskorte, Mur & Bandettini 2008 (Frontiers in Systems Neuroscience 2:4). A layer, a network, a brain region or a
person's judgments are each described by the dissimilarities of the same N conditions,

.. math:: d_{ij} = 1 - r(x_i, x_j)

with Pearson's r over the features, and two such matrices are compared by the rank correlation of their upper
triangles: Spearman's, or Kendall's :math:`\tau_A`, which does not reward a model for predicting ties (Nili et al. 2014,
doi:10.1371/journal.pcbi.1003553). So no map from units to voxels is ever fitted.

Deviation: our ``euclidean`` is the plain distance, rsatoolbox's the squared one per channel; ranks, and so every
comparison here, are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import UserError
from netsmith.explain._ranks import kendall_tau_a, mean_ranks, pearson, spearman

__all__ = [
    "Metric",
    "Permuted",
    "Similarity",
    "check_matrices",
    "compare_matrices",
    "condition_means",
    "dissimilarity_matrix",
    "permutation_test",
    "similarity_table",
    "upper_triangle",
]

Metric = Literal["correlation", "cosine", "euclidean"]
Similarity = Literal["spearman", "tau_a"]
_NUMBERS = 4_000_000  # of one chunk of permuted triangles


class Permuted(NamedTuple):
    """A comparison and what chance gives.

    Attributes:
        similarity: As observed.
        p_value: The share of comparisons, the observed one among them, that are at least as high: one-sided.
        null: ``(P,)``, with the conditions of one matrix in random orders.
    """

    similarity: float
    p_value: float
    null: Tensor


def dissimilarity_matrix(features: Tensor, *, metric: Metric = "correlation") -> Tensor:
    """Return how unlike the representations of N conditions are: ``(N, N)`` float64, symmetric, zero diagonal.

    Args:
        features: ``(N, ...)``, what a layer says about each condition; flattened.
        metric: ``"correlation"``: 1 - Pearson over features (0..2); ``"cosine"``: the same without taking the mean
            away; ``"euclidean"``: the distance, which also sees how strong a response is.

    Raises:
        UserError: Fewer than 3 conditions, values that are not finite, or (for correlation and cosine) a condition
            whose features are all equal (all zero): it has no direction.
    """
    if metric not in ("correlation", "cosine", "euclidean"):
        raise UserError(f"metric is {metric!r}; expected 'correlation', 'cosine' or 'euclidean'")
    if features.dim() < 2 or len(features) < 3:
        raise UserError(f"features have shape {tuple(features.shape)}; expected (N, ...) of at least 3 conditions")
    rows = features.detach().flatten(1).double()
    if not bool(rows.isfinite().all()):
        raise UserError(f"features hold {int((~rows.isfinite()).sum())} values that are not finite")
    if metric == "euclidean":
        return torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    largest = rows.abs().amax(1)
    if metric == "correlation":
        rows = rows - rows.mean(1, keepdim=True)
    length = rows.norm(dim=1)
    flat = torch.nonzero(length <= 1e-12 * largest * rows.shape[1] ** 0.5).flatten().tolist()
    if flat:
        shown = ", ".join(map(str, flat[:5])) + (", ..." if len(flat) > 5 else "")
        same = "all equal" if metric == "correlation" else "all zero"
        raise UserError(
            f"{len(flat)} of {len(rows)} conditions (row {shown}) have features that are {same}, so their {metric} "
            "is undefined; take another layer, leave them out, or use metric='euclidean'"
        )
    unit = rows / length[:, None]
    matrix = 1 - unit @ unit.T
    return ((matrix + matrix.T) / 2).clamp_min(0).fill_diagonal_(0)


def condition_means(features: Tensor, labels: Tensor, *, num_conditions: int) -> Tensor:
    """Return the mean features of each condition (class): ``(K, ...)``; so a matrix compares classes, not examples.

    Args:
        features: ``(N, ...)``.
        labels: ``(N,)`` int64 in 0..K-1.
        num_conditions: K.

    Raises:
        UserError: Shapes that do not fit, or a condition without examples.
    """
    if labels.shape != features.shape[:1] or labels.is_floating_point():
        raise UserError(f"labels are {tuple(labels.shape)} {labels.dtype}; expected ({len(features)},) int64")
    counts = torch.bincount(labels, minlength=num_conditions)
    if len(counts) > num_conditions or not bool((counts > 0).all()):
        empty = torch.nonzero(counts == 0).flatten().tolist()[:5]
        raise UserError(f"labels lie in 0..{len(counts) - 1}, without examples of {empty}; expected {num_conditions}")
    sums = torch.zeros(num_conditions, *features.shape[1:], dtype=torch.float64, device=features.device)
    sums.index_add_(0, labels, features.detach().double())
    return sums / counts.view(-1, *[1] * (features.dim() - 1))


def upper_triangle(matrices: Tensor) -> Tensor:
    """Return the entries above the diagonal, row by row: ``(..., N, N)`` becomes ``(..., N (N - 1) / 2)``."""
    count = matrices.shape[-1]
    rows, columns = torch.triu_indices(count, count, offset=1, device=matrices.device)
    return matrices[..., rows, columns]


def check_matrices(matrices: Tensor, *, what: str = "matrix") -> None:
    """Refuse what is no dissimilarity matrix: not square, not finite, asymmetric, or with a nonzero diagonal.

    Args:
        matrices: ``(..., N, N)``.
        what: How the message calls it.

    Raises:
        UserError: With the first entry that is wrong (counted from 1).
    """
    if matrices.dim() < 2 or matrices.shape[-1] != matrices.shape[-2] or matrices.shape[-1] < 3:
        raise UserError(f"{what} has shape {tuple(matrices.shape)}; expected (..., N, N) with N >= 3")
    values = matrices.detach().double()
    wrong = torch.nonzero(~values.isfinite())
    if len(wrong):
        raise UserError(f"{what} is not a finite number {_at(wrong[0])}; every pair needs a dissimilarity")
    slack = 1e-6 * values.abs().amax().clamp_min(1e-300)
    diagonal = values.diagonal(dim1=-2, dim2=-1)
    wrong = torch.nonzero(diagonal.abs() > slack)
    if len(wrong):
        place = int(wrong[0][-1])
        value = float(diagonal[tuple(wrong[0])])
        advice = "; similarities must be turned into dissimilarities first, 1 - r" if value > 0 else ""
        raise UserError(f"{what} has {value:.6g} on its diagonal {_at([place, place])}; expected 0{advice}")
    wrong = torch.nonzero((values - values.transpose(-1, -2)).abs() > slack)
    if len(wrong):
        one, other = float(values[tuple(wrong[0])]), float(values.transpose(-1, -2)[tuple(wrong[0])])
        raise UserError(f"{what} is not symmetric: {one:.6g} {_at(wrong[0])}, {other:.6g} across the diagonal")


def compare_matrices(first: Tensor, second: Tensor, *, method: Similarity = "spearman") -> Tensor:
    """Return the rank correlation of upper triangles, -1..1: ``(..., N, N)`` twice (broadcast) becomes ``(...)``.

    Args:
        first: Dissimilarity matrices.
        second: Of the same conditions in the same order.
        method: ``"spearman"``, or ``"tau_a"``: use it where a matrix has many ties (categories).

    Raises:
        UserError: No dissimilarity matrices, of different sizes, or (Spearman) one whose entries are all equal.
    """
    check_matrices(first, what="the first matrix")
    check_matrices(second, what="the second matrix")
    if first.shape[-1] != second.shape[-1]:
        raise UserError(f"the matrices are of {first.shape[-1]} and {second.shape[-1]} conditions; expected the same")
    found = compare_triangles(upper_triangle(first.double()), upper_triangle(second.double()), method=method)
    if bool(found.isnan().any()):
        raise UserError(
            "a matrix has the same dissimilarity everywhere: Spearman's correlation is undefined; use tau_a"
        )
    return found


def compare_triangles(first: Tensor, second: Tensor, *, method: Similarity) -> Tensor:
    """Return :func:`compare_matrices` of triangles ``(..., P)``, unchecked; NaN where Spearman's is undefined."""
    if method == "spearman":
        return spearman(first, second)
    if method == "tau_a":
        return kendall_tau_a(first, second)
    raise UserError(f"method is {method!r}; expected 'spearman' or 'tau_a'")


def similarity_table(
    matrices: Mapping[str, Tensor], others: Mapping[str, Tensor] | None = None, *, method: Similarity = "spearman"
) -> Tensor:
    """Return every matrix against every other: ``(A, B)``.

    Layer against layer of one network (``others`` left out), of two networks, or against given brain matrices.

    Args:
        matrices: A names with ``(N, N)`` each: rows.
        others: B names: columns; None compares ``matrices`` with themselves.
        method: As in :func:`compare_matrices`.
    """
    others = matrices if others is None else others
    columns = list(others.values())
    return torch.stack(
        [torch.stack([compare_matrices(a, b, method=method) for b in columns]) for a in matrices.values()]
    )


def permutation_test(
    first: Tensor,
    second: Tensor,
    *,
    generator: torch.Generator,
    method: Similarity = "spearman",
    permutations: int = 1000,
) -> Permuted:
    """Say whether two matrices are more alike than matrices of unrelated conditions.

    The pairs of a triangle are not independent (each condition is in N - 1 of them), so an ordinary test of a rank
    correlation is far too confident; here whole conditions change places (Kriegeskorte et al. 2008, Figure 8).

    Args:
        first: ``(N, N)``.
        second: ``(N, N)``; its conditions are put in random orders.
        generator: Draws the orders.
        method: As in :func:`compare_matrices`.
        permutations: How many; the smallest p-value there can be is 1 / (permutations + 1).

    Raises:
        UserError: As :func:`compare_matrices`, or no permutations.
    """
    if permutations < 1 or first.dim() != 2 or second.dim() != 2:
        shapes = f"{tuple(first.shape)} and {tuple(second.shape)}"
        raise UserError(f"got {permutations} permutations of matrices {shapes}; expected at least 1, of (N, N) twice")
    observed = compare_matrices(first, second, method=method)
    one, two = upper_triangle(first.double()), second.double()
    # Spearman's ranks are taken once: an order of conditions moves them as it moves the entries.
    if method == "spearman":
        one, ranks = mean_ranks(one), torch.zeros_like(two)
        above = torch.triu_indices(len(two), len(two), offset=1)
        ranks[above[0], above[1]] = mean_ranks(upper_triangle(two))
        two = ranks + ranks.T
    chunk = max(1, _NUMBERS // max(1, one.numel()))
    found = []
    for start in range(0, permutations, chunk):
        orders = torch.stack(
            [
                torch.randperm(len(two), generator=generator, device=generator.device).to(two.device)
                for _ in range(min(chunk, permutations - start))
            ]
        )
        triangles = upper_triangle(two[orders[:, :, None], orders[:, None, :]])
        found.append(pearson(one, triangles) if method == "spearman" else kendall_tau_a(one, triangles))
    null = torch.cat(found)
    reached = int((null >= observed - 1e-12).sum())
    return Permuted(float(observed), (reached + 1) / (permutations + 1), null)


def _at(place: Tensor | list[int]) -> str:
    """Say where, as a reader counts: the last two axes are row and column."""
    *before, row, column = (int(index) + 1 for index in place)
    return f"in row {row}, column {column}" + (f" (matrix {', '.join(map(str, before))})" if before else "")
