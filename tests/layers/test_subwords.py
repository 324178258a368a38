"""Byte-pair merges: the paper's words, against a naive recount, and texts that come back as they were."""

import collections
import itertools
import random
import time

import pytest
import torch
from pydantic import ValidationError

from netsmith.core.errors import ConfigError
from netsmith.core.spec import Inputs, Outputs, Step
from netsmith.layers.subwords import PIECES, Subwords, learn_merges, marked, whole
from netsmith.layers.tokenize import cutter, detokenize, encode, tokenize


def naive(pieces, count, least=2):
    words = {tuple(piece): often for piece, often in pieces.items()}
    merges = []
    for _ in range(count):
        counts = collections.Counter()
        for word, often in words.items():
            for pair in itertools.pairwise(word):
                counts[pair] += often
        best = min(counts, key=lambda pair: (-counts[pair], pair), default=None)
        if best is None or counts[best] < least:
            break
        merges.append(" ".join(best))
        words = {merged(word, best): often for word, often in words.items()}
    return tuple(merges)


def merged(word, pair):
    made = []
    for part in word:
        if made and (made[-1], part) == pair:
            made[-1] = (*pair, "")  # a tuple, so that what was just made is no left part of another pair
        else:
            made.append(part)
    return tuple("".join(part) for part in made)


def naive_cut(piece, merges):
    parts = tuple(piece)
    for merge in merges:
        parts = merged(parts, tuple(merge.split(" ")))
    return parts


def test_the_words_of_algorithm_1():
    pieces = {"low·": 5, "lower·": 2, "newest·": 6, "widest·": 3}
    merges = learn_merges(pieces, 10)
    assert merges[:5] == ("e s", "es t", "est ·", "l o", "lo w")  # 9, 9, 9, 7, 7; then three pairs come 6 times
    cut = Subwords(merges)
    assert [cut(piece) for piece in pieces] == [("low·",), ("low", "e", "r", "·"), ("newest·",), ("w", "i", "dest·")]
    assert merges[-2:] == ("low ·", "d est·")
    assert learn_merges(pieces, 100, least=6) == merges[:8]


def test_the_unseen_word_of_figure_1():
    merges = learn_merges(dict.fromkeys(("low·", "lowest·", "newer·", "wider·"), 1), 4)
    assert set(merges) == {"e r", "er ·", "l o", "lo w"}
    assert Subwords(merges)("lower·") == ("low", "er·")


@pytest.mark.parametrize("seed", range(6))
def test_learning_and_cutting_are_those_of_a_naive_recount(seed):
    draw = random.Random(seed)
    letters = "ab" if seed % 2 else "abcde"
    pieces = {
        "".join(draw.choices(letters, k=draw.randint(1, 12))): draw.randint(1, 9)
        for _ in range(120 if seed > 1 else 25)
    }
    merges = learn_merges(pieces, 80)
    assert merges == naive(pieces, 80)
    assert len(merges) == 80 or seed < 2
    shuffled = list(pieces.items())
    draw.shuffle(shuffled)
    assert learn_merges(dict(shuffled), 80) == merges
    cut = Subwords(merges)
    for length in (1, 2, 7, 40, 1500):  # seen by no one
        piece = "".join(draw.choices(letters, k=length))
        assert cut(piece) == cut(piece) == naive_cut(piece, merges)


def test_a_text_comes_back_but_for_runs_of_blanks():
    step = Step(name="tokenize", pattern=PIECES, merges=("▁ a", "n d", "▁a nd", "l o", "▁ lo"))
    for text in ("Hand und Löwe, and  lo!", "3,5 % of a“quoted”▁ naïve\tword_list", "测试 and 一二，三", "a\u0301 क्षि"):
        expected = " ".join(text.replace("▁", " ").split())
        assert detokenize(tokenize(text, step), step) == expected
    assert tokenize("so and lo", step) == ["▁", "s", "o", "▁and", "▁lo"]
    assert tokenize("AND", step.derive(lowercase=True)) == ["▁and"]
    assert tokenize(" \n ", step) == []


def test_merges_never_cross_a_piece():
    step = Step(name="tokenize", pattern=PIECES, merges=("d .", "d ▁", "n d", "▁ and"))
    assert tokenize("and. and", step) == ["▁", "a", "nd", ".", "▁", "a", "nd"]


def test_what_is_to_stay_whole_does():
    step = Step(name="tokenize", pattern=rf"▁?<2\w+>|{PIECES}", merges=(*whole("▁<2de>"), "e >", "▁ a"))
    assert tokenize("<2de> a <2", step) == ["▁<2de>", "▁a", "▁<", "2"]
    assert detokenize(["▁<2de>", "▁a"], step) == "<2de> a"


def test_words_come_back_with_blanks_and_characters_side_by_side():
    assert detokenize(["a", "man", "."], Step(name="tokenize", pattern=r"\w+|[^\w\s]")) == "a man ."
    assert detokenize(list("你好。"), Step(name="tokenize", pattern=r"\S")) == "你好。"


def test_a_sentence_of_100_000_signs():
    draw = random.Random(0)
    merges = learn_merges({"".join(draw.choices("abcdefgh", k=9)): 1 for _ in range(400)}, 300)
    step = Step(name="tokenize", pattern=PIECES, merges=merges)
    text = "".join(draw.choices("abcdefgh", k=100_000))  # a single word
    start = time.process_time()
    tokens = cutter(step)(text)
    assert time.process_time() - start < 10
    assert "".join(tokens) == marked(text)
    inputs = Inputs(
        kind="text",
        shape=(-1,),
        dtype="int64",
        preprocessing=(step,),
        vocabulary=("<pad>", "<unk>", "<eos>", *sorted(set(tokens))),
        max_length=50,
    )
    assert encode([text], inputs).shape == (1, 50)
    assert torch.all(encode([text], inputs) > 2)


def test_pieces_of_more_than_1000_signs_teach_nothing():
    assert learn_merges({"ab" * 501: 3, "cd": 2}, 9) == ("c d",)


@pytest.mark.parametrize("merge", ["ab", "a b c", " b", "a ", ""])
def test_a_merge_that_is_none_is_refused(merge):
    with pytest.raises(ConfigError, match=r"merge 2 is .*; expected two parts and a blank"):
        Subwords(("a b", merge))


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ConfigError, match="count=-1"):
        learn_merges({}, -1)
    for wrong in ({"negations": ("not",)}, {"digits": "D"}):
        with pytest.raises((ConfigError, ValidationError), match="merges make parts of words"):
            Step(name="tokenize", pattern=PIECES, merges=("a b",), **wrong)
    with pytest.raises((ConfigError, ValidationError), match="merges are for tokenize"):
        Step(name="gray", merges=("a b",))
    with pytest.raises((ConfigError, ValidationError), match="steps are for answers of kind tokens"):
        Outputs(kind="classes", steps=(Step(name="tokenize", pattern="x"),))


def test_what_was_recorded_before_merges_is_the_same():
    assert "merges" not in Step(name="tokenize", pattern="x").dump()
    assert "steps" not in Outputs(kind="tokens").dump()
