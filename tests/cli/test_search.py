"""``netsmith search``: one's own folder, with texts of all kinds and files that are none."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from netsmith.api import search
from netsmith.api.search import index_folder
from netsmith.core.errors import DataError
from netsmith.data._text_files import text_lines


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("texts/sub").mkdir(parents=True)
    Path("texts/wing.txt").write_text("About planes.\n\nThe wings of a plane produce lift.\nThe end.\n")
    Path("texts/sub/both.md").write_bytes("Caf\u00e9: lift, and lifts.\r\nwing wing wing\r\n".encode("cp1252"))
    Path("texts/zh.txt").write_bytes(("今天天气很好。" * 30 + "机翼产生升力。飞机的机翼很长。\n").encode("gb18030"))
    Path("texts/heat.txt").write_text(f"{'warm and cold, ' * 30}heat flows through the plate {'and so on ' * 40}")
    Path("texts/other.txt").write_text("Nothing of that.\n", encoding="utf-16")
    Path("texts/empty.txt").write_bytes(b"")
    Path("texts/marks.txt").write_text("... --- ...\n")
    Path("texts/picture.bin").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0wing")
    return tmp_path


def test_the_texts_that_fit_best_with_their_lines(netsmith, folder):
    code, out, err = netsmith("search texts 'wing lift'")
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[-1] for line in lines[::2]] == ["sub/both.md:1", "wing.txt:3"]
    assert lines[3].strip() == "The wings of a plane produce lift."
    assert float(lines[0].split()[0]) > float(lines[2].split()[0])
    assert "5 texts searched" in err
    for told in ("zh.txt (gb18030)", "sub/both.md (cp1252)", "other.txt (utf-16)", "empty.txt (is empty)"):
        assert told in err
    assert "marks.txt (has no word), picture.bin (is binary)" in err


def test_chinese_is_found_and_shown_where_it_stands(netsmith, folder):
    found = json.loads(netsmith("search texts --json 机翼").out)
    assert [hit["path"] for hit in found["hits"]] == ["zh.txt"]
    assert "机翼产生升力" in found["hits"][0]["text"]
    assert len(found["hits"][0]["text"]) < 170
    assert found["skipped"]["picture.bin"] == "is binary"
    assert found["encodings"]["zh.txt"] == "gb18030"
    heat = json.loads(netsmith("search texts --json heats").out)["hits"]
    assert heat[0]["text"].startswith("...")
    assert "heat flows" in heat[0]["text"]


def test_scores_are_those_of_the_chosen_method(folder):
    index = index_folder("texts")
    assert [hit.path for hit in index.search("lift wing", method="tfidf")] == ["sub/both.md", "wing.txt"]
    assert all(0 < hit.score <= 1 for hit in index.search("lift wing", method="tfidf"))
    assert len(index.search("the lift of heat and wings", top=2)) == 2
    length = {hit.path: hit.score for hit in index.search("lift", b=1.0)}
    assert length["sub/both.md"] > length["wing.txt"]


def test_nothing_found_is_said(netsmith, folder):
    code, out, _ = netsmith("search texts unheard")
    assert (code, out) == (0, "no text has any of these words\n")
    assert json.loads(netsmith("search texts unheard --json").out)["hits"] == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("texts '... !'", "the query '... !' has no word"),
        ("texts wing --method bm52", "no method of search named 'bm52'; did you mean 'bm25'?"),
        ("nowhere wing", "nowhere: does not exist"),
        ("texts/wing.txt wing", "wing.txt: is a file; expected a folder of texts"),
        ("bare wing", "bare: holds no text; expected text files"),
        ("binary wing", "binary: holds no text (x is binary); expected text files"),
        ("texts wing --encoding klingon", "no encoding of texts is named 'klingon'"),
        ("texts wing --top 0", "Invalid value for '--top'"),
    ],
)
def test_bad_input_is_one_line(netsmith, folder, arguments, says):
    Path("bare").mkdir()
    Path("binary").mkdir()
    Path("binary/x").write_bytes(b"\0\0")
    result = netsmith(f"search {arguments}")
    assert result.code == 2
    assert says in result.line


def test_a_given_encoding_is_kept_to(netsmith, folder):
    Path("texts/little.txt").write_bytes("wing".encode("utf-16-le"))
    code, _, err = netsmith("search texts wing --encoding utf-8")
    assert code == 0
    assert "zh.txt (is not utf-8 text)" in err
    assert "little.txt (is binary)" in err
    assert "little.txt:1" in netsmith("search texts wing --encoding utf-16-le").out


def test_a_file_that_changes_meanwhile_is_named(folder):
    index = index_folder("texts")
    Path("texts/wing.txt").unlink()
    with pytest.raises(DataError, match=r"wing\.txt: changed since it was indexed"):
        index.search("plane")


def test_of_a_long_text_a_network_is_shown_the_beginning_and_no_more_is_read(folder, monkeypatch):
    read = []

    def lines(path, encoding):
        for row, line in text_lines(path, encoding):
            read.append(row)
            yield row, line

    (folder / "texts" / "long.txt").write_text("word\n" + "\n" * 300_000 + "last\n")
    index = index_folder("texts")
    monkeypatch.setattr(search, "text_lines", lines)
    text = index._text(list(index.files).index("long.txt"))
    assert text == ("word" + "\n" * 100_000)[:100_000]
    assert len(read) == 100_000 - 3  # with the first one's four letters


def test_no_torch_is_loaded(folder):
    code = "import sys; from netsmith.cli import main; main(['search', 'texts', 'lift']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"
