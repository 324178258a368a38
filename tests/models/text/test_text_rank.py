"""TextRank: graphs by the paper's rules, ranked by elimination; keywords by tf-idf equal a count; texts cut right."""

import itertools
import math
import time
import tracemalloc

import numpy as np
import pytest

from netsmith.api.keywords import keywords, summarize
from netsmith.core.errors import ConfigError, DataError
from netsmith.layers.sentences import is_chinese, sentences, words
from netsmith.models.text.text_rank import sentence_similarity, text_rank_keywords, text_rank_sentences

STORM = (
    "The storm hit the coast on Sunday. Strong winds and heavy rain came with the storm. A cat slept. "
    "The strong storm brought heavy rain to the whole coast, and strong winds. People left the coast."
)


def solved(matrix):
    size = len(matrix)
    leaving = matrix.sum(1, keepdims=True)
    moves = np.where(leaving > 0, matrix / np.where(leaving > 0, leaving, 1), 1 / size)
    return np.linalg.solve(np.eye(size) - 0.85 * moves.T, np.full(size, 0.15 / size))


def test_sentences_rank_by_their_similarities():
    cut = [words(sentence) for sentence in sentences(STORM)]
    matrix = np.zeros((5, 5))
    for a, b in itertools.permutations(range(5), 2):
        matrix[a, b] = sentence_similarity(cut[a], cut[b])
    assert matrix[0, 1] == pytest.approx(2 / (math.log(7) + math.log(9)))  # the, storm
    ranks = text_rank_sentences(cut)
    assert ranks == pytest.approx(solved(matrix), abs=1e-11)
    best = summarize(STORM, count=2)
    assert [place for place, _, _ in best] == sorted(place for place, _, _ in best)
    assert best[1][1].startswith("The strong storm")
    assert len(summarize(STORM, count=99)) == 5


@pytest.mark.parametrize("seed", range(6))
def test_ranks_of_sentences_are_those_of_all_their_pairs(seed):
    draw = np.random.default_rng(seed)
    lengths = draw.integers(0, (2, 3, 5, 9, 40, 300)[seed], 50)
    cut = [[f"w{word}x" for word in draw.zipf(1.4, size) % 200] for size in lengths]
    cut += [["alone"], ["of", "two"], cut[7], cut[7], ["w1x"], ["w1x"]]
    matrix = np.array([[sentence_similarity(one, other) for other in cut] for one in cut])
    np.fill_diagonal(matrix, 0)
    ranks = text_rank_sentences(cut)
    assert ranks == pytest.approx(solved(matrix), abs=1e-12, rel=1e-10)
    assert ranks[7] == ranks[-4] == ranks[-3]  # to the bit: of equal sentences the first is taken


@pytest.mark.parametrize(
    "text",
    [
        "The storm came. " * 6250,
        "\u597d\u3002" * 50_000,
        " ".join(f"w{n % 97}a" + (". New" if n % 9 == 0 else "") for n in range(20_000)),
        ". ".join("abcdefghijklmnopqrstuvwxyz"[: n % 26 + 1].replace("", " ") for n in range(3500)),
        "\u3002".join("".join(chr(0x4E00 + one) for one in range(n)) for n in range(1, 447)),
    ],
    ids=["equal", "signs", "words", "letters", "each longer"],
)
def test_a_hundred_thousand_signs_of_any_kind_need_seconds_and_little_memory(text):
    started = time.perf_counter()
    tracemalloc.start()
    assert len(summarize(text)) == 3
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 100e6
    assert time.perf_counter() - started < 20  # traced, on a slow core


def test_words_rank_by_their_neighbors_and_join_to_phrases():
    tokens = [["strong", "winds", ",", "strong", "storm"], ["storm", "winds", "the", "coast"]]
    names = ["strong", "winds", "storm", "coast"]
    matrix = np.zeros((4, 4))
    for row in tokens:
        for a, b in itertools.pairwise(row):
            if a in names and b in names:
                matrix[names.index(a), names.index(b)] += 1
                matrix[names.index(b), names.index(a)] += 1
    ranks = dict(zip(names, solved(matrix), strict=True))
    found = dict(text_rank_keywords(tokens, count=3, skip={"the"}))
    assert found["strong winds"] == pytest.approx(ranks["strong"] + ranks["winds"], abs=1e-11)
    assert "coast" not in found  # not among the best
    assert text_rank_keywords([["the", ",", "42"]], skip={"the"}) == []


def test_tf_idf_keywords_are_the_counts_times_the_rarity():
    texts = ["cats chase mice and mice", "dogs chase cats", "dogs bark"]
    found = keywords(texts, count=2)
    assert found[0][0] == ("mice", pytest.approx(2 / 4 * (math.log(4 / 2) + 1)))
    assert [word for word, _ in found[2]] == ["bark", "dogs"]


def test_chinese_by_signs_or_by_words_of_a_segmenter():
    texts = ["机器翻译很难。机器翻译有用。", "天气很好。"]
    assert [word for word, _ in keywords(texts, count=3)[0]] == ["机", "器", "翻"]
    given = keywords(texts, count=1, segment=lambda text: text.replace("机器翻译", " 机器翻译 ").split())
    assert given[0][0][0] == "机器翻译"
    assert keywords(texts, method="text_rank", count=4)[0][0][0] == "机器翻译"
    assert summarize("机器翻译很难。机器翻译有用。天气好。", count=1)[0][1] == "机器翻译很难。"
    assert is_chinese("网络 network 学习语言处理")
    assert not is_chinese("a network 网")
    assert not is_chinese("12 !")


def test_texts_are_cut_into_sentences():
    text = 'Dr. Li said "Stop!" Then he left... at 3.5 p.m. sharp?\n\nA heading\n- -\n他说：“走！”我走了'
    assert sentences(text) == [
        'Dr. Li said "Stop!"', "Then he left...", "at 3.5 p.m.", "sharp?", "A heading", "他说：“走！”", "我走了",
    ]  # fmt: skip


def test_what_has_no_word_is_refused_and_long_texts_end():
    with pytest.raises(DataError, match="holds no word that could be a keyword"):
        keywords(["the of 42 !"])
    with pytest.raises(DataError, match="holds no sentence"):
        summarize("... !! 。")
    with pytest.raises(ConfigError, match="method='lda'"):
        keywords(["a text"], method="lda")
    with pytest.raises(ConfigError, match="count=0"):
        summarize("A text.", count=0)
    with pytest.raises(DataError, match="more than 100,000 sentences, too many for a summary"):
        text_rank_sentences([["a"]] * 100_001)
    long = "word " * 20_000
    assert keywords([long])[0] == [("word", 1.0)]
    assert summarize(long)[0][0] == 1
    assert keywords([long], method="text_rank") == [[("word " * 19_999 + "word", 1.0)]]
