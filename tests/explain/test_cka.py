"""CKA against centered Gram matrices by the definition, and what it must and must not see."""

import pytest
import torch

from netsmith.core.errors import UserError
from netsmith.explain.cka import MinibatchCKA, cka_table, linear_cka, unbiased_hsic


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_definition(first, second):
    """HSIC(K, L) = tr(K H L H) / (n - 1)^2 of uncentered kernels (Kornblith et al., Eq. 2 and 4)."""
    count = len(first)
    center = torch.eye(count, dtype=torch.float64) - 1 / count

    def hsic(k, g):
        return torch.trace(k @ center @ g @ center) / (count - 1) ** 2

    k, g = first @ first.T, second @ second.T
    return float(hsic(k, g) / (hsic(k, k) * hsic(g, g)).sqrt())


def unbiased_by_sums(k, g):
    """Song et al. 2012: three averages over tuples of different indices."""
    count = len(k)
    indices = range(count)
    pairs = [(i, j) for i in indices for j in indices if i != j]
    one = sum(k[i, j] * g[i, j] for i, j in pairs) / len(pairs)
    fours = [(i, j, q, r) for i, j in pairs for q, r in pairs if not {i, j} & {q, r}]
    two = sum(k[i, j] * g[q, r] for i, j, q, r in fours) / len(fours)
    threes = [(i, j, q) for i, j in pairs for q in indices if q not in (i, j)]
    three = sum(k[i, j] * g[i, q] for i, j, q in threes) / len(threes)
    return float(one + two - 2 * three)


@pytest.mark.parametrize(("widths"), [(5, 7), (60, 3), (50, 80)])
def test_equal_to_the_definition(widths):
    first, second = normal(20, widths[0]) + 4, normal(20, widths[1], seed=1)
    second[:, :3] += first[:, :3]
    assert linear_cka(first, second) == pytest.approx(by_definition(first, second), abs=1e-10)
    assert linear_cka(first, first) == pytest.approx(1, abs=1e-12)


def test_unbiased_hsic_is_an_average_over_different_indices():
    first, second = normal(6, 3), normal(6, 4, seed=1)
    k, g = first @ first.T, second @ second.T
    assert float(unbiased_hsic(k, g)) == pytest.approx(unbiased_by_sums(k, g), abs=1e-12)
    shifted = linear_cka(first + 100, second - 50, unbiased=True)
    assert shifted == pytest.approx(linear_cka(first, second, unbiased=True), abs=1e-10)
    wanted = unbiased_by_sums(k, g) / (unbiased_by_sums(k, k) * unbiased_by_sums(g, g)) ** 0.5
    assert linear_cka(first, second, unbiased=True) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize("unbiased", [False, True])
def test_it_sees_no_rotation_and_no_scale_but_a_linear_map(unbiased):
    first, second = normal(30, 6), normal(30, 8, seed=1)
    second[:, :6] += first
    before = linear_cka(first, second, unbiased=unbiased)
    rotation = torch.linalg.qr(normal(8, 8, seed=2)).Q
    assert linear_cka(first, 7.5 * second @ rotation, unbiased=unbiased) == pytest.approx(before, abs=1e-12)
    stretched = second @ torch.diag(torch.tensor([100.0, *[1] * 7], dtype=torch.float64))
    assert abs(linear_cka(first, stretched, unbiased=unbiased) - before) > 0.05


def test_few_examples_of_many_features_look_alike_to_the_biased_estimate_only():
    pairs = [(normal(20, 500, seed=2 * s), normal(20, 500, seed=2 * s + 1)) for s in range(20)]
    assert sum(linear_cka(*pair) for pair in pairs) / 20 > 0.9
    assert abs(sum(linear_cka(*pair, unbiased=True) for pair in pairs)) / 20 < 0.05


def test_minibatches():
    first, second = normal(1200, 5), normal(1200, 5, seed=1)
    second = second + first
    whole = linear_cka(first, second, unbiased=True)
    cka = MinibatchCKA()
    for start in range(0, 1200, 50):
        cka.update(first[start : start + 50], second[start : start + 50])
    assert cka.compute() == pytest.approx(whole, abs=0.03)
    one = MinibatchCKA()
    one.update(first[:40], second[:40])
    assert one.compute() == pytest.approx(linear_cka(first[:40], second[:40], unbiased=True), abs=1e-12)


def test_table():
    features = {"a": normal(12, 4), "b": normal(12, 30, seed=1), "c": normal(12, 2, 5, seed=2)}
    table = cka_table(features)
    assert torch.allclose(table, table.T)
    assert table.diagonal().tolist() == pytest.approx([1, 1, 1])
    assert float(table[0, 2]) == pytest.approx(linear_cka(features["a"], features["c"]))
    across = cka_table({"a": features["a"]}, {"b": features["b"], "c": features["c"]})
    assert across[0].tolist() == pytest.approx(table[0, 1:].tolist())


def test_what_is_refused():
    good = normal(6, 3)
    with pytest.raises(UserError, match=r"of \[5, 6\] examples"):
        linear_cka(good, good[:5])
    with pytest.raises(UserError, match=r"flat: no two examples are more alike than others .*the same for all"):
        cka_table({"good": good, "flat": torch.full((6, 3), 0.1)})
    with pytest.raises(UserError, match="equally far apart"):
        cka_table({"good": good, "apart": torch.eye(6)}, unbiased=True)
    with pytest.raises(UserError, match="1 values are not finite"):
        linear_cka(good, torch.where(good == good[0, 0], torch.inf, good))
    with pytest.raises(UserError, match="at least 4 examples"):
        linear_cka(good[:3], good[:3], unbiased=True)
    with pytest.raises(UserError, match="no minibatch"):
        MinibatchCKA().compute()
