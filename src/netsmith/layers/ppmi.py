r"""Word vectors without a gradient: how often words come together, and the singular vectors of that.

Levy & Goldberg, "Neural Word Embedding as Implicit Matrix Factorization", NIPS 2014: skip-gram with k negative samples
factorizes the matrix of pointwise mutual information less :math:`\log k`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from netsmith.core.errors import ConfigError

__all__ = ["cooccurrences", "ppmi_vectors", "shifted_ppmi", "truncated_svd"]

_AT_ONCE = 2**24  # pairs that are counted together


def cooccurrences(texts: Iterable[Tensor], *, size: int, window: int = 5) -> Tensor:
    """Count how often two words come within some places of each other, in both directions.

    Args:
        texts: The token numbers of each text, ``(l,)`` int64; 0 counts nowhere.
        size: Of the vocabulary, V.
        window: How many words to either side.

    Returns:
        ``(V, V)`` float64, sparse and symmetric.

    Raises:
        ConfigError: A window below 1.

    Example:
        >>> cooccurrences([torch.tensor([2, 3, 2])], size=4, window=1).to_dense()[2:, 2:].tolist()
        [[0.0, 2.0], [2.0, 0.0]]
    """
    if window < 1:
        raise ConfigError(f"window={window}; expected 1 or more")
    rows = [text.numpy() for text in texts]
    stream = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    number = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    keys, counts = np.zeros(0, dtype=np.int64), np.zeros(0)
    waiting: list[np.ndarray] = []
    for by in range(1, window + 1):
        first, second = stream[:-by], stream[by:]
        kept = (number[:-by] == number[by:]) & (first > 0) & (second > 0)
        waiting.append(first[kept] * size + second[kept])
        if by == window or sum(map(len, waiting)) > _AT_ONCE:
            found, times = np.unique(np.concatenate(waiting), return_counts=True)
            keys, place = np.unique(np.concatenate([keys, found]), return_inverse=True)
            counts = np.bincount(place, np.concatenate([counts, times]), minlength=len(keys))
            waiting = []
    at = torch.from_numpy(np.stack([keys // size, keys % size]))
    values = torch.from_numpy(np.concatenate([counts, counts]))
    return torch.sparse_coo_tensor(
        torch.cat([at, at.flip(0)], 1), values, (size, size), check_invariants=False
    ).coalesce()


def shifted_ppmi(counts: Tensor, *, negatives: float = 1.0, smoothing: float = 0.75) -> Tensor:
    r"""Return the positive part of the shifted pointwise mutual information of words with their contexts.

    .. math:: M_{wc} = \max\Bigl(0, \log \frac{\#(w, c)}{\#(w)\, p(c)} - \log k\Bigr), \qquad
              p(c) = \#(c)^\alpha / \sum_{c'} \#(c')^\alpha

    Args:
        counts: ``(V, V)`` sparse, from :func:`cooccurrences`.
        negatives: k, above 0.
        smoothing: alpha, which keeps rare contexts from weighing too much (Levy, Goldberg & Dagan 2015).

    Returns:
        ``(V, V)`` float64, sparse.

    Raises:
        ConfigError: A k that is not above 0.
    """
    if not negatives > 0:
        raise ConfigError(f"negatives={negatives:g}; expected a number above 0")
    counts = counts.coalesce()
    rows, columns = counts.indices()
    values = counts.values()
    words = torch.zeros(counts.shape[0], dtype=values.dtype).index_add(0, rows, values)
    contexts = torch.zeros(counts.shape[1], dtype=values.dtype).index_add(0, columns, values)
    shares = contexts.where(contexts == 0, contexts**smoothing)
    shares = shares / shares.sum().clamp(min=1)
    found = (values / (words[rows] * shares[columns])).log() - np.log(negatives)
    kept = found > 0
    return torch.sparse_coo_tensor(
        counts.indices()[:, kept], found[kept], counts.shape, check_invariants=False
    ).coalesce()


def truncated_svd(
    matrix: Tensor, rank: int, *, generator: torch.Generator | None = None, rounds: int = 5
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the largest singular values of a matrix with their vectors: block power iteration from random vectors.

    (Halko, Martinsson & Tropp 2011, SIAM Review 53:2, algorithm 4.4.) The matrix is only multiplied with: a sparse one
    stays sparse. The sign of each pair of vectors is that which makes the left one's largest number positive.

    Args:
        matrix: ``(N, M)``, sparse or not, float64.
        rank: How many, r.
        generator: Of the random vectors.
        rounds: Multiplications with the matrix and its transpose.

    Returns:
        ``(N, r)``, ``(r,)`` falling, ``(M, r)``; where the matrix has a smaller rank, zeros at the end of the values.

    Raises:
        ConfigError: A rank below 1 or above that of the matrix's shape.
    """
    if not 1 <= rank <= min(matrix.shape):
        raise ConfigError(f"rank={rank}; expected 1..{min(matrix.shape)}, the sides of the matrix")
    wide = min(rank + 10, *matrix.shape)
    turned = matrix.t().coalesce() if matrix.is_sparse else matrix.t()
    block = torch.randn(matrix.shape[1], wide, generator=generator, dtype=matrix.dtype)
    for _ in range(rounds):
        block, _ = torch.linalg.qr(turned @ torch.linalg.qr(matrix @ block)[0])
    left, values, right = torch.linalg.svd(matrix @ block, full_matrices=False)
    left, values, right = left[:, :rank], values[:rank], (block @ right.T)[:, :rank]
    largest = left.gather(0, left.abs().argmax(0, keepdim=True))
    sign = torch.where(largest < 0, -1.0, 1.0).to(left.dtype)
    return left * sign, values, right * sign


def ppmi_vectors(
    texts: Iterable[Tensor],
    *,
    size: int,
    dim: int,
    window: int = 5,
    negatives: float = 1.0,
    smoothing: float = 0.75,
    power: float = 0.5,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Return a vector for each word: the left singular vectors of its shifted PPMI, times :math:`\Sigma^p`.

    The same texts give the same vectors. A word without a context that says something has a vector of zeros.

    Args:
        texts: As for :func:`cooccurrences`, like ``size`` and ``window``.
        size: Of the vocabulary, V.
        dim: Numbers of a vector.
        window: How many words to either side are context.
        negatives: k of the shift.
        smoothing: alpha of the contexts.
        power: p: 1/2 as in the paper; 0 for all directions alike.
        generator: Of the search for singular vectors.

    Returns:
        ``(V, dim)`` float64.

    Raises:
        ConfigError: More numbers than words.
    """
    if dim > size:
        raise ConfigError(f"vectors of {dim} numbers for {size} words; set method.model.embedding_size={size} or less")
    matrix = shifted_ppmi(cooccurrences(texts, size=size, window=window), negatives=negatives, smoothing=smoothing)
    left, values, _ = truncated_svd(matrix, dim, generator=generator)
    said = torch.zeros(size, dtype=torch.bool)
    said[matrix.indices()[0]] = True
    return (left * values**power).where(said[:, None], 0)
