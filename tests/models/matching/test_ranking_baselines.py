"""BM25 and tf-idf cosine against independent implementations, and the index they read."""

import math
import random

import numpy as np
import pytest

from netsmith.core.errors import ConfigError
from netsmith.layers.bm25 import bm25_idf, bm25_scores
from netsmith.layers.inverted_index import InvertedIndex, best
from netsmith.models.matching.search_tokens import search_tokens
from netsmith.models.matching.tf_idf_cosine import TfIdfCosine

DRAW = random.Random(0)
WORDS = [f"w{number}" for number in range(60)]
TEXTS = [[DRAW.choice(WORDS[: 5 + number % 55]) for _ in range(DRAW.randrange(1, 40))] for number in range(80)] + [
    ["rare", "rare", "w3"]
]
QUERIES = [["w3"], ["w1", "w40", "w1", "absent"], ["rare", "w59", "w58", "w0"], ["absent"]]


def indexed(texts):
    index = InvertedIndex()
    for text in texts:
        index.add(text)
    return index


@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (1.5, 0.0), (0.01, 0.5), (2.0, 1.0)])
def test_bm25_equals_rank_bm25_with_the_same_weights_of_words(k1, b):
    other = pytest.importorskip("rank_bm25").BM25Okapi(TEXTS, k1=k1, b=b)
    index = indexed(TEXTS)
    own = {}
    for word in index.terms:
        n = sum(word in text for text in TEXTS)
        own[word] = math.log(1 + (len(TEXTS) - n + 0.5) / (n + 0.5))
        if n < len(TEXTS) / 2:  # the other floors what is below 0
            assert bm25_idf(n, size=len(TEXTS), idf="robertson") == pytest.approx(other.idf[word], abs=1e-12)
    rare = [word for word in index.terms if index.frequency(word) < len(TEXTS) / 2]
    for query in [*QUERIES, rare[:20]]:
        if all(word in rare or word == "absent" for word in query):
            found = bm25_scores(index, query, k1=k1, b=b, idf="robertson")
            np.testing.assert_allclose(found, other.get_scores(query), rtol=0, atol=1e-12)
    other.idf = own
    for query in QUERIES:
        np.testing.assert_allclose(bm25_scores(index, query, k1=k1, b=b), other.get_scores(query), rtol=0, atol=1e-12)


@pytest.mark.parametrize("sublinear", [False, True])
def test_tf_idf_cosine_equals_scikit_learn(sublinear):
    text = pytest.importorskip("sklearn.feature_extraction.text")
    vectorizer = text.TfidfVectorizer(analyzer=lambda tokens: tokens, sublinear_tf=sublinear)
    documents = vectorizer.fit_transform(TEXTS)
    index = indexed(TEXTS)
    ranker = TfIdfCosine(index, sublinear=sublinear)
    for query in QUERIES:
        wanted = (documents @ vectorizer.transform([query]).T).toarray()[:, 0]
        np.testing.assert_allclose(ranker.scores(query), wanted, rtol=0, atol=1e-12)
    index.add(["rare"])
    np.testing.assert_allclose(
        ranker.scores(QUERIES[2]), (documents @ vectorizer.transform([QUERIES[2]]).T).toarray()[:, 0]
    )


def test_a_word_of_most_documents_never_lowers_a_score_unless_asked_for():
    index = indexed([["a", "b"], ["a"], ["a"], ["c"]])
    assert bm25_scores(index, ["a"]).min() == 0
    assert bm25_scores(index, ["a"])[1] > 0
    assert bm25_scores(index, ["a"], idf="robertson")[1] < 0
    assert best(bm25_scores(index, ["a"])).tolist() == [1, 2, 0, 3]  # shorter texts first, then the earlier


def test_settings_out_of_range_are_refused():
    for setting in ({"k1": -1.0}, {"b": 1.1}, {"k1": math.nan}, {"k1": math.inf}, {"b": math.nan}):
        with pytest.raises(ConfigError, match="k1 of 0 or more"):
            bm25_scores(indexed(TEXTS), ["w1"], **setting)
    with pytest.raises(ConfigError, match="'positive' or 'robertson'"):
        bm25_scores(indexed(TEXTS), ["w1"], idf="other")


def test_documents_that_break_off_leave_no_trace():
    index = indexed([["a"]])

    def broken():
        yield "a"
        yield "b"
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        index.add(broken())
    assert len(index) == 1
    assert index.terms == ("a",)
    assert index.frequency("b") == 0
    assert index.add([]) == 1
    assert index.lengths.tolist() == [1, 0]
    assert bm25_scores(index, ["a"]).tolist()[1] == 0
    assert TfIdfCosine(index).scores(["a"]).tolist() == [1, 0]


def test_no_document_or_only_empty_ones_have_no_scores():
    assert bm25_scores(InvertedIndex(), ["a"]).shape == (0,)
    assert TfIdfCosine(InvertedIndex()).scores(["a"]).shape == (0,)
    assert bm25_scores(indexed([[], []]), ["a"]).tolist() == [0, 0]


def test_tokens_of_a_search():
    assert search_tokens("Boundary-layers, HEATED plates", skip=("heated",)) == ["boundary-layer", "plate"]
    assert search_tokens("plates", stem=False) == ["plates"]
    assert search_tokens("在 边界层x") == ["在", "边", "界", "层", "x", "边界", "界层"]


def test_without_saturation_only_presence_counts():
    index = indexed([["a"] * 9, ["a", "b"], ["c"], ["d"]])
    assert bm25_scores(index, ["a"], k1=0).tolist() == pytest.approx([bm25_idf(2, size=4)] * 2 + [0, 0])
