"""``compress`` and ``demo`` from end to end: what is made, measured and written, for each kind of input."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from netsmith.api.run import load
from netsmith.core.errors import UnsupportedError
from netsmith.workflows.pruning import _gradients, sensitivity_chart
from own import write_own_data

SHORT = "--set data.twin=true --set epochs=0 --set steps=30"


def test_images_are_pruned_and_taught_on_the_runs_own_data(netsmith):
    assert netsmith(f"train cnn_digits {SHORT}").code == 0
    code, out, err = netsmith("compress runs/cnn_digits --student student_fashion_mnist --epochs 1 --json")
    assert code == 0, err
    rows = {row["name"]: row for row in json.loads(out)}
    assert list(rows) == ["teacher", "teacher int8", "pruned", "pruned int8", "student", "student int8"]
    assert rows["pruned"]["parameters"] < 0.6 * rows["teacher"]["parameters"]
    assert rows["pruned"]["macs"] < 0.6 * rows["teacher"]["macs"]
    assert rows["teacher int8"]["bytes"] < 0.5 * rows["teacher"]["bytes"]
    found = json.loads(Path("runs/cnn_digits/compress.json").read_text())
    assert found["models"] == list(rows.values())
    assert found["ratios"]["teacher"] == 1
    for name, row in rows.items():
        assert 0 <= row["accuracy"] <= 1
        assert row["latency_ms"] > 0
        role = name.split()[0]
        folder = Path("runs", "cnn_digits" if role == "teacher" else f"cnn_digits-{role}")
        assert (folder / row["file"]).stat().st_size == row["bytes"]
    student = json.loads(Path("runs/cnn_digits-student/experiment.json").read_text())["experiment"]
    assert student["data"]["kind"] == "digits"
    assert student["data"]["twin"] is True
    assert student["epochs"] == 2
    assert student["method"]["teacher"]["kind"] == "small_cnn"
    page = Path("runs/cnn_digits/compress.html").read_text()
    assert not re.search(r"(src|href|action)\s*=\s*[\"'](?!data:|#)", page)
    assert all(name in page for name in rows)
    assert "netsmith compress runs/cnn_digits" in page
    assert "synthetic twin of digits" in page
    # A pruned run is a run: its folder alone answers.
    assert netsmith("export runs/cnn_digits-pruned").code == 0


def test_channels_go_by_a_criterion_in_rounds_and_the_page_shows_what_layers_bear(netsmith):
    short = "--set data.twin=true --set epochs=0 --set steps=30 --set method.sparsity=0.01"
    assert netsmith(f"train slimming_digits {short}").code == 0
    bad = netsmith("compress runs/slimming_digits --criterion size")
    known = "l1, l2, geometric_median, bn_scale, taylor, random"
    assert (bad.code, bad.line) == (2, f"--criterion size: expected one of {known}")
    idle = netsmith("compress runs/slimming_digits --prune 0 --scope local")
    assert (idle.code, idle.line) == (2, "--scope local: says how channels are cut, and --prune 0 cuts none")
    options = "--criterion bn_scale --scope local --iterations 2 --sensitivity"
    found = netsmith(f"compress runs/slimming_digits --student none --epochs 1 {options} --json")
    assert found.code == 0, found.err
    assert [row["name"] for row in json.loads(found.out)] == ["teacher", "teacher int8", "pruned", "pruned int8"]
    assert Path("runs/slimming_digits-pruned-round1").is_dir()
    page = Path("runs/slimming_digits/compress.html").read_text()
    assert f"netsmith compress runs/slimming_digits --prune 0.5 {options}" in page
    assert "What a layer alone loses" in page
    widths = [
        {n: len(t) for n, t in load(f"runs/slimming_digits{end}").network.module.state_dict().items() if t.dim() == 4}
        for end in ("", "-pruned-round1", "-pruned")
    ]
    whole, half_way, half = ([by[name] for name in widths[0]] for by in widths)
    assert half_way == [round(0.75 * size) for size in whole]
    assert half == [size // 2 for size in whole]
    run = load("runs/slimming_digits")
    lines = sensitivity_chart(run, run.engine.source, "taylor").curves
    assert len(lines) == 4
    assert all(line.ys[0] == lines[0].ys[0] for line in lines)
    module, source = run.network.module, run.engine.source
    found = _gradients(run, source, module)
    seen = torch.cat(list(source.order("train", seed=0, epoch=0)[:8]))
    batch = source.load("train", seen)
    loss = torch.nn.functional.cross_entropy(module(batch.inputs), batch.targets)
    for name, parameter in module.named_parameters():
        (wanted,) = torch.autograd.grad(loss, parameter, retain_graph=True)
        torch.testing.assert_close(found[name], wanted, rtol=1e-3, atol=1e-6)


def test_tables_and_a_student_that_is_left_out(netsmith):
    assert netsmith(f"train mlp_digits {SHORT}").code == 0
    refused = netsmith("compress runs/mlp_digits --student none --set epochs=3")
    assert refused.code == 2
    assert refused.line == "--set epochs: it changes the student's experiment, and --student none has none"
    found = netsmith("compress runs/mlp_digits --student none --epochs 1 --json")
    assert found.code == 0
    names = [row["name"] for row in json.loads(found.out)]
    assert names == ["teacher", "teacher int8", "pruned", "pruned int8"]


def test_protected_modules_keep_their_channels(netsmith):
    assert netsmith(f"train mlp_digits {SHORT} --set method.model.hidden=[32,24]").code == 0
    wrong = netsmith("compress runs/mlp_digits --student none --epochs 1 --protect hiden.0")
    assert (wrong.code, "did you mean 'hidden.0'" in wrong.line) == (2, True)
    found = netsmith("compress runs/mlp_digits --student none --epochs 1 --scope local --protect hidden.0")
    assert found.code == 0, found.err
    network = load("runs/mlp_digits").network
    again = network.compress(prune=0.5, scope="local", protect=["hidden.0"])
    for one in (load("runs/mlp_digits-pruned").network, again):
        rows = [len(tensor) for tensor in one.module.state_dict().values() if tensor.dim() == 2]
        assert rows == [32, 12, 10]
    page = Path("runs/mlp_digits/compress.html").read_text()
    assert "netsmith compress runs/mlp_digits --prune 0.5 --scope local --protect hidden.0" in page
    with pytest.raises(UnsupportedError, match="scope: says how channels are cut, and prune=0 cuts none"):
        network.compress(prune=0, low_rank=0.5, scope="local")
    with pytest.raises(TypeError, match="knows no setting low_rnk, ratio"):
        network.compress(ratio=0.5, low_rnk=0.5)


def test_what_was_learned_without_a_gradient_has_nothing_to_train_a_student_with(netsmith):
    assert netsmith("train naive_bayes_digits --set data.twin=true").code == 0
    refused = netsmith("compress runs/naive_bayes_digits --student mlp")
    assert refused.code == 2
    assert refused.line.startswith("naive_bayes_digits was learned without a gradient (closed_form), so there is no")
    found = netsmith("compress runs/naive_bayes_digits --json")
    assert "a student is left out: naive_bayes_digits was learned without a gradient" in found.err
    assert [row["name"] for row in json.loads(found.out)] == ["teacher", "teacher int8"]


def test_a_student_may_be_taught_by_hints(netsmith):
    assert netsmith("train maxout_mnist --set data.twin=true --set epochs=0 --set steps=4").code == 0
    refused = netsmith("compress runs/maxout_mnist --student maml_sine")
    assert (refused.code, refused.line) == (2, "--student maml_sine: expected a recipe with one teacher, got maml")
    assert [path.name for path in Path("runs").iterdir()] == ["maxout_mnist"]  # said before anything is trained
    short = "--set epochs=0 --set steps=5 --set data.twin=true"
    found = netsmith(f"compress runs/maxout_mnist --student fitnet_mnist --prune 0 {short} --json")
    assert found.code == 0, found.err
    assert [row["name"] for row in json.loads(found.out)] == ["teacher", "teacher int8", "student", "student int8"]


def test_layers_become_products_of_thin_ones(netsmith):
    assert netsmith(f"train cnn_digits {SHORT}").code == 0
    refused = netsmith("compress runs/cnn_digits --prune 0 --low-rank 0.001 --student none")
    assert refused.code == 2
    assert re.match(
        r"budget=0.001 of \d+ parameters is out of reach: with rank 1 everywhere \d+ are left", refused.line
    )
    assert [path.name for path in Path("runs").iterdir()] == ["cnn_digits"]
    found = netsmith("compress runs/cnn_digits --prune 0 --low-rank 0.4 --student none --epochs 1 --json")
    assert found.code == 0, found.err
    rows = {row["name"]: row for row in json.loads(found.out)}
    assert list(rows) == ["teacher", "teacher int8", "low rank", "low rank int8"]
    assert 0.35 < rows["low rank"]["parameters"] / rows["teacher"]["parameters"] <= 0.4
    # what was factorized is a run: its folder alone answers, with the same weights
    again = netsmith("export runs/cnn_digits-low-rank -o again.onnx")
    assert again.code == 0
    assert Path("again.onnx").stat().st_size == rows["low rank"]["bytes"]


def test_a_copy_is_trained_in_int8(netsmith):
    assert netsmith(f"train cnn_digits {SHORT}").code == 0
    found = netsmith("compress runs/cnn_digits --prune 0 --train-int8 --student none --epochs 1 --json")
    assert found.code == 0, found.err
    rows = {row["name"]: row for row in json.loads(found.out)}
    assert list(rows) == ["teacher", "teacher int8", "trained int8"]
    assert rows["trained int8"]["bytes"] < 0.5 * rows["teacher"]["bytes"]
    assert rows["trained int8"]["accuracy"] >= rows["teacher"]["accuracy"] - 0.05
    # its folder alone gives the same file, and answers
    assert netsmith("export runs/cnn_digits-int8 -o again.onnx").code == 0
    assert Path("again.onnx").stat().st_size == rows["trained int8"]["bytes"]
    for verb, message in (
        ("compress", "cnn_digits-int8 was trained in int8; compress the run that it was made from"),
        ("export --int8", "--int8: cnn_digits-int8 was trained in int8, and its file is int8 without it"),
    ):
        refused = netsmith(f"{verb} runs/cnn_digits-int8")
        assert (refused.code, refused.line) == (2, message)


def test_texts_are_trained_in_int8_and_what_does_not_fit_is_said_first(netsmith, tmp_path):
    own = write_own_data(tmp_path / "data") / "texts.csv"
    sets = "--set epochs=0 --set steps=5 --set micro_batches=2"
    assert netsmith(f"train text_classifier --data {own} {sets} --name text").code == 0
    refused = netsmith("compress runs/text --student fitnet_mnist")
    assert refused.code == 2
    assert [path.name for path in Path("runs").iterdir()] == ["text"]
    found = netsmith("compress runs/text --prune 0 --train-int8 --student none --epochs 1 --json")
    assert found.code == 0, found.err
    (row,) = [row for row in json.loads(found.out) if row["name"] == "trained int8"]
    assert row["proof"]["int8"]["error"] <= 0.05
    assert row["proof"]["int8"]["bytes"] == row["bytes"] < 0.5 * row["proof"]["int8"]["bytes_before"]
    page = Path("runs/text/compress.html").read_text()
    assert "netsmith compress runs/text --prune 0 --train-int8 --epochs 1 --student none" in page


def test_texts_are_pruned_and_teach_a_thinner_network(netsmith, tmp_path):
    own = write_own_data(tmp_path / "data")
    sets = "--set epochs=0 --set steps=5 --name text"
    assert netsmith(f"train text_classifier --data {own / 'texts.csv'} {sets}").code == 0
    for wrong, problem in (
        ("size=2", "expected width=FACTOR, depth=FACTOR, or both with a comma between"),
        ("width=a", "expected width=FACTOR"),
        ("width=0", "width=0: expected a factor above 0"),
        ("depth=2", "text_cnn has no depth to scale"),
    ):
        refused = netsmith(f"compress runs/text --student {wrong} --epochs 1")
        assert refused.code == 2
        assert problem in refused.line
    found = netsmith("compress runs/text --epochs 1 --json")
    assert found.code == 0, found.err
    rows = {row["name"]: row for row in json.loads(found.out)}
    roles = ("teacher", "pruned", "student")
    assert list(rows) == [name for role in roles for name in (role, f"{role} int8")]
    assert rows["pruned"]["bytes"] < rows["teacher"]["bytes"]
    assert rows["teacher int8"]["bytes"] < rows["teacher"]["bytes"]
    assert 0.2 < rows["student"]["parameters"] / rows["teacher"]["parameters"] < 0.5
    assert netsmith("compress runs/text --prune 0 --student width=0.25 --epochs 1 --json").code == 0


def test_an_export_never_takes_the_name_of_a_file_of_the_run(netsmith):
    assert netsmith(f"train mlp_digits {SHORT}").code == 0
    before = Path("runs/mlp_digits/experiment.json").read_bytes()
    assert netsmith("export runs/mlp_digits -o runs/mlp_digits/experiment.onnx").code == 0
    assert Path("runs/mlp_digits/experiment.json").read_bytes() == before
    assert json.loads(Path("runs/mlp_digits/experiment.onnx.json").read_text())["outputs"]["kind"] == "classes"
    refused = netsmith("export runs/mlp_digits -o out.json")
    assert (refused.code, refused.line) == (2, "--output out.json: expected a file that ends in .onnx")


def test_the_demo_tells_the_whole_journey_on_one_page(netsmith):
    code, out, err = netsmith("demo --seed 1")
    assert code == 0, err
    found = json.loads(Path("runs/demo/compress.json").read_text())
    rows = {row["name"]: row for row in found["models"]}
    assert rows["teacher"]["accuracy"] >= 0.97
    assert rows["pruned"]["accuracy"] >= 0.96
    assert rows["student"]["accuracy"] >= 0.93
    assert rows["teacher"]["bytes"] / rows["student"]["bytes"] > 8
    assert found["ratios"]["student"] > 1
    page = Path("runs/demo/report.html").read_text()
    assert not re.search(r"(src|href|action)\s*=\s*[\"'](?!data:|#)", page)
    assert all(word in page for word in ("saliency", "grad_cam", "prototype", "onfus", "<svg", *rows))
    assert "report.html" in out
