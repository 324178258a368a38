"""Which language a text is in, by counts of words, against the formula by hand; marks in vocabularies and texts."""

import math

import pytest

from netsmith.core.errors import DataError
from netsmith.layers.target_language import LanguageWords, asked_for, target_languages


def test_the_likeliest_language_is_that_of_the_formula():
    words = LanguageWords({"de": ["a b b b"], "fr": ["a a c d d"], "cs": ["e"]})
    size = 5  # words of all

    def score(counts, text):
        return sum(math.log((counts.get(word, 0) + 1) / (sum(counts.values()) + size)) for word in text.split())

    counts = {"de": {"a": 1, "b": 3}, "fr": {"a": 2, "c": 1, "d": 2}, "cs": {"e": 1}}
    for text in ("a", "a b", "a a b", "c b", "d d a b", "e", "e e a", "b c"):
        assert words.guess(text) == max(counts, key=lambda language, text=text: score(counts[language], text))


def test_what_says_nothing_is_told_to_be_nothing():
    words = LanguageWords({"de": ["Ein Mann"], "fr": ["un homme"]})
    assert words.guess("EIN, mann!") == "de"
    assert [words.guess(text) for text in ("", "42", "xyz", "ein un")] == ["", "", "", ""]
    for texts in ({"de": ["ein"]}, {"de": ["ein"], "fr": ["12"]}):
        with pytest.raises(DataError, match="two or more languages, each with words"):
            LanguageWords(texts)


def test_languages_are_the_marks_right_behind_the_end():
    assert target_languages(("<pad>", "<unk>", "<eos>", "<2cs>", "<2de>", "of", "<2fr>")) == ("cs", "de")
    assert target_languages(("<pad>", "<unk>", "<eos>", "▁of")) == ()
    assert [asked_for(text) for text in (" <2fr>Oui", "a <2fr>", "<de>")] == ["fr", "", ""]
