"""A quatrain's form place by place, and what cannot become one."""

import itertools

import pytest
import torch

from netsmith.core.errors import DataError, UnknownNameError
from netsmith.layers.quatrain import Quatrain

NAMES = ("<pad>", "<unk>", "\n", "，", "。", "5", "7", "春", "夏", "秋", "冬", "山", "水", "A", "<eos>")
RHYMES = (0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 0, 0, 0)
VERSE = set("春夏秋冬山水")


def allowed(rules, text):
    written = torch.tensor([[NAMES.index(sign) for sign in text]], dtype=torch.int64).view(1, -1)
    return {NAMES[sign] for sign in rules.allowed(written)[0].nonzero()[:, 0].tolist()}


@pytest.mark.parametrize(("form", "width"), [("quatrain5", 5), ("quatrain7", 7)])
def test_every_place_has_its_signs(form, width):
    rules = Quatrain(form, NAMES, RHYMES)
    line = "春" * width
    whole = f"{width}{line}，{line}。{line}，{'春' * (width - 1)}夏。\n"
    assert rules.length == len(whole)
    for place in range(len(whole)):
        found = allowed(rules, whole[:place])
        if place in (0, len(whole) - 1) or whole[place] in "，。":
            assert found == {whole[place]}
        elif place == 2 * (width + 1) - 1:  # the end of line 2: a character that another rhymes with
            assert found == set("春夏秋冬")
        elif place == 4 * (width + 1) - 1:  # of line 4: another of its class
            assert found == {"夏"}
        else:
            assert found == VERSE
        assert rules.given(place) == (whole[place] in "57，。\n")
    assert rules.lines([NAMES.index(sign) for sign in whole]) == [line, line, line, "春" * (width - 1) + "夏"]


def test_a_first_line_and_hidden_words_stand_where_they_belong():
    rules = Quatrain("quatrain5", NAMES, RHYMES, first_line="山水春夏秋")
    text = "5"
    for sign in "山水春夏秋，":
        assert allowed(rules, text) == {sign}
        text += sign
    assert allowed(rules, text) == VERSE
    rules = Quatrain("quatrain5", NAMES, RHYMES, hidden="春夏秋冬")
    line = "水水水水"
    text = "5"
    for first, (sign, last) in zip("春夏秋冬", itertools.product("，。", "春夏"), strict=True):
        assert allowed(rules, text) == {first}
        text += first + line[:3] + last + sign
    del sign, last


def test_rows_rhyme_each_with_its_own():
    rules = Quatrain("quatrain5", NAMES, RHYMES)
    texts = [f"5水水水水水，水水水水{end}。水水水水水，水水水水" for end in "春秋"]
    written = torch.tensor([[NAMES.index(sign) for sign in text] for text in texts])
    found = [[NAMES[sign] for sign in row.nonzero()[:, 0].tolist()] for row in rules.allowed(written)]
    assert found == [["夏"], ["冬"]]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"first_line": "春夏"}, "the first line '春夏' has 2 characters; expected 5: quatrain5 has lines of 5"),
        ({"first_line": "春夏秋冬雪"}, "does not know 雪; it reads the traditional characters"),
        ({"first_line": "春夏，秋冬"}, "does not know ，"),
        ({"first_line": "春夏5秋冬"}, "does not know 5"),
        ({"hidden": "春夏"}, "the hidden words '春夏' has 2 characters; expected 4: each of the 4 lines"),
        ({"hidden": "春夏秋雪"}, "the hidden words '春夏秋雪': the model does not know 雪"),
        ({"hidden": "春夏秋冬", "first_line": "春夏秋冬山"}, "exclude each other"),
    ],
)
def test_what_is_no_poem_is_refused(settings, what):
    with pytest.raises(DataError, match=what):
        Quatrain("quatrain5", NAMES, RHYMES, **settings)


def test_a_mark_that_closes_the_first_line_is_left_out():
    for line in ("春夏秋冬山", "春夏秋冬山，", "春夏秋冬山。 "):
        rules = Quatrain("quatrain5", NAMES, RHYMES, first_line=line)
        assert allowed(rules, "5春夏秋冬") == {"山"}
        assert allowed(rules, "5春夏秋冬山，") == VERSE


def test_other_forms_and_models_without_signs_are_refused():
    with pytest.raises(UnknownNameError, match="quatrain6"):
        Quatrain("quatrain6", NAMES, RHYMES)
    with pytest.raises(DataError, match="knows no sign '7' and so no quatrain7"):
        Quatrain("quatrain7", NAMES[:6], RHYMES[:6])
    with pytest.raises(DataError, match="no two characters that rhyme"):
        Quatrain("quatrain7", NAMES, [0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 4, 4])
