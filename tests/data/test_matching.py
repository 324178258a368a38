"""Sources of rankings: what is drawn for training, what is known from where, how the official sets are divided."""

import itertools
import os
from pathlib import Path

import pytest
import torch

from netsmith.data.cranfield import cranfield
from netsmith.data.cranfield_ranking import CranfieldRanking
from netsmith.data.wikiqa import wikiqa
from netsmith.data.wikiqa_ranking import WikiQaRanking
from netsmith.engine.task import UNLABELED
from netsmith.layers.candidates import encode_candidates, parted
from netsmith.layers.tokenize import tokenize

GIVEN = Path(os.environ.get("NETSMITH_DATA", "nowhere"))
SOURCES = [WikiQaRanking, CranfieldRanking]


@pytest.fixture(scope="module", params=SOURCES, ids=lambda kind: kind.__name__)
def source(request):
    return request.param.Config(twin=True, negatives=3).build()


def whole(batch):
    """Return a batch without its padding, as it would be whatever stood beside."""
    query, documents, there = parted(batch.inputs)
    return [
        (q[q > 0].tolist(), [text[text > 0].tolist() for text in d[t]], grades[grades != UNLABELED].tolist())
        for q, d, t, grades in zip(query, documents, there, batch.targets, strict=True)
    ]


def test_candidates_of_a_step_depend_on_the_key_and_the_query_alone(source):
    indices = torch.tensor([5, 0, 17, 3])
    together = source.load("train", indices, key=11)
    alone = [source.load("train", indices[at : at + 1], key=11) for at in range(4)]
    assert whole(together) == [row for batch in alone for row in whole(batch)]
    assert whole(together) == whole(source.load("train", indices, key=11))
    assert whole(together) != whole(source.load("train", indices, key=12))
    assert torch.equal(together.keys, torch.cat([batch.keys for batch in alone]))


def test_a_step_shows_one_that_answers_and_some_that_do_not(source):
    every = torch.arange(10)
    plain = whole(source.load("train", every))
    seen = [set() for _ in every]
    for key in range(12):
        batch = source.load("train", every, key=key)
        assert (batch.targets[:, 0] > 0).all()
        assert ((batch.targets[:, 1:] == 0).sum(1) == 3).all()
        for (_, documents, grades), (_, texts, official), found in zip(whole(batch), plain, seen, strict=True):
            assert all(official[texts.index(text)] == grade for text, grade in zip(documents, grades, strict=True))
            found.add(tuple(documents[0]))
    for found, (_, texts, official) in zip(seen, plain, strict=True):
        answers = {tuple(text) for text, grade in zip(texts, official, strict=False) if grade > 0}
        assert found <= answers
        assert len(found) > 1 or len(answers) == 1


def test_no_word_stands_twice_and_texts_are_read_alike(source):
    assert len(set(source.spec.inputs.vocabulary)) == len(source.spec.inputs.vocabulary)
    question = source.questions("dev")[0]
    documents = [source._documents[name] for name in question.candidates]
    again = encode_candidates([{"query": question.text, "documents": documents}], source.spec.inputs)
    loaded = source.load("dev", torch.tensor([0])).inputs[:, : 1 + len(documents)]
    assert torch.equal(again, loaded[..., : again.shape[2]])
    assert not loaded[..., again.shape[2] :].any()
    assert {split.name for split in source.spec.splits} == {"train", "dev", "test"}
    assert len(list(source.collection())) == 120


def test_letters_are_one_more_axis():
    source = WikiQaRanking.Config(twin=True, letters=3).build()
    batch = source.load("dev", torch.arange(3))
    assert batch.inputs.shape[3] == 6  # the twin's words have six letters
    assert source.spec.inputs.shape == (-1, -1, -1)
    assert all(len(gram) == 3 for gram in source.spec.inputs.vocabulary[2:])


def test_shares_that_leave_nothing_are_refused():
    with pytest.raises(ValueError, match="leave nothing to learn from"):
        CranfieldRanking.Config(dev=0.5, test=0.5)


@pytest.mark.skipif(not (GIVEN / "cranfield").is_dir(), reason="cranfield is not in $NETSMITH_DATA")
def test_cranfields_questions_of_one_paper_stay_together_and_the_paper_is_no_candidate():
    collection = cranfield()
    asked = {query.name: [name for name, grade in query.grades.items() if grade == 0] for query in collection.queries}
    assert all(len(found) == 1 for found in asked.values())
    paper = {name: found[0] for name, found in asked.items()}
    assert len(set(paper.values())) == 128
    rows = [paper[query.name] for query in collection.queries]
    assert sum(a == b for a, b in itertools.pairwise(rows)) == 78
    source = CranfieldRanking.Config().build()
    parts = {split: {paper[one.name] for one in source.questions(split)} for split in ("train", "dev", "test")}
    assert sum(map(len, parts.values())) == len(set.union(*parts.values()))
    assert [split.size for split in source.spec.splits] == [117, 45, 60]
    for split in parts:
        for one in source.questions(split):
            assert paper[one.name] not in one.candidates
            assert len(one.candidates) == 100
            query = next(query for query in collection.queries if query.name == one.name)
            answers = sorted(grade for grade in query.grades.values() if grade > 0)
            assert sorted([*(grade for grade in one.grades if grade), *one.missed]) == answers


@pytest.mark.skipif(not (GIVEN / "wikiqa").is_dir(), reason="wikiqa is not in $NETSMITH_DATA")
def test_wikiqas_answered_questions_with_their_own_sentences():
    source = WikiQaRanking.Config().build()
    assert [split.size for split in source.spec.splits] == [857, 126, 243]
    official = {query.name: query for query in wikiqa("test").queries}
    for one in source.questions("test"):
        assert dict(zip(one.candidates, one.grades, strict=True)) == official[one.name].grades
        assert not one.missed


@pytest.mark.skipif(not (GIVEN / "wikiqa").is_dir(), reason="wikiqa is not in $NETSMITH_DATA")
def test_the_vocabulary_is_of_the_training_part():
    source = WikiQaRanking.Config().build()

    def words(split):
        found = wikiqa(split)
        texts = [one.text for one in (*found.queries, *found.documents.values())]
        return {word for text in texts for word in tokenize(text, source.spec.inputs.preprocessing[0])}

    train, test = words("train"), words("test")
    known = set(source.spec.inputs.vocabulary)
    assert len(test - train) > 1000
    assert not known & (test - train)
    assert len(known & test & train) > 1000
