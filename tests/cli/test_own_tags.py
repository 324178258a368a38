"""A tagger of one's own sentences, from the file to answers: what the run keeps of how the file was read."""

import json
from pathlib import Path

SMALL = "--set method.model.hidden_size=4 --set method.model.embedding_size=4 --set epochs=1 --set data.batch=8"


def test_a_run_keeps_the_scheme_it_was_told_and_reads_another_file_in_it(netsmith):
    sentence = "Ann I-PER\nBob B-PER\nsaw O\nYork I-LOC\n\n"
    Path("first.conll").write_text(sentence * 20)
    trained = netsmith(f"train tagger --data first.conll {SMALL}")
    assert trained.code == 0, trained.err
    assert "read as conll: 9 tags (the file's scheme: iob1), 20 texts" in trained.out + trained.err
    kept = json.loads(Path("runs/tagger/experiment.json").read_text())
    assert kept["experiment"]["data"]["scheme"] == "iob1"
    assert netsmith("evaluate runs/tagger").code == 0
    Path("other.conll").write_text("York B-LOC\nsaw O\nAnn B-PER\nBob B-PER\n\n" * 20)
    again = f"train runs/tagger/experiment.json --data other.conll --name other {SMALL}"
    told = netsmith(again).line
    assert "other.conll, row 1: 'B-LOC' follows 'O': B is for a name right after one of its kind" in told
    assert "data.scheme says what tags are (iob1, iob2, bioes, bmes, words, plain, auto)" in told
    assert netsmith(f"{again} --set data.scheme=auto").code == 0
    assert json.loads(Path("runs/other/experiment.json").read_text())["experiment"]["data"]["scheme"] == "iob2"
