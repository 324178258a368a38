"""IBM models 1 and 2: EM against sums over all alignments one by one, and the textbook's table."""

import gzip
import itertools
import math
import os
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from netsmith.core.errors import ConfigError, DataError
from netsmith.models.translation.ibm_model1 import ibm_model1, viterbi
from netsmith.models.translation.ibm_model2 import ibm_model2
from netsmith.models.translation.word_links import sentences, word_links

TOY = ([[1, 2], [1, 3], [4, 3]], [[1, 2], [1, 3], [4, 3]])  # das Haus, das Buch, ein Buch; the house, the book, a book
PAIRS = (
    [[1, 2], [3, 1], [4, 3], [2, 2, 5, 1], [5], [1, 4, 2]],
    [[7, 3], [4, 7, 7], [4, 5], [3, 6, 3], [6, 7], [5, 7, 3]],
)
DATA = Path(os.environ.get("NETSMITH_DATA", "nowhere")) / "multi30k" / "data" / "task1" / "raw"


class OneByOne:
    """EM by listing every alignment of every pair, in dictionaries."""

    def __init__(self, given, made, *, null):
        self.pairs = [([0] if null else []) + list(e) for e in given], made
        self.first = 0 if null else 1
        words = {f for row in made for f in row}
        self.t = {(f, e): 1 / len(words) for es, fs in zip(*self.pairs, strict=True) for e in es for f in fs}
        self.a = {
            (i, j, len(es), len(fs)): 1 / len(es)
            for es, fs in zip(*self.pairs, strict=True)
            for i in range(len(es))
            for j in range(len(fs))
        }

    def alignments(self, es, fs):
        for chosen in itertools.product(range(len(es)), repeat=len(fs)):
            yield (
                chosen,
                math.prod(
                    self.a[i, j, len(es), len(fs)] * self.t[f, es[i]]
                    for j, (i, f) in enumerate(zip(chosen, fs, strict=True))
                ),
            )

    def likelihood(self):
        return sum(math.log(sum(p for _, p in self.alignments(es, fs))) for es, fs in zip(*self.pairs, strict=True))

    def iterate(self, *, places):
        words, where = defaultdict(float), defaultdict(float)
        for es, fs in zip(*self.pairs, strict=True):
            whole = sum(p for _, p in self.alignments(es, fs))
            for chosen, p in self.alignments(es, fs):
                for j, i in enumerate(chosen):
                    words[fs[j], es[i]] += p / whole
                    where[i, j, len(es), len(fs)] += p / whole
        made, held = defaultdict(float), defaultdict(float)
        for (_, e), count in words.items():
            made[e] += count
        for (_, *place), count in where.items():
            held[tuple(place)] += count
        self.t = {(f, e): count / made[e] for (f, e), count in words.items()}
        if places:
            self.a = {(i, *place): count / held[tuple(place)] for (i, *place), count in where.items()}

    def best(self):
        for es, fs in zip(*self.pairs, strict=True):
            yield max(self.alignments(es, fs), key=lambda each: each[1])


def table(links, model):
    return {(f, e): t for f, e, t in zip(links.made.tolist(), links.given.tolist(), model.t.tolist(), strict=True)}


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.parametrize("pairs", [TOY, PAIRS], ids=["toy", "drawn"])
def test_each_iteration_is_that_of_all_alignments_listed_one_by_one(pairs, null):
    links = word_links(*map(sentences, pairs), null=null)
    plain = OneByOne(*pairs, null=null)
    likelihoods = [plain.likelihood()]
    for iteration in range(1, 4):
        plain.iterate(places=False)
        likelihoods.append(plain.likelihood())
        model = ibm_model1(links, iterations=iteration)
        assert table(links, model) == pytest.approx(plain.t, abs=1e-13)
        assert model.likelihoods == pytest.approx(likelihoods, abs=1e-12)
    first, likelihoods = model, [plain.likelihood()]
    for iteration in range(1, 5):
        plain.iterate(places=True)
        likelihoods.append(plain.likelihood())
        model = ibm_model2(links, first, iterations=iteration)
        assert table(links, model) == pytest.approx(plain.t, abs=1e-13)
        assert model.likelihoods == pytest.approx(likelihoods, abs=1e-12)
        found = iter((viterbi(links, model) - (not null)).tolist())
        for (_, p), es, fs in zip(plain.best(), *plain.pairs, strict=True):
            chosen = [next(found) for _ in fs]
            assert dict(plain.alignments(es, fs))[tuple(chosen)] == pytest.approx(p, rel=1e-12)
    shares = np.array([model.a[place] for place in np.unique(links.place)])
    assert np.bincount(links.group, shares) == pytest.approx(1, abs=1e-12)
    assert sum(plain.a.values()) == pytest.approx(model.a.sum(), abs=1e-12)


def test_the_textbooks_table():
    """Koehn 2010, section 4.2: t(e | f) of each pair at the start and after iterations 1 to 3, and in the end."""
    links = word_links(*map(sentences, TOY), null=False)  # here given: German, made: English
    the, house, book, a, das, haus, buch, ein = 1, 2, 3, 4, 1, 2, 3, 4
    rows = {
        (the, das): (0.25, 0.5, 0.6364, 0.7479, 1),
        (book, das): (0.25, 0.25, 0.1818, 0.1208, 0),
        (house, das): (0.25, 0.25, 0.1818, 0.1313, 0),
        (the, buch): (0.25, 0.25, 0.1818, 0.1208, 0),
        (book, buch): (0.25, 0.5, 0.6364, 0.7479, 1),
        (a, buch): (0.25, 0.25, 0.1818, 0.1313, 0),
        (book, ein): (0.25, 0.5, 0.4286, 0.3466, 0),
        (a, ein): (0.25, 0.5, 0.5714, 0.6534, 1),
        (the, haus): (0.25, 0.5, 0.4286, 0.3466, 0),
        (house, haus): (0.25, 0.5, 0.5714, 0.6534, 1),
    }
    found = [table(links, ibm_model1(links, iterations=n)) for n in (0, 1, 2, 3, 2000)]
    assert set(found[0]) == set(rows)
    for pair, figures in rows.items():
        assert [each[pair] for each in found[:4]] == pytest.approx(figures[:4], abs=5e-5)
        assert found[4][pair] == pytest.approx(figures[4], abs=2e-3)


def real(language, count):
    with gzip.open(DATA / f"train.{language}.gz", "rt", encoding="utf-8") as lines:
        texts = [re.findall(r"\w+|[^\w\s]", line.lower()) for line in itertools.islice(lines, count)]
    numbers = {word: number for number, word in enumerate(sorted({word for text in texts for word in text}), start=1)}
    return sentences([[numbers[word] for word in text] for text in texts])


@pytest.mark.skipif(not DATA.is_dir(), reason="multi30k is not in $NETSMITH_DATA")
def test_on_real_sentences_the_likelihood_never_falls_and_probabilities_sum_to_one():
    links = word_links(real("en", 3000), real("de", 3000))
    first = ibm_model1(links, iterations=6)
    second = ibm_model2(links, first, iterations=6)
    assert second.likelihoods[0] == pytest.approx(first.likelihoods[-1], rel=1e-12)
    assert (np.diff(first.likelihoods) > 0).all()
    assert (np.diff(second.likelihoods) > 0).all()
    for model in (first, second):
        sums = np.bincount(links.given, model.t)
        assert sums[np.unique(links.given)] == pytest.approx(1, abs=1e-12)
        assert np.bincount(links.group, model.a) == pytest.approx(1, abs=1e-12)


def test_what_is_no_pair_of_sentences_is_refused():
    with pytest.raises(DataError, match="sentence 2 of 2 has no word"):
        sentences([[1], []])
    with pytest.raises(DataError, match="word number 0"):
        sentences([[1, 0]])
    with pytest.raises(DataError, match="2 sentences given and 1 made"):
        word_links(sentences([[1], [2]]), sentences([[1]]))
    with pytest.raises(ConfigError, match="iterations=-1"):
        ibm_model1(word_links(sentences([[1]]), sentences([[1]])), iterations=-1)
