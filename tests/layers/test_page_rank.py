"""PageRank by power iteration is the solution of its linear equations."""

import numpy as np
import pytest

from netsmith.core.errors import ConfigError
from netsmith.layers.page_rank import page_rank


def solved(matrix, damping):
    """Return the ranks by elimination: nodes without an edge point at all."""
    size = len(matrix)
    leaving = matrix.sum(1, keepdims=True)
    moves = np.where(leaving > 0, matrix / np.where(leaving > 0, leaving, 1), 1 / size)
    return np.linalg.solve(np.eye(size) - damping * moves.T, np.full(size, (1 - damping) / size))


@pytest.mark.parametrize("damping", [0.0, 0.5, 0.85, 0.99])
@pytest.mark.parametrize("symmetric", [True, False])
def test_ranks_solve_their_equations(damping, symmetric):
    rng = np.random.default_rng(3)
    matrix = rng.random((40, 40)) * (rng.random((40, 40)) < 0.08)
    matrix[5] = matrix[:, 7] = 0
    matrix = matrix + matrix.T if symmetric else matrix
    rows, columns = matrix.nonzero()
    ranks = page_rank(rows, columns, matrix[rows, columns], size=40, damping=damping)
    assert ranks == pytest.approx(solved(matrix, damping), abs=1e-11)
    assert ranks.sum() == pytest.approx(1, abs=1e-11)


def test_the_stationary_vector_is_the_leading_eigenvector_of_scipy():
    linalg = pytest.importorskip("scipy.sparse.linalg")
    matrix = np.random.default_rng(0).random((30, 30))
    google = 0.85 * (matrix / matrix.sum(1, keepdims=True)).T + 0.15 / 30
    vector = np.abs(linalg.eigs(google, k=1, v0=np.ones(30))[1][:, 0].real)
    rows, columns = np.indices((30, 30)).reshape(2, -1)
    assert page_rank(rows, columns, matrix.ravel(), size=30) == pytest.approx(vector / vector.sum(), abs=1e-10)


def test_no_edges_and_wrong_numbers():
    nothing = np.zeros(0, dtype=np.int64)
    assert page_rank(nothing, nothing, np.zeros(0), size=4).tolist() == [0.25] * 4
    with pytest.raises(ConfigError, match="damping of 0 to below 1"):
        page_rank(nothing, nothing, np.zeros(0), size=4, damping=1.0)
    with pytest.raises(ConfigError, match="did not converge"):
        page_rank(np.array([0]), np.array([1]), np.ones(1), size=2, max_steps=2)
