"""Measures of rankings against scikit-learn and the definitions."""

import numpy as np
import pytest

from netsmith.core.errors import ConfigError, DataError
from netsmith.measure.ranking import average_precision, ndcg, precision_at, ranking_figures, reciprocal_rank

RANDOM = np.random.default_rng(0)
CASES = [RANDOM.integers(0, 5, size).astype(float) * (RANDOM.random(size) < 0.4) + np.eye(size)[size // 2]
         for size in (2, 3, 7, 20, 60)]  # fmt: skip


@pytest.mark.parametrize("grades", CASES, ids=len)
def test_equal_to_scikit_learn(grades):
    metrics = pytest.importorskip("sklearn.metrics")
    scores = -np.arange(len(grades), dtype=float)
    assert average_precision(grades) == pytest.approx(metrics.average_precision_score(grades > 0, scores), abs=1e-12)
    for depth in (None, 1, 3, 10, 100):
        for gain, values in (("linear", grades), ("exponential", 2**grades - 1)):
            wanted = metrics.ndcg_score(values[None], scores[None], k=depth)
            assert ndcg(grades.tolist(), depth, gain=gain) == pytest.approx(wanted, abs=1e-12)


def test_what_was_not_ranked_counts_against_the_ranking():
    assert average_precision([0, 2, 0, 1], relevant=3) == pytest.approx((1 / 2 + 2 / 4) / 3)
    assert ndcg([0, 1], 2, judged=[3, 2, 1, 0]) == pytest.approx((1 / np.log2(3)) / (3 + 2 / np.log2(3)))
    assert (reciprocal_rank([0, 0]), reciprocal_rank([0, 4]), precision_at([1, 1], 10)) == (0, 0.5, 0.2)


def test_the_best_ranking_has_1_and_the_worst_less():
    for grades in CASES:
        ordered = sorted(grades, reverse=True)
        assert ndcg(ordered) == 1
        assert average_precision(ordered) == 1
        assert ndcg(ordered[::-1]) < 1 or len(set(ordered)) == 1


def test_means_over_queries():
    found = ranking_figures([([0, 1], [1, 0]), ([2, 0], [2, 0, 1])], depth=2)
    assert found == pytest.approx(
        {
            "map": (1 / 2 + 1 / 2) / 2,
            "mrr": 0.75,
            "precision@2": 0.5,
            "ndcg@2": (1 / np.log2(3) + 2 / (2 + 1 / np.log2(3))) / 2,
            "queries": 2,
        }
    )


def test_a_query_without_an_answer_is_refused_not_averaged():
    for call in (
        lambda: average_precision([0, 0]),
        lambda: ndcg([0, 0]),
        lambda: ndcg([]),
        lambda: ndcg([1, -1]),
        lambda: ranking_figures([]),
        lambda: ranking_figures([([0], [0])]),
    ):
        with pytest.raises(DataError, match="expected"):
            call()
    for call in (lambda: precision_at([1], 0), lambda: ndcg([1], 0), lambda: ndcg([1], gain="x")):
        with pytest.raises(ConfigError, match="expected"):
            call()
