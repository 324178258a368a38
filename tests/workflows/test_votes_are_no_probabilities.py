"""A model whose answer is no log-probability says what it is: in predictions, at the terminal, served and explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import netsmith
from netsmith.cli import verbs
from netsmith.core.spec import Outputs
from netsmith.serve._answers import Answers
from netsmith.serve._page import _SCRIPT
from netsmith.serve._requests import Limits
from netsmith.tasks.regress import Regress
from netsmith.tasks.tag import Tag

SETS = {"data.twin": True, "data.batch": 100}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return netsmith.train("svm_digits", sets=SETS, root=tmp_path_factory.mktemp("runs"), notice=pytest.fail)


def test_the_votes_of_a_machine_are_told_as_votes(run) -> None:
    raw = run.network.example(4)
    votes = run.network(raw)
    for prediction, row in zip(run.predict(raw), votes, strict=True):
        assert "probabilities" not in prediction
        assert prediction["scores_are"] == "votes"
        assert prediction["scores"][prediction["label"]] == float(row.max())
        assert list(prediction["scores"].values()) == sorted(row.tolist(), reverse=True)[:5]


def test_the_terminal_prints_votes(run, capsys) -> None:
    raw = run.network.example(1)
    file = Path(run.path) / "one.json"
    file.write_text(json.dumps(raw.tolist()))
    verbs.predict(str(run.path), str(file), seed=None, count=None, code="", as_json=False)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.split("\t")[2] == f"votes {float(run.network(raw).max()):g}"


def test_votes_are_served_as_votes(run) -> None:
    raw = run.network.example(1)
    answer = json.loads(Answers(run.network, Limits())(json.dumps({"inputs": raw.tolist()}).encode()))
    assert answer["predictions"] == run.predict(raw)
    assert "prediction.scores_are" in _SCRIPT


def test_an_explanation_names_votes(run) -> None:
    page = Path(run.explain(method="prototypes,occlusion", count=1).page).read_text()
    row = run.network(run.network.example(1))[0]
    assert run.network.sureness(row) == f"votes: {float(row.max()):.4g}"
    assert "votes: " in page
    assert "%)" not in page


def test_tags_of_sequence_scores_come_with_scores() -> None:
    scores = torch.tensor([[[3.0, 1.0], [-7.0, -2.0]]])
    (found,) = Tag.Config().build().decode_scores(scores, Outputs(kind="tags", names=("a", "b")), kind="path")
    assert found == {"labels": ["a", "b"], "scores": [3.0, -2.0], "scores_are": "path"}


def test_values_are_values_whatever_model_answers() -> None:
    task, outputs = Regress.Config().build(), Outputs(kind="values", names=("y",))
    assert task.decode_scores(torch.ones(2, 1), outputs, kind="votes") == task.decode(torch.ones(2, 1), outputs)
