"""Translating with a run: the verb, its page, what it refuses; the file takes the likeliest token each time."""

import json
import shlex

import numpy as np
import pytest
import torch

import netsmith as package
from netsmith.core.errors import ConfigError, UserError
from netsmith.data._twin_pairs import twin_sentences
from netsmith.layers.writing import Writing
from netsmith.report.alignment_figure import alignment_chart

SMALL = {
    "data.twin": True,
    "epochs": 0,
    "steps": 60,
    "evaluate_every": 60,
    "method.model.hidden_size": 48,
    "method.model.embedding_size": 48,
    "method.longest": 8,
    "method.model.dropout": 0.0,
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    root = tmp_path_factory.mktemp("translation")
    package.train("bahdanau_multi30k", name="seeing", sets=SMALL, root=root, notice=lambda _: None)
    blind = {**SMALL, "steps": 2, "evaluate_every": 2}
    package.train("bahdanau_multi30k:plain", name="blind", sets=blind, root=root, notice=lambda _: None)
    counted = {"data.twin": True, "method.model.model1": 2, "method.model.model2": 2}
    package.train("phrase_based_multi30k", name="counted", sets=counted, root=root, notice=lambda _: None)
    return root


def test_texts_are_written_a_line_each_as_predict_writes_them(netsmith, runs, tmp_path):
    texts = twin_sentences("en", "test")[:3]
    file = tmp_path / "texts.txt"
    file.write_text("\n".join(texts) + "\n", encoding="utf-8")
    found = netsmith(f"translate {runs}/seeing --file {file}")
    assert found.code == 0, found.err
    lines = found.out.splitlines()
    predicted = json.loads(netsmith(f"predict {runs}/seeing {file} --json").out)
    assert lines == [row["text"] for row in predicted]
    piped = netsmith(f"translate {runs}/seeing --file - --beams 1", stdin=file.read_bytes())
    greedy = package.load(runs / "seeing", notice=lambda _: None).translate(texts, beams=1)
    assert piped.out.splitlines() == [row["text"] for row in greedy]


def test_lines_of_a_file_stay_in_place(netsmith, runs, tmp_path):
    texts = twin_sentences("en", "test")[:2]
    file = tmp_path / "texts.txt"
    file.write_text(f"\n{texts[0]}\n\n \n{texts[1]}\n\u6f22\u5b57\n\n", encoding="utf-8")
    found = netsmith(f"translate {runs}/seeing --file {file}")
    first, second = netsmith(f"translate {runs}/seeing", *texts).out.splitlines()
    written = found.out.split("\n")
    assert written[:5] == ["", first, "", "", second]
    assert len(written) == 8  # 7 lines that end
    assert "row 6: seeing knows no token of it" in found.err
    rows = json.loads(netsmith(f"translate {runs}/seeing --file {file} --json").out)
    assert [row["row"] for row in rows] == [2, 5, 6]
    file.write_text("\n\n" + "so. " * 1000)
    assert "row 3 has 3000 tokens" in netsmith(f"translate {runs}/seeing --file {file}").line
    assert netsmith(f"translate {runs}/seeing a ''").line == "text 2 is empty; expected a text"
    assert netsmith(f"translate {runs}/seeing --file missing").line == "missing: does not exist"
    table = tmp_path / "texts.csv"
    table.write_text(f'id,said\n7,"{texts[0]}"\n', encoding="utf-8")
    assert netsmith(f"translate {runs}/seeing --file {table} --column said").out == first + "\n"
    assert netsmith(f"translate {runs}/seeing --file {table}").line.endswith("say which one with --column")
    assert netsmith(f"translate {runs}/seeing a --column said").line == "--column is for a table: give it with --file"


def test_a_page_shows_what_each_token_looked_at(netsmith, runs, tmp_path):
    page = tmp_path / "looked.html"
    found = netsmith(f"translate {runs}/seeing <b>The</b> --alignments {page} --json --penalty 0.5 --coverage 0.1")
    assert found.code == 0, found.err
    (row,) = json.loads(found.out)
    assert row["source"] == "<b>The</b>"
    looked = np.array(row["attention"])
    assert looked.shape[1] == len(row["source_tokens"])
    assert looked.shape[0] - len(row["tokens"]) in (0, 1)
    np.testing.assert_allclose(looked.sum(1), 1, rtol=1e-5)
    text = page.read_text(encoding="utf-8")
    assert "<b>The" not in text
    assert text.count("<rect") == looked.size


def test_scores_are_those_of_the_search_and_do_not_depend_on_company(runs):
    run = package.load(runs / "seeing", notice=lambda _: None)
    texts = twin_sentences("en", "test")[:70]
    many = run.translate(texts, beams=3, penalty=0.0)
    for place in (0, 65):
        (alone,) = run.translate(texts[place : place + 1], beams=3, penalty=0.0)
        assert alone["text"] == many[place]["text"]
        assert alone["score"] == pytest.approx(many[place]["score"], rel=1e-4)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{0}/seeing", "expected texts, or --file"),
        ("{0}/seeing a --file x.txt", "and not both"),
        ("{0}/seeing a --beams 1 --coverage 0.2", "with one beam there is one"),
        ("{0}/seeing a --alignments {0}/x.png", "a file that ends in .html"),
        ("{0}/blind a --alignments {0}/x.html", "blind has no attention"),
        ("{0}/blind a --coverage 0.2", "has no attention; leave it out"),
        ("{0}/counted a --beams 2", "counted is no neural network that goes token by token"),
        ("{0}/counted a --penalty 1 --coverage 0.2", "leave out penalty and coverage"),
        ("{0}/counted a --alignments {0}/x.html", "leave out alignments"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(netsmith, runs, line, message):
    found = netsmith(f"translate {line.format(runs)}")
    assert found.code == 2
    assert message in found.err
    assert "Traceback" not in found.err


def test_a_translator_of_phrases_translates_as_it_predicts(netsmith, runs):
    texts = twin_sentences("en", "test")[:3]
    found = json.loads(netsmith(f"translate {runs}/counted", *texts, "--json").out)
    predicted = package.load(runs / "counted", notice=lambda _: None).predict(texts)
    assert [one.pop("source") for one in found] == texts
    assert found == predicted
    assert all(one["text"] for one in found)


@pytest.mark.parametrize("name", ["seeing", "counted"])
def test_a_text_without_a_known_token_is_noticed(netsmith, runs, name, tmp_path):
    known = twin_sentences("en", "test")[0]
    found = netsmith(f"translate {runs}/{name} {shlex.quote(known)} 漢字 '漢字 dog.' --json")
    rows = json.loads(found.out)
    assert [row["unknown"] for row in rows[:2]] == [0, 1]
    assert 0 < rows[2]["unknown"] < 1
    assert f"text 2: {name} knows no token of it" in found.err
    file = tmp_path / "texts.txt"
    file.write_text(f"漢字\n{known}\n≠\n", encoding="utf-8")
    predicted = netsmith(f"predict {runs}/{name} {file} --json")
    assert [row["unknown"] for row in json.loads(predicted.out)] == [1, 0, 1]
    assert f"rows 1, 3: {name} knows no token of it" in predicted.err
    assert "knows no token" not in netsmith(f"translate {runs}/{name} {shlex.quote(known)}").err


def test_texts_that_are_too_long_or_empty_are_named(runs):
    run = package.load(runs / "seeing", notice=lambda _: None)
    with pytest.raises(UserError, match="text 2 has 50001 tokens, and seeing reads 512; give"):
        run.translate(["a", "so. " * 16667])
    with pytest.raises(UserError, match="text 1 is empty; expected a text"):
        run.translate([" "])
    with pytest.raises(UserError, match=r"netsmith translate RUN TEXT --alignments"):
        run.explain()
    with pytest.raises(UserError, match=r"blind writes texts, which nothing explains: it has no attention$"):
        package.load(runs / "blind", notice=lambda _: None).explain()
    with pytest.raises(ConfigError, match="beams=0"):
        run.translate(["a"], beams=0)


def test_the_file_writes_what_one_beam_writes(runs, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    network = package.load(runs / "seeing", notice=lambda _: None).network
    assert network.module.beams == 5
    report = network.export(tmp_path / "model.onnx", exporter="fast")
    assert report.exporter == "torchscript"
    session = runtime.InferenceSession(str(tmp_path / "model.onnx"))
    raw = network.encode(twin_sentences("en", "test")[:7])
    (tokens,) = session.run(None, {session.get_inputs()[0].name: raw.numpy()})
    assert isinstance(network.module, Writing)
    with torch.no_grad():
        assert tokens.tolist() == network.module.greedy()(raw).tolist()


def test_export_says_that_its_file_has_no_beams(netsmith, runs, tmp_path):
    found = netsmith(f"export {runs}/blind --output {tmp_path}/model.onnx")
    assert found.code == 0, found.err
    says = "the file writes the likeliest token at each step; the run's figures are of a search with 5 beams"
    assert f"note: {says}" in found.out.splitlines()


def test_a_matrix_that_does_not_fit_its_words_is_refused():
    with pytest.raises(UserError, match="1 rows of \\[2\\] weights; expected 1 of 3"):
        alignment_chart([[0.5, 0.5]], source=["a", "b", "c"], target=["x"], title="t")
