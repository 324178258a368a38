"""Eigenvalues of a 2x2 matrix from two numbers that are read off it."""

from __future__ import annotations

import cmath

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["mean_and_product"]


def mean_and_product(matrix: ArrayLike) -> tuple[complex, complex]:
    r"""Return both eigenvalues of a 2x2 matrix, :math:`m \pm \sqrt{m^2 - p}`: m half the trace, p the determinant.

    Example:
        >>> mean_and_product([[3, 1], [4, 1]])
        ((4.23606797749979+0j), (-0.2360679774997898+0j))
    """
    (a, b), (c, d) = np.asarray(matrix, dtype=np.float64).tolist()
    mean, product = (a + d) / 2, a * d - b * c
    apart = cmath.sqrt(mean**2 - product)
    return mean + apart, mean - apart
