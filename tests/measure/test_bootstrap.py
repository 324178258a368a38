"""The paired bootstrap: its interval is the normal one where that holds, and narrower than that of unpaired scores."""

import pytest
import torch

from netsmith.measure.bootstrap import paired_bootstrap


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


@pytest.mark.parametrize(
    ("first", "second", "level"),
    [(torch.ones(3), torch.ones(4), 0.95), (torch.ones(3), torch.ones(3), 1.0), (torch.ones(0), torch.ones(0), 0.9)],
)
def test_scores_of_other_examples_are_refused(first, second, level):
    with pytest.raises(ValueError, match="expected scores of the same examples and a level in"):
        paired_bootstrap(first, second, level=level)
