"""Layers of two runs, and of a run and given matrices: the figures, the page, and what is refused."""

import os

import numpy as np
import pytest
import torch

import netsmith
from netsmith.core.errors import DataError, UnsupportedError, UserError
from netsmith.explain.dissimilarity import compare_matrices, condition_means, dissimilarity_matrix
from netsmith.explain.given_matrices import matrix_text
from netsmith.report.pictures import png
from netsmith.workflows.given_similarity import compare_with_matrices
from netsmith.workflows.judging import judge
from netsmith.workflows.representations import evenly, layer_answers, spread
from netsmith.workflows.similarity import compare_representations

pytest.importorskip("matplotlib")
NAMES = [str(digit) for digit in range(10)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    sync, os.fsync = os.fsync, lambda handle: None
    try:
        root = tmp_path_factory.mktemp("runs")
        settings = {"data.twin": True, "epochs": 0, "steps": 4}
        return [
            netsmith.train("mlp_digits", sets=settings | {"seed": seed}, root=root, notice=lambda line: None)
            for seed in (0, 1)
        ]
    finally:
        os.fsync = sync


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_a_run_and_itself_and_another(runs, tmp_path):
    own = compare_representations(runs[0], runs[0], folder=tmp_path)
    assert own.rsa.diagonal().tolist() == pytest.approx([1] * len(own.rows))
    assert own.cka.diagonal().tolist() == pytest.approx([1] * len(own.rows))
    other = compare_representations(runs[0], runs[1], folder=tmp_path, method="tau_a", count=60)
    assert float(other.rsa.max()) < 0.999
    assert other.page == tmp_path / "similarity.html"
    text = other.page.read_text()
    assert f"Kendall tau_A of dissimilarity matrices (correlation). Rows are layers of {runs[0].path.name}" in text
    assert len(other.notes) == 2 * len(other.rows)


def test_two_runs_on_given_examples(runs, tmp_path):
    raw = runs[0].network.example(7)
    found = compare_representations(runs[0], runs[1], source=raw, folder=tmp_path)
    ones, others = (layer_answers(run.network, raw)[0] for run in runs)
    for row, one in enumerate(ones.values()):
        for column, other in enumerate(others.values()):
            wanted = compare_matrices(dissimilarity_matrix(one), dissimilarity_matrix(other), method="spearman")
            assert float(found.rsa[row, column]) == pytest.approx(float(wanted))
    assert "the same 7 examples given" in found.page.read_text()
    some = compare_representations(runs[0], runs[1], source=raw, folder=tmp_path, count=4)
    assert "the same 4 examples, spread over 7 given" in some.page.read_text()
    with pytest.raises(DataError, match="3 examples are compared; expected at least 4"):
        compare_representations(runs[0], runs[1], source=raw[:3])


def test_given_matrices_by_class_in_any_order(runs, tmp_path):
    network = runs[0].network
    source = runs[0].engine.source
    judged = judge(network, source, "test")
    chosen = spread(judged.targets, most=500)
    features, _ = layer_answers(network, judged.raw[chosen])
    last = list(features)[-1]
    means = condition_means(features[last], judged.targets[chosen], num_conditions=10)
    matrix = dissimilarity_matrix(means)
    order = torch.randperm(10, generator=torch.Generator().manual_seed(1))
    (tmp_path / "same.csv").write_text(matrix_text(matrix[order][:, order], [NAMES[k] for k in order]))
    (tmp_path / "other.csv").write_text(
        matrix_text(dissimilarity_matrix(normal(10, 20))[order][:, order], [NAMES[k] for k in order])
    )
    found = compare_with_matrices(runs[0], [tmp_path / "same.csv", tmp_path / "other.csv"], folder=tmp_path, draws=99)
    at = found.rows.index(last)
    assert found.columns == ("same", "other")
    assert float(found.rsa[at, 0]) == 1
    assert float(found.p_values[at, 0]) == 0.01
    assert float(found.p_values[:, 1].min()) > 0.01
    assert found.notes[0].startswith(f"same: most like {last} (Kendall tau_A 1.000, p 0.01)")
    assert "not corrected for the number of cells" in found.page.read_text()


def test_given_matrices_of_examples(runs, tmp_path):
    raw = runs[0].network.example(6)
    features, _ = layer_answers(runs[0].network, raw)
    wanted = dissimilarity_matrix(normal(6, 9))
    (tmp_path / "it.csv").write_text(matrix_text(wanted))
    found = compare_with_matrices(
        runs[0], [tmp_path / "it.csv"], source=raw, folder=tmp_path, method="spearman", draws=9
    )
    by_hand = [float(compare_matrices(dissimilarity_matrix(values), wanted)) for values in features.values()]
    assert found.rsa[:, 0].tolist() == pytest.approx(by_hand)


def test_a_matrix_of_equal_dissimilarities_has_no_order(runs, tmp_path):
    for name, matrix in (("flat", 1 - torch.eye(6)), ("it", dissimilarity_matrix(normal(6, 9)))):
        (tmp_path / f"{name}.csv").write_text(matrix_text(matrix))
    both = [tmp_path / "flat.csv", tmp_path / "it.csv"]
    found = compare_with_matrices(runs[0], both, source=runs[0].network.example(6), folder=tmp_path, draws=9)
    assert found.notes[0] == "flat: all its dissimilarities are equal; they have no order that a layer could share"
    assert found.notes[1].startswith("it: most like ")
    assert found.page.read_text().count(">no order<") == len(found.rows)


def test_folders_are_subjects_over_time(runs, tmp_path):
    for subject in range(3):
        folder = tmp_path / f"s{subject}"
        folder.mkdir()
        for moment in range(4):
            matrix = dissimilarity_matrix(normal(10, 12, seed=moment) + 0.3 * normal(10, 12, seed=10 * subject + 5))
            (folder / f"{moment:02d}.csv").write_text(matrix_text(matrix, NAMES))
    found = compare_with_matrices(runs[0], [tmp_path / f"s{k}" for k in range(3)], folder=tmp_path, draws=20)
    assert found.columns == ("00", "01", "02", "03")
    assert found.rsa.shape == (len(found.rows), 4)
    assert found.p_values is None
    text = found.page.read_text()
    assert "4 moments of 3 subjects" in text
    assert "ceiling, lower" in text
    alone = compare_with_matrices(runs[0], [tmp_path / "s0"], folder=tmp_path, draws=0)
    assert "there is no noise ceiling" in alone.page.read_text()
    (tmp_path / "s2" / "03.csv").unlink()
    with pytest.raises(DataError, match=r"s2: has \(moments, conditions\) \(3, 10\), s0 \(4, 10\)"):
        compare_with_matrices(runs[0], [tmp_path / f"s{k}" for k in range(3)], folder=tmp_path)


def test_what_cannot_be_compared(runs, tmp_path):
    small = tmp_path / "small.csv"
    small.write_text(matrix_text(1 - torch.eye(4)))
    with pytest.raises(DataError, match=r"the matrices have 4 conditions, mlp_digits has 10 classes"):
        compare_with_matrices(runs[0], [small])
    with pytest.raises(DataError, match="4 conditions, and 3 examples were given"):
        compare_with_matrices(runs[0], [small], source=runs[0].network.example(3))
    named = tmp_path / "named.csv"
    named.write_text(matrix_text(1 - torch.eye(10), ["ten", *NAMES[1:]]))
    with pytest.raises(DataError, match=r"name the conditions \['ten'\]"):
        compare_with_matrices(runs[0], [named])
    with pytest.raises(UserError, match="got 2 paths"):
        compare_with_matrices(runs[0], [small, tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: holds no \*\.csv"):
        compare_with_matrices(runs[0], [tmp_path / "empty"])


def test_runs_of_other_inputs(runs, tmp_path):
    class Other:
        path, network = tmp_path / "other", netsmith.from_module(torch.nn.Linear(4, 3), torch.zeros(1, 4))

    with pytest.raises(UnsupportedError, match=r"takes .*expected the same inputs"):
        compare_representations(runs[0], Other())


def test_moments_keep_the_names_of_their_files(runs, tmp_path):
    for stem in ("-50", "0", "100"):
        (tmp_path / f"{stem}.csv").write_text(matrix_text(dissimilarity_matrix(normal(10, 12, seed=len(stem))), NAMES))
    found = compare_with_matrices(runs[0], [tmp_path], folder=tmp_path, draws=0)
    assert found.columns == ("-50", "0", "100")
    assert all(note.partition("highest at moment ")[2].split()[0] in found.columns for note in found.notes)


def test_pictures_are_matched_to_conditions_by_name(runs, tmp_path):
    faces = tmp_path / "faces"
    faces.mkdir()
    pixels = torch.randint(0, 255, (5, 8, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    for name, values in zip("abcde", pixels, strict=True):
        (faces / f"{name}.png").write_bytes(png(values.numpy().astype(np.uint8)))
    matrix, order = dissimilarity_matrix(normal(5, 9)), [3, 0, 4, 1, 2]
    (tmp_path / "plain.csv").write_text(matrix_text(matrix))
    (tmp_path / "named.csv").write_text(matrix_text(matrix[order][:, order], ["abcde"[at] for at in order]))
    plain, named = (
        compare_with_matrices(runs[0], [tmp_path / name], source=faces, folder=tmp_path, method="spearman", draws=9)
        for name in ("plain.csv", "named.csv")
    )
    assert named.rsa[:, 0].tolist() == pytest.approx(plain.rsa[:, 0].tolist())
    (tmp_path / "other.csv").write_text(matrix_text(matrix, ["a", "b", "c", "d", "z"]))
    with pytest.raises(DataError, match="name the condition 'z', and no file"):
        compare_with_matrices(runs[0], [tmp_path / "other.csv"], source=faces)


def test_runs_of_other_columns(runs, tmp_path):
    def table(columns):
        network = netsmith.from_module(torch.nn.Linear(2, 3), torch.zeros(1, 2))
        inputs = network.spec.inputs.model_copy(update={"columns": columns})
        spec = network.spec.model_copy(update={"inputs": inputs})
        return type("Other", (), {"path": tmp_path / columns[0], "network": type("Net", (), {"spec": spec})()})()

    with pytest.raises(UnsupportedError, match=r"age takes inputs of columns \('age', 'sex'\), sex of"):
        compare_representations(table(("age", "sex")), table(("sex", "age")))


def test_of_too_many_examples_as_many_as_wanted_are_taken_from_end_to_end():
    assert evenly(501, most=500).tolist()[:3] == [0, 1, 2]
    assert len(evenly(501, most=500).unique()) == 500
    assert evenly(10, most=4).tolist() == [0, 2, 5, 7]
    assert evenly(3, most=4).tolist() == [0, 1, 2]
    assert evenly(0, most=4).tolist() == []
