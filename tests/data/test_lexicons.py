"""Lexicons in every form that is read, the public ones, and what is refused with its row."""

import os
from pathlib import Path

import pytest

from netsmith.core.errors import DataError, UnknownNameError
from netsmith.data._lexicons import official_lexicon, read_lexicon, write_lexicon
from netsmith.layers.lexicon import Entry, entry

XML = b"""<?xml version="1.0" encoding="utf-8"?><sentiment language="en">
<word form="fine" pos="JJ" polarity="0.5" subjectivity="0.9" intensity="1.0" />
<word form="fine" pos="JJ" polarity="0.3" subjectivity="0.5" intensity="1.0" />
<word form="fine" pos="NN" polarity="-0.2" subjectivity="0.1" intensity="1.0" />
<word form="very" pos="RB" polarity="0.2" subjectivity="0.3" intensity="1.3" />
<word form="happy" pos="JJ" polarity="0.8" subjectivity="1.0" intensity="1.0" />
<word form="terrible" pos="JJ" polarity="-1.0" subjectivity="1.0" />
<word form="used to" pos="JJ" polarity="-1.0" subjectivity="1.0" /></sentiment>"""


def read(folder, name, data):
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_lexicon(path)


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("l.csv", "word,polarity,subjectivity,intensity\nGood,0.7,0.6,\nvery,0,0,1.5\n", (0.7, 0.6, 1.5)),
        ("l.tsv", "word\tpolarity\tintensity\ngood\t0.7\t1\nvery\t0\t1.5\n", (0.7, 0.7, 1.5)),
        ("l.json", '{"good": 0.7, "very": {"polarity": 0, "intensity": 1.5}}', (0.7, 0.7, 1.5)),
        (
            "l.jsonl",
            '{"word": "good", "polarity": 0.7}\n{"word": "very", "polarity": 0, "intensity": 1.5}',
            (0.7, 0.7, 1.5),
        ),
        ("l.txt", "good 0.7 0.6 1.0\n\nvery 0 0 1.5\n", (0.7, 0.6, 1.5)),
        ("l.txt", "\ufeffgood\t0.7\nvery\t0 0 1.5\n", (0.7, 0.7, 1.5)),
    ],
)
def test_own_forms(tmp_path, name, data, wanted):
    found = read(tmp_path, name, data)
    assert (found.entries["good"].polarity, found.entries["good"].subjectivity) == pytest.approx(wanted[:2])
    assert found.entries["very"].intensity == wanted[2]
    assert found.entries["very"].modifies
    assert "extremely" not in found.entries  # it brought its own modifiers
    again = read(tmp_path, "again.csv", write_lexicon(found.entries))
    assert again.entries["good"] == found.entries["good"]


def test_vader_afinn_and_lists_of_words(tmp_path):
    vader = read(tmp_path, "v.txt", "good\t1.9\t0.9\t[2, 1]\n:(\t-1.9\t1.1\t[-2]\nfed up\t-1.8\t0.8\t[-1]\n")
    assert vader.entries["good"].polarity == pytest.approx(0.475)
    assert vader.entries["fed up"].polarity == pytest.approx(-0.45)
    assert vader.entries["extremely"].modifies
    assert not vader.entries["extremely"].judges
    afinn = read(tmp_path, "a.txt", "abandon\t-2\ncan't stand\t-3\n")
    assert afinn.entries["can't stand"] == entry(-0.6)
    for name, words in (("positive.txt", "一流\n好\n"), ("NEG_words.txt", "差\n好\n")):
        (tmp_path / name).write_text(words, encoding="utf-8-sig")
    both = read_lexicon(tmp_path / "positive.txt", tmp_path / "NEG_words.txt", language="zh")
    assert [both.entries[word].polarity for word in ("一流", "差", "好")] == [1.0, -1.0, 0.0]
    assert both.longest == 2


def test_patterns_xml_is_averaged_over_senses_and_parts_of_speech(tmp_path):
    found = read(tmp_path, "s.xml", XML).entries
    assert found["fine"][:3] == pytest.approx((0.1, 0.4, 1.0))  # (0.4 - 0.2) / 2
    assert found["very"] == Entry(0.2, 0.3, 1.3, True)
    assert found["finely"] == Entry(0.4, 0.7, 1.0, True)
    assert {"happily", "terribly"} < set(found)
    assert not found["happy"].modifies
    assert "used to" not in found


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("l.csv", "word,score\ngood,1\n", r"l\.csv, row 1: has no column 'polarity'; expected word, polarity"),
        ("l.csv", "word,polarity\ngood,3\n", r"l\.csv, row 2: has the polarity 3; expected -1 to 1"),
        ("l.csv", "word,polarity\ngood,much\n", r"l\.csv, row 2: holds a text in place of a number"),
        ("l.csv", "word,polarity\n ,0.5\n", r"l\.csv, row 2: has no word"),
        ("l.csv", "word,polarity\ngood,nan\n", r"row 2: has the polarity nan"),
        ("l.txt", "good 0.5\n\nbad\n", r"l\.txt, row 3: holds 'bad'; expected 'word polarity"),
        ("l.txt", "good 0.5 0.5 0\n", r"row 1: has the intensity 0; expected a factor above 0"),
        ("l.txt", "", r"holds no word"),
        ("l.txt", b"caf\xe9 0.5\n", r"l\.txt, row 1: is not UTF-8 text \(byte 4\)"),
        ("l.txt", "good 0.5\nb\0ad -0.5\n", r"l\.txt, row 2: holds a NUL"),
        ("l.csv", "word,polarity\ngood,1\ngood,1\nGood,-1\n", r"l\.csv, row 4: the word 'good' comes again with other"),
        ("l.json", "[1]", r"expected one object"),
        ("l.json", '{"good": "much"}', r"the word 'good' has much; expected numbers"),
        ("l.json", "{", r"is not JSON"),
        ("l.xml", "<sentiment/>", r"holds no element <word"),
        ("l.xml", "<word", r"is not XML"),
        ("l.xml", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', r"declares a document type or entities"),
    ],
)
def test_what_is_refused_and_where(tmp_path, name, data, says):
    with pytest.raises(DataError, match=says):
        read(tmp_path, name, data)


def test_official_lexicons():
    with pytest.raises(UnknownNameError, match="did you mean 'vader'"):
        official_lexicon("vadar")
    folder = Path(os.environ.get("NETSMITH_DATA", "")) / "sentiment-lexicons"
    if not (folder / "vader").is_dir():
        pytest.skip("the public lexicons are not at hand")
    for name, file in (("vader", "vader_lexicon.txt"), ("afinn", "AFINN-en-165.txt")):
        lines = (folder / name / file).read_text(encoding="utf-8").strip("\n").split("\n")
        known = official_lexicon(name).entries
        words = {line.split("\t")[0].lower() for line in lines}
        assert words == {word for word, one in known.items() if one.judges}
        assert len(words) > 3300
    ntusd, fannix = official_lexicon("ntusd"), official_lexicon("fannix")
    assert ntusd.entries["一流"].polarity == 1.0
    assert fannix.language == "zh"
