"""Paired tests: the bootstrap's interval is the normal one where that holds; p is the share of the signs, exactly."""

import itertools
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch
from scipy import stats

from netsmith.measure.paired import paired_bootstrap, randomization_test


def test_the_interval_is_that_of_the_normal_distribution():
    generator = torch.Generator().manual_seed(0)
    hard = torch.rand(2000, generator=generator) < 0.2  # wrong for both
    first, second = (~hard & (torch.rand(2000, generator=generator) < share) for share in (0.95, 0.9))
    gaps = first.double() - second.double()
    half = 1.959964 * gaps.std() / 2000**0.5
    low, high = paired_bootstrap(first, second)
    assert low == pytest.approx(float(gaps.mean() - half), abs=0.001)
    assert high == pytest.approx(float(gaps.mean() + half), abs=0.001)
    alone = ((first.double().var() + second.double().var()) / 2000) ** 0.5 * 1.959964
    assert high - low < 1.6 * alone  # paired: narrower than twice that
    assert paired_bootstrap(first, second) == (low, high)


def test_runs_are_averaged_per_example():
    first = torch.tensor([[1.0, 1, 0, 1], [1, 0, 0, 1]])
    assert paired_bootstrap(first, first[:1]) == paired_bootstrap(first.mean(0), first[0])
    assert paired_bootstrap(first, first) == (0.0, 0.0)
    second = torch.tensor([0.25, 0.5, 0.5, 0])
    assert randomization_test(first, second) == randomization_test(first.mean(0), second)
    assert randomization_test(first, first) == 1


@pytest.mark.parametrize("seed", range(6))
def test_p_of_few_examples_is_the_share_of_all_signs_in_exact_fractions(seed):
    # Thirds and sixths, as precisions are: sums that are equal as fractions differ in their last bits as floats.
    draw = np.random.default_rng(seed)
    first, second = ([Fraction(int(n), 6) for n in draw.integers(0, 7, 11)] for _ in range(2))
    gaps = [one - other for one, other in zip(first, second, strict=True)]
    sums = [
        abs(sum(s * d for s, d in zip(signs, gaps, strict=True))) for signs in itertools.product((1, -1), repeat=11)
    ]
    wanted = Fraction(sum(one >= abs(sum(gaps)) for one in sums), 2**11)
    scores = [torch.tensor([float(one) for one in side], dtype=torch.float64) for side in (first, second)]
    assert randomization_test(*scores) == float(wanted)
    assert randomization_test(*scores[::-1]) == float(wanted)  # two-sided


def test_p_equals_scipys():
    draw = np.random.default_rng(3)
    first, second = draw.normal(0.4, 1, 12), draw.normal(0, 1, 12)
    wanted = stats.permutation_test(
        (first, second), lambda a, b, axis: (a - b).mean(axis), permutation_type="samples", n_resamples=2**12
    )
    assert 0.01 < wanted.pvalue < 0.9
    assert randomization_test(torch.from_numpy(first), torch.from_numpy(second)) == pytest.approx(
        wanted.pvalue, abs=1e-15
    )


@pytest.mark.parametrize(("count", "shift"), [(21, 0.4), (80, 0.2), (200, 0.05)])
def test_drawn_signs_come_near_the_exact_p(count, shift):
    gaps = np.random.default_rng(count).normal(10 * shift, 10, count).round().astype(int)
    sums = Counter({0: 1})
    for gap in gaps.tolist():  # how many of the 2^N choices of signs have each sum, in whole numbers
        following: Counter[int] = Counter()
        for total, ways in sums.items():
            following[total + gap] += ways
            following[total - gap] += ways
        sums = following
    wanted = float(Fraction(sum(ways for total, ways in sums.items() if abs(total) >= abs(gaps.sum())), 2**count))
    assert 0.001 < wanted < 0.9
    found = randomization_test(torch.from_numpy(gaps), torch.zeros(count), rounds=40_000)
    assert found == pytest.approx(wanted, abs=4 * (wanted * (1 - wanted) / 40_000) ** 0.5)
    assert randomization_test(torch.from_numpy(gaps), torch.zeros(count), rounds=40_000) == found
    # An example on which both are alike changes nothing.
    more = torch.cat([torch.from_numpy(gaps), torch.zeros(5)])
    assert randomization_test(more, torch.zeros(count + 5), rounds=40_000) == found


def test_no_draw_as_large_leaves_a_p_above_zero():
    assert randomization_test(torch.ones(60), torch.zeros(60), rounds=999) == 1 / 1000


@pytest.mark.parametrize(
    ("first", "second", "level"),
    [(torch.ones(3), torch.ones(4), 0.95), (torch.ones(0), torch.ones(0), 0.9)],
)
def test_scores_of_other_examples_are_refused(first, second, level):
    with pytest.raises(ValueError, match="expected scores of the same examples, got"):
        paired_bootstrap(first, second, level=level)
    with pytest.raises(ValueError, match="expected scores of the same examples, got"):
        randomization_test(first, second)


@pytest.mark.parametrize("odd", [torch.nan, torch.inf, -torch.inf])
def test_scores_that_are_no_numbers_are_refused(odd):
    first, second = torch.ones(30), torch.zeros(30)
    first[3] = odd
    for one, other in ((first, second), (second, first), (first, first)):
        with pytest.raises(ValueError, match="expected finite scores, got 1 of 30 examples without a difference"):
            paired_bootstrap(one, other, rounds=9)
        with pytest.raises(ValueError, match="expected finite scores, got 1 of 30 examples without a difference"):
            randomization_test(one, other, rounds=9)


def test_a_level_or_a_number_of_rounds_out_of_range_is_refused():
    with pytest.raises(ValueError, match=r"expected a level in \(0, 1\), got 1"):
        paired_bootstrap(torch.ones(3), torch.ones(3), level=1.0)
    with pytest.raises(ValueError, match="expected a round at least, got 0"):
        randomization_test(torch.ones(3), torch.ones(3), rounds=0)
