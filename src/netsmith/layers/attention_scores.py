"""How well queries and keys fit together: the scores of attention; and what is looked at by them."""

from __future__ import annotations

import abc
import math
from typing import Literal

import torch
from torch import Tensor, nn

from netsmith.core.errors import ConfigError

__all__ = ["AdditiveScores", "BilinearScores", "DotScores", "ScoreKind", "Scores", "attend", "make_scores"]

ScoreKind = Literal["additive", "dot", "scaled_dot", "bilinear"]


class Scores(nn.Module, abc.ABC):
    """Abstract: a score for each query with each key.

    What a score needs of the keys does not wait for the queries, so that it is computed once for a source
    (:meth:`project`).

    Shapes:
        Queries ``(B, T, Q)`` and projected keys ``(B, L, A)`` to ``(B, T, L)``.
    """

    def project(self, keys: Tensor) -> Tensor:
        """Return the keys' part of the scores: ``(B, L, K)`` to ``(B, L, A)``."""
        return keys

    @abc.abstractmethod
    def forward(self, queries: Tensor, projected: Tensor) -> Tensor:
        """Return the scores, given the keys' part of them."""


class AdditiveScores(Scores):
    r"""A small network of one hidden layer.

    .. math:: e(q, k) = v^\top \tanh(W q + U k)

    Bahdanau, Cho, Bengio 2015, arXiv:1409.0473, appendix A.1.2. Luong's ``concat`` (arXiv:1508.04025, Eq. 8) is the
    same function: its one matrix on ``[q; k]`` is W and U side by side.

    Args:
        query_size: Q.
        key_size: K.
        size: Hidden units, A.

    Example:
        >>> scores = AdditiveScores(4, 6, size=5)
        >>> scores(torch.zeros(2, 3, 4), scores.project(torch.zeros(2, 7, 6))).shape
        torch.Size([2, 3, 7])
    """

    def __init__(self, query_size: int, key_size: int, *, size: int) -> None:
        super().__init__()
        self.query = nn.Linear(query_size, size, bias=False)  # W
        self.key = nn.Linear(key_size, size, bias=False)  # U
        self.out = nn.Linear(size, 1, bias=False)  # v

    def project(self, keys: Tensor) -> Tensor:
        return self.key(keys)

    def forward(self, queries: Tensor, projected: Tensor) -> Tensor:
        return self.out(torch.tanh(self.query(queries)[:, :, None] + projected[:, None])).squeeze(3)


class DotScores(Scores):
    r"""The inner product, which needs queries and keys of one size and has no weights.

    .. math:: e(q, k) = q^\top k \qquad \text{or, scaled,} \qquad q^\top k / \sqrt{d}

    Luong, Pham, Manning 2015, arXiv:1508.04025, Eq. 8; the scale is that of Vaswani et al. 2017, arXiv:1706.03762.

    Args:
        scaled: Whether it is divided by the root of their size d, so that its variance does not grow with it.
    """

    def __init__(self, *, scaled: bool = False) -> None:
        super().__init__()
        self.scaled = scaled

    def forward(self, queries: Tensor, projected: Tensor) -> Tensor:
        scores = queries @ projected.transpose(1, 2)
        return scores / math.sqrt(queries.shape[2]) if self.scaled else scores


class BilinearScores(Scores):
    r"""A learned bilinear form, also called multiplicative, and ``general`` by Luong et al. (arXiv:1508.04025, Eq. 8).

    .. math:: e(q, k) = q^\top W k

    Args:
        query_size: Q.
        key_size: K.
    """

    def __init__(self, query_size: int, key_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(key_size, query_size, bias=False)  # W

    def project(self, keys: Tensor) -> Tensor:
        return self.key(keys)

    def forward(self, queries: Tensor, projected: Tensor) -> Tensor:
        return queries @ projected.transpose(1, 2)


def make_scores(kind: ScoreKind, query_size: int, key_size: int, *, size: int = 0) -> Scores:
    """Return scores by their name.

    Args:
        kind: ``additive``, ``dot``, ``scaled_dot`` or ``bilinear``.
        query_size: Numbers per query.
        key_size: Numbers per key.
        size: Hidden units of ``additive``; 0 for as many as a query has.

    Raises:
        ConfigError: Another name, or dot products of queries and keys of different sizes.
    """
    if kind == "additive":
        return AdditiveScores(query_size, key_size, size=size or query_size)
    if kind == "bilinear":
        return BilinearScores(query_size, key_size)
    if kind not in ("dot", "scaled_dot"):
        raise ConfigError(f"attention {kind!r}: expected additive, dot, scaled_dot or bilinear")
    if query_size != key_size:
        raise ConfigError(
            f"{kind} scores need queries and keys of one size, got {query_size} and {key_size}; take bilinear ones"
        )
    return DotScores(scaled=kind == "scaled_dot")


def attend(scores: Tensor, values: Tensor, inside: Tensor) -> tuple[Tensor, Tensor]:
    r"""Return what is looked at and with which weights.

    .. math:: a_{ti} = \mathrm{softmax}_i(e_{ti}), \qquad c_t = \sum_i a_{ti} v_i

    Args:
        scores: ``(B, T, L)``.
        values: ``(B, L, V)``.
        inside: ``(B, L)`` bool, false at padding; at least one true in each row.

    Returns:
        ``(B, T, V)``, and ``(B, T, L)``, which sums to 1 over L and is exactly 0 at padding.

    Example:
        >>> seen, weights = attend(torch.zeros(1, 1, 3), torch.tensor([[[1.0], [3.0], [9.0]]]),
        ...                        torch.tensor([[True, True, False]]))
        >>> seen.tolist(), weights.tolist()
        ([[[2.0]]], [[[0.5, 0.5, 0.0]]])
    """
    weights = scores.masked_fill(~inside[:, None], -torch.inf).softmax(2)
    return weights @ values, weights
