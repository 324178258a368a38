"""Evidence: what a status says of claims and figures, and how a student is measured beside its teacher."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import netsmith
from netsmith.api.catalogue import list_recipes, source_sha256
from netsmith.api.experiments import find
from netsmith.core import registry
from netsmith.core.errors import NetsmithError
from netsmith.verify import evidence
from netsmith.verify.shipped import beside_teacher

RECIPE = """
CARD = {
    "paper": "P",
    "seeds": (0, 1),
    "claims": [
        {
            "metric": "test/accuracy", "value": 0.01, "tolerance": 0.0, "source": "s",
            "against": ":alone", "between": "BETWEEN",
        }
    ],
}
VARIANTS = {"alone": {"set": {}, "claims": [], "deviations": ["the control"]}}
"""


def status(tmp_path: Path, ours: dict[str, float], theirs: dict[str, float], *, between: str = "difference") -> Any:
    file = tmp_path / "recipes" / "family" / "net.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(RECIPE.replace("BETWEEN", between))
    hashed = source_sha256(registry.recipes()["net"])
    written = {
        name: {"source_sha256": hashed, "measured": {"test/accuracy": {"seeds": seeds}}}
        for name, seeds in (("default", ours), ("alone", theirs))
        if seeds
    }
    file.with_name("net.evidence.json").write_text(json.dumps({"format": 1, "variants": written}))
    ours_row, alone_row = list_recipes()
    assert alone_row["status"] == ("measured" if theirs else "unverified")
    (claim,) = ours_row["claims"]
    return ours_row["status"], ours_row["level"], claim["measured"]


def test_a_claim_against_another_recipe_is_paired_by_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_PACKAGE", tmp_path)
    found = status(tmp_path, {"0": 0.95, "1": 0.93}, {"1": 0.91, "0": 0.92})
    assert found[:2] == ("reproduced", 3)
    assert found[2] == {"mean": pytest.approx(0.025), "sd": pytest.approx(0.005 * 2**0.5), "n": 2}
    assert status(tmp_path, {"0": 0.95, "1": 0.93}, {"1": 0.94, "0": 0.945})[:2] == ("short", 2)
    # A seed that only one of them has is no pair, and a claim needs every seed of its card.
    assert status(tmp_path, {"0": 0.95, "1": 0.93}, {"1": 0.9, "2": 0.1})[0] == "unverified"
    assert status(tmp_path, {"0": 0.95, "1": 0.93}, {}) == ("unverified", 2, None)
    assert status(tmp_path, {}, {"0": 0.9}) == ("unverified", 0, None)
    ratio = status(tmp_path, {"0": 0.5, "1": 0.25}, {"0": 1.0, "1": 1.0}, between="ratio")
    assert ratio[2]["mean"] == pytest.approx(0.375)


def test_the_share_of_a_gap_is_between_the_control_and_the_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_PACKAGE", tmp_path)
    file = tmp_path / "recipes" / "family" / "net.py"
    file.parent.mkdir(parents=True)
    file.write_text(RECIPE.replace("BETWEEN", "gap_closed").replace('"paper": "P"', '"paper": "P", "teacher": "large"'))
    file.with_name("large.py").write_text('CARD = {"paper": "P"}\n')

    def written(name: str, **variants: dict[str, float]) -> None:
        hashed = source_sha256(registry.recipes()[name])
        content = {
            key: {"source_sha256": hashed, "measured": {"test/accuracy": {"seeds": seeds}}}
            for key, seeds in variants.items()
        }
        file.with_name(f"{name}.evidence.json").write_text(json.dumps({"format": 1, "variants": content}))

    written("net", default={"0": 0.9926, "1": 0.99}, alone={"0": 0.9854, "1": 0.98})
    written("large", default={"0": 0.9933, "1": 1.0})
    rows = {row["name"]: row for row in list_recipes()}
    (claim,) = rows["net"]["claims"]
    shares = [72 / 79, 0.5]  # the paper's 146, 74 and 67 errors close 72 of 79
    assert claim["measured"]["mean"] == pytest.approx(sum(shares) / 2)
    assert claim["measured"]["n"] == 2
    written("large", default={"0": 0.9933, "1": 0.98})  # no better than the control: no gap
    (claim,) = next(row for row in list_recipes() if row["name"] == "net")["claims"]
    assert claim["measured"]["n"] == 1
    file.write_text(file.read_text().replace(', "teacher": "large"', ""))
    with pytest.raises(NetsmithError, match=r"gap_closed needs `against` and the card's `teacher`"):
        list_recipes()


def test_a_changed_recipe_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_PACKAGE", tmp_path)
    assert status(tmp_path, {"0": 0.95, "1": 0.93}, {"0": 0.9, "1": 0.9})[0] == "reproduced"
    file = tmp_path / "recipes" / "family" / "net.py"
    file.write_text(file.read_text() + "\n# changed\n")
    assert [row["status"] for row in list_recipes()] == ["stale", "stale"]


def test_a_student_is_taught_by_its_cards_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, str]] = []

    class Stopped(Exception):
        """Stands in for hours of training."""

    class Trained:
        path = tmp_path / "resnet20_fashion_mnist-seed2"

    def train(target: str, *, sets: dict[str, Any], teacher: str | Path, **_: Any) -> Trained:
        asked.append((target, sets["seed"], str(teacher)))
        if target == "student_fashion_mnist":
            raise Stopped
        return Trained()

    monkeypatch.setattr(evidence, "train", train)
    with pytest.raises(Stopped):
        evidence.reproduce("student_fashion_mnist", root=tmp_path, seeds=(2,))
    assert asked == [
        ("resnet20_fashion_mnist", 2, ""),
        ("student_fashion_mnist", 2, str(Trained.path)),
    ]


def test_a_finished_run_is_used_and_a_cut_one_goes_on(tmp_path: Path) -> None:
    said: list[str] = []
    (whole,) = evidence.reproduce("naive_bayes_digits", root=tmp_path, seeds=(0,), notice=said.append)
    (again,) = evidence.reproduce("naive_bayes_digits", root=tmp_path, seeds=(0,), notice=said.append)
    assert again.path == whole.path
    (whole.path / "evaluation.json").unlink()
    (resumed,) = evidence.reproduce("naive_bayes_digits", root=tmp_path, seeds=(0,), notice=said.append)
    assert resumed.path == whole.path
    assert resumed.figures() == again.figures()
    lines = [line for line in said if line.startswith("naive_bayes_digits-seed0: ")]
    assert [line.split(": ")[1] for line in lines] == ["using the finished run", "going on with the run that was cut"]


def test_a_network_beside_itself_loses_and_gains_nothing(tmp_path: Path) -> None:
    run = netsmith.train("mlp_digits", sets={"epochs": 2}, root=tmp_path, notice=lambda _: None)
    found = beside_teacher(run, run, notice=lambda _: None)
    assert found["onnx/accuracy"] == pytest.approx(run.figures()["test/accuracy"], abs=0.006)  # one image is 0.0056
    assert found["onnx/lost"] == 0
    assert found["onnx/smaller"] == 1
    assert 0.5 < found["onnx/faster"] < 2
    assert found["onnx_int8/smaller"] > 1
    assert found["onnx_int8/lost"] == pytest.approx(found["onnx/accuracy"] - found["onnx_int8/accuracy"])


def test_a_run_of_another_experiment_is_no_evidence(tmp_path: Path) -> None:
    first, second = (
        netsmith.train("mlp_digits", sets={"epochs": epochs}, root=tmp_path, name=f"e{epochs}", notice=lambda _: None)
        for epochs in (1, 2)
    )
    with pytest.raises(NetsmithError, match="e2 is of another experiment than e1"):
        evidence.write_evidence("mlp_digits", [first, second], command="none")
    with pytest.raises(NetsmithError, match="seed 0 occurs twice"):
        evidence.write_evidence("mlp_digits", [first, first], command="none")


def test_a_fine_tuned_run_begins_with_that_of_its_cards_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int, str]] = []

    class Stopped(Exception):
        """Stands in for the training."""

    class Trained:
        path = tmp_path / "base"
        network = SimpleNamespace(module=torch.nn.Linear(1, 1))

    def train(target: str, *, sets: dict[str, Any], start: str | Path, **_: Any) -> Trained:
        asked.append((target, sets["seed"], str(start)))
        if target == "fine_tuned_mnist":
            raise Stopped
        return Trained()

    monkeypatch.setattr(evidence, "train", train)
    with pytest.raises(Stopped):
        evidence.reproduce("fine_tuned_mnist", root=tmp_path, seeds=(2,))
    assert asked == [("fine_tuned_mnist:base", 2, ""), ("fine_tuned_mnist", 2, str(Trained.path))]


def test_what_a_run_began_with_does_not_make_it_another_experiment(tmp_path: Path) -> None:
    """Each seed begins with weights of its own, whose hash is in the config of its run."""
    small = {"data.twin": True, "steps": 2, "evaluate_every": 2, "data.data.batch": 10}
    runs = []
    for seed in (0, 1):
        sets = {**small, "seed": seed}
        base, tuned = f"base{seed}", f"tuned{seed}"
        begun = netsmith.train("fine_tuned_mnist:base", sets=sets, root=tmp_path, name=base, notice=lambda _: None)
        runs.append(
            netsmith.train(
                "fine_tuned_mnist", sets=sets, start=begun.path, root=tmp_path, name=tuned, notice=lambda _: None
            )
        )
    starts = {run.found.config.method.start for run in runs}
    assert len(starts) == 2
    assert "" not in starts
    first, second = (evidence._of_any_start(run.found.config).derive(seed=0) for run in runs)
    assert first == second
    begun_with = runs[1].found.config.method.start
    recipe = find("fine_tuned_mnist", sets={**small, "seed": 1, "method.start": begun_with}).config
    assert evidence._is_of(runs[1].path, recipe)
    assert not evidence._is_of(runs[0].path, recipe.derive(seed=0))  # that one began with other weights
    assert not evidence._is_of(runs[1].path, recipe.derive(**{"optimizers.model.lr": 0.5}))
