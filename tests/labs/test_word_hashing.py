"""The lab of letter n-grams counts what counting one by one gives, and says so."""

import collections
import re

import pytest

from netsmith.core.errors import ConfigError
from netsmith.data.cranfield import cranfield
from netsmith.data.wikitext2 import Wikitext2
from netsmith.labs.text.word_hashing import WordHashing


def test_ngrams_and_collisions_are_counted():
    found = WordHashing.Config(twin=True, sizes=(1, 2, 3), points=3).build().run()
    texts = [*Wikitext2.Config(twin=True).build().spec.inputs.vocabulary[2:]]
    texts += [document.text for document in cranfield(twin=True).documents.values()]
    words = list(dict.fromkeys(re.findall("[a-z0-9]+", " ".join(texts).lower())))
    assert found.numbers["words"] == len(words)
    assert found.numbers["sizes"] == tuple(len(words) * at // 3 for at in (1, 2, 3))
    for size in (1, 2, 3):
        for place, end in enumerate(found.numbers["sizes"]):
            bags = [
                collections.Counter(f"#{word}#"[at : at + size] for at in range(len(word) + 3 - size))
                for word in words[:end]
            ]
            assert found.numbers[f"ngrams/{size}"][place] == len(set().union(*bags))
            assert found.numbers[f"collisions/{size}"][place] == sum(bags.count(bag) > 1 for bag in bags)
        assert f"are {found.numbers[f'ngrams/{size}'][-1]:,} " in found.remarks[size - 1]


def test_the_papers_figures_stand_apart():
    rows = WordHashing.Config(twin=True, sizes=(3,), points=2).build().run().tables[0].rows
    assert [row[1:4] for row in rows if "paper" in row[0]] == [(40_000, 10_306, 2), (500_000, 30_621, 22)]
    for wrong in ((), (3, 2), (2, 2), (5,)):
        with pytest.raises(ConfigError, match="expected some of 1, 2, 3, 4"):
            WordHashing.Config(sizes=wrong).build()
