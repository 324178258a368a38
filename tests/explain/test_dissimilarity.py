"""Representational similarity: tau_A by counting pairs, against scipy, and figures of rsatoolbox 0.3.2."""

import math

import pytest
import torch
from torch import nn

from netsmith.core.errors import DataError, UnknownNameError, UnsupportedError, UserError
from netsmith.explain._ranks import kendall_tau_a, mean_ranks, spearman
from netsmith.explain.dissimilarity import (
    check_matrices,
    compare_matrices,
    condition_means,
    dissimilarity_matrix,
    permutation_test,
    similarity_table,
    upper_triangle,
)
from netsmith.explain.given_matrices import matrix_text, moment_files, parse_matrix, read_matrices, read_matrix
from netsmith.explain.layer_features import layer_features, learned_layers
from netsmith.explain.prototypes import features_at
from netsmith.explain.time_resolved import noise_ceiling, time_course


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def tau_a_by_pairs(first, second):
    count = len(first)
    total = 0
    for i in range(count):
        for j in range(i):
            total += math.copysign(1, d) if (d := float((first[i] - first[j]) * (second[i] - second[j]))) else 0
    return total / (count * (count - 1) / 2)


@pytest.mark.parametrize("values", [2, 5, 1000])
@pytest.mark.parametrize("count", [2, 3, 31, 64, 65])
def test_tau_a_counts_pairs(count, values):
    first, second = torch.randint(0, values, (2, 3, count), generator=generator(count + values)).double()
    wanted = [tau_a_by_pairs(a, b) for a, b in zip(first, second, strict=True)]
    assert kendall_tau_a(first, second).tolist() == pytest.approx(wanted, abs=1e-15)
    assert torch.equal(kendall_tau_a(first[0], second), torch.stack([kendall_tau_a(first[0], row) for row in second]))


def test_tau_a_is_tau_b_without_the_reward_for_ties():
    stats = pytest.importorskip("scipy.stats")
    first, second = torch.randint(0, 6, (2, 500), generator=generator()).double()
    pairs = 500 * 499 / 2

    def untied(row):
        return 1 - sum(c * (c - 1) / 2 for c in row.unique(return_counts=True)[1].tolist()) / pairs

    tau_b = stats.kendalltau(first, second).statistic
    assert float(kendall_tau_a(first, second)) == pytest.approx(
        tau_b * math.sqrt(untied(first) * untied(second)), abs=1e-12
    )
    smooth = normal(2, 400)
    assert float(kendall_tau_a(*smooth)) == pytest.approx(stats.kendalltau(*smooth).statistic, abs=1e-12)


def test_ranks_and_spearman_against_scipy():
    stats = pytest.importorskip("scipy.stats")
    rows = torch.randint(0, 7, (4, 50), generator=generator()).double()
    assert mean_ranks(rows).tolist() == stats.rankdata(rows.numpy(), axis=1).tolist()
    wanted = [stats.spearmanr(a, b).statistic for a, b in zip(rows[:2], rows[2:], strict=True)]
    assert spearman(rows[:2], rows[2:]).tolist() == pytest.approx(wanted, abs=1e-14)


@pytest.mark.parametrize("metric", ["correlation", "cosine", "euclidean"])
def test_matrices_against_scipy(metric):
    distance = pytest.importorskip("scipy.spatial.distance")
    features = normal(9, 4, 5) + 3
    wanted = distance.squareform(distance.pdist(features.flatten(1).numpy(), metric))
    found = dissimilarity_matrix(features, metric=metric)
    assert torch.allclose(found, torch.from_numpy(wanted), atol=1e-13)
    check_matrices(found)
    assert upper_triangle(found).tolist() == pytest.approx(distance.pdist(features.flatten(1).numpy(), metric))


def test_figures_of_rsatoolbox():
    grid = torch.arange(40, dtype=torch.float64).reshape(5, 8)
    first, second = dissimilarity_matrix(torch.sin(grid**1.5)), dissimilarity_matrix(torch.cos(3 * grid).round())
    shown = [0.7454108575086591, 0.9220532731471414, 1.0364844742697539, 0.1972250729002234, 1.6340915691948412]
    assert upper_triangle(first)[:5].tolist() == pytest.approx(shown, abs=1e-12)
    assert float(compare_matrices(first, second)) == pytest.approx(-0.05454545454545454, abs=1e-12)
    assert float(compare_matrices(first, second, method="tau_a")) == pytest.approx(-0.02222222222222222, abs=1e-15)


def test_correlation_sees_no_scale_and_no_shift_euclidean_does():
    features = normal(6, 30)
    moved = features * torch.tensor([1.0, 2, 3, 4, 5, 6])[:, None] + 7
    assert torch.allclose(dissimilarity_matrix(features), dissimilarity_matrix(moved), atol=1e-12)
    assert not torch.allclose(
        dissimilarity_matrix(features, metric="cosine"), dissimilarity_matrix(moved, metric="cosine"), atol=0.1
    )
    opposite = dissimilarity_matrix(torch.stack([features[0], -features[0], features[1]]))
    assert float(opposite[0, 1]) == pytest.approx(2)


def test_what_has_no_matrix_is_refused():
    features = normal(5, 4)
    features[2] = 0.1
    features[4] = 0
    with pytest.raises(UserError, match=r"2 of 5 conditions \(row 2, 4\) have features that are all equal"):
        dissimilarity_matrix(features)
    with pytest.raises(UserError, match=r"\(row 4\) have features that are all zero"):
        dissimilarity_matrix(features, metric="cosine")
    assert dissimilarity_matrix(features, metric="euclidean").shape == (5, 5)
    features[0, 0] = torch.nan
    with pytest.raises(UserError, match="1 values that are not finite"):
        dissimilarity_matrix(features)
    with pytest.raises(UserError, match=r"shape \(2, 3\); expected \(N, ...\) of at least 3"):
        dissimilarity_matrix(normal(2, 3))
    flat = 1 - torch.eye(4)
    with pytest.raises(UserError, match="same dissimilarity everywhere"):
        compare_matrices(flat, dissimilarity_matrix(normal(4, 6)))
    assert float(compare_matrices(flat, dissimilarity_matrix(normal(4, 6)), method="tau_a")) == 0
    with pytest.raises(UserError, match="of 4 and 5 conditions"):
        compare_matrices(flat, 1 - torch.eye(5))
    with pytest.raises(UserError, match=r"has 1 on its diagonal in row 1, column 1.*1 - r"):
        check_matrices(torch.eye(3))


def test_condition_means():
    features, labels = normal(6, 2, 3), torch.tensor([0, 1, 1, 0, 2, 1])
    found = condition_means(features, labels, num_conditions=3)
    assert torch.allclose(found[1], features[[1, 2, 5]].mean(0))
    with pytest.raises(UserError, match=r"without examples of \[3\]"):
        condition_means(features, labels, num_conditions=4)


def test_similarity_table():
    a, b, c = (dissimilarity_matrix(normal(8, 5, seed=seed)) for seed in range(3))
    table = similarity_table({"a": a, "b": b}, {"b": b, "c": c}, method="tau_a")
    assert table.shape == (2, 2)
    assert float(table[1, 0]) == 1
    assert float(table[0, 1]) == pytest.approx(tau_a_by_pairs(upper_triangle(a), upper_triangle(c)))
    own = similarity_table({"a": a, "b": b, "c": c})
    assert torch.allclose(own, own.T)
    assert own.diagonal().tolist() == pytest.approx([1, 1, 1])


@pytest.mark.parametrize("method", ["spearman", "tau_a"])
def test_permutation_test(method):
    features = normal(14, 40)
    one = dissimilarity_matrix(features)
    kin, stranger = (
        dissimilarity_matrix(features + normal(14, 40, seed=1)),
        dissimilarity_matrix(normal(14, 40, seed=2)),
    )
    related = permutation_test(one, kin, method=method, permutations=199, generator=generator())
    assert related.p_value == 1 / 200
    assert related.similarity == pytest.approx(float(compare_matrices(one, kin, method=method)), abs=1e-12)
    assert abs(float(related.null.mean())) < 0.05
    assert permutation_test(one, stranger, method=method, permutations=199, generator=generator()).p_value > 0.05
    order = torch.randperm(14, generator=generator())
    first = compare_matrices(one, kin[order][:, order], method=method)
    assert float(related.null[0]) == pytest.approx(float(first), abs=1e-12)
    again = permutation_test(one, kin, method=method, permutations=199, generator=generator())
    assert torch.equal(related.null, again.null)


def test_p_values_of_unrelated_matrices_are_uniform():
    found = [
        permutation_test(
            dissimilarity_matrix(normal(8, 12, seed=2 * seed)),
            dissimilarity_matrix(normal(8, 12, seed=2 * seed + 1)),
            permutations=99,
            generator=generator(seed),
        ).p_value
        for seed in range(200)
    ]
    assert 0.02 <= sum(p <= 0.05 for p in found) / 200 <= 0.09
    assert 0.42 < sum(found) / 200 < 0.58


def brain(subjects, moments, strength, noise=1.0, conditions=12, seed=0):
    """Matrices of subjects whose representation turns into the model's and back, each with noise of their own."""
    idea = normal(conditions, 30, seed=seed)
    drawn = normal(subjects, moments, conditions, 30, seed=seed + 1) * noise
    stack = [[dissimilarity_matrix(strength[t] * idea + drawn[s, t]) for t in range(moments)] for s in range(subjects)]
    return torch.stack([torch.stack(row) for row in stack]), dissimilarity_matrix(idea)


@pytest.mark.parametrize("method", ["spearman", "tau_a"])
def test_time_course(method):
    stack, model = brain(5, 4, [0.0, 0.7, 3.0, 0.0])
    found = time_course(stack, model, method=method, samples=200, generator=generator())
    by_hand = torch.stack([compare_matrices(person, model, method=method) for person in stack]).mean(0)
    assert torch.allclose(found.similarity, by_hand, atol=1e-12)
    assert int(found.similarity.argmax()) == 2
    assert (found.low <= found.similarity).all()
    assert (found.similarity <= found.high).all()
    assert float(found.low[2]) > 0.3
    assert float(found.low[0]) < 0 < float(found.high[0])
    assert (found.ceiling.lower <= found.ceiling.upper).all()
    assert float(found.ceiling.lower[2]) <= float(found.similarity[2]) + 0.05


def test_noise_ceiling_by_hand():
    stack, model = brain(3, 1, [1.0])
    ranks = mean_ranks(upper_triangle(stack[:, 0]))
    upper = [float(spearman(row, ranks.mean(0))) for row in ranks]
    lower = [float(spearman(ranks[s], ranks[[k for k in range(3) if k != s]].mean(0))) for s in range(3)]
    found = noise_ceiling(stack)
    assert float(found.upper) == pytest.approx(sum(upper) / 3, abs=1e-12)
    assert float(found.lower) == pytest.approx(sum(lower) / 3, abs=1e-12)
    # No matrix does better than the upper end: not the model that made the data, not others.
    others = torch.stack([model, *(dissimilarity_matrix(normal(12, 30, seed=seed)) for seed in range(20))])
    assert float(compare_matrices(stack[:, :1], others).mean(0).max()) <= float(found.upper)
    alone = noise_ceiling(stack[0])
    assert alone.lower.isnan().all()
    assert alone.upper.tolist() == pytest.approx([1])
    same = noise_ceiling(stack[:1].expand(4, -1, -1, -1))
    assert same.lower.tolist() == pytest.approx([1])


def test_time_course_of_one_subject_and_what_is_refused():
    stack, model = brain(1, 2, [0.0, 2.0])
    assert torch.equal(
        time_course(stack, model, samples=20, generator=generator()).low,
        time_course(stack[0], model, samples=20, generator=generator()).low,
    )
    assert time_course(stack, model, samples=0, generator=generator()).low.isnan().all()
    with pytest.raises(UserError, match=r"confidence 2"):
        time_course(stack, model, confidence=2, generator=generator())
    stack[0, 1, 2, 3] += 1
    with pytest.raises(UserError, match=r"the stack is not symmetric: .* in row 3, column 4 \(matrix 1, 2\)"):
        time_course(stack, model, generator=generator())


def test_a_matrix_is_written_and_read_back(tmp_path):
    matrix = dissimilarity_matrix(normal(4, 7))
    file = tmp_path / "it.csv"
    file.write_text(matrix_text(matrix, ["a", "b, c", "d", "e"]))
    found = read_matrix(file)
    assert found.names == ("a", "b, c", "d", "e")
    assert torch.equal(found.values, matrix)
    file.write_text(matrix_text(matrix, ["0", "1", "2", "3"]))
    assert read_matrix(file).names == ("0", "1", "2", "3")
    file.write_text(matrix_text(matrix).replace(",", ";"))
    assert torch.equal(read_matrix(file).values, matrix)
    assert read_matrix(file).names == ()
    assert read_matrices([file, file]).values.shape == (2, 4, 4)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", "it.csv: is empty"),
        ("0,1,2\n1,0,3\n", "it.csv, row 1: has 2 lines of a matrix and here 3 numbers; not square"),
        ("0,1,2\n1,0,3\n2,3\n", "it.csv, row 3: has 3 lines of a matrix and here 2 numbers; not square"),
        ("0,1,2\n1,0,3\n2,4,0\n", "it.csv: the matrix is not symmetric: 3 in row 2, column 3, 4 across"),
        ("0,1,2\n1,.5,3\n2,3,0\n", "it.csv: the matrix has 0.5 on its diagonal in row 2, column 2; expected 0"),
        ("0,1,2\n1,0,nan\n2,nan,0\n", "it.csv, row 2: holds 'nan'; expected a finite number"),
        ("0,1,2\n1,0,\n2,,0\n", "it.csv, row 2: holds ''; expected a finite number"),
        (",a,b,c\na,0,1,2\nb,1,0,3\nd,2,3,0\n", "first line and in the first column are not the same"),
        (",a,a,c\na,0,1,2\na,1,0,3\nc,2,3,0\n", "a condition has no name, or one that is there twice"),
        ("0,1\n1,0\n", "expected (..., N, N) with N >= 3"),
        ('0,"1\n', "it.csv, row 1: is no CSV"),
    ],
)
def test_files_that_are_no_matrix(text, wanted):
    with pytest.raises(DataError) as caught:
        parse_matrix(text, "it.csv")
    assert wanted in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_matrix(tmp_path / "none.csv")
    file = tmp_path / "bytes.csv"
    file.write_bytes(b"0,1\n\xff\xfe")
    with pytest.raises(DataError, match=r"bytes\.csv, row 2: is not UTF-8"):
        read_matrix(file)
    small, large = tmp_path / "small.csv", tmp_path / "large.csv"
    small.write_text(matrix_text(1 - torch.eye(3)))
    large.write_text(matrix_text(1 - torch.eye(4)))
    with pytest.raises(DataError, match=r"large.csv: has 4 conditions, small.csv has 3"):
        read_matrices([small, large])


def test_layer_features(net, images):
    names = learned_layers(net, images)
    assert names == ["features.0", "features.4", "head"]
    assert learned_layers(net, images, most=2) == ["features.0", "head"]
    found = layer_features(net, images, layers=names, rows=2)
    assert [tuple(f.shape) for f in found.values()] == [(3, 4 * 64), (3, 6 * 16), (3, 3)]
    assert torch.equal(found["features.0"], net.features[0](images).flatten(1))  # before the in-place activation
    pooled = layer_features(net, images, layers=["features.4"], widest=30)["features.4"]
    assert torch.allclose(pooled, nn.functional.adaptive_avg_pool2d(net.features[:5](images), 2).flatten(1))
    least = layer_features(net, images, layers=["features.4"], widest=7)["features.4"]
    assert torch.allclose(least, features_at(net, images, layer="features.4"))
    with pytest.raises(UnknownNameError, match="no layer named 'head2'; did you mean 'head'"):
        layer_features(net, images, layers=["head2"])


def test_layer_features_of_tokens_and_of_what_returns_no_tensor(token_net, token_batch):
    assert learned_layers(token_net, token_batch) == ["embedding", "head"]
    assert layer_features(token_net, token_batch, layers=["embedding"])["embedding"].shape == (4, 30)
    assert layer_features(token_net, token_batch, layers=["embedding"], widest=29)["embedding"].shape == (4, 5)
    with pytest.raises(UnsupportedError, match="layer 'mix' gave a tuple for 4 examples"):
        layer_features(token_net, token_batch, layers=["mix"])


def test_a_wide_series_is_averaged_over_its_positions():
    series = nn.Sequential(nn.Conv1d(2, 5, 3), nn.Flatten(), nn.LazyLinear(2))
    inputs = torch.randn(3, 2, 20, generator=torch.Generator().manual_seed(0))
    series(inputs)
    found = layer_features(series, inputs, layers=["0"], widest=9)["0"]
    assert torch.allclose(found, series[0](inputs).mean(2))


@pytest.mark.parametrize(
    "stems",
    [
        ["1", "2", "10"],
        ["-100", "-50", "0", "50"],
        ["t-100", "t-50", "t0", "t50"],
        ["sub-01_2", "sub-01_10", "sub-02_1"],
        ["-200--100", "-100-0", "0-100"],
        ["0.05", "0.1", "1"],
        ["a", "b"],
    ],
)
def test_moments_are_in_the_order_of_their_numbers(tmp_path, stems):
    for stem in reversed(stems):
        (tmp_path / f"{stem}.csv").touch()
    assert [file.stem for file in moment_files(tmp_path)] == stems


def test_cross_validated_distances_may_lie_below_zero():
    assert parse_matrix(",a,b,c\na,0,1,2\nb,1,0,-3\nc,2,-3,0\n", "it.csv").values[1, 2] == -3
