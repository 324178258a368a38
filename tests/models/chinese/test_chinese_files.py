"""Dictionaries, tables, marked texts, jieba's files: what is read, what is written, what is refused with its line."""

import math
import sys

import pytest

from netsmith.core.errors import DataError
from netsmith.models.chinese import (
    CorpusCounts,
    HmmTable,
    PlaceHmm,
    PrefixDictionary,
    Segmenter,
    TagHmm,
    jieba_folder,
    jieba_place_table,
    marked_words,
)

PFR = [
    "19980101-01-001-001/m  迈向/v  充满/v  希望/n  的/u  新/a  世纪/n",
    "",
    "19980101-01-001-002/m  [中国/ns  中央/n  电视台/n]nt  播出/v  １２月/t",
]


def test_a_dictionary_as_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeff北京 5 ns\r\n\n大学 3\n北京 4 ns\n".encode())
    words = PrefixDictionary.from_file(path)
    assert (words.counts, words.total, words.tags) == ({"北京": 4, "大学": 3}, 12, {"北京": "ns"})  # as jieba counts
    words.write(path)
    assert path.read_text("utf-8") == "北京 4 ns\n大学 3 x\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a 1 n\nb x n\n", "words.txt, row 2: expected 'word count tag' with single blanks between, got 'b x n'"),
        (b"a 1 n more\n", "row 1: expected 'word count tag'"),
        (b"a\n", "row 1: expected 'word count tag'"),
        (b"a  1 n\n", "row 1: expected 'word count tag'"),
        (b"a -1 n\n", "row 1: a has the count -1; expected 0 to"),
        (b"a 1 n\nb\xb1 1 n\n", "row 2: is not UTF-8: invalid start byte at byte 2 of the line"),
        (b"a 1 n\nb\0 1 n\n", "words.txt, row 2: holds a NUL; expected a text in UTF-8"),
        (b"\n\n", "has no word with a count above zero"),
    ],
)
def test_a_broken_dictionary(tmp_path, data, message):
    (tmp_path / "words.txt").write_bytes(data)
    with pytest.raises(DataError, match=message):
        PrefixDictionary.from_file(tmp_path / "words.txt")


def test_broken_words_of_ones_own(tmp_path, small):
    (tmp_path / "user.txt").write_bytes("甲乙\n".encode() + b"\xff")
    with pytest.raises(DataError, match=r"user.txt, row 2: is not UTF-8: invalid start byte at byte 1 of the line"):
        Segmenter(small).load_user_words(tmp_path / "user.txt")
    for count, message in (("9" * 30, "expected a word and a count of 0 to"), ("9" * 5000, "Exceeds the limit")):
        (tmp_path / "user.txt").write_text(f"甲乙\n\n甲 {count}\n", encoding="utf-8")
        with pytest.raises(DataError, match=f"user.txt, row 3: {message}"):
            Segmenter(small).load_user_words(tmp_path / "user.txt")
    with pytest.raises(DataError, match=r"expected a word and a count of 0 to .*, got '' and 1"):
        small.add("", 1)


def test_counts_of_a_marked_text():
    counts = CorpusCounts()
    for sentence in marked_words(enumerate(PFR, start=1)):
        counts.add(sentence)
    words = counts.dictionary()
    assert words.counts["电视台"] == 1
    assert words.tags == {
        "迈向": "v", "充满": "v", "希望": "n", "的": "u", "新": "a", "世纪": "n",
        "中国": "ns", "中央": "n", "电视台": "n", "播出": "v", "１２月": "t",
    }  # fmt: skip
    table = counts.place_table()
    # Ten Chinese words, two of them single characters, one of three; two runs, both begin with B.
    assert table.start == {"B": 0.0, "E": -3.14e100, "M": -3.14e100, "S": -3.14e100}
    assert table.transitions["B"] == {"E": pytest.approx(math.log(7 / 8)), "M": pytest.approx(math.log(1 / 8))}
    assert table.transitions["S"] == {"S": pytest.approx(math.log(1 / 2)), "B": pytest.approx(math.log(1 / 2))}
    assert table.emissions["M"] == {"视": 0.0}
    assert all(sum(map(math.exp, row.values())) == pytest.approx(1) for row in table.emissions.values())
    tagged = counts.tag_table()
    assert tagged.allowed["国"] == ("E-ns",)
    assert tagged.transitions["M-n"] == {"E-n": 0.0}
    assert PlaceHmm(table).words("希望的世纪") == ["希望", "的", "世纪"]
    assert TagHmm(tagged).words("新希望") == [("新", "a"), ("希望", "n")]


def test_marked_texts_that_break_their_form():
    assert list(marked_words([(1, "他 1/2 走")])) == [[("他", ""), ("1/2", ""), ("走", "")]]
    with pytest.raises(DataError, match=r"c.txt, row 7: '走' has no tag, but the first line's words have"):
        list(marked_words([(1, "他/r 走/v"), (7, "他/r 走")], "c.txt"))
    with pytest.raises(DataError, match="there is no word in it"):
        CorpusCounts().dictionary()


def test_tables_as_files(tmp_path):
    table = HmmTable({"B": -1.0, "E": -2.0}, {"B": {"E": 0.0}}, {"E": {"甲": -0.5}}, {"甲": ("E",)})
    table.write(tmp_path / "t.json")
    assert HmmTable.from_file(tmp_path / "t.json") == table


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected start, transitions, emissions, allowed"),
        ("{", "is not JSON"),
        (
            '{"start": {"B": null}, "transitions": {}, "emissions": {}, "allowed": {}}',
            "start: expected a finite number",
        ),
        ('{"start": {}, "transitions": 3, "emissions": {}, "allowed": {}}', "transitions has no states"),
        ('{"start": {}, "transitions": {"B": {"E": 1}}, "emissions": {}, "allowed": {}}', "start lacks the state 'B'"),
        ('{"start": {}, "transitions": {}, "emissions": {}, "allowed": {"a": 1}}', "allowed has another form"),
    ],
)
def test_broken_tables(tmp_path, text, message):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(DataError, match=message):
        HmmTable.from_file(tmp_path / "t.json")


def test_nothing_of_jieba_is_executed(tmp_path, monkeypatch):
    package = tmp_path / "jieba"
    (package / "finalseg").mkdir(parents=True)
    for place in (package, package / "finalseg"):
        (place / "__init__.py").write_text("raise SystemExit('executed')")
    for module in [name for name in sys.modules if name.partition(".")[0] == "jieba"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert jieba_folder() == package
    with pytest.raises(DataError, match=r"prob_start.py: No such file or directory; expected a table of jieba's"):
        jieba_place_table(package)
    for text, message in [
        ("P = __import__('os').getcwd()", "is no table of jieba's: malformed node"),
        ("P = {", "is no table of jieba's: '{' was never closed"),
        ("Q = 1", "assigns nothing to P"),
        ("P = 1", "start: expected a finite number for each name"),
    ]:
        for name in ("start", "trans", "emit"):
            (package / "finalseg" / f"prob_{name}.py").write_text(text)
        with pytest.raises(DataError, match=message):
            jieba_place_table(package)
    assert "jieba" not in sys.modules
