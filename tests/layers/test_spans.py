"""Schemes of tags: what is a name, from one scheme to another, what breaks a scheme; against seqeval."""

import random
import warnings

import pytest

from netsmith.core.errors import DataError
from netsmith.layers.spans import SCHEMES, Span, convert, fault, is_tag, repaired, spans_of, tags_of

KINDS = ("PER", "LOC-X")


def sentence(draw, scheme):
    """Random spans, and their number of tokens."""
    spans, at = [], 0
    for _ in range(draw.randrange(1, 8)):
        length = draw.randrange(1, 5)
        if scheme == "words" or draw.random() < 0.7:
            spans.append(Span("" if scheme == "words" else draw.choice(KINDS), at, at + length))
        at += length
    return spans, at


@pytest.mark.parametrize("scheme", SCHEMES)
def test_spans_come_back_from_their_tags_in_every_scheme(scheme):
    draw = random.Random(0)
    for _ in range(200):
        spans, length = sentence(draw, scheme)
        tags = tags_of(spans, length, scheme)
        assert fault(tags, scheme) is None
        assert spans_of(tags) == spans
        for other in SCHEMES if scheme == "words" else [one for one in SCHEMES if one != "words"]:
            assert convert(convert(tags, other), scheme) == tags
    assert repaired(tags, scheme) == tags


def test_the_schemes_by_example():
    spans = [Span("PER", 0, 1), Span("PER", 1, 4), Span("LOC", 4, 6), Span("LOC", 7, 8)]
    assert {scheme: " ".join(tags_of(spans, 8, scheme)) for scheme in SCHEMES if scheme != "words"} == {
        "iob1": "I-PER B-PER I-PER I-PER I-LOC I-LOC O I-LOC",
        "iob2": "B-PER B-PER I-PER I-PER B-LOC I-LOC O B-LOC",
        "bioes": "S-PER B-PER I-PER E-PER B-LOC E-LOC O S-LOC",
        "bmes": "S-PER B-PER M-PER E-PER B-LOC E-LOC O S-LOC",
    }
    assert "".join(tags_of([Span("", 0, 1), Span("", 1, 3), Span("", 3, 7)], 7, "words")) == "SBEBMME"


def test_the_rule_is_seqevals_on_tags_of_every_kind_of_disorder():
    metrics, draw = pytest.importorskip("seqeval.metrics"), random.Random(1)
    entities = pytest.importorskip("seqeval.metrics.sequence_labeling").get_entities
    letters = ["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in KINDS)]
    right = found = true = 0
    sentences = []
    for _ in range(400):
        one, two = ([draw.choice(letters) for _ in range(12)] for _ in range(2))
        two = [a if draw.random() < 0.8 else b for a, b in zip(one, two, strict=True)]
        for tags in (one, two):
            assert [(kind, start, end - 1) for kind, start, end in spans_of(tags)] == entities(tags)
        renamed = [tag.replace("I-", "M-") for tag in one]
        assert spans_of(renamed) == spans_of(one)
        right += len(set(spans_of(one)) & set(spans_of(two)))
        true, found = true + len(spans_of(one)), found + len(spans_of(two))
        sentences.append((one, two))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert 2 * right / (found + true) == pytest.approx(metrics.f1_score(*map(list, zip(*sentences, strict=True))))


@pytest.mark.parametrize(
    ("scheme", "tags", "place", "problem"),
    [
        ("iob1", "I-X B-Y O", 1, "B is for a name right after one of its kind"),
        ("iob1", "I-X I-Y B-Y", None, ""),
        ("iob2", "O I-X", 1, "'I-X' follows 'O', and goes on with no X"),
        ("iob2", "B-X I-Y", 1, "'I-Y' follows 'B-X'"),
        ("iob2", "B-X I-X I-X B-X B-Y O", None, ""),
        ("bioes", "B-X I-X O", 2, "'I-X' is not ended: 'O' follows"),
        ("bioes", "B-X E-X S-X B-X", 3, "'B-X' is not ended: the sentence ends"),
        ("bioes", "S-X E-X", 1, "goes on with no X"),
        ("bioes", "B-X M-X E-X", 1, "'M-X' is no tag of bioes; expected O, or one of B, I, E, S with a kind"),
        ("bmes", "B-X M-Y", 1, "goes on with no Y"),
        ("bmes", "B-X M-X E-X O S-Y", None, ""),
        ("bmes", "O-X", 0, "'O-X' is no tag"),
        ("bmes", "B", 0, "'B' is no tag"),
        ("words", "B M E S B E", None, ""),
        ("words", "S M E", 1, "'M' follows 'S', and goes on with no word"),
        ("words", "B S", 1, "'B' is not ended: 'S' follows"),
        ("words", "B M", 1, "'M' is not ended: the sentence ends"),
        ("words", "S O", 1, "'O' is no tag of words; expected one of B, M, E, S"),
        ("words", "S-X", 0, "'S-X' is no tag of words"),
    ],
)
def test_the_first_break_of_a_scheme_is_told(scheme, tags, place, problem):
    found = fault(tags.split(), scheme)
    assert (None if found is None else found[0]) == place
    assert problem in (found[1] if found else "")


def test_a_repair_keeps_to_the_scheme_and_finds_the_same_names():
    draw = random.Random(2)
    every = ("O", "B-X", "I-X", "M-X", "E-X", "S-X", "I-Y", "B-Y", "B", "M", "E", "S")
    for scheme in SCHEMES:
        tags = [tag for tag in every if is_tag(tag, scheme)]
        for _ in range(200):
            broken = [draw.choice(tags) for _ in range(8)]
            mended = repaired(broken, scheme)
            assert fault(mended, scheme) is None
            assert spans_of(mended) == spans_of(broken)


def test_what_are_no_spans_of_the_sentence_is_refused():
    for spans in ([Span("X", 0, 2), Span("X", 1, 3)], [Span("X", 2, 2)], [Span("X", 3, 5)], [Span("X", -1, 1)]):
        with pytest.raises(DataError, match="overlaps another, is empty, or reaches out of the 4 tokens"):
            tags_of(spans, 4, "iob2")
    with pytest.raises(DataError, match="token 2 is in no word"):
        tags_of([Span("", 0, 1)], 2, "words")
