"""The most probable route and the hidden Markov models against every way there is."""

import copy
import itertools
import math
import random

import pytest

from netsmith.core.errors import DataError
from netsmith.models.chinese import HmmTable, PlaceHmm, PrefixDictionary, Segmenter, TagHmm, best_route, word_dag


def every_cut(text):
    for cuts in itertools.product((False, True), repeat=len(text) - 1):
        places = [0, *(at for at, cut in enumerate(cuts, start=1) if cut), len(text)]
        yield [text[a:b] for a, b in itertools.pairwise(places)]


def allowed(row, words, dag):
    start = 0
    for word in row:
        if start + len(word) - 1 not in dag[start]:
            return False
        start += len(word)
    return True


def test_the_route_is_the_best_of_all_cuts(small):
    draw = random.Random(1)
    segmenter = Segmenter(small)
    for _ in range(60):
        text = "".join(draw.choices("甲乙丙丁戊己庚", k=draw.randint(1, 9)))
        dag = word_dag(text, small)

        def score(row):
            return sum(math.log(small.counts.get(word) or 1) - math.log(small.total) for word in row)

        best = max(score(row) for row in every_cut(text) if allowed(row, small, dag))
        found, row = best_route(text, small)
        assert found == pytest.approx(best, abs=1e-12)
        assert score(row) == pytest.approx(best, abs=1e-12)
        assert segmenter.segment(text) == row  # the loop of the segmenter takes the same way, ties too


def every_word_plainly(text, words):
    """Full mode as jieba writes it, over the graph of words; for a text of Chinese characters alone."""
    found, covered = [], -1
    for start, ends in word_dag(text, words).items():
        if len(ends) == 1 and start > covered:
            found.append(text[start : ends[0] + 1])
            covered = ends[0]
            continue
        for end in ends:
            if end > start:
                found.append(text[start : end + 1])
                covered = end
    return found


def test_full_mode_gives_every_word_also_after_changes(small):
    """What is known of the later characters of words follows each change."""
    draw = random.Random(6)
    segmenter = Segmenter(small)
    texts = ["".join(draw.choices("甲乙丙丁戊己庚辛", k=30)) for _ in range(40)]
    changes = [("辛甲", 3), ("庚辛甲乙丙", 2), ("甲乙", 4), ("甲乙", 0), ("庚辛甲乙丙", 0), ("甲", 0), ("丁", 5)]
    for word, count in [("己", 1), *changes]:
        for text in [*texts, *(draw.choice(texts)[:9] + word + draw.choice(texts)[:9] for _ in range(5))]:
            assert segmenter.segment(text, mode="full") == every_word_plainly(text, small)
        segmenter.add_word(word, count=count)


def test_a_pair_follows_a_change_of_its_tag(small):
    segmenter = Segmenter(small)
    segmenter.add_word("庚辛", tag="n")
    assert segmenter.tag("庚辛") == [("庚辛", "n")]
    segmenter.add_word("庚辛", tag="v")
    assert segmenter.tag("庚辛") == [("庚辛", "v")]


def test_the_catalogue_facts_of_jieba(jieba_words):
    assert len(jieba_words) == 349_045
    assert len(jieba_words.prefixes()) == 498_113
    assert jieba_words.total == 60_101_967
    assert word_dag("去北京大学玩", jieba_words) == {0: [0], 1: [1, 2, 4], 2: [2], 3: [3, 4], 4: [4], 5: [5]}
    score, row = best_route("去北京大学玩", jieba_words)
    assert score == pytest.approx(-26.0399, abs=5e-5)
    assert row == ["去", "北京大学", "玩"]


def random_table(draw, states, after, chars):
    def weights(names):
        return {name: math.log(draw.choice((0.125, 0.25, 0.5))) for name in names}

    return HmmTable(
        start=weights(states),
        transitions={state: weights(n for n in states if n[0] in after[state[0]]) for state in states},
        emissions={state: weights(draw.sample(chars, k=len(chars) - 1)) for state in states},
        allowed={},
    )


AFTER = {"B": "EM", "M": "EM", "E": "BS", "S": "BS"}


def path_score(table, path, text, impossible):
    score = table.start[path[0]] + table.emissions[path[0]].get(text[0], impossible)
    for (a, b), char in zip(itertools.pairwise(path), text[1:], strict=True):
        score += table.transitions[a].get(b, -math.inf) + table.emissions[b].get(char, impossible)
    return score


def test_places_are_the_best_of_all_paths():
    draw = random.Random(2)
    for _ in range(40):
        table = random_table(draw, "BEMS", AFTER, "甲乙丙")
        text = "".join(draw.choices("甲乙丙丁", k=draw.randint(1, 5)))
        paths = [p for p in itertools.product("BEMS", repeat=len(text)) if p[-1] in "ES"]
        best = max(path_score(table, path, text, -3.14e100) for path in paths)
        words = PlaceHmm(table).words(text)
        assert "".join(words) == text
        # The first word may lack its beginning, as a path may begin with M or E.
        own = ["S" if len(word) == 1 else "B" + "M" * (len(word) - 2) + "E" for word in words]
        tries = [[first + own[0][1:], *own[1:]] for first in {"S": "SE"}.get(own[0], "BM")]
        assert max(path_score(table, "".join(t), text, -3.14e100) for t in tries) == pytest.approx(best, rel=1e-12)


def test_tagged_paths_are_the_best_of_all_paths():
    draw = random.Random(4)
    states = [f"{place}-{tag}" for place in "BEMS" for tag in "nv"]
    for _ in range(25):
        table = random_table(draw, states, AFTER, "甲乙丙")
        text = "".join(draw.choices("甲乙丙丁", k=draw.randint(1, 4)))
        model = TagHmm(table)
        found = [model.states[state] for state in model.path(text)]
        best = max(path_score(table, p, text, -3.14e100) for p in itertools.product(states, repeat=len(text)))
        assert path_score(table, found, text, -3.14e100) == pytest.approx(best, rel=1e-12)
        assert "".join(word for word, _ in model.words(text)) == text


def test_a_character_has_the_states_it_was_seen_in_as_long_as_one_may_follow():
    flat = dict.fromkeys(("B-n", "E-n", "M-n", "S-n"), -1.0)
    table = HmmTable(
        start=flat,
        transitions={"B-n": {"E-n": -0.5}, "E-n": {"B-n": -1.0}, "S-n": {}},
        emissions={state: {"甲": -1.0, "乙": -1.0} for state in flat},
        allowed={"甲": ("B-n",), "乙": ("S-n",), "丙": ("S-n",)},
    )
    model = TagHmm(table)
    assert [model.states[state] for state in model.path("甲乙")] == ["B-n", "E-n"]  # S-n may not follow B-n
    assert model.words("乙丙") == [("乙", "n"), ("丙", "n")]  # nothing may follow S-n: as at a beginning


@pytest.mark.parametrize(
    ("states", "way", "message"),
    [
        ("BEMX", ("B", "E"), "has the states B, E, M and S; got 'X'"),
        ("BEMS", ("B", "S"), "has no way from B to S: after B come E and M"),
    ],
)
def test_a_table_of_other_places_is_refused(states, way, message):
    table = HmmTable(dict.fromkeys(states, -1.0), {way[0]: {way[1]: -1.0}}, {}, {})
    with pytest.raises(DataError, match=message):
        PlaceHmm(table)
    with pytest.raises(DataError, match="has states like B-n"):
        TagHmm(table)


def test_the_tree_knows_every_beginning(small):
    prefixes = small.prefixes()
    for length in (1, 2, 3, 4, 5):
        for text in map("".join, itertools.product("甲乙丙丁戊己", repeat=min(length, 4))):
            assert small.is_prefix(text) == (text in prefixes)
    strange = PrefixDictionary({"卡·马": 3})
    assert strange.is_prefix("卡·")
    assert not strange.is_prefix("卡马")
    assert Segmenter(strange).segment("卡·马") == ["卡", "·", "马"]  # a text is cut at · before


def test_a_copied_dictionary_takes_new_words_for_what_they_are():
    words = copy.deepcopy(PrefixDictionary({"北京": 5}))
    words.add("上海", 3)
    assert word_dag("广海北海", words) == word_dag("广海北海", PrefixDictionary({"北京": 5, "上海": 3}))
