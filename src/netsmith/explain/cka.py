r"""Centered kernel alignment: how alike two representations are, up to a rotation and a scale.

Kornblith, Norouzi, Lee & Hinton 2019 (arXiv:1905.00414). With the centered features :math:`X`, :math:`Y` of the same N
examples, linear CKA is (Eq. 4 with linear kernels, section 4.2)

.. math:: \mathrm{CKA}(X, Y) = \frac{\lVert Y^\top X \rVert_F^2}{\lVert X^\top X \rVert_F \, \lVert Y^\top Y \rVert_F}

It is 1 for the same features in another basis, and unlike canonical correlation it changes under an invertible linear
map, so it can tell layers apart that are wider than the data.

With few examples and many features this estimate is near 1 for anything. ``unbiased=True`` takes the estimator of HSIC
of Song et al. 2012 (JMLR 13:1393, Eq. 5), whose mean does not depend on N; its mean over minibatches is that of Nguyen,
Raghu & Kornblith 2021 (arXiv:2010.15327, Eq. 3) and :class:`MinibatchCKA`. It may fall a little below 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from netsmith.core.errors import UserError

__all__ = ["MinibatchCKA", "cka_table", "linear_cka", "unbiased_hsic"]


def linear_cka(first: Tensor, second: Tensor, *, unbiased: bool = False) -> float:
    """Return how alike two representations of the same examples are, 0..1.

    Args:
        first: ``(N, ...)`` features, flattened.
        second: ``(N, ...)``; as many examples, any width.
        unbiased: Take the unbiased estimator; needs at least 4 examples, 2 otherwise.

    Raises:
        UserError: Other shapes, values that are not finite, or features that are the same for all examples.
    """
    table = cka_table({"the first features": first}, {"the second features": second}, unbiased=unbiased)
    return float(table[0, 0])


def cka_table(
    features: Mapping[str, Tensor], others: Mapping[str, Tensor] | None = None, *, unbiased: bool = False
) -> Tensor:
    """Return the CKA of every representation with every other: ``(A, B)`` float64.

    Args:
        features: A layers with their ``(N, ...)`` features: rows.
        others: B layers: columns; None compares ``features`` with themselves.
        unbiased: As in :func:`linear_cka`.

    Raises:
        UserError: As in :func:`linear_cka`; the layer is named.
    """
    rows = {name: _rows(name, values, 4 if unbiased else 2) for name, values in features.items()}
    columns = rows if others is None else {name: _rows(name, v, 4 if unbiased else 2) for name, v in others.items()}
    sizes = {len(values) for values in [*rows.values(), *columns.values()]}
    if len(sizes) != 1:
        raise UserError(f"the features are of {sorted(sizes)} examples; expected the same examples everywhere")
    widest = max(values.shape[1] for values in [*rows.values(), *columns.values()])
    (count,) = sizes
    # Through N x N kernels where features are many, through D x D products where examples are.
    if unbiased or widest > count:
        a, b = ({name: values @ values.T for name, values in part.items()} for part in (rows, columns))
        pair = unbiased_hsic if unbiased else _kernel_product
    else:
        a, b, pair = rows, columns, _feature_product
    own_a, own_b = (
        {name: _own(name, values, pair(values, values)) for name, values in part.items()} for part in (a, b)
    )
    return torch.stack([torch.stack([pair(a[x], b[y]) / (own_a[x] * own_b[y]).sqrt() for y in columns]) for x in rows])


def unbiased_hsic(first: Tensor, second: Tensor) -> Tensor:
    r"""Return the unbiased estimate of HSIC of two kernel matrices ``(N, N)``, N >= 4.

    .. math::
        \frac{1}{N(N-3)} \Big[ \mathrm{tr}(\tilde K \tilde L)
        + \frac{1^\top \tilde K 1 \, 1^\top \tilde L 1}{(N-1)(N-2)} - \frac{2}{N-2} 1^\top \tilde K \tilde L 1 \Big]

    with the diagonals of :math:`\tilde K`, :math:`\tilde L` set to zero (Song et al. 2012, Eq. 5).
    """
    count = len(first)
    if first.shape != second.shape or first.shape != (count, count) or count < 4:
        raise UserError(f"kernels are {tuple(first.shape)} and {tuple(second.shape)}; expected (N, N) twice, N >= 4")
    k, l = (kernel - kernel.diagonal().diag() for kernel in (first.double(), second.double()))  # noqa: E741
    trace = (k * l).sum()  # both are symmetric
    sums = k.sum() * l.sum() / ((count - 1) * (count - 2))
    cross = 2 * (k.sum(0) @ l.sum(0)) / (count - 2)
    return (trace + sums - cross) / (count * (count - 3))


class MinibatchCKA:
    """CKA of data that does not fit at once: HSIC is averaged over minibatches, then divided.

    The larger the minibatches the less they scatter; the mean does not depend on their size.

    Example:
        >>> cka = MinibatchCKA()
        >>> for rows in torch.arange(24.0).sqrt().view(12, 2).split(6):  # the second is the first, turned and doubled
        ...     cka.update(rows, 2 * rows.flip(1))
        >>> round(cka.compute(), 6)
        1.0
    """

    def __init__(self) -> None:
        self._sums = torch.zeros(3, dtype=torch.float64)
        self._batches = 0

    def update(self, first: Tensor, second: Tensor) -> None:
        """Take one minibatch: the features ``(N, ...)`` of the same N >= 4 examples.

        Raises:
            UserError: As in :func:`linear_cka`.
        """
        rows = [_rows(name, values, 4) for name, values in (("the first", first), ("the second", second))]
        if len(rows[0]) != len(rows[1]):
            raise UserError(f"got {len(rows[0])} and {len(rows[1])} examples; expected the same examples twice")
        k, l = (values @ values.T for values in rows)  # noqa: E741
        found = [unbiased_hsic(k, l), unbiased_hsic(k, k), unbiased_hsic(l, l)]
        self._sums += torch.stack(found).cpu()
        self._batches += 1

    def compute(self) -> float:
        """Return the CKA of what was seen.

        Raises:
            UserError: Nothing was, or features that are the same for all examples.
        """
        if not self._batches:
            raise UserError("no minibatch was given; call update first")
        both, first, second = (self._sums / self._batches).tolist()
        if not (first > 0 and second > 0):
            raise UserError(f"{_NOTHING}; CKA is undefined")
        return both / (first * second) ** 0.5  # Nguyen et al., Eq. 2


_NOTHING = "no two examples are more alike than others (the features are the same for all, or all equally far apart)"


def _rows(name: str, values: Tensor, least: int) -> Tensor:
    """Return centered rows ``(N, D)`` in double precision."""
    if values.dim() < 2 or len(values) < least:
        raise UserError(f"{name}: shape {tuple(values.shape)}; expected (N, ...) of at least {least} examples")
    rows = values.detach().flatten(1).double()
    if not bool(rows.isfinite().all()):
        raise UserError(f"{name}: {int((~rows.isfinite()).sum())} values are not finite")
    # A constant row in each kernel changes neither estimate; centered, large means cost no digits.
    return rows - rows.mean(0)


def _own(name: str, values: Tensor, found: Tensor) -> Tensor:
    if not float(found) > 1e-28 * max(1e-280, float(values.abs().max())):
        raise UserError(f"{name}: {_NOTHING}; CKA is undefined")
    return found


def _kernel_product(first: Tensor, second: Tensor) -> Tensor:
    return (first * second).sum()  # = ||Y^T X||_F^2, since tr(X X^T Y Y^T) is


def _feature_product(first: Tensor, second: Tensor) -> Tensor:
    return (second.T @ first).square().sum()
