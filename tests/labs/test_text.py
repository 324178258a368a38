"""Labs on texts: what their twins make sure of, and remarks that follow the numbers."""

import itertools
import os
from pathlib import Path

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.data.mr_polarity import MrPolarity
from netsmith.data.multi30k import Multi30k
from netsmith.data.polarity_2 import Polarity2
from netsmith.labs.text.polarity_folds import PolarityFolds
from netsmith.labs.text.sentiment_lexicons import SentimentLexicons
from netsmith.labs.text.word_alignment import WordAlignment
from netsmith.models.text.bag_naive_bayes import BagNaiveBayes

TWIN = Polarity2.Config(twin=True, dev=0.0)


def test_folds_are_held_out_and_pairs_tell_the_twin():
    findings = PolarityFolds.Config(data=TWIN, folds=2, bigrams=500).build().run()
    numbers = findings.numbers
    for learner in ("naive Bayes", "maximum entropy", "linear SVM"):
        assert numbers[f"mean/{learner}/presence"] <= 0.7  # the twin's words are the same in both classes
        assert numbers[f"mean/{learner}/presence and pairs"] >= 0.95
    source = TWIN.build()
    batches = [source.load(split, torch.arange(source.spec.split(split).size)) for split in ("train", "test")]
    tokens, labels = (torch.cat([getattr(batch, name) for batch in batches]) for name in ("inputs", "targets"))
    folds = torch.cat([source.folds[split] for split in ("train", "test")])
    model = BagNaiveBayes.Config(vocab_size=len(source.spec.inputs.vocabulary), num_classes=2).build()
    model.fit(tokens[folds != 1], labels[folds != 1])
    share = (model(tokens[folds == 1]).argmax(1) == labels[folds == 1]).double().mean()
    assert numbers["accuracy/naive Bayes/presence"][1] == float(share)
    assert "with presence and pairs, 100.00 %" in findings.remarks[0]
    with pytest.raises(ConfigError, match="expected polarity_2 with dev=0"):
        PolarityFolds.Config(data=TWIN.derive(dev=0.1)).build()


def test_a_made_lexicon_judges_the_twin_and_others_are_named():
    seeds = {"positive": ("sun0", "sun1"), "negative": ("rain0", "rain1")}
    config = SentimentLexicons.Config(data=(TWIN,), lexicons=(), corpus=TWIN, near=3, **seeds)
    findings = config.build().run()
    assert findings.numbers["accuracy/polarity-2.0/SO-PMI"] >= 0.9
    assert findings.numbers["words/SO-PMI (en)"] > 4
    assert findings.remarks[0].startswith("polarity-2.0: SO-PMI ")
    with pytest.raises(ConfigError, match="expected texts of two classes with a split 'dev'"):
        config.derive(split="dev").build().run()


@pytest.mark.skipif(
    not (Path(os.environ.get("NETSMITH_DATA") or "nowhere") / "sentiment-lexicons").is_dir(), reason="no public lexicon"
)
def test_a_public_lexicon_beats_a_guess_on_real_sentences():
    config = SentimentLexicons.Config(
        data=(MrPolarity.Config(),), lexicons=("afinn",), corpus=TWIN, positive=("sun0",), negative=("rain0",)
    )
    numbers = config.build().run().numbers
    assert numbers["accuracy/mr-polarity/afinn"] == pytest.approx(0.629, abs=0.005)
    assert 0.45 < numbers["accuracy/mr-polarity/SO-PMI"] < 0.55  # made of the twin's words: it knows none of these


def test_words_of_a_language_with_another_order_are_aligned():
    config = WordAlignment.Config(data=Multi30k.Config(twin=True, merges=0, lowercase=True), pairs=600, sentence=3)
    findings = config.build().run()
    numbers = findings.numbers
    assert numbers["toy/das | the"][:4] == pytest.approx((0.25, 0.5, 7 / 11, 0.7479), abs=5e-5)  # Koehn 2010, 4.2
    for name in ("forward/model1", "forward/model2", "backward/model1", "backward/model2"):
        assert all(later > before for before, later in itertools.pairwise(numbers[name]))
    assert "on 600 pairs, 0 ever fall" in findings.remarks[1]
    signs = [cell for row in findings.tables[0].rows for cell in row[1:] if cell]
    assert signs.count("■") == numbers["points/both"]
    assert len(signs) == numbers["points/either"]
    assert sum("(" not in sign for sign in signs) == numbers["points/grown"]
    best = {row[0]: row[1] for row in findings.tables[1].rows}
    assert best["the"].startswith("der ")
    assert best["a"].startswith("ein ")
    with pytest.raises(ConfigError, match="expected one of the 600 pairs"):
        config.derive(sentence=601).build().run()
    with pytest.raises(ConfigError, match="gives no pairs of texts"):
        config.derive(data=TWIN).build().run()
