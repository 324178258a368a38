"""Texts and dictionaries that the tests of this folder share; jieba only where it is installed."""

from __future__ import annotations

import random
import warnings

import pytest

from netsmith.models.chinese import (
    PlaceHmm,
    PrefixDictionary,
    TagHmm,
    jieba_folder,
    jieba_place_table,
    jieba_tag_table,
)

ODD = [
    "",
    "\n",
    "\r\n\r\n",
    "a",
    "玩",
    " \u3000\t ",
    "去北京大学玩",
    "AT&T和3AT&T-5G",
    "c#与C++、.NET 3.5%涨12.34%...5.%%",
    "B超bB超3T恤x",
    "他来到了网易杭研大厦\r\n小明硕士毕业于\n中国科学院计算所\r",
    "𠮷野家😀👍🏽\ud83d龘靐齉\x00\x01\uffff",
    "2026年11月22日-23:59:59,http://a.b/c?d=e&f=%20#g_h",
    "ｆｕｌｌ１２３ ひらがなカタカナ한국어",
    "龥龦鿕鿖鿿㐀",
    "一一一一一一" * 9,
    "+#&._%-" * 3,
    "の" * 5 + "的" * 30 + "xX9" * 7,
]
"""Strings that break segmenters."""


@pytest.fixture(scope="session")
def folder():
    pytest.importorskip("jieba")
    return jieba_folder()


@pytest.fixture(scope="session")
def jieba_words(folder):
    return PrefixDictionary.from_file(folder / "dict.txt")


@pytest.fixture(scope="session")
def jieba_hmm(folder):
    return PlaceHmm(jieba_place_table(folder))


@pytest.fixture(scope="session")
def jieba_tag_hmm(folder):
    return TagHmm(jieba_tag_table(folder))


@pytest.fixture(scope="session")
def jieba():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pytest.importorskip("jieba")
        pytest.importorskip("jieba.posseg")
    found.setLogLevel(60)
    return found


@pytest.fixture(scope="session")
def texts(jieba_words):
    """Odd strings, and 20,000 characters drawn from the dictionary's words and its characters in disorder."""
    draw = random.Random(5)
    words = list(jieba_words.counts)
    frequent = sorted(words, key=jieba_words.counts.__getitem__)[-5000:]
    chars = sorted({char for word in frequent for char in word})
    parts = []
    for _ in range(6000):
        part = draw.choice((draw.choice(words), draw.choice(frequent), draw.choice(chars)))
        parts.append(part + draw.choice(("", "", "", "", "", "", "，", "。", "\n", "7", "x", "\r\n", " ")))
    return [*ODD, *("".join(parts[at : at + 500]) for at in range(0, len(parts), 500))]


@pytest.fixture
def small():
    """A dictionary of 60 words of up to four of six characters; sums of logarithms tie often."""
    draw = random.Random(3)
    words = {"".join(draw.choices("甲乙丙丁戊己", k=draw.choice((1, 2, 2, 3, 4)))) for _ in range(60)}
    return PrefixDictionary({word: draw.choice((1, 2, 4, 8)) for word in sorted(words)})
