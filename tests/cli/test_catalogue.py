import json
import subprocess
import sys
from pathlib import Path

import pytest

import netsmith as package
from netsmith.core.cards import variants_of
from netsmith.core.registry import models, recipes


def test_list_has_every_recipe_and_variant(netsmith):
    code, out, err = netsmith("list")
    assert (code, err) == (0, "")
    names = {line.split()[0] for line in out.splitlines() if " level " in line}
    every = {*recipes(), *(f"{name}:{v}" for name, entry in recipes().items() for v in variants_of(entry))}
    assert names == every
    head = out.splitlines()[0]
    assert head.startswith(f"{len(every)} recipes: ")
    assert all(word in head for word in ("reproduced", "short", "stale", "unverified", "with known gaps"))


def test_list_json_is_the_contract(netsmith):
    code, out, _ = netsmith("list --json")
    rows = json.loads(out)
    assert code == 0
    assert len(rows) >= len(recipes())
    for row in rows:
        assert {"name", "level", "status", "claims"} <= row.keys()
        assert row["level"] in (0, 1, 2, 3)
        assert row["status"] in ("reproduced", "measured", "short", "stale", "unverified")
        for claim in row["claims"]:
            assert {"metric", "value", "tolerance", "measured"} <= claim.keys()
            measured = claim["measured"]
            assert measured is None or set(measured) == {"mean", "sd", "n"}
    lenet = next(row for row in rows if row["name"] == "lenet5_mnist")
    claim = lenet["claims"][0]
    assert (claim["metric"], claim["value"]) == ("test/accuracy", 0.992)


# learners whose work their fit decides, or that multiply nothing: each says why it is not counted
UNCOUNTED_RECIPES = {
    "bm25_cranfield", "bm25_wikiqa", "crf_resume", "crf_segmenter_pfr", "crf_segmenter_ud", "hmm_resume",
    "hmm_segmenter_pfr", "hmm_segmenter_ud", "kneser_ney_ptb", "knn_mnist", "maxent_polarity", "naive_bayes_mr",
    "phrase_based_multi30k", "structured_perceptron_resume", "svm_breast_cancer", "svm_digits", "svm_polarity",
    "tree_digits",
}  # fmt: skip
WRITERS = {
    "bahdanau", "gnmt", "hred", "luong", "pointer_generator", "pointer_network", "seq2seq", "show_and_tell",
    "show_attend_and_tell",
}  # fmt: skip
UNCOUNTED_MODELS = {
    "as_given", "bag_naive_bayes", "bm25", "boltzmann_machine", "crf_tagger", "decision_tree", "drmm", "hmm_tagger",
    "hopfield", "hopfield_tsp", "k_nearest_neighbors", "linear_svm", "maximum_entropy", "mcculloch_pitts", "ngram",
    "phrase_based", "structured_perceptron", "svm",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(recipes()))
def test_show_a_recipe(netsmith, name):
    code, out, err = netsmith(f"show {name} --json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["name"], found["kind"]) == (name, "recipe")
    assert found["experiment"]["data"]["twin"] is False
    if name in UNCOUNTED_RECIPES:
        assert found["macs"] is None
        assert found["uncounted"] in netsmith(f"show {name}").out
        return
    assert found["parameters"] == sum(row["parameters"] for row in found["layers"])
    assert found["macs"] == sum(row["macs"] for row in found["layers"]) > 0


@pytest.mark.parametrize("name", sorted(models()))
def test_show_a_model(netsmith, name):
    code, out, _ = netsmith(f"show {name} --json")
    found = json.loads(out)
    assert code == 0
    assert (found["name"], found["kind"]) == (name, "model")
    if name in WRITERS:
        assert (found["parameters"] > 0, found["macs"]) == (True, None)
        assert "how long a text" in netsmith(f"show {name}").out
        return
    if name in UNCOUNTED_MODELS:
        assert (found["parameters"] > 0, found["macs"]) == (name in ("crf_tagger", "drmm"), None)
        assert found["uncounted"] in netsmith(f"show {name}").out
        return
    assert found["parameters"] == sum(row["parameters"] for row in found["layers"])
    assert found["macs"] > 0


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("lenet5", 61_706, 416_520),
        ("lenet5_1998", 60_000, 415_680),
        ("alexnet", 60_965_224, 724_406_816),
        ("alexnet_ungrouped", 62_378_344, 1_135_256_096),
        ("alexnet_one_column", 61_100_840, 714_188_480),
        ("maxout_cnn", 36_226, 5_625_144),
        ("googlenet", 6_998_552, 1_582_671_872),
        ("mobilenet_v1", 4_231_976, 568_740_352),
        ("resnet50", 25_557_032, 4_089_184_256),
    ],
)
def test_show_counts_as_the_papers(netsmith, name, parameters, macs):
    found = json.loads(netsmith(f"show {name} --json").out)
    assert (found["parameters"], found["macs"]) == (parameters, macs)


def test_show_prints_memory(netsmith):
    out = netsmith("show vgg16").out
    assert "counted for: an input of 3x224x224" in out
    assert netsmith("show VGG16").line == "no recipe, model or run named 'VGG16'; did you mean 'vgg16' or 'vgg16_c'?"
    assert out.splitlines()[-1].endswith("15,470,264,320 multiply-adds per example, 61.0 MB for images and maps")
    assert json.loads(netsmith("show vgg16 --json").out)["memory"] == 4 * 15_237_608


def test_show_knows_lenet_by_heart(netsmith):
    code, out, _ = netsmith("show lenet5_mnist")
    assert code == 0
    assert "61,706 parameters, 416,520 multiply-adds per example" in out
    (claim,) = [line for line in out.splitlines() if line.startswith("claim: ")]
    assert claim.startswith("claim: test/accuracy >= 0.992")
    assert claim.endswith("[0.8 % error with distortions, Fig. 9]")
    assert "image 1x28x28 in, 10 classes out" in out


def test_show_a_run_as_it_is_now(netsmith, tmp_path):
    small = {"data.twin": True, "epochs": 0, "steps": 2}
    run = package.train("mlp_digits", name="one", sets=small, root=tmp_path, notice=lambda _: None)
    found = json.loads(netsmith(f"show {run.path} --json").out)
    assert (found["kind"], found["parameters"], found["macs"]) == ("run", 64 * 64 + 64 + 640 + 10, 64 * 64 + 640)
    assert found["figures"] == run.figures()
    assert found["experiment"]["steps"] == 2
    assert f"test/accuracy {run.figures()['test/accuracy']:.4f}" in netsmith(f"show {run.path}").out
    (run.path / "evaluation.json").unlink()
    assert "it is not finished" in netsmith(f"show {run.path}").out
    assert "is not a run folder" in netsmith(f"show {tmp_path}").line
    Path("resnet20").mkdir()
    assert netsmith("show resnet20").out.startswith("resnet20 (model)")


def test_show_names_a_size_and_a_variant(netsmith):
    assert netsmith("show resnet20").out.startswith("resnet20 (model)")
    assert "alone" in netsmith("show distilled_mnist:alone").out.splitlines()[0]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("show lenet5_mnst", "no recipe, model or run named 'lenet5_mnst'; did you mean 'lenet5_mnist'"),
        ("show distilled_mnist:alon", "no variant of distilled_mnist named 'alon'; did you mean 'alone'?"),
        ("lst", "No such command 'lst'. Did you mean 'list'?"),
        ("list --jsn", "No such option: --jsn"),
        ("show", "Missing argument 'name'; see: "),
        ("data chek .", "No such command 'chek'. Did you mean 'check'?"),
    ],
)
def test_unknown_names(netsmith, command, message):
    found = netsmith(command)
    assert found.code == 2
    assert message in found.line


@pytest.mark.parametrize("arguments", [[], ["data"]])
def test_no_verb_shows_the_help(netsmith, arguments):
    code, out, err = netsmith(" ".join(arguments))
    assert code == 2
    assert "Commands:" in out + err
    assert "netsmith: " not in err


_CHECK = """
import json, sys
before = set(sys.modules)
from netsmith.cli import main
code = main({arguments!r})
found = {{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names)
print(json.dumps([code, sorted(found)]), file=sys.stderr)
"""


def _modules(*arguments: str) -> set[str]:
    result = subprocess.run(
        [sys.executable, "-c", _CHECK.format(arguments=list(arguments))], capture_output=True, text=True, check=True
    )
    code, found = json.loads(result.stderr.splitlines()[-1])
    assert code == 0
    return set(found)


def test_help_imports_the_standard_library_and_typer_only():
    beside = {"__main__", "_distutils_hack", "annotated_doc", "shellingham", "netsmith", "typer", "click"}
    ours = {name for name in _modules("--help") if not name.startswith("__editable__")}
    assert ours <= beside | {"_virtualenv", "sitecustomize"}, ours - beside


def test_list_imports_no_torch():
    found = _modules("list", "--json")
    assert not found & {"torch", "numpy", "rich"}


def test_help_fits_the_screen(netsmith):
    code, out, _ = netsmith("--help")
    assert code == 0
    assert "..." not in out.partition("Commands:")[2]
    assert out.startswith("Usage: netsmith [OPTIONS] COMMAND")
    assert max(map(len, out.splitlines())) <= 80
    verbs = [line.split()[0] for line in out.partition("Commands:\n")[2].splitlines()]
    wanted = (
        "list show import train resume evaluate predict generate translate chat similar search explain compress export "
        "serve compare similarity lab report verify demo data text"
    )
    assert " ".join(verbs) == wanted


def test_version(netsmith):
    import netsmith as package

    assert netsmith("--version")[:2] == (0, f"netsmith {package.__version__}\n")
