"""The verbs of texts without a run, and a run's predictions for a text and for a column."""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from netsmith.cli import main, opinions, output
from netsmith.core.errors import ConfigError, DataError


def run(verb, *arguments, stdin=b""):
    import typer

    app = typer.Typer()
    app.command()(getattr(opinions, verb))
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture(autouse=True)
def lexicon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("word,polarity,subjectivity\ngood,0.7,0.6\nbad,-0.7,0.7\n")
    Path("reviews.csv").write_text('id,review\n1,"very good, I say"\n2,not good\n3,so so\n')


def test_sentiment_of_a_text_a_file_a_column_and_a_pipe():
    assert run("sentiment", "very good", "--lexicon", "mine.csv") == "text\tpositive\t+0.9100\t0.7800\n"
    Path("lines.txt").write_bytes("good\n\n  \nbad caf\u00e9\n".encode("cp1252"))
    wanted = "line 1\tpositive\t+0.7000\t0.6000\nline 4\tnegative\t-0.7000\t0.7000\n"
    assert run("sentiment", "lines.txt", "--lexicon", "mine.csv", "--encoding", "cp1252") == wanted
    assert run("sentiment", "-", "--lexicon", "mine.csv", stdin=b"good\n\n\nbad\n") == wanted
    rows = json.loads(run("sentiment", "reviews.csv", "--column", "review", "--lexicon", "mine.csv", "--json"))
    assert [(row["input"], row["label"]) for row in rows] == [
        ("row 2", "positive"), ("row 3", "negative"), ("row 4", "neutral"),
    ]  # fmt: skip
    assert rows[0]["opinions"][0]["words"] == ["very", "good"]
    about = run("sentiment", "The lens is good. A bad lens!", "--about", "lens", "--lexicon", "mine.csv")
    assert about.splitlines()[0] == "lens: 1 for, 1 against, 0 neutral; mean polarity -0.088"
    signs = "C++ is good. I like C++, and .NET. Not Cs, xC++ or aC++x."
    for term, count in (("C++", 2), (".NET", 1), ("C", 3), ("c++,", 1)):
        about = run("sentiment", signs, "--about", term, "--lexicon", "mine.csv", "--json")
        found = json.loads(about)
        assert (term, found["positive"] + found["neutral"] + found["negative"]) == (term, count)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (
            ("lines.txt",),
            DataError,
            r"lines\.txt, row 2: is not utf-8 text \(byte 13\); save it as UTF-8, or say --enc",
        ),
        (("lines.txt", "--encoding", "klingon"), ConfigError, "no encoding is named 'klingon'"),
        (("blank.txt",), DataError, r"blank\.txt: is empty; expected a text per line"),
        (("texts.json",), DataError, r"texts\.json: is JSON; expected a text per line, or a \.csv"),
        (("missing.txt",), DataError, r"missing\.txt: does not exist"),
        (
            ("reviews.csv",),
            DataError,
            r"reviews\.csv, row 1: has the columns 'id', 'review'; say which one with --column",
        ),
        (("reviews.csv", "--column", "revue"), DataError, "has no column 'revue'; did you mean 'review'"),
        (("a text", "--column", "review"), ConfigError, "names a column of a table, and this is a text"),
        (("good", "--count", "2"), ConfigError, "--count is of sentences on a subject: give --about TERM, too"),
        (("good", "--language", "fr"), ConfigError, "expected 'en' or 'zh'"),
    ],
)
def test_what_is_refused(arguments, error, says):
    Path("lines.txt").write_bytes(b"good\nbad caf\xe9\n")
    Path("blank.txt").write_text("\n \n")
    with pytest.raises(error, match=says):
        run("sentiment", *arguments, "--lexicon", "mine.csv")


def test_a_lexicon_from_a_corpus_then_sentiment():
    Path("corpus.txt").write_text("good sharp lens\nbad dull lens\n" * 5)
    assert run("lexicon", "corpus.txt", "-o", "made.csv", "--positive", "good", "--negative", "bad") == (
        "4 words in made.csv\n"
    )
    assert run("sentiment", "dull", "--lexicon", "made.csv").startswith("text\tnegative")
    made = Path("made.csv").read_bytes()
    run("lexicon", "corpus.txt", "-o", "made.csv", "--positive", "Good", "--negative", "BAD")
    assert Path("made.csv").read_bytes() == made
    with pytest.raises(ConfigError, match="the seed 'very good' can never come: it is read as 'very' 'good'"):
        run("lexicon", "corpus.txt", "-o", "made.csv", "--positive", "very good", "--negative", "bad")


def test_keywords_and_summaries():
    text = "Cats chase mice. Mice fear cats. The weather is fine."
    assert run("keywords", text, "--count", "2").splitlines()[1].split() == ["cats", "0.2500"]
    found = json.loads(run("keywords", "reviews.csv", "--column", "review", "--json"))
    assert [row["input"] for row in found] == ["row 2", "row 3", "row 4"]
    assert run("summarize", text, "--count", "1") == "Cats chase mice.\n"
    assert json.loads(run("summarize", text, "--count", "1", "--json"))[0]["place"] == 1


def test_signs_that_cannot_be_seen_go_into_files_as_they_are(monkeypatch):
    persian, family = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    text = f"{persian} good\u3000film \u202ea {family}."
    assert run("summarize", text) == f"{text}\n"
    assert run("sentiment", text, "--about", "film", "--lexicon", "mine.csv").splitlines()[1] == f"+0.700\t{text}"
    assert run("summarize", "Mr.\nLi came \x1b[31m.", "--count", "1") == "Mr.\\nLi came \x1b[31m.\n"
    monkeypatch.setattr(output.sys, "stdout", SimpleNamespace(isatty=lambda: True))
    assert output.shown(f"{text}\x1b") == text.replace("\u3000", "\\u3000").replace("\u202e", "\\u202e") + "\\x1b"


def test_a_person_at_a_terminal_is_told_that_a_verb_waits(netsmith, monkeypatch, capsys):
    for verb in ("sentiment", "keywords", "summarize", "lexicon -o out.csv --positive cats --negative mice --least 1"):
        terminal = SimpleNamespace(isatty=lambda: True, buffer=io.BytesIO(b"Cats chase mice.\n"))
        monkeypatch.setattr(sys, "stdin", terminal)
        assert main(["text", *verb.split()]) == 0
        assert capsys.readouterr().err == "reading from the terminal; end with Ctrl-D\n"
        assert netsmith(f"text {verb}", stdin=b"Cats chase mice.\n").err == ""
    made = netsmith("text lexicon -o out.csv --positive cats --negative mice --least 1 --json", stdin=b"Cats, mice.\n")
    assert json.loads(made.out) == {"words": 2, "lexicon": "out.csv"}


def test_the_verbs_are_those_of_text_and_take_a_dictionary(netsmith):
    Path("words.txt").write_text("机器翻译 9 n\n很难 3 a\n有用 3 a\n", encoding="utf-8")
    found = netsmith("text keywords 机器翻译很难。机器翻译有用。 --dictionary words.txt --count 1 --json")
    assert found.code == 0, found.err
    assert json.loads(found.out)[0]["keywords"][0]["word"] == "机器翻译"
    assert netsmith("text sentiment 'very good' --lexicon mine.csv").out == "text\tpositive\t+0.9100\t0.7800\n"
    wrong = netsmith("text summarize missing.txt")
    assert (wrong.code, wrong.line) == (2, "missing.txt: does not exist")
    assert netsmith("text lexicon reviews.csv --column review -o out.csv --positive superb").code == 2


def test_a_run_predicts_a_text_and_a_column(netsmith, runs):
    one = netsmith(f"predict {runs}/text", "sun warm", "--json")
    assert one.code == 0, one.err
    Path("new.csv").write_text("id,said\n7,sun warm\n8,snow\n")
    rows = json.loads(netsmith(f"predict {runs}/text new.csv --column said --json").out)
    assert [row["input"] for row in rows] == ["row 2", "row 3"]
    assert rows[0]["probabilities"] == pytest.approx(json.loads(one.out)[0]["probabilities"])
    Path("new.csv").write_text("said\n漢字\n", encoding="utf-8")
    assert netsmith(f"predict {runs}/text new.csv --column said").err.startswith("row 2: text knows no token of it")
    wrong = netsmith(f"predict {runs}/text new.csv --column sad")
    assert (wrong.code, "did you mean 'said'" in wrong.line) == (2, True)
    assert "--column is for texts" in netsmith(f"predict {runs}/table new.csv --column said").line
    assert "does not exist" in netsmith(f"predict {runs}/text nothing.txt").line
    long = netsmith(f"predict {runs}/text", "sun " * 25_000)
    assert long.code == 0, long.err
    assert long.err == "text 1: text reads 64 tokens of a text, and nothing of what is behind them\n"


def test_explained_texts_that_are_not_read_are_told(netsmith, runs):
    rows = ["sun", "漢字", "sun " * 100]
    Path("new.csv").write_text("said\n" + "\n".join(rows) + "\n", encoding="utf-8")
    found = netsmith(f"explain {runs}/text --input new.csv --count 2")
    assert found.code == 0, found.err
    unknown = "row 3: text knows no token of it; its answer says nothing of what it read"
    assert unknown in found.out.splitlines()
    assert "tokens of a text" not in found.out  # the third is not shown
    assert unknown in Path(f"{runs}/text/explain/explain.html").read_text(encoding="utf-8")
    found = netsmith(f"explain {runs}/text --input new.csv")
    assert "row 4: text reads 64 tokens of a text, and nothing of what is behind them" in found.out.splitlines()
