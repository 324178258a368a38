r"""Time-resolved similarity: the moments at which a brain's (or a recurrent network's) code is like a model's.

One dissimilarity matrix per moment, each compared with the model's, gives a curve (Cichy, Pantazis & Oliva 2014,
doi:10.1038/nn.3635). The noise ceiling is what any model can reach, since people differ (Nili et al. 2014,
doi:10.1371/journal.pcbi.1003553):

- upper: the mean similarity of each person's matrix with the mean over all people, which has seen that person;
- lower: the same with the mean over the others.

The mean is taken over rank-transformed triangles. For Spearman that is the best matrix there is; for tau_A an
approximation that is close (Nili et al., the paragraph on the upper bound).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from netsmith.core.errors import UserError
from netsmith.explain._ranks import mean_ranks
from netsmith.explain.dissimilarity import Similarity, check_matrices, compare_triangles, upper_triangle

__all__ = ["NoiseCeiling", "TimeCourse", "noise_ceiling", "time_course"]


class NoiseCeiling(NamedTuple):
    """What a model can reach at most at each moment.

    Attributes:
        lower: ``(T,)``; NaN where there is only one subject.
        upper: ``(T,)``.
    """

    lower: Tensor
    upper: Tensor


class TimeCourse(NamedTuple):
    """Similarity with a model over time.

    Attributes:
        similarity: ``(T,)``, mean over subjects.
        low: ``(T,)``, the lower end of the bootstrap interval.
        high: ``(T,)``, its upper end.
        ceiling: The noise ceiling.
    """

    similarity: Tensor
    low: Tensor
    high: Tensor
    ceiling: NoiseCeiling


def time_course(
    stack: Tensor,
    model: Tensor,
    *,
    generator: torch.Generator,
    method: Similarity = "spearman",
    samples: int = 1000,
    confidence: float = 0.95,
) -> TimeCourse:
    """Return the similarity of a stack of matrices with a model's, moment by moment.

    The interval is of the conditions: they are drawn again with replacement (people are not), and a pair of one
    condition with its own copy is left out.

    Args:
        stack: ``(T, N, N)``, or ``(S, T, N, N)`` of S subjects.
        model: ``(N, N)``.
        generator: Draws the conditions.
        method: ``"spearman"`` or ``"tau_a"``.
        samples: Bootstrap samples; 0 leaves the interval out (NaN).
        confidence: The share of samples within the interval.

    Raises:
        UserError: No dissimilarity matrices, of different sizes, or settings out of range.
    """
    stack = _with_subjects(stack)
    check_matrices(model, what="the model's matrix")
    if model.dim() != 2 or model.shape[-1] != stack.shape[-1] or samples < 0 or not 0 < confidence < 1:
        raise UserError(
            f"model {tuple(model.shape)}, stack {tuple(stack.shape)}, samples {samples}, confidence {confidence}; "
            "expected (N, N), (S, T, N, N), at least 0, and 0..1"
        )
    stack, model = stack.double(), model.double()
    observed = compare_triangles(upper_triangle(stack), upper_triangle(model), method=method).mean(0)
    if bool(observed.isnan().any()):
        raise UserError(
            "a matrix has the same dissimilarity everywhere: Spearman's correlation is undefined; use tau_a"
        )
    low = high = torch.full_like(observed, torch.nan)
    if samples:
        drawn = torch.stack([_resampled(stack, model, method, generator) for _ in range(samples)])
        outside = (1 - confidence) / 2
        low, high = drawn.nanquantile(torch.tensor([outside, 1 - outside], dtype=drawn.dtype), dim=0)
    return TimeCourse(observed, low, high, noise_ceiling(stack, method=method))


def noise_ceiling(stack: Tensor, *, method: Similarity = "spearman") -> NoiseCeiling:
    """Return how alike the subjects are to each other: the range in which a perfect model would fall.

    Args:
        stack: ``(S, T, N, N)``; one subject ``(T, N, N)`` has no ceiling: NaN below, and above it with
            itself (1; less in tau_A where dissimilarities are tied).
        method: ``"spearman"`` or ``"tau_a"``.
    """
    stack = _with_subjects(stack)
    triangles = upper_triangle(stack.double())  # (S, T, P)
    subjects = len(triangles)
    ranks = mean_ranks(triangles)
    total = ranks.sum(0)
    upper = compare_triangles(triangles, total / subjects, method=method).mean(0)
    if subjects == 1:
        return NoiseCeiling(torch.full_like(upper, torch.nan), upper)
    return NoiseCeiling(compare_triangles(triangles, (total - ranks) / (subjects - 1), method=method).mean(0), upper)


def _with_subjects(stack: Tensor) -> Tensor:
    check_matrices(stack, what="the stack")
    if stack.dim() not in (3, 4):
        raise UserError(f"the stack has shape {tuple(stack.shape)}; expected (T, N, N) or (S, T, N, N)")
    return stack if stack.dim() == 4 else stack[None]


def _resampled(stack: Tensor, model: Tensor, method: Similarity, generator: torch.Generator) -> Tensor:
    count = len(model)
    while True:
        chosen = torch.randint(count, (count,), generator=generator, device=generator.device).to(model.device)
        if len(chosen.unique()) >= 3:  # fewer leave no two pairs to rank
            break
    rows, columns = torch.triu_indices(count, count, offset=1, device=model.device)
    a, b = chosen[rows], chosen[columns]
    a, b = a[a != b], b[a != b]
    return compare_triangles(stack[..., a, b], model[a, b], method=method).mean(0)
