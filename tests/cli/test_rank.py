"""A ranking learned, kept in a run: the same scores from texts, from its file and in a search."""

import json
from pathlib import Path

import pytest
import torch

import netsmith as package
from netsmith.engine.task import figures
from netsmith.serve._requests import Limits, Refused, Requests


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("ranking")
    sets = {"data.twin": True, "epochs": 0, "steps": 4, "device": "cpu"}
    return package.train("drmm_wikiqa", sets=sets, root=root, name="run", notice=lambda _: None)


def test_a_saved_run_predicts_from_texts_what_it_was_judged_by(run):
    again = package.load(run.path, notice=lambda _: None)
    source = run.engine.source
    network, metrics = again.network, again.method.metrics()
    questions = source.questions("test")
    for at, one in enumerate(questions):
        texts = [source._documents[name] for name in one.candidates]
        raw = network.encode([{"query": one.text, "documents": texts}])
        scores = network(raw)
        for metric in metrics.values():
            metric.update(scores, torch.tensor([one.grades]))
        loaded = source.load("test", torch.tensor([at]))
        assert torch.allclose(network(loaded.inputs), scores, rtol=1e-5, atol=1e-6)
    found = figures(metrics, "test")
    for name, value in run.figures().items():
        if name.startswith("test/"):
            assert found[name] == pytest.approx(value, rel=1e-4), name
    counts = again.network.module.counts
    assert float(counts.documents) == 120
    assert torch.equal(counts.idf, run.method.model.counts.idf)
    assert counts.idf.any()


def test_predict_and_search_take_texts(netsmith, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vocabulary = [word for word in run.network.spec.inputs.vocabulary[2:] if not word.startswith("<")]
    first, second, third = vocabulary[-1], vocabulary[-2], "zeppelin"  # the last was seen by nobody
    rows = [
        {"query": f"{first} {third}", "documents": [second, f"{first} {third}", f"{third} {second}"]},
        {"query": second, "documents": [first, second]},
    ]
    Path("asked.jsonl").write_text("\n".join(map(json.dumps, rows)))
    code, out, err = netsmith(f"predict {run.path} asked.jsonl --json")
    assert code == 0, err
    answers = json.loads(out)
    answers = [answer.get("prediction", answer) for answer in answers]
    assert [sorted(answer["ranking"]) for answer in answers] == [[0, 1, 2], [0, 1]]
    assert all(answer["scores"] == sorted(answer["scores"], reverse=True) for answer in answers)
    best, line = answers[0], netsmith(f"predict {run.path} asked.jsonl").out.splitlines()[0]
    ranked = [f"text {at + 1}: {score:.6g}" for at, score in zip(best["ranking"], best["scores"], strict=True)]
    assert line.split("\t")[1] == ", ".join(ranked)
    texts = rows[0]["documents"]
    Path("texts").mkdir()
    for number, text in enumerate(texts):
        Path(f"texts/{number}.txt").write_text(text)
    found = json.loads(netsmith(f"search texts '{rows[0]['query']}' --model {run.path} --json").out)
    ranked = [(int(Path(hit["path"]).stem), pytest.approx(hit["score"], rel=1e-5)) for hit in found["hits"]]
    wanted = [pair for pair in zip(answers[0]["ranking"], answers[0]["scores"], strict=True) if pair[0] != 0]
    assert [(place, score) for place, score in wanted] == ranked  # the first text has no word of the query
    assert found["model"] == str(run.path)
    Path("plain.txt").write_text("some words\n")
    assert "query 1 is 'some words'; expected {'query': a text" in netsmith(f"predict {run.path} plain.txt").line


def test_a_request_holds_queries_with_documents(run):
    requests = Requests(run.network, Limits())
    (answer,) = run.network.answers(requests.encode(requests.example))
    assert sorted(answer["ranking"]) == [0, 1]
    for wrong in ("text", {"query": "a"}, {"query": "a", "documents": []}, {"query": "a", "documents": [""]}):
        with pytest.raises(Refused):
            requests.encode({"inputs": [wrong]})


def test_a_run_that_does_not_rank_is_refused(netsmith, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sets = {"data.twin": True, "epochs": 0, "steps": 2, "device": "cpu"}
    package.train("naive_bayes_mr", sets=sets, root=tmp_path, name="other", notice=lambda _: None)
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("wing")
    result = netsmith("search texts wing --model other")
    assert result.code == 2
    assert "other answers classes, and a search needs a ranking" in result.line
