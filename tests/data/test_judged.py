"""Cranfield and WikiQA: the official files, twins, and files that break their form."""

import gzip
import os
from pathlib import Path

import pytest

from netsmith.core.errors import DataError, UnknownNameError
from netsmith.data._judged import smart_records
from netsmith.data.cranfield import cranfield, cranfield_collection
from netsmith.data.wikiqa import wikiqa, wikiqa_collection

GIVEN = Path(os.environ.get("NETSMITH_DATA", "nowhere"))
HEAD = "QuestionID\tQuestion\tDocumentID\tDocumentTitle\tSentenceID\tSentence\tLabel"


@pytest.mark.skipif(not (GIVEN / "cranfield").is_dir(), reason="cranfield is not in $NETSMITH_DATA")
def test_cranfield_as_published():
    found = cranfield()
    assert (len(found.documents), len(found.queries), found.closed) == (1400, 225, False)
    first = found.documents["1"]
    assert first.title == "experimental investigation of the aerodynamics of a wing in a slipstream ."
    assert first.text.startswith("experimental investigation of the aerodynamics of a\nwing in a slipstream .\n")
    assert "brenckman" not in first.text
    assert [name for name, document in found.documents.items() if not document.text] == ["471", "995"]
    grades = [grade for query in found.queries for grade in query.grades.values()]
    assert [grades.count(grade) for grade in (4, 3, 2, 1, 0)] == [128, 387, 734, 363, 225]
    assert found.queries[0].text.startswith("what similarity laws must be obeyed when")
    assert {found.queries[0].grades[name] for name in ("184", "29", "31")} == {3}
    assert found.queries[-1].grades["1188"] == 0
    assert all(query.answered for query in found.queries)


@pytest.mark.skipif(not (GIVEN / "wikiqa").is_dir(), reason="wikiqa is not in $NETSMITH_DATA")
@pytest.mark.parametrize(
    ("part", "questions", "pairs", "answered", "answers"),
    [("train", 2118, 20360, 873, 1040), ("dev", 296, 2733, 126, 140), ("test", 633, 6165, 243, 293)],
)
def test_wikiqa_as_published(part, questions, pairs, answered, answers):
    found = wikiqa(part)
    assert (len(found.queries), found.closed) == (questions, True)
    assert sum(len(query.grades) for query in found.queries) == pairs
    assert sum(query.answered for query in found.queries) == answered
    assert sum(sum(query.grades.values()) for query in found.queries) == answers


def test_twins_are_the_same_each_time_and_differ():
    assert cranfield(twin=True) == cranfield(twin=True)
    assert wikiqa("dev", twin=True) != wikiqa("test", twin=True)
    for found in (cranfield(twin=True), wikiqa("train", twin=True)):
        assert sum(query.answered for query in found.queries) >= 25
        assert all(set(query.grades) <= set(found.documents) for query in found.queries)
    assert all(len(query.grades) == 12 for query in wikiqa("train", twin=True).queries)
    with pytest.raises(UnknownNameError, match=r"'tests'.*'test'"):
        wikiqa("tests")


def test_unpacked_files_will_do_and_wrong_ones_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NETSMITH_OFFLINE", "1")
    with pytest.raises(DataError, match=r"WikiQA-dev.tsv.gz: is not at hand"):
        wikiqa("dev")
    with pytest.raises(DataError, match=r"cran.all.1400: is not at hand"):
        cranfield()
    (tmp_path / "wikiqa").mkdir()
    if (GIVEN / "wikiqa" / "WikiQA-dev.tsv.gz").is_file():
        (tmp_path / "wikiqa" / "WikiQA-dev.tsv").write_bytes(
            gzip.decompress((GIVEN / "wikiqa" / "WikiQA-dev.tsv.gz").read_bytes())
        )
        assert len(wikiqa("dev").queries) == 296
    (tmp_path / "wikiqa" / "WikiQA-dev.tsv").write_text(HEAD)
    with pytest.raises(DataError, match=r"WikiQA-dev.tsv: has .* bytes; expected 579837"):
        wikiqa("dev")


def test_records_in_the_smart_format():
    text = ".I 1\r\n.T\r\na\r\ntitle\r\n.W\r\nbody .I 2\r\n.W\r\nmore\n.I 002\r.W\r"
    assert smart_records(text, "x") == [{"I": "1", "T": "a\ntitle", "W": "body .I 2\nmore"}, {"I": "002", "W": ""}]
    for wrong, row in (("\n.I\n", 2), ("hello", 1), (".I 1\n\nhello", 3), (".W\n", 1)):
        with pytest.raises(DataError, match=f"x, row {row}: "):
            smart_records(wrong, "x")


def test_judgments_that_break_their_form_name_the_line():
    documents, queries = ".I 1\n.T\none\n.I 2\n.T\ntwo\n.W\ntwo text", ".I 007\n.W\nwho\n"
    found = cranfield_collection(documents, queries, "1 1 1\n1 2 -1 \n")
    assert found.queries[0].grades == {"1": 4, "2": 0}
    assert (found.queries[0].name, found.documents["1"].text, found.documents["2"].text) == ("1", "one", "two text")
    for wrong in ("2 1 1", "1 3 1", "1 1 5", "1 1", "1 1 1 1", "a 1 1"):
        with pytest.raises(DataError, match=r"cranqrel, row 2: .*expected a query of 1..1, a document, and a code"):
            cranfield_collection(documents, queries, f"1 1 1\n{wrong}\n")


def test_rows_of_wikiqa_that_break_their_form_name_the_row():
    row = 'Q1\twho "is\tD1\tPage\tD1-0\tHe is .\t1'
    found = wikiqa_collection(f"{HEAD}\r\n{row}\r\n\r\n".encode(), "w.tsv")
    assert found.queries[0].text == 'who "is'
    assert found.queries[0].grades == {"D1-0": 1}
    assert found.documents["D1-0"].title == "Page"
    for wrong, says in (
        ("a\tb", "2 cells"),
        (row[:-1] + "2", "the last '2'"),
        (row.replace("He", "She"), "another one"),
        ("\udcff", "not UTF-8"),
    ):
        with pytest.raises(DataError, match=rf"w\.tsv, row 3: .*{says}"):
            wikiqa_collection(f"{HEAD}\n{row}\n{wrong}\n".encode(errors="surrogateescape"), "w.tsv")
    with pytest.raises(DataError, match=r"w\.tsv, row 1: begins with"):
        wikiqa_collection(b"a\tb\n", "w.tsv")
