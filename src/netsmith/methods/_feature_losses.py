"""Losses between a student's and a teacher's features, one number per example.

Each returns ``(B,)`` losses whose mean is the paper's loss of the batch, so that examples can be weighted. In those of
similarities, distances and angles an example's loss is its row of relations to the others of the batch: they couple
the examples, and no sum over micro-batches gives them.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["angle_losses", "attention_losses", "distance_losses", "hint_losses", "similarity_losses"]


def attention_losses(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Attention transfer (Zagoruyko & Komodakis 2017, arXiv:1612.03928, Eq. 2 with p = 2).

    .. math:: \| Q_S / \|Q_S\|_2 - Q_T / \|Q_T\|_2 \|_2, \qquad Q = \mathrm{vec} \sum_c |A_c|^2

    The factor beta / 2 of Eq. 2 is the caller's. Where the teacher's map has another size it is interpolated
    (bilinear, as its side needs no gradient).

    Args:
        student: ``(B, C, H, W)``, A_S; any channels.
        teacher: ``(B, C', H', W')``, A_T.
    """
    ours = student.square().sum(1, keepdim=True)  # F_sum^2: (B, 1, H, W)
    theirs = teacher.square().sum(1, keepdim=True)
    if theirs.shape != ours.shape:
        theirs = F.interpolate(theirs, size=ours.shape[2:], mode="bilinear", align_corners=False)
    return torch.linalg.vector_norm(_unit(ours.flatten(1)) - _unit(theirs.flatten(1)), dim=1)  # Eq. 2


def similarity_losses(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Similarity-preserving distillation (Tung & Mori 2019, arXiv:1907.09682, Eq. 4).

    .. math:: \frac1{b^2} \| G_T - G_S \|_F^2, \qquad G_{[i,:]} = \tilde G_{[i,:]} / \|\tilde G_{[i,:]}\|_2,
        \qquad \tilde G = Q Q^\top

    Args:
        student: ``(B, ...)``, Q_S once flattened.
        teacher: ``(B, ...)``, Q_T.
    """
    ours, theirs = student.flatten(1), teacher.flatten(1)  # (B, D), (B, D')
    gap = _unit(theirs @ theirs.T) - _unit(ours @ ours.T)  # (B, B), rows of length 1
    return gap.square().mean(1)  # Eq. 4, one row of the sum


def distance_losses(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Relational distillation by distances (Park et al. 2019, arXiv:1904.05068, RKD-D).

    .. math:: \ell_\delta(\psi_D(t_i, t_j), \psi_D(s_i, s_j)), \qquad \psi_D(t_i, t_j) = \|t_i - t_j\|_2 / \mu

    with mu the mean distance of the batch and Huber's loss. The paper sums over the pairs i != j; here is their mean,
    so that the weight does not depend on the batch size.

    Args:
        student: ``(B, ...)``, s once flattened.
        teacher: ``(B, ...)``, t.
    """
    losses = F.smooth_l1_loss(_distances(student), _distances(teacher), reduction="none")  # (B, B), 0 for i = j
    return losses.sum(1) / max(len(losses) - 1, 1)


def angle_losses(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Relational distillation by angles (Park et al. 2019, arXiv:1904.05068, RKD-A).

    .. math:: \ell_\delta(\psi_A(t_i, t_j, t_k), \psi_A(s_i, s_j, s_k)), \qquad
        \psi_A(t_i, t_j, t_k) = \langle e^{ij}, e^{kj} \rangle, \quad e^{ij} = (t_i - t_j) / \|t_i - t_j\|_2

    The mean over the triples of three examples (the paper: their sum). An example's loss is that of the angles at it.
    Takes memory for ``B * B * D`` numbers: made for embeddings, not for large maps.

    Args:
        student: ``(B, ...)``, s once flattened.
        teacher: ``(B, ...)``, t.
    """
    losses = F.smooth_l1_loss(_angles(student), _angles(teacher), reduction="none")  # (B at j, B at i, B at k)
    size = len(losses)
    others = 1 - torch.eye(size, dtype=losses.dtype, device=losses.device)  # i = k is no angle
    return (losses * others).sum((1, 2)) / max((size - 1) * (size - 2), 1)


def hint_losses(guided: Tensor, hint: Tensor) -> Tensor:
    r"""The hint loss (Romero et al. 2015, arXiv:1412.6550, Eq. 3).

    .. math:: \tfrac12 \| u_h(x) - r(v_g(x)) \|^2

    Args:
        guided: ``(B, ...)``, what the regressor r made of the student's guided layer.
        hint: Of the same shape, u_h, the teacher's hint layer.
    """
    return (hint - guided).flatten(1).square().sum(1) / 2  # Eq. 3


def _unit(rows: Tensor) -> Tensor:
    """Return vectors divided by their length; a zero vector stays one, and its gradient finite."""
    length = torch.linalg.vector_norm(rows, dim=-1, keepdim=True)
    return rows / torch.where(length > 0, length, 1.0)


def _distances(features: Tensor) -> Tensor:
    """Return ``(B, B)`` distances over their mean; differences, not products: those cancel between near points."""
    rows = features.flatten(1)
    found = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist")
    mean = found.sum() / max(len(rows) * (len(rows) - 1), 1)
    return found / torch.where(mean > 0, mean, 1.0)


def _angles(features: Tensor) -> Tensor:
    rows = features.flatten(1)
    edges = _unit(rows[None, :] - rows[:, None])  # (B at j, B at i, D): e^{ij}
    return edges @ edges.mT
