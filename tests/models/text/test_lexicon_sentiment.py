"""Sentiment by a lexicon: TextBlob's answers with its lexicon, negation, modifiers, Chinese, long and odd texts."""

import importlib.util
import os
import time
from pathlib import Path

import pytest

from netsmith.api.sentiment import judge, learn_lexicon, load_lexicon, opinions
from netsmith.core.errors import ConfigError, DataError
from netsmith.data._lexicons import read_lexicon
from netsmith.layers.lexicon import entry, with_modifiers
from netsmith.models.text.lexicon_sentiment import lexicon_sentiment, lexicon_tokens
from netsmith.models.text.so_pmi import orientation_entries, so_pmi

GIVEN = with_modifiers(
    "own", {"good": entry(0.7, 0.6), "bad": entry(-0.7, 0.7), "fed up": entry(-0.5, 1.0)}, language="en"
)
CHINESE = with_modifiers("own", {"好": entry(0.8), "满意": entry(0.9), "差": entry(-0.8)}, language="zh")


def polarity(text, lexicon=GIVEN):
    return round(lexicon_sentiment(text, lexicon).polarity, 4)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("I am happy today.", (0.8, 1.0)),
        ("I feel sad today.", (-0.5, 1.0)),
        ("good", (0.7, 0.6)),
        ("very good", (0.91, 0.78)),
        ("not good", (-0.35, 0.6)),
    ],
)
def test_textblobs_lexicon_gives_the_known_figures(text, wanted):
    pytest.importorskip("textblob")
    found = lexicon_sentiment(text, load_lexicon(["textblob"]))
    assert (found.polarity, found.subjectivity) == pytest.approx(wanted, abs=1e-9)


def test_the_answers_on_real_sentences_are_textblobs():
    textblob = pytest.importorskip("textblob")
    folder = Path(os.environ.get("NETSMITH_DATA", "")) / "mr-polarity" / "rt-polaritydata"
    if not folder.is_dir():
        pytest.skip("the sentences of MR are not at hand")
    lines = [line for kind in ("neg", "pos") for line in (folder / f"rt-polarity.{kind}").read_bytes().split(b"\n")]
    texts = [line.decode("cp1252") for line in lines[::6]]
    plain = [text for text in texts if "n't" not in text]  # TextBlob cuts n't in three, and loses the negation
    assert len(plain) >= 1000
    lexicon = load_lexicon(["textblob"])
    for text in plain:
        theirs, ours = textblob.TextBlob(text).sentiment, lexicon_sentiment(text, lexicon)
        assert (ours.polarity, ours.subjectivity) == pytest.approx(tuple(theirs), abs=1e-9), text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("good", 0.7),
        ("GOOD!", 0.875),  # times 1.25
        ("isn't good", -0.35),
        ("it isn’t very good", -0.2692),  # 0.7 / 1.3 * -0.5: a negated modifier weakens
        ("not a good one", -0.35),
        ("not the good one", 0.7),  # a word of three letters ends the reach
        ("really, good", 0.91),
        ("really long good", 0.7),
        ("good and bad", 0.0),
        ("I am fed up", -0.5),
        ("very", 0.0),  # a modifier alone is no opinion
        ("good :(", -0.025),
        ("nothing known", 0.0),
        ("", 0.0),
        ("... !!! --", 0.0),
    ],
)
def test_rules_one_by_one(text, wanted):
    assert polarity(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("服务好", 0.8),
        ("服务不好", -0.4),
        ("非常满意", 1.0),  # 0.9 * 1.5, at most 1
        ("有点差", -0.48),
        ("不是很好", -0.3077),
        ("不，好", 0.8),  # a comma ends the reach
        ("差，满意", 0.05),
        ("OK 100 好", 0.8),
    ],
)
def test_chinese_by_the_longest_match(text, wanted):
    assert polarity(text, CHINESE) == wanted


def test_tokens_may_be_given_and_opinions_name_their_words():
    found = lexicon_sentiment(["a", "very", "good", "film"], GIVEN)
    assert [(one.words, round(one.polarity, 4)) for one in found.opinions] == [(("very", "good"), 0.91)]
    assert lexicon_tokens('He said: "It wasn\'t good."', GIVEN) == [
        "he", "said", ":", '"', "it", "was", "n't", "good", ".", '"',
    ]  # fmt: skip


def test_a_sentence_of_100_000_characters_takes_a_moment():
    start = time.perf_counter()
    assert polarity("good " * 20_000) == 0.7
    assert polarity("x" * 100_000) == 0.0
    assert polarity("好" * 100_000, CHINESE) == 0.8
    assert polarity("'" * 100_000) == 0.0
    assert time.perf_counter() - start < 20


# -- made from a corpus ------------------------------------------------------------------------------------------------


def brute(texts, positive, negative, near):
    """Count each word's places near a seed, place by place."""
    hits, beside = [0, 0], [{}, {}]
    for tokens in texts:
        for at, seed in enumerate(tokens):
            for side, seeds in enumerate((positive, negative)):
                if seed in seeds:
                    hits[side] += 1
                    for other, word in enumerate(tokens):
                        if other != at and abs(other - at) <= near:
                            beside[side][word] = beside[side].get(word, 0) + 1
    return hits, beside


def test_orientation_is_what_counting_place_by_place_gives():
    import math
    import random

    draw = random.Random(1)
    words = ["good", "bad", "fine", *(f"w{number}" for number in range(12))]
    texts = [[draw.choice(words) for _ in range(draw.randrange(1, 15))] for _ in range(200)]
    hits, beside = brute(texts, {"good", "fine"}, {"bad"}, 3)
    found = so_pmi(iter(texts), positive=["good", "fine"], negative=["bad"], near=3, least=4)
    assert set(found) == {f"w{number}" for number in range(12)}
    for word, so in found.items():
        a, b = beside[0].get(word, 0), beside[1].get(word, 0)
        assert so == pytest.approx(math.log2((a + 0.01) / (b + 0.01) * hits[1] / hits[0]), abs=1e-12)


def test_a_lexicon_from_a_corpus_judges_new_texts(tmp_path):
    corpus = ["a good lens, sharp", "sharp and good", "bad cap, blurred", "blurred, so bad"] * 3
    made = learn_lexicon(corpus, positive=["good"], negative=["bad"], least=2)
    path = tmp_path / "made.csv"
    path.write_text(made, encoding="utf-8")
    lexicon = read_lexicon(path)
    assert lexicon.entries["good"].polarity == 1.0
    assert polarity("sharp", lexicon) > 0.7
    assert polarity("blurred", lexicon) < -0.7
    with pytest.raises(ConfigError, match=r"none of the positive seeds \(superb\) comes in the texts"):
        learn_lexicon(corpus, positive=["superb"], negative=["bad"])
    with pytest.raises(ConfigError, match="seeds of both sides: bad"):
        learn_lexicon(corpus, positive=["bad"], negative=["bad"])
    strong = orientation_entries({"a": 4.0, "b": 0.1, ",": 3.0}, least=0.5)
    assert list(strong) == ["a"]
    assert strong["a"].polarity == pytest.approx(0.7615941559557649)


# -- opinions on a subject ---------------------------------------------------------------------------------------------


def test_opinions_on_a_subject_are_counted_and_the_strongest_kept():
    texts = [
        "The room was good. The rooms were very good! Breakfast was bad.",
        "A bad room. The bathroom was bad. A room.",
    ]
    found = opinions(texts, GIVEN, about="room", strongest=1)
    assert (found["positive"], found["negative"], found["neutral"]) == (2, 1, 1)  # a bathroom is no room
    assert [one["sentence"] for one in found["strongest_positive"]] == ["The rooms were very good!"]
    assert [one["sentence"] for one in found["strongest_negative"]] == ["A bad room."]
    assert found["polarity"] == pytest.approx((0.7 + 1.0 + -0.7 + 0) / 4)
    with pytest.raises(DataError, match="no sentence names 'view'"):
        opinions(texts, GIVEN, about="view")
    chinese = opinions(["房间好。早餐差！房间不好，"], CHINESE, about="房间")
    assert (chinese["positive"], chinese["negative"]) == (1, 1)


def test_public_lexicons_by_name():
    with pytest.raises(ConfigError, match="vader stands alone"):
        load_lexicon(["vader", "mine.csv"])
    with pytest.raises(ConfigError, match="expected 'en' or 'zh'"):
        load_lexicon(language="de")
    assert [row["label"] for row in judge([("a", "good"), ("b", "bad"), ("c", "x")], GIVEN)] == [
        "positive", "negative", "neutral",
    ]  # fmt: skip
    if importlib.util.find_spec("textblob") is not None:
        assert load_lexicon(["textblob"]).entries["very"].modifies
