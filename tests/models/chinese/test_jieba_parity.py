"""Every mode gives what jieba gives, word for word: odd strings, and words and characters in disorder."""

import random

import pytest

from netsmith.core.errors import UnknownNameError, UnsupportedError
from netsmith.models.chinese import PrefixDictionary, Segmenter

WAYS = [{}, {"hmm": False}, {"mode": "full"}, {"mode": "search"}, {"mode": "search", "hmm": False}]


def theirs(tokenizer, text, mode="accurate", hmm=True):
    if mode == "full":
        return tokenizer.lcut(text, cut_all=True)
    if mode == "search":
        return tokenizer.lcut_for_search(text, HMM=hmm)
    return tokenizer.lcut(text, HMM=hmm)


@pytest.fixture(scope="module")
def segmenter(jieba_words, jieba_hmm, jieba_tag_hmm):
    return Segmenter(jieba_words, hmm=jieba_hmm, tag_hmm=jieba_tag_hmm)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_words(jieba, segmenter, texts, way):
    for text in texts:
        assert segmenter.segment(text, **way) == theirs(jieba, text, **way)


@pytest.mark.parametrize("mode", ["accurate", "search"])
def test_places(jieba, segmenter, texts, mode):
    named = {"accurate": "default"}.get(mode, mode)
    for text in texts:
        found = segmenter.tokens(text, mode=mode)
        assert found == list(jieba.tokenize(text, mode=named))
        assert all(text[token.start : token.end] == token.word for token in found)


@pytest.mark.parametrize("hmm", [True, False])
def test_tags(jieba, segmenter, texts, hmm):
    for text in texts[: -6 if hmm else None]:  # jieba takes seconds for each of them
        assert segmenter.tag(text, hmm=hmm) == [tuple(pair) for pair in jieba.posseg.lcut(text, HMM=hmm)]


USER = """云计算 5
李小福 2 nr
创新办 3 i
easy_install 3 eng
Edu Trust认证 2000
台中
b 3
bc 7
凱特琳 nz

的 0
小区 0
"""


def test_words_of_ones_own(jieba, folder, tmp_path, jieba_hmm, texts):
    """Counts that are given and that are worked out, words with blanks, deletions; the same in all ways."""
    (tmp_path / "user.txt").write_text(USER, encoding="utf-8")
    (tmp_path / "words.txt").write_bytes(b"".join((folder / "dict.txt").read_bytes().splitlines(True)[::20]))
    jieba.finalseg.Force_Split_Words.clear()
    peer = jieba.Tokenizer(str(tmp_path / "words.txt"))
    peer.tmp_dir = str(tmp_path)
    with (tmp_path / "user.txt").open("rb") as file:
        peer.load_userdict(file)
    own = Segmenter(PrefixDictionary.from_file(tmp_path / "words.txt"), hmm=jieba_hmm)
    assert own.load_user_words(tmp_path / "user.txt") == 11
    for change in (peer.del_word, own.delete_word):
        change("中心")
    peer.add_word("石墨烯")
    own.add_word("石墨烯")
    peer.suggest_freq(("今天", "天气"), True)
    own.add_word("今天天气", count=own.suggest_count(["今天", "天气"]))
    assert own.dictionary.total == peer.total
    assert {word: count for word, count in own.dictionary.counts.items() if count} == {
        word: count for word, count in peer.FREQ.items() if count
    }
    for word in ("北京", "北京大学生", "x", "石墨", "中", "不存在的词", "云计算"):
        assert own.suggest_count(word) == peer.suggest_freq(word)
    more = ["李小福是创新办主任也是云计算方面的专家", "台中小区中心bcd abcd凱特琳easy_install", "Edu Trust认证今天天气"]
    try:
        for text in [*more, *texts[-4:]]:
            for way in WAYS:
                assert own.segment(text, **way) == theirs(peer, text, **way)
    finally:
        jieba.finalseg.Force_Split_Words.clear()


def test_compiled_loops_give_the_same(segmenter, jieba_words, jieba_hmm, texts):
    pytest.importorskip("numba")
    fast = Segmenter(jieba_words, hmm=jieba_hmm, fast=True)
    draw = random.Random(7)
    frequent = sorted(jieba_words.counts, key=jieba_words.counts.__getitem__)[-3000:]
    long = "".join(draw.choices(frequent, k=60_000))[:100_000]
    assert len(long) == 100_000
    every_sign = "\0\1\uffff\ufffe去北京"  # no sign is left to stand between words
    for text in [*texts, every_sign, long]:
        for way in WAYS:
            assert fast.segment(text, **way) == segmenter.segment(text, **way)
    own = PrefixDictionary({"b": 3, "bc": 7, "计算": 9, "中心": 0, "丙丁戊": 2})
    plain, fast = Segmenter(own, hmm=jieba_hmm), fast
    fast.dictionary = own
    for change in ("丙丁戊", "计算", "研究", "科学"):  # the arrays follow each of them
        for way in WAYS:
            for text in ("abcd bcabc计算中心", *texts[-2:]):
                assert fast.segment(text, **way) == plain.segment(text, **way)
        plain.delete_word(change)
        fast.forced.add(change)


def test_what_a_mode_cannot_do_is_refused(small, jieba_hmm):
    segmenter = Segmenter(small)
    with pytest.raises(UnknownNameError, match="no mode named 'ful'; did you mean 'full'"):
        segmenter.segment("甲", mode="ful")
    with pytest.raises(UnsupportedError, match="full mode gives no places"):
        segmenter.tokens("甲", mode="full")
    with pytest.raises(UnsupportedError, match="full mode gives the words of the dictionary alone"):
        segmenter.segment("甲", mode="full", hmm=True)
    for call in (segmenter.segment, segmenter.tag):
        with pytest.raises(UnsupportedError, match="there is no hidden Markov model"):
            call("甲", hmm=True)


def test_tags_without_a_table_of_tags(jieba_hmm):
    """As documented: the model of places cuts, numbers are m, Latin words eng, the rest x."""
    found = Segmenter(PrefixDictionary({"甲": 3}, tags={"甲": "n"}), hmm=jieba_hmm).tag("甲，庚庚7.5ab++")
    assert found == [("甲", "n"), ("，", "x"), ("庚庚", "x"), ("7.5", "m"), ("ab", "eng"), ("++", "x")]
