"""netsmith text: what is printed for texts, files and stdin; what is refused, with its line."""

import importlib.util
import io
import json
import sys

import pytest

from netsmith.api.segment import parts_of
from netsmith.models.chinese import PlaceHmm, PrefixDictionary, Segmenter, last_end

WORDS = "北京 34488 ns\n北京大学 20530 nt\n大学 20025 n\n去 123402 v\n玩 4207 v\n"
MARKED = "小明/nr 去/v 北京/ns 。/w\n\n小红/nr 来/v 上海/ns 。/w\n"


@pytest.fixture(autouse=True)
def _files(tmp_path, monkeypatch):
    (tmp_path / "words.txt").write_text(WORDS, encoding="utf-8")
    (tmp_path / "user.txt").write_text("大学玩\n", encoding="utf-8")
    (tmp_path / "marked.txt").write_text(MARKED, encoding="utf-8")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "jieba" else find(name, *more))


@pytest.fixture
def small():
    return PrefixDictionary({"甲乙": 3, "乙丙": 2, "甲": 1, "丁戊": 2, "丙": 5})


def segment(netsmith, more, **named):
    return netsmith(f"text segment --dictionary words.txt {more}", **named)


@pytest.mark.parametrize(
    ("more", "out"),
    [
        ("去北京大学玩", "去 北京大学 玩\n"),
        ("去北京大学玩 --mode full --delimiter /", "去/北京/北京大学/大学/玩\n"),
        ("去北京大学玩 --mode search", "去 北京 大学 北京大学 玩\n"),
        ("去北京大学玩 --tags", "去/v 北京大学/nt 玩/v\n"),
        ("去北京大学玩 --user user.txt", "去 北京大学 玩\n"),
        ("去大学玩 --user user.txt", "去 大学玩\n"),
        ("去大学玩 --no-hmm", "去 大学 玩\n"),
    ],
)
def test_a_text(netsmith, more, out):
    assert segment(netsmith, more) == (0, out, "")


def test_json_has_a_line_for_each_line(netsmith):
    found = segment(netsmith, "- --json --mode search", stdin="玩\n\n北京大学\r\n".encode())
    assert [json.loads(line) for line in found.out.splitlines()] == [
        {"line": 1, "tokens": [{"word": "玩", "start": 0, "end": 1}]},
        {"line": 2, "tokens": []},
        {
            "line": 3,
            "tokens": [
                {"word": "北京", "start": 0, "end": 2},
                {"word": "大学", "start": 2, "end": 4},
                {"word": "北京大学", "start": 0, "end": 4},
            ],
        },
    ]
    tagged = json.loads(segment(netsmith, "去玩 --json --tags").out)
    assert tagged["tokens"][1] == {"word": "玩", "start": 1, "end": 2, "tag": "v"}
    assert json.loads(segment(netsmith, "去玩 --json --mode full").out)["tokens"] == [{"word": "去"}, {"word": "玩"}]


def test_files_in_any_encoding_that_is_named(netsmith, tmp_path):
    (tmp_path / "text.txt").write_bytes("\ufeff去北京\r\n玩".encode())
    assert segment(netsmith, "text.txt").out == "去 北京\n玩\n"
    (tmp_path / "text.txt").write_bytes("去北京\n玩".encode("gb18030"))
    assert segment(netsmith, "text.txt --encoding gb18030").out == "去 北京\n玩\n"
    found = segment(netsmith, "text.txt")
    assert found.code == 2
    assert found.line == (
        "text.txt, row 1: is not UTF-8: invalid start byte at byte 3 of the line; is it --encoding gb18030?"
    )
    (tmp_path / "text.txt").write_bytes("去北京".encode("utf-16"))
    assert segment(netsmith, "text.txt").line.endswith("; it begins as UTF-16 does: save it as UTF-8")
    assert segment(netsmith, "去北京 --encoding utf-16").line.startswith(
        "no encoding named 'utf-16'; did you mean 'utf-8'"
    )


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("text segment 玩", "no dictionary: jieba is not installed. Give one (--dictionary FILE of lines 'word count "),
        ("text segment 玩 --dictionary jieba", "no dictionary: jieba is not installed"),
        ("text segment 玩 --dictionary nowhere.txt", "nowhere.txt: No such file or directory"),
        ("text segment 玩 --dictionary marked.txt", "marked.txt, row 1: expected 'word count tag' with single blanks"),
        ("text segment 玩 --dictionary words.txt --user nowhere.txt", "nowhere.txt: No such file or directory"),
        ("text segment 玩 --dictionary words.txt --hmm", "no table for unknown words: give one (--table FILE)"),
        ("text segment 玩 --dictionary words.txt --table words.txt", "is not JSON"),
        ("text segment 玩 --dictionary words.txt --mode ful", "no mode named 'ful'; did you mean 'full'?"),
        ("text segment 玩 --dictionary words.txt --mode full --tags", "parts of speech come in accurate mode alone"),
        (
            "text segment 玩 --dictionary words.txt --mode full --hmm",
            "full mode gives the words of the dictionary alone",
        ),
        ("text segment 玩 --dictionary words.txt --tags --fast", "parts of speech are not compiled"),
        ("text segment nowhere.txt --dictionary words.txt", "nowhere.txt: there is no such file; a text that looks"),
        ("text segment . --dictionary words.txt", "is a folder; expected a text file"),
        (
            "text segment words.txt --dictionary words.txt --encoding utf8",
            "no encoding named 'utf8'; did you mean 'utf-8'",
        ),
        ("text dictionary --from nowhere.txt", "nowhere.txt: No such file or directory"),
        ("text dictionary --from jieba", "jieba is not installed; install it (pip install jieba) or give marked texts"),
        ("text dictionary --from marked.txt --out words", "expected a file's name like words.txt, got 'words'"),
    ],
)
def test_what_is_refused(netsmith, command, message):
    found = netsmith(command)
    assert found.code == 2
    assert found.out == ""
    assert message in found.line


def test_the_compiled_way_names_its_extra(netsmith, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    found = segment(netsmith, "玩 --fast")
    assert (found.code, found.line) == (3, "numba is not installed; mend it with: pip install 'netsmith[fast]'")


def test_mixed_encodings_name_line_and_byte(netsmith):
    mixed = "去北京\n\n玩".encode() + "北京".encode("gbk") + "\n玩\n".encode()
    found = segment(netsmith, "-", stdin=mixed)
    assert (found.code, found.out) == (2, "去 北京\n\n")  # what came before is not lost
    assert found.line.startswith("stdin, row 3: is not UTF-8: invalid start byte at byte 4 of the line")
    found = segment(netsmith, "-", stdin="玩\n北".encode()[:-1])
    assert found.line.startswith("stdin, row 2: is not UTF-8: it ends within a character")


def test_a_dictionary_of_ones_own(netsmith, tmp_path):
    found = netsmith("text dictionary --from marked.txt --from marked.txt --out own.txt --json")
    assert json.loads(found.out) == {
        "words": 7, "total": 16, "dictionary": "own.txt", "places": "own.places.json", "tags": "own.tags.json",
    }  # fmt: skip
    assert (tmp_path / "own.txt").read_text("utf-8").splitlines()[0] == "。 4 w"
    call = "text segment 小明来北海。 --dictionary own.txt"
    assert netsmith(call).out == "小明 来 北海 。\n"  # 北海 is in no dictionary: the table beside it finds it
    assert netsmith(f"{call} --no-hmm").out == "小明 来 北 海 。\n"
    assert netsmith(f"{call} --tags").out == "小明/nr 来/v 北海/ns 。/x\n"
    assert netsmith(f"{call} --table own.tags.json --tags").out == "小明/nr 来/v 北海/ns 。/x\n"
    told = netsmith("text dictionary --from marked.txt --out own.txt").out
    assert told.splitlines() == [
        "7 words, 8 in all", "dictionary: own.txt", "places: own.places.json", "tags: own.tags.json"
    ]  # fmt: skip


def test_a_line_of_many_megabytes_comes_in_parts(small):
    """Parts, segmented one by one, give what the whole line gives; none is much longer than what is read at once."""
    text = "甲乙丙，丁戊AB c甲丙\u3000" * 150_000
    data = f"{text}\n玩\r\n".encode()
    parts = list(parts_of(io.BytesIO(data), "big"))
    assert len(parts) > 4
    assert max(len(part.text) for part in parts) < 2**20
    assert "".join(part.text for part in parts if part.row == 1) == text
    assert parts[-1] == (2, "玩", True)
    assert [part.last for part in parts if part.row == 1] == [False] * (len(parts) - 2) + [True]
    segmenter = Segmenter(small)
    few = text[:5000]
    for mode in ("accurate", "search", "full"):
        cut = last_end(few)
        whole = segmenter.segment(few, mode=mode)
        assert segmenter.segment(few[:cut], mode=mode) + segmenter.segment(few[cut:], mode=mode) == whole
    assert last_end("甲" * 3000) == 0


def test_a_sentence_of_100_000_characters(netsmith, tmp_path):
    text = "去北京大学玩" * 16_667
    (tmp_path / "long.txt").write_text(text, encoding="utf-8")
    found = segment(netsmith, "long.txt")
    assert found.out.split() == ["去", "北京大学", "玩"] * 16_667
    unknown = Segmenter(PrefixDictionary({"玩": 1}), hmm=PlaceHmm(_table())).segment("丙丁" * 50_000)
    assert unknown == ["丙丁"] * 50_000


def _table():
    from netsmith.models.chinese import HmmTable

    sides = {"B": {"E": 0.0}, "E": {"B": 0.0}}
    return HmmTable({"B": 0.0, "E": -3.14e100}, sides, {"B": {"丙": 0.0}, "E": {"丁": 0.0}}, {})


def test_segmenting_imports_no_torch(netsmith):
    import subprocess

    code = "import sys; from netsmith.cli import main; main(['text', 'segment', '玩', '--dictionary', 'words.txt']); "
    code += "sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
