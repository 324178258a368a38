"""A tagger of one's own sentences, from the file to answers: what the run keeps of how the file was read."""

import json
from pathlib import Path

SMALL = "--set method.model.hidden_size=4 --set method.model.embedding_size=4 --set data.batch=8"


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


def test_tags_that_mark_no_names_are_shown_at_their_tokens(netsmith):
    Path("pos.conll").write_text("she PRP\nsleeps VBZ\n\n" * 20)
    plain = "--set method.task.scheme= --set select=dev/accuracy --set epochs=12"
    trained = netsmith(f"train tagger --data pos.conll {SMALL} {plain}")
    assert trained.code == 0, trained.err
    found = netsmith("predict runs/tagger", stdin=b"she sleeps\nx y\n")
    assert found.out.splitlines()[0] == "row 1\tshe/PRP sleeps/VBZ"
    assert found.err == "row 2: tagger knows no token of it; its answer says nothing of what it read\n"
    refused = netsmith(f"train tagger --data pos.conll {SMALL}").line
    assert refused.endswith("--set method.task.scheme= --set select=dev/accuracy, as they mark no names")


def test_recipes_of_other_data_take_a_file_in_the_scheme_of_their_task(netsmith):
    names, words = "Ann I-PER\nBob B-PER\nsaw O\nYork I-LOC\n\n", "北 B\n京 E\n我 S\n\n"
    Path("names.conll").write_text(names * 20)
    Path("words.conll").write_text(words * 20, encoding="utf-8")
    for recipe, scheme in (("elman_atis", "iob2"), ("crf_resume", "bmes")):
        told = netsmith(f"train {recipe} --data names.conll --set epochs=1 --name {recipe}")
        assert told.code == 0, told.err
        kept = json.loads(Path(f"runs/{recipe}/experiment.json").read_text())["experiment"]["data"]
        assert (kept["scheme"], kept["written"]) == ("iob1", scheme)
    assert netsmith("train hmm_segmenter_ud --data words.conll").code == 0
    refused = netsmith("train hmm_segmenter_ud --data names.conll --name refused")
    assert "scheme='words': 'B-LOC'" in refused.line
    assert "━" not in refused.err  # before anything is learned
