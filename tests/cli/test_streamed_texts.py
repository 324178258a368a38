"""The verbs of texts read a file line by line: the same answers, bounded memory, errors with their line."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from netsmith.api.texts import Texts, read_texts
from netsmith.core.errors import DataError
from netsmith.layers.sentences import each_sentence, sentences

MEMORY = """
import resource, sys
import typer
from netsmith.cli import opinions
verb, *arguments = sys.argv[1:]
app = typer.Typer()
app.command()(getattr(opinions, verb))
app(arguments, standalone_mode=False)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr)
"""


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """Thirty megabytes of short texts."""
    path = tmp_path_factory.mktemp("big") / "big.txt"
    draw = random.Random(0)
    words = ["good", "bad", "lens", "the", "a", *("".join(draw.choices("abcdefghij", k=6)) for _ in range(3000))]
    block = "".join(" ".join(draw.choices(words, k=40)) + ".\n" for _ in range(1000))
    with path.open("w") as file:
        for _ in range(110):
            file.write(block)
    (path.parent / "mine.csv").write_text("word,polarity,subjectivity\ngood,0.7,0.6\nbad,-0.7,0.7\n")
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        ("sentiment", "BIG", "--lexicon", "mine.csv", "--about", "lens"),
        ("lexicon", "BIG", "-o", "made.csv", "--positive", "good", "--negative", "bad"),
    ],
)
def test_memory_does_not_grow_with_the_file(big, arguments):
    small = big.parent / "small.txt"
    small.write_text("".join(big.read_text().splitlines(keepends=True)[:1000]))

    def peak(path):
        given = [str(path) if one == "BIG" else one for one in arguments]
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, *given], capture_output=True, text=True, cwd=big.parent, check=True
        )
        return float(done.stderr.splitlines()[-1])

    assert peak(big) - peak(small) < 20  # MB; the file has 30


def test_answers_come_line_by_line_and_json_is_a_list(netsmith, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.csv").write_text("word,polarity,subjectivity\ngood,0.7,0.6\n")
    Path("lines.txt").write_bytes(b"\xef\xbb\xbfgood\r\n\r\nso good\n\n  \nlast")
    rows = json.loads(netsmith("text sentiment lines.txt --lexicon mine.csv --json").out)
    assert [row["input"] for row in rows] == ["line 1", "line 3", "line 6"]
    shown = netsmith("text keywords lines.txt --json").out
    assert shown == json.dumps(json.loads(shown), indent=2) + "\n"
    Path("lines.txt").write_bytes(b"good\nbad caf\xe9\n")
    broken = netsmith("text sentiment lines.txt --lexicon mine.csv")
    assert broken.code == 2
    assert broken.line.startswith("lines.txt, row 2: is not utf-8 text (byte 13)")


def test_files_of_other_encodings(tmp_path):
    for encoding in ("utf-16", "utf-16-le", "gb18030", "cp1252", "utf-8"):
        path = tmp_path / "x.txt"
        text = "caf\u00e9 good\n\nlast \u00fc" if encoding == "cp1252" else "\u4e0a\u4e0a good\n\n\u597d last"
        path.write_bytes(text.encode(encoding))
        found = Texts(str(path), encoding=encoding)
        wanted = [("line 1", text.split("\n")[0]), ("line 3", text.split("\n")[2])]
        assert list(found) == list(found) == read_texts(str(path), encoding=encoding) == wanted
    path.write_bytes("a\nb".encode("utf-16"))
    with pytest.raises(DataError, match=r"row 1: is not utf-8 text \(byte 1\); it begins as UTF-16.*--encoding utf-16"):
        list(Texts(str(path)))
    path.write_bytes("a\nb".encode("utf-16") + b"\x00")
    with pytest.raises(DataError, match=r"x\.txt, row 2: is not utf-16 text; save"):
        list(Texts(str(path), encoding="utf-16"))


def test_a_line_without_end_is_refused(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"short\n" + b"x" * (2**24 + 1))
    with pytest.raises(DataError, match=r"x\.txt, row 2: has a line of more than 16,777,216 bytes"):
        list(Texts(str(path)))
    with pytest.raises(DataError, match="is not a plain file"):
        Texts("/dev/null")
    with pytest.raises(DataError, match=f"{tmp_path.name}: is a folder; expected a file"):
        Texts(str(tmp_path))


def test_sentences_line_by_line_are_those_of_the_whole():
    draw = random.Random(3)
    signs = [
        "Mr.",
        "Li",
        "came",
        ".",
        "!",
        "\n",
        "\n\n",
        " ",
        "\u3002",
        "\u201d",
        '"',
        ")",
        "e.g.",
        "A.",
        "3.5",
        "\u8d70",
    ]
    for _ in range(500):
        text = "".join(draw.choice(signs) + draw.choice(["", " "]) for _ in range(draw.randint(0, 30)))
        assert list(each_sentence(text.split("\n"))) == sentences(text), repr(text)
    runaway = ["Mr."] * 2000
    assert max(map(len, each_sentence(runaway))) < 1100


def test_summaries_end_before_a_long_text_does(netsmith, tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("One came. Two went.\n" * 60_000)
    wrong = netsmith(f"text summarize {path}")
    assert (wrong.code, wrong.line) == (2, "has more than 100,000 sentences, too many for a summary; cut it")


def test_language_models_train_on_ones_own_text(netsmith, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("my.txt").write_text("".join(f"Line {n}: the cat is old, isn't it?\n" for n in range(600)))
    short = "--set epochs=0 --set steps=3 --set data.batch=4"
    words = netsmith(f"train lstm_ptb --data my.txt {short} --set method.model.hidden_size=8 --name words")
    assert words.code == 0, words.err
    assert "read as text file: " in words.err + words.out
    signs = netsmith(f"train char_lstm_shakespeare --data my.txt {short} --set method.model.hidden_size=8 --name signs")
    assert signs.code == 0, signs.err
    said = netsmith("generate runs/signs --prompt Line --length 5")
    assert said.code == 0, said.err
    bad = netsmith("train lstm_ptb --data none.txt")
    assert (bad.code, "does not exist" in bad.line) == (2, True)


def test_a_column_of_a_table_in_another_encoding(tmp_path):
    path = tmp_path / "x.csv"
    path.write_bytes("text,n\ncaf\u00e9,1\n".encode("cp1252"))
    assert list(Texts(str(path), column="text", encoding="cp1252")) == [("row 2", "caf\u00e9")]
    with pytest.raises(DataError, match=r"x\.csv"):
        Texts(str(path), column="text")
    with pytest.raises(DataError, match=r"x\.csv, row 2: is not gb18030 text"):
        Texts(str(path), column="text", encoding="gb18030")
