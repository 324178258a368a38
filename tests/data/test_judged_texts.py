"""One's own judged texts: every form of file gives the same queries; what breaks a form is named with file and row."""

import csv
import io
import json
import statistics
import zipfile
from pathlib import Path

import pytest
import torch

import netsmith
from netsmith.api.experiments import find
from netsmith.api.own_data import reads_own_data, with_data
from netsmith.core.errors import ConfigError, DataError
from netsmith.data._judged import twin_collection
from netsmith.data._matching import MatchingFields
from netsmith.data._sniff import describe
from netsmith.data.cranfield_ranking import CranfieldRanking
from netsmith.data.judged_texts import JudgedTexts
from netsmith.measure.ranking import average_precision

SPLITS = ("train", "dev", "test")
ROWS = [
    (f'who made "thing {n}"', text, grade)
    for n in range(20)
    for text, grade in ((f"thing {n} was made by smith {n}", 2), (f"a thing, {n}", 0), ("nobody knows", 0))
]
TSV = "".join(f"{query}\t{text}\t{grade}\n" for query, text, grade in ROWS)
SPARSE = "query\ttext\tgrade\n" + "".join(f"q{n}\ttext {n}\t{n % 2}\n" for n in range(20))  # a text for each query
NUMBERED = [(n, f"q{n}", f"text {n}") for n in range(40)]


def as_csv(header, rows):
    file = io.StringIO()
    csv.writer(file).writerows([header, *rows] if header else rows)
    return file.getvalue()


def source_of(base, files, **fields):
    """Write files (a path below ``base`` and its contents each) and read the first one, or the folder of several."""
    for name, text in files.items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return JudgedTexts.Config(path=str(base / next(iter(files)) if len(files) == 1 else base), **fields).build()


def questions(source):
    """Return what is to be ranked for each query, by split: its words, and texts with their grades."""
    return {
        split.name: {
            one.text: (
                sorted(
                    (source._documents[name], grade) for name, grade in zip(one.candidates, one.grades, strict=True)
                ),
                sorted(one.missed),
            )
            for one in source.questions(split.name)
        }
        for split in source.spec.splits
    }


WIKIQA = ("QuestionID", "Question", "DocumentID", "Sentence", "Label")


@pytest.mark.parametrize(
    ("name", "text", "fields"),
    [
        ("a.tsv", TSV, {}),
        ("a.tsv", b"\xef\xbb\xbf" + ("Q\tPassage\tRelevance\n" + TSV).replace("\n", "\r\n").encode(), {}),
        ("a.csv", as_csv((), ROWS), {}),
        ("a.csv", as_csv(("grade", "text", "query"), [row[::-1] for row in ROWS]), {}),
        ("a.tsv", "\t".join(WIKIQA) + "\n" + "".join(f"Q\t{q}\tD\t{t}\t{g}\n" for q, t, g in ROWS), {}),
        (
            "a.csv",
            as_csv(("to", "from", "n", "how"), [(t, q, 7, g) for q, t, g in ROWS]),
            {"query": "from", "text": "to", "grade": "how"},
        ),
        ("a.jsonl", "".join(json.dumps({"grade": g, "query": q, "text": t, "id": 1}) + "\n" for q, t, g in ROWS), {}),
        ("a.tsv", TSV + TSV[: TSV.index("\n") + 1], {}),  # a row that comes twice
    ],
)
def test_tables_of_every_form(tmp_path, name, text, fields):
    source = source_of(tmp_path, {name: text}, **fields)
    found = {query: told for of in questions(source).values() for query, told in of.items()}
    assert found == {
        query: (sorted((t, g) for q, t, g in ROWS if q == query), []) for query in {query for query, _, _ in ROWS}
    }
    assert describe(source) == "read as judged texts: 20 queries, split 80/10/10, seed 0"
    again = source_of(tmp_path, {"again.tsv": TSV})
    assert questions(again) == questions(source)  # the draw depends on the queries and the seed alone
    assert [split.sha256 for split in again.spec.splits] == [split.sha256 for split in source.spec.splits]


def test_splits_are_drawn_by_query_and_training_does_not_see_their_texts(tmp_path):
    drawn = [source_of(tmp_path, {"a.tsv": TSV}, dev=0.2, test=0.3, split_seed=seed) for seed in (0, 1)]
    for source in drawn:
        parts = questions(source)
        assert {split: len(of) for split, of in parts.items()} == {"train": 10, "dev": 4, "test": 6}
        assert len(set().union(*parts.values())) == 20
        own = {text for texts, _ in parts["train"].values() for text, _ in texts}
        assert set(source._seen) == own
        assert "nobody" in source.spec.inputs.vocabulary
        numbers = {word for word in source.spec.inputs.vocabulary if word.isdigit()}
        assert numbers == {query.split()[-1].strip('"') for query in parts["train"]}
    assert questions(drawn[0]) != questions(drawn[1])
    assert [split.seed for split in drawn[1].spec.splits] == [1, 1, 1]


def test_splits_that_are_given_stay_and_others_are_drawn(tmp_path):
    lines = TSV.splitlines(keepends=True)
    source = source_of(tmp_path, {"train.tsv": "".join(lines[:45]), "validation.tsv": "".join(lines[45:])}, test=0.2)
    parts = questions(source)
    assert {split: len(of) for split, of in parts.items()} == {"train": 12, "dev": 5, "test": 3}
    assert set(parts["dev"]) == {query for query, _, _ in ROWS[45:]}
    assert [split.made for split in source.spec.splits] == ["seeded 80/20", "given", "seeded 80/20"]
    assert [split.seed for split in source.spec.splits] == [0, 0, 0]
    assert not {text for text, _ in parts["dev"]['who made "thing 19"'][0]} - {"nobody knows"} & set(source._seen)


def test_queries_that_nothing_answers_are_left_out(tmp_path):
    more = "".join(f"unanswered {n}\ttext {n}\t{-n}\n" for n in range(3))
    source = source_of(tmp_path, {"a.tsv": TSV + more})
    assert source.unanswered == 3
    assert describe(source).startswith("read as judged texts: 20 queries, 3 more that nothing answers left out, split")
    assert not any(query.startswith("unanswered") for of in questions(source).values() for query in of)


def collection_files(layout):
    twin = twin_collection("cranfield", closed=False, count=160)
    number = {name: f"{at:03}" for at, name in enumerate(twin.documents)}  # a folder's order is that of its names
    documents = {number[one.name]: one.text for one in twin.documents.values()}
    grades = [(query.name, number[name], grade) for query in twin.queries for name, grade in query.grades.items()]
    if layout == "trec":
        return {
            "topics.tsv": "".join(f"{query.name}\t{query.text}\n" for query in twin.queries),
            "qrels.txt": "".join(f"{query} 0 {name}  {grade}\n" for query, name, grade in grades),
            **{f"documents/{name}.txt": text for name, text in documents.items()},
        }
    return {
        "qrels/train.tsv": "query-id\tcorpus-id\tscore\n" + "".join(f"{q}\t{n}\t{g}\n" for q, n, g in grades),
        "queries.jsonl": "".join(json.dumps({"_id": one.name, "text": one.text}) + "\n" for one in twin.queries),
        "corpus.jsonl": "".join(
            json.dumps({"_id": name, "title": text.split(" ", 1)[0], "text": text.split(" ", 1)[1]}) + "\n"
            for name, text in documents.items()
        ),
    }


@pytest.mark.parametrize("layout", ["trec", "beir"])
def test_a_collection_is_ranked_as_cranfields(tmp_path, layout):
    files = collection_files(layout)
    archive = tmp_path / "own.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for name, text in files.items():
            target.writestr(f"own/{name}", text)
    source = JudgedTexts.Config(path=str(archive), candidates=20, dev=0.2, test=0.3).build()
    wanted = CranfieldRanking.Config(twin=True, candidates=20).build()
    merged = [{query: told for of in questions(one).values() for query, told in of.items()} for one in (source, wanted)]
    assert merged[0] == merged[1]
    assert len(merged[0]) == 159
    assert source._seen == wanted._seen
    assert len(source._seen) == 120


def test_of_a_collection_the_best_100_are_ranked_or_what_is_judged(tmp_path):
    source = source_of(tmp_path, collection_files("trec"))
    assert {len(one.candidates) for split in SPLITS for one in source.questions(split)} == {100}
    few = {
        "queries.csv": "id,text\nq1,red\nq2,blue\nq3,green\n",
        "docs.tsv": "a\tred sky\nb\tblue sea\nc\tgreen hill\n",
    }
    grades = ["q1 0 a 1\nq1 0 b 0\n", "q2 b 1\nq2 c 0\n\n", "q\td\tg\nq3\tc\t3\nq3\ta\t-2\n"]
    few |= {f"qrels.{split}": text for split, text in zip(SPLITS, grades, strict=True)}
    source = source_of(tmp_path / "few", few, candidates=0)
    assert questions(source) == {
        "train": {"red": ([("blue sea", 0), ("red sky", 1)], [])},
        "dev": {"blue": ([("blue sea", 1), ("green hill", 0)], [])},
        "test": {"green": ([("green hill", 3), ("red sky", 0)], [])},
    }
    assert [split.made for split in source.spec.splits] == ["given"] * 3
    assert len(source._seen) == 3


def texts_of(base, files):
    return source_of(base, files, candidates=0, dev=0, test=0)._documents


FIRST = {"queries.tsv": "q1\tred\n", "qrels.txt": "q1 0 a 1\nq1 0 z 0\n"}


@pytest.mark.parametrize(
    ("documents", "first"),
    [
        ({"documents.tsv": "z\tthe body, text, and mind\na\tred\n"}, "the body, text, and mind"),
        ({"documents.tsv": "z\ttext\na\tred\n"}, "text"),
        ({"documents.csv": 'z,"the id; body, text"\na,red\n'}, "the id; body, text"),
        ({"documents.csv": '"z";"a, id, text"\na;red\n'}, "a, id, text"),
        ({"documents.csv": '\n"id","text"\nz,"the body, text"\na,red\n'}, "the body, text"),
        ({"documents.tsv": "ID\ttitle\nz\tthe body\na\tred\n"}, "the body"),
        ({"documents.tsv": "id\ttitle\ttext\nz\tthe\tbody\na\t\tred\n"}, "the body"),
    ],
)
def test_every_text_of_a_collection_is_read_once(tmp_path, documents, first):
    assert texts_of(tmp_path, FIRST | documents) == {"z": first, "a": "red"}


def test_a_csv_without_a_header_may_begin_with_a_text_of_two_lines(tmp_path):
    rows = '"who\nmade",first text,1\n"who\nmade","other, text",0\n'
    source = source_of(tmp_path, {"a.csv": rows}, dev=0, test=0)
    assert questions(source)["train"] == {"who\nmade": ([("first text", 1), ("other, text", 0)], [])}


def test_files_beside_the_judgments_are_let_be(tmp_path):
    beside = {
        "qrels.md5": "0123",
        "qrels.test.gz": b"\x1f",
        "qrels/README.md": "judged twice",
        "qrels/old/dev.tsv": "?",
    }
    assert texts_of(tmp_path, FOLDER | {"qrels.txt": "q1 0 a 1\nq1 0 b 0\n"} | beside).keys() == {"a", "b"}


def test_a_draw_that_leaves_no_query_for_training_says_so(tmp_path):
    rows = "".join(f"query {n}\ttext {n} {m}\t{m}\n" for n in range(10) for m in (0, 1))
    says = r"has 10 queries .* leave none for training; draw less: --set data\.dev=0\.1 --set data\.test=0\.1"
    with pytest.raises(DataError, match=says):
        source_of(tmp_path, {"a.tsv": rows}, dev=0.49, test=0.49)


def test_a_table_without_texts_that_do_not_answer_takes_them_from_a_search(tmp_path):
    with pytest.raises(DataError, match=r"no query for training with both .* --set data\.candidates=100"):
        source_of(tmp_path, {"a.tsv": SPARSE})
    source = source_of(tmp_path, {"a.tsv": SPARSE}, candidates=5)
    for split in SPLITS:
        for one in source.questions(split):
            assert len(one.candidates) == 5
            assert sum(one.grades) + sum(one.missed) == 1
    assert any(one.missed for split in ("dev", "test") for one in source.questions(split))
    assert source.unanswered == 10


FOLDER = {"queries.tsv": "q1\tred\nq2\tblue\n", "documents.tsv": "a\tred sky\nb\tblue sea\n", "qrels.txt": "q1 0 a 1\n"}
LOOSE = {"queries.tsv": "q1\tred\n", "documents/a.txt": "red sky", "qrels.txt": "q1 0 a 1\n"}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a.tsv": TSV + "a\tb\n"}, r"^a\.tsv, row 61: has 2 columns; the first row has 3"),
        ({"a.tsv": TSV + "a\t \t1\n"}, r"^a\.tsv, row 61: column '2' holds ' ', which has no word; expected"),
        ({"a.tsv": TSV + "?!\tb\t1\n"}, r"^a\.tsv, row 61: column '1' holds '\?!', which has no word"),
        ({"a.tsv": TSV + "a\tb\tyes\n"}, r"^a\.tsv, row 61: column '3' holds 'yes'; expected a whole number"),
        ({"a.tsv": TSV + "a\tb\t0.5\n"}, r"^a\.tsv, row 61: column '3' holds '0\.5'; expected a whole number"),
        ({"a.tsv": TSV + "a\tb\t1001\n"}, r"row 61: column '3' holds '1001'; expected a whole number of at most 1000"),
        ({"a.tsv": TSV + "a\tb\t1\n\na\tb\t2\n"}, r"^a\.tsv, row 63: judges this query and text 2, which is 1 in row"),
        ({"a.tsv": (TSV + "gr\u00fcn\tb\t1\n").encode("latin-1")}, r"^a\.tsv, row 61: holds the byte 0xfc, not UTF-8"),
        ({"a.tsv": TSV.encode("utf-16")}, r"^a\.tsv, row 1: is encoded as UTF-16"),
        ({"a.tsv": TSV + "a\0\tb\t1\n"}, r"^a\.tsv, row 61: holds a NUL byte"),
        ({"a.tsv": ""}, r"^a\.tsv: holds no row"),
        ({"a.tsv": "query\ttext\tgrade\n"}, r"^a\.tsv: holds no row"),
        ({"a.tsv": "a\tb\tc\td\n1\t2\t3\t4\n"}, r"'c', 'd'; say which is query and text and grade: --set"),
        ({"a.csv": as_csv(("id", "question", "answer"), NUMBERED)}, r"say which is grade: --"),
        ({"a.csv": as_csv(("n", "question", "answer"), NUMBERED)}, r"say which is grade: --"),
        ({"a.csv": as_csv(("id", "one", "other"), NUMBERED)}, r"say which is query and text and grade"),
        ({"a.tsv": "query\ttext\n1\t2\n"}, r"^a\.tsv, row 1: has the columns 'query', 'text'; say which is grade"),
        ({"a.jsonl": '{"query": "a", "text": 5, "grade": 1}\n'}, r"^a\.jsonl, row 1: column 'text' holds 5, which"),
        ({"a.jsonl": '{"query": "a", "text": "b", "grade": null}\n'}, r"^a\.jsonl, row 1: column 'grade' holds None;"),
        ({"a.jsonl": '{"query": "a", "text": "b", "grade": 1.5}\n'}, r"^a\.jsonl, row 1: column 'grade' holds 1\.5;"),
        ({"a.tsv": "q\ttext\t1\nq\tother\t0\n"}, r"^a\.tsv: has 1 queries .* too few to draw a dev .* data\.dev=0$"),
        ({"train.tsv": TSV, "dev.tsv": "a\tb\t0\n"}, r"^dev\.tsv: holds no query that a text answers"),
        ({"train.tsv": TSV, "train.csv": "a,b,0\n"}, r"train\.\w+ and train\.\w+ are both the split 'train'"),
        ({"a.txt": TSV, "b.txt": TSV}, r"holds neither train\.tsv .* nor qrels with queries and documents"),
        (FOLDER | {"qrels.txt": "q1 0 a 1\nq1 0 c 0\n"}, r"^qrels\.txt, row 2: judges the document 'c', which is not"),
        (FOLDER | {"qrels.txt": "q1 0 a 1\nq9 0 a 0\n"}, r"^qrels\.txt, row 2: judges the query 'q9', which is not"),
        (FOLDER | {"qrels.txt": "q1 0 a 1\nq1 0 a 0\n"}, r"^qrels\.txt, row 2: judges 'q1' and 'a' 0, and 1 above"),
        (FOLDER | {"qrels.txt": "q1 0 a 1\nq1 0 a b 0\n"}, r"^qrels\.txt, row 2: .* has 5 columns; expected query"),
        (FOLDER | {"qrels.txt": "q1 0 a 1\nq1 0 b yes\n"}, r"^qrels\.txt, row 2: the last column holds 'yes'"),
        (FOLDER | {"qrels.txt": "q1 0 a yes\nq1 0 b 1\n"}, r"^qrels\.txt, row 1: the last column holds 'yes'"),
        (FOLDER | {"qrels.txt": "q1 0 c yes\nq1 0 b 1\n"}, r"^qrels\.txt, row 1: judges the document 'c', which"),
        (FOLDER | {"qrels.txt": "q9 0 a yes\nq1 0 b 1\n"}, r"^qrels\.txt, row 1: judges the query 'q9', which"),
        (FOLDER | {"qrels.txt": "q d g\nq b g\n"}, r"^qrels\.txt, row 2: judges the query 'q'"),
        (FOLDER | {"qrels.txt": "q\nq1 0 a 1\nq1 0 b\n"}, r"^qrels\.txt, row 3: judges the document '0'"),
        (FOLDER | {"qrels.heldout.tsv": "q1 0 b 1\n"}, r"holds qrels\.heldout\.tsv, which names no split; expected"),
        (FOLDER | {"qrels/heldout.tsv": "q1 0 b 1\n"}, r"holds qrels/heldout\.tsv, which names no split"),
        (FOLDER | {"qrels.tsv": "q1 0 a 1\n"}, r"qrels\.txt and qrels\.tsv are both judgments of 'train'"),
        (FOLDER | {"queries.csv": "id,text\nq1,red\n"}, r"holds queries\.csv, queries\.tsv; expected .* queries"),
        ({"qrels.txt": "q1 0 a 1\n", "queries.tsv": "q1\tred\n"}, r"holds qrels; expected beside qrels one of doc"),
        (FOLDER | {"queries.tsv": "q1\tred\nq1\tblue\n"}, r"^queries\.tsv, row 2: the id 'q1' is there twice"),
        (FOLDER | {"queries.tsv": "q1\tred\n \tblue\n"}, r"^queries\.tsv, row 2: the id ' ' is empty"),
        (FOLDER | {"documents.tsv": "a\tred\nb\t...\n"}, r"^documents\.tsv, row 2: column '2' holds '\.\.\.', which"),
        (FOLDER | {"documents.tsv": "id\nred\n"}, r"^documents\.tsv, row 1: has the column 'id' alone"),
        (FOLDER | {"documents.tsv": "red\n"}, r"^documents\.tsv, row 1: has the column '1' alone"),
        (FOLDER | {"documents/a.txt": "red"}, r"holds documents\.tsv and documents/a\.txt; expected texts in"),
        (LOOSE | {"documents/a": "red"}, r"documents/a and documents/a\.txt are both the text 'a'; keep one"),
        (LOOSE | {"docs/a.txt": "red"}, r"docs/a\.txt and documents/a\.txt are both the text 'a'; keep one"),
        (LOOSE | {"documents/a.txt": b"\xff\xfe"}, r"^a\.txt, row 1: is encoded as UTF-16"),
        (LOOSE | {"documents/a.txt": "!"}, r"^a\.txt: has no word"),
        ({"qrels/test.tsv": "q1 0 a 1\n", "queries.tsv": "a\tb\n"}, r"holds qrels/test\.tsv but no judgments of train"),
    ],
)  # fmt: skip
def test_what_breaks_a_form_is_named(tmp_path, files, says):
    with pytest.raises(DataError, match=says):
        source_of(tmp_path, files)


def test_settings_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"JudgedTexts\.Config\.path is empty; expected a table or a folder \(--data"):
        JudgedTexts.Config().build()
    with pytest.raises(DataError, match=r"a\.tsv, row 1: has no column 'tekst'"):
        source_of(tmp_path, {"a.tsv": "query\ttext\tgrade\na\tb\t1\n"}, text="tekst")
    with pytest.raises(DataError, match="takes one column for two of query, text, grade"):
        source_of(tmp_path, {"a.tsv": "query\ttext\tgrade\na\tb\t1\n"}, query="text", text="text", grade="grade")
    with pytest.raises(ConfigError, match=r"data\.header says how a table is read, and own is a collection with qrels"):
        source_of(tmp_path / "own", FOLDER, header=False)


def test_long_and_strange_texts_are_read(tmp_path):
    strange = [
        "\u4e2d\u6587 \u6d4b\u8bd5 \U0001f600",
        "word " * 20_000 + "end",
        "a \"quote' \u2028 here",
        "x" * 100_000,
    ]
    rows = "".join(f"query {n}\t{text}\t{m == n % 4}\n" for n in range(12) for m, text in enumerate(strange))
    source = source_of(tmp_path, {"a.tsv": rows.replace("True", "1").replace("False", "0")}, max_length=50)
    found = questions(source)["train"]
    assert {text for texts, _ in found.values() for text, _ in texts} == set(strange)
    assert source.load("train", torch.arange(2), key=3).inputs.shape[2] == 50


@pytest.mark.parametrize("name", ["drmm_wikiqa", "knrm_wikiqa", "dssm_wikiqa", "bm25_cranfield", "drmm_cranfield"])
def test_a_recipe_keeps_how_it_reads_texts(tmp_path, name):
    (tmp_path / "a.tsv").write_text(TSV)
    found = find(name)
    own = with_data(found, tmp_path / "a.tsv").config.data
    assert reads_own_data(own)
    kept = [field for field in MatchingFields.model_fields if field != "twin"]
    assert own == JudgedTexts.Config(
        path=str(tmp_path / "a.tsv"), **{field: getattr(found.config.data, field) for field in kept}
    )


def test_a_recipe_learns_from_ones_own_table_and_answers_without_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    twin = twin_collection("own", closed=True, count=120)
    rows = [(query, name, grade) for query in twin.queries for name, grade in query.grades.items()]
    Path("own.tsv").write_text(
        "".join(f"{query.text} {query.name}\t{twin.documents[name].text}\t{grade}\n" for query, name, grade in rows)
    )
    sets = {"epochs": 0, "steps": 40, "device": "cpu", "data.dev": 0.2, "data.test": 0.2}
    notices = []
    run = netsmith.train("drmm_wikiqa", data="own.tsv", sets=sets, notice=notices.append)
    assert "read as judged texts: " in notices[0]
    asked = run.engine.source.questions("test")
    as_they_stand = statistics.fmean(average_precision(one.grades) for one in asked)
    assert run.figures()["test/map"] > as_they_stand + 0.2
    again = netsmith.load(run.path, notice=lambda _: None)
    Path("own.tsv").unlink()
    answers = again.predict([{"query": one.text, "documents": list(one.candidates)} for one in asked])
    found = [
        average_precision([one.grades[at] for at in answer["ranking"]])
        for one, answer in zip(asked, answers, strict=True)
    ]
    assert statistics.fmean(found) == pytest.approx(run.figures()["test/map"], abs=1e-9)
