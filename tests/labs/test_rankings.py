"""Labs of texts: rankings on made-up collections against other implementations."""

import numpy as np
import pytest

from netsmith.data.cranfield import cranfield
from netsmith.data.wikiqa import wikiqa
from netsmith.labs.text.ranking_baselines import RankingBaselines
from netsmith.models.matching.search_tokens import search_tokens


def test_baselines_have_the_figures_of_other_implementations():
    metrics = pytest.importorskip("sklearn.metrics")
    okapi = pytest.importorskip("rank_bm25").BM25Okapi
    found = RankingBaselines.Config(twin=True, k1=1.5, b=0.6).build().run()
    for key, collection in (("cranfield", cranfield(twin=True)), ("wikiqa_test", wikiqa("test", twin=True))):
        texts = [search_tokens(document.text) for document in collection.documents.values()]
        other = okapi(texts, k1=1.5, b=0.6)
        for word in other.idf:
            n = sum(word in text for text in texts)
            other.idf[word] = np.log(1 + (len(texts) - n + 0.5) / (n + 0.5))
        names = list(collection.documents)
        precisions, gains = [], []
        for query in collection.queries:
            if query.answered:
                among = list(query.grades) if collection.closed else names
                scores = other.get_scores(search_tokens(query.text))
                scores = scores - 1e-9 * np.arange(len(names))  # of equal ones the earlier comes first
                scores = scores[[names.index(name) for name in among]]
                grades = np.array([query.grades[name] for name in among])
                precisions.append(metrics.average_precision_score(grades > 0, scores))
                gains.append(metrics.ndcg_score(grades[None], scores[None], k=10))
        assert found.numbers[f"{key}/bm25/map"] == pytest.approx(np.mean(precisions), abs=1e-9)
        assert found.numbers[f"{key}/bm25/ndcg@10"] == pytest.approx(np.mean(gains), abs=1e-9)


def test_remarks_of_the_baselines_follow_the_numbers():
    found = RankingBaselines.Config(twin=True).build().run()
    for remark, key in zip(
        found.remarks[:4], ("cranfield", "cranfield_without", "wikiqa_dev", "wikiqa_test"), strict=False
    ):
        most = max(found.numbers[f"{key}/{method}/map"] for method in ("bm25", "tf_idf", "log_tf_idf"))
        assert remark.endswith(f"has the highest MAP, {most:.4f}.")
    assert found.numbers["cranfield/bm25/map"] < found.numbers["cranfield_without/bm25/map"]
    other = RankingBaselines.Config(twin=True, stop_words=False, stem=False, k1=0.1).build().run()
    assert other.numbers != found.numbers
