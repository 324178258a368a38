"""Naive Bayes on MR polarity: words and pairs of words, counted."""

from netsmith.data.mr_polarity import MrPolarity
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.text.bag_naive_bayes import BagNaiveBayes
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Naive Bayes on MR polarity",
    "paper": "Wang & Manning 2012, Baselines and bigrams: simple, good sentiment and topic classification",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.79,
            "tolerance": 0.0249,
            "source": "Table 2, MNB-bi on RT-s: 79.0, the mean of ten folds",
        },
    ],
    "deviations": [
        "one seeded split (80/10/10) in place of the ten-fold cross-validation of the paper",
        "the 100,000 most frequent pairs of words; the paper takes all",
    ],
    "known_gaps": {"gradients": "closed_form", "overfits_one_batch": "closed_form"},
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=BagNaiveBayes.Config(bigrams=100_000), task=Classify.Config()),
    data=MrPolarity.Config(batch=10_000),
    epochs=1,
)
