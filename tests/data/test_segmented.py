"""Segmented Chinese: forms of corpora, pieces of long texts, tags by place; the bakeoff's scores by hand."""

import hashlib
import io
import math
import zipfile

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.data import pfr, ud_chinese
from netsmith.data._download import OfficialFile
from netsmith.data._words import pieces
from netsmith.data.pfr import Pfr, pfr_words
from netsmith.data.ud_chinese import UdChinese, conllu_words
from netsmith.engine.task import UNLABELED
from netsmith.layers.bakeoff import score_words

PFR = """19980101-01-001-001/m  迈向/v  [中央/n  人民/n  电台/n]nt  １９９８年/t  ＡＢ/nx  。/w  \r
\r
19980127-01-001-002/m  好/a  ，/w  \r
19980131-01-001-003/m  再见/v  \r
"""
BLANK = "\t_" * 8
CONLLU = f"# text\n1-2\t他們{BLANK}\n1\t他{BLANK}\n2\tNew York{BLANK}\n\n\n"


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NETSMITH_OFFLINE", "1")

    def put(folder, name, data):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / name).write_bytes(data)
        return OfficialFile(name, len(data), hashlib.sha256(data).hexdigest())

    return put


def shown(source, split):
    """Each text with the tags of its characters."""
    at = torch.arange(source.spec.split(split).size)
    names = source.spec.outputs.names
    tags = source.load(split, at).targets.tolist()
    return [
        (text, "".join(names[tag] for tag in row if tag != UNLABELED))
        for text, row in zip(source.texts(split, at), tags, strict=True)
    ]


def test_the_peoples_daily_is_divided_by_day(given, monkeypatch):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("199801.txt", PFR.encode("gb18030"))
    monkeypatch.setattr(pfr, "_FILE", given("pfr-199801", "199801.zip", packed.getvalue()))
    source = Pfr.Config(max_length=20).build()
    assert shown(source, "train") == [("迈向中央人民电台1998年AB。", "BEBEBEBEBMMMEBES")]
    assert shown(source, "dev") == [("好，", "SS")]
    assert shown(source, "test") == [("再见", "BE")]
    short = Pfr.Config(max_length=6).build()
    assert [text for text, _ in shown(short, "train")] == ["迈向中央人民", "电台", "1998年", "AB。"]
    with pytest.raises(ConfigError, match="train_days=30: expected at most 29"):
        Pfr.Config(train_days=30).build()


def test_a_treebank_is_its_words(given, monkeypatch):
    monkeypatch.setattr(
        ud_chinese,
        "_FILES",
        {split: given("ud-chinese-1.4", f"{split}.conllu", CONLLU.encode()) for split in ("train", "dev", "test")},
    )
    assert shown(UdChinese.Config().build(), "test") == [("他NewYork", "SBMMMMME")]


@pytest.mark.parametrize(
    ("read", "data", "problem"),
    [
        (pfr_words, "1998/m 好/a\n".encode("gb18030"), "199801.txt, row 1: begins with '1998/m'"),
        (pfr_words, "19980101-01-001-001/m 好\n".encode("gb18030"), "row 1: holds '好'; expected a word"),
        (pfr_words, b"\xff\xff", "is not GB18030"),
        (pfr_words, b"\n", "has no paragraph"),
        (conllu_words, b"1\tx\n", "row 1: has 2 columns"),
        (conllu_words, b"\xff", "is not UTF-8"),
        (conllu_words, b"# nothing\n", "has no sentence"),
    ],
)
def test_what_is_wrong_is_told_with_its_row(read, data, problem):
    with pytest.raises(DataError, match=problem):
        read(data, "199801.txt")


def test_pieces_hold_every_word_in_order():
    words = ["很长" * 4, "的", "。", "一", "二二", "三", "四四"]
    for length in (1, 3, 5, 100):
        parts = pieces(words, length)
        assert [word for part in parts for word in part] == words
        assert all(len("".join(part)) <= length or len(part) == 1 for part in parts)
    assert pieces(words, 100) == [words[:3], words[3:]]
    assert pieces([], 5) == []


def test_the_bakeoffs_scores_by_hand():
    """Of 9 true words 5 were found, among 11; 3 of the 9 are not known, of which 1 was found."""
    true = [["我", "爱", "北京", "天安门"], ["研究", "生命", "的", "起源", "。"]]
    found = [["我", "爱", "北", "京", "天安门"], ["研究生", "命", "的", "起", "源", "。"]]
    scores = score_words(true, found, known={"我", "爱", "的", "。", "研究", "北京"})
    right, new_right = 5, 1  # 我 爱 天安门 的 。
    assert scores.recall == right / 9
    assert scores.precision == right / 11
    assert scores.f1 == pytest.approx(2 * right / 20)
    assert scores.oov_rate == 3 / 9
    assert scores.oov_recall == new_right / 3
    assert scores.iv_recall == (right - new_right) / 6
    assert math.isnan(score_words([], []).f1)
    with pytest.raises(DataError, match="text 1: the words that were found are not of its characters"):
        score_words([["我"]], [["你"]])
