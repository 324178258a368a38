"""Queries with their candidates in one tensor, and words that nobody knew in slots of their own."""

import numpy as np
import pytest
import torch

from netsmith.core.errors import DataError
from netsmith.core.spec import Inputs, Step
from netsmith.layers.candidates import ABSENT, TextNumbers, encode_candidates, pack, parted, sealed
from netsmith.layers.letter_ngrams import letter_ngrams
from netsmith.layers.tokenize import encode, numbering, tokenize, unknown_slots

WORDS = ("<pad>", "<unk>", *unknown_slots(50), "wing", "lift")


def schema(*, letters=0, vocabulary=WORDS, shape=(-1, -1)):
    step = Step(name="tokenize", pattern=r"\w+", lowercase=True, stem=True, letters=letters)
    return Inputs(kind="text", shape=shape, dtype="int64", preprocessing=(step,), vocabulary=vocabulary, max_length=4)


def test_parts_are_what_was_packed_whatever_the_padding():
    rng = np.random.default_rng(0)
    examples = [[rng.integers(1, 9, rng.integers(1, 5)) for _ in range(size)] for size in (3, 2, 4)]
    packed = pack(examples)
    wide = torch.nn.functional.pad(packed, (0, 3, 0, 2))
    for batch in (packed, wide):
        query, documents, there = parted(batch)
        assert query.shape[1] == max(len(example[0]) for example in examples)
        assert documents.shape[2] == max(len(text) for example in examples for text in example[1:])
        for row, example in enumerate(examples):
            assert there[row].tolist() == [at < len(example) - 1 for at in range(there.shape[1])]
            assert query[row][query[row] != 0].tolist() == example[0].tolist()
            for at, text in enumerate(example[1:]):
                assert documents[row, at, : len(text)].tolist() == text.tolist()
                assert not documents[row, at, len(text) :].any()
    nothing = parted(torch.zeros(2, 3, 4, dtype=torch.int64))
    assert (nothing.query.shape, nothing.documents.shape, bool(nothing.there.any())) == ((2, 1), (2, 2, 1), False)
    assert sealed(torch.ones(1, 2), torch.tensor([[True, False]])).tolist() == [[1, ABSENT]]


def test_letter_ngrams_lie_side_by_side():
    names = ("<pad>", "<unk>", *sorted({gram for word in ("wing", "lifting") for gram in letter_ngrams(word)}))
    numbers = TextNumbers(schema(letters=3, vocabulary=names, shape=(-1, -1, -1)))
    found = numbers("Wings lifting air")
    assert found.shape == (3, 7)
    for row, word in zip(found.tolist(), ("wing", "lifting", "air"), strict=True):
        wanted = [names.index(gram) if gram in names else 1 for gram in letter_ngrams(word)]
        assert row == wanted + [0] * (7 - len(wanted))
    assert numbers("a" * 50).shape == (1, 20)
    assert numbers("...").tolist() == [[1]]
    packed = pack([[numbers("wing"), numbers("lifting wing")], [numbers("lifting")]])
    assert packed.shape == (2, 2, 2, 7)
    query, documents, there = parted(packed)
    assert (query.shape, documents.shape) == ((2, 1, 7), (2, 1, 2, 7))
    assert there.tolist() == [[True], [False]]


def test_unknown_words_have_slots_and_plurals_are_singulars():
    number = numbering(WORDS)
    slots = {word: number(word) for word in ("drag", "flap", "slat", "\ud800")}
    assert all(2 <= slot < 52 for slot in slots.values())
    assert len(set(slots.values())) > 1
    assert number("<unk:3>") == 5
    assert numbering(("<pad>", "<unk>", "wing"))("drag") == 1
    inputs = schema(shape=(-1,))
    assert encode(["Wings wing drags drag"], inputs).tolist() == [[52, 52, slots["drag"], slots["drag"]]]
    assert tokenize("the wings", Step(name="tokenize", pattern=r"\w+", stem=True)) == ["the", "wing"]
    for field in ("stem", "letters"):
        with pytest.raises(ValueError, match=f"{field} (is|are) for tokenize"):
            Step(name="scale", **{field: 1 if field == "letters" else True})


def test_texts_become_the_batch_and_wrong_ones_are_named():
    good = {"query": "wing", "documents": ["lift of wings", "lift"]}
    found = encode_candidates([good, {"query": "lift lift", "documents": ["wing"]}], schema())
    number = numbering(WORDS)
    assert found.tolist() == [
        [[52, 0, 0], [53, number("of"), 52], [53, 0, 0]],
        [[53, 53, 0], [52, 0, 0], [0, 0, 0]],
    ]
    for wrong in ("wing", {"query": "wing"}, {**good, "more": 1}, {**good, "documents": []}, {**good, "query": 3}):
        with pytest.raises(DataError, match=r"query 2 is .*expected \{'query': a text, 'documents': texts"):
            encode_candidates([good, wrong], schema())
    with pytest.raises(DataError, match="query 1 has no token"):
        encode_candidates([{**good, "query": "?"}], schema())
