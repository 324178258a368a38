"""Translating into one of several languages: --to is the mark in front of the text, or is refused by name."""

import json

import pytest

import netsmith as package
from netsmith.workflows.zero_shot import judge_directions


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    root = tmp_path_factory.mktemp("several")
    small = {
        "data.twin": True,
        "data.directions": ["en-de", "en-fr"],
        "data.zero_shot": ["de-fr"],
        "data.merges": 0,
        "epochs": 0,
        "steps": 2,
        "evaluate_every": 2,
        "method.beams": 2,
        "method.longest": 6,
        "method.model.hidden_size": 12,
        "method.model.embedding_size": 12,
    }
    package.train("gnmt_multilingual_multi30k", name="several", sets=small, root=root, notice=lambda _: None)
    return root / "several"


def test_the_language_is_the_mark_in_front(netsmith, several):
    (row,) = json.loads(netsmith(f"translate {several} 'The dog.' --to fr --json").out)
    (marked,) = json.loads(netsmith(f"translate {several} '<2fr> The dog.' --json").out)
    (predicted,) = package.load(several, notice=lambda _: None).predict(["<2fr> The dog."])
    assert row == marked | {"source": "The dog."}
    assert row["tokens"] == predicted["tokens"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("'The dog.' --to fe", "no target language of several named 'fe'; known: de, fr"),
        ("'The dog.' --to en", "no target language of several named 'en'"),
        ("'The dog.'", "several writes de, fr; say which one: --to de"),
        ("'<2de> The dog.' --to fr", "text 1 begins with <2de>, and --to fr is given"),
    ],
)
def test_a_language_that_was_not_taught_is_refused_by_name(netsmith, several, words, says):
    result = netsmith(f"translate {several} {words}")
    assert result.code == 2
    assert says in result.line


def test_a_run_is_judged_by_direction_as_its_own_split_is(several):
    run = package.load(several, notice=lambda _: None)
    (one,) = judge_directions(run, directions=("de-fr",))
    assert one.bleu == pytest.approx(run.evaluate("test-de-fr")["test-de-fr/bleu"])
    assert (one.trained, one.texts, one.pivot) == (False, 40, None)
