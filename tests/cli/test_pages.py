"""Pages and what is told of runs: without a gradient, with damaged files, on a twin, unfinished."""

import json
import shutil
from pathlib import Path

import pytest

from netsmith.workflows.pages import environment_facts

TWIN = "--set data.twin=true"


@pytest.fixture(scope="module")
def bayes(tmp_path_factory):
    import netsmith

    root = tmp_path_factory.mktemp("bayes")
    return netsmith.train("naive_bayes_digits", sets={"data.twin": True}, root=root, notice=lambda _: None).path


def test_a_network_without_a_gradient_is_explained_and_reported(netsmith, bayes):
    code, out, _ = netsmith(f"explain {bayes}")
    assert code == 0
    left_out = "saliency, smooth_grad, integrated_gradients, grad_cam: left out, the score does not depend"
    assert sum(line.startswith(left_out) for line in out.splitlines()) == 1
    page = (bayes / "explain/explain.html").read_text()
    assert "Single decisions" in page
    assert "occlusion of " in page
    assert "typical 3" in page
    assert "the space of pixels" in page
    assert "Class prototypes" not in page
    assert "saliency of " not in page
    assert netsmith(f"report {bayes}").code == 0
    page = (bayes / "report.html").read_text()
    for text in ("Confusion", "occlusion of ", "typical 3", left_out):
        assert text in page, text


def test_what_needs_a_gradient_is_refused_by_name(netsmith, bayes):
    found = netsmith(f"explain {bayes} --method saliency,grad-cam")
    assert (found.code, found.line.partition(" needs")[0]) == (2, "saliency, grad_cam")
    assert netsmith(f"explain {bayes} --method prototypes").code == 0
    assert netsmith(f"explain {bayes} --method saliency,occlusion").code == 0


def test_a_table_without_a_gradient(netsmith, tmp_path):
    sets = {"kind": "closed_form", "model": {"kind": "naive_bayes", "event_model": "bernoulli"},
            "task": {"kind": "classify"}}  # fmt: skip
    more = ["--set", f"method={json.dumps(sets)}", "--set", "optimizers={}"]
    found = netsmith(f"train table_classifier {TWIN} --set epochs=1 --set hooks=[] --name bayes", *more)
    assert found.code == 0, found.err
    assert found.out.splitlines()[-1] == "next: netsmith explain runs/bayes"
    code, out, _ = netsmith("explain runs/bayes")
    assert code == 0
    assert "integrated_gradients: left out" in out
    found = netsmith("explain runs/bayes --method integrated_gradients")
    assert "integrated_gradients needs a gradient" in found.line


# -- twins and commands -----------------------------------------------------------------------------------------------


def test_a_twin_is_never_taken_for_the_real_data(netsmith, bayes, runs):
    for verb, page in (("report", "report.html"), ("explain", "explain/explain.html")):
        assert netsmith(f"{verb} {bayes}").code == 0
        assert "The synthetic twin of digits (made-up data, not the real)" in (bayes / page).read_text()
    text = (bayes / "report.html").read_text()
    assert "<h1>Naive Bayes on digits, on a synthetic twin</h1>" in text
    assert f"netsmith train naive_bayes_digits {TWIN}" in text
    assert f"netsmith report {bayes}" in text
    assert netsmith(f"report {runs}/values").code == 0
    assert "twin" not in (runs / "values/report.html").read_text()


def test_the_demo_names_what_it_was_asked(monkeypatch):
    import shlex

    from netsmith.cli import journey, main
    from netsmith.workflows.demo import command

    given = {}
    monkeypatch.setattr(journey, "demo", lambda **named: given.update(named))
    for root, seed, text in (("runs", 0, "netsmith demo"), ("my runs", 3, "netsmith demo --root 'my runs' --seed 3")):
        assert command(root, seed) == text
        assert main(shlex.split(text)[1:]) == 0
        assert given == {"root": root, "seed": seed}


# -- damaged files ----------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(runs):
    shutil.copytree(runs / "twin", "x")
    return Path("x")


@pytest.mark.parametrize("text", ["{}", "[]", "null", "3", '{"step": 4, "figures": []}'])
def test_a_damaged_evaluation_is_one_line(netsmith, copy, text):
    (copy / "evaluation.json").write_text(text)
    for verb in ("evaluate", "report", "predict", "compare"):
        found = netsmith(f"{verb} x")
        assert (found.code, found.out) == (2, ""), found.err
        assert "x/evaluation.json is damaged: expected " in found.line


@pytest.mark.parametrize("text", ["[]", "null", "{}", '{"versions": []}'])
def test_a_damaged_environment(netsmith, copy, text):
    (copy / "environment.json").write_text(text)
    assert netsmith("report x").code == 0
    (copy / "evaluation.json").unlink()
    found = netsmith("resume x")
    assert found.code == 2
    assert "x/environment.json is damaged: expected " in found.line
    assert environment_facts([]) == environment_facts({}) == environment_facts({"versions": 3}) == []


def test_a_notice_does_not_spoil_json(netsmith, copy):
    (copy / "evaluation.json").unlink()
    found = netsmith("compare x --json")
    assert json.loads(found.out)["runs"][0]["figures"] == {}
    assert "x is not finished; using its checkpoint" in found.err


def test_what_a_whole_network_has_learned_is_explained_beside_single_decisions(netsmith, runs):
    run = shutil.copytree(runs / "twin", Path("twin"))
    found = netsmith(f"explain {run} --method probes,cka,occlusion --count 2")
    assert found.code == 0, found.err
    assert "probes: " in found.out
    assert "occlusion: deletion" in found.out
    page = Path("twin/explain/explain.html").read_text()
    assert [name in page for name in ("Linear probes", "Layers up to a rotation", "Checks of the explanations")] == [
        True,
        True,
        True,
    ]
    alone = netsmith(f"explain {run} --method probes")
    assert alone.code == 0, alone.err
    assert "Checks of the explanations" not in Path("twin/explain/explain.html").read_text()
    assert "has no layer with maps" in netsmith(f"explain {run} --method feature_maps").line
    assert "did you mean 'probes'" in netsmith(f"explain {run} --method probe").line


def test_a_generator_that_is_none_is_refused_by_name(netsmith, bayes):
    found = netsmith(f"explain {bayes} --method prototypes --generator {bayes}")
    assert (found.code, found.line) == (
        2,
        f"{bayes.name} takes image inputs and answers classes; expected a generator: samples from noise",
    )
    assert "x is not a run folder" in netsmith(f"explain {bayes} --generator x").line
    assert "--code belongs to a run" in netsmith(f"explain {bayes} --generator {bayes} --code x.py").line
