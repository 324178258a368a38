"""How near each word of a query is to the words of a document, as a histogram of fixed length.

Guo, Fan, Ai & Croft, "A Deep Relevance Matching Model for Ad-hoc Retrieval", CIKM 2016 (arXiv:1711.08611).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError

__all__ = ["HistogramForm", "matching_histogram"]

HistogramForm = Literal["count", "share", "log_count"]

_EXACT = 1e-6  # a cosine of a vector with itself is 1 but for rounding


def matching_histogram(
    cosines: Tensor, mask: Tensor | None = None, *, bins: int = 30, form: HistogramForm = "log_count"
) -> Tensor:
    r"""Count similarities in bins of equal width over [-1, 1), and exact matches in a bin of their own, the last.

    Forms, by the paper's names: ``count`` (CH); ``share`` (NH), counts over their sum; ``log_count`` (LCH), here
    :math:`\ln(1 + n)`, so that an empty bin is 0. No gradient comes through: word vectors are fixed.

    Args:
        cosines: ``(..., D)`` similarities of a query's word with D words of a document; rounding beyond 1 or -1 is cut.
        mask: ``(..., D)``, broadcast; which of them count. All by default.
        bins: How many, with that of exact matches.
        form: What is returned.

    Returns:
        ``(..., bins)``, of the type of ``cosines``; zeros where nothing counts.

    Raises:
        ConfigError: Fewer than 2 bins, or another form.

    Example:
        >>> cosines = torch.tensor([1, 0.2, 0.7, 0.3, -0.1, 0.1])  # the paper's, of the query "car"
        >>> matching_histogram(cosines, bins=5, form="count")
        tensor([0., 1., 3., 1., 1.])
    """
    if bins < 2 or form not in ("count", "share", "log_count"):
        raise ConfigError(f"bins={bins}, form={form!r}; expected 2 bins or more, and 'count', 'share' or 'log_count'")
    places = ((cosines.detach() + 1) / 2 * (bins - 1)).floor().long().clamp(0, bins - 2)  # (..., D)
    places = torch.where(cosines >= 1 - _EXACT, bins - 1, places)
    kept = torch.ones_like(cosines) if mask is None else mask.expand(cosines.shape).to(cosines.dtype)
    counts = cosines.new_zeros((*cosines.shape[:-1], bins)).scatter_add(-1, places, kept.detach())
    if form == "share":
        return counts / counts.sum(-1, keepdim=True).clamp(min=1)
    return counts if form == "count" else counts.log1p()
