"""Naive Bayes on scikit-learn's digits: learned by counting, without a gradient."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.tabular.naive_bayes import NaiveBayes
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Naive Bayes on digits",
    "paper": "Maron 1961, Automatic indexing: an experimental inquiry",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.871508,
            "tolerance": 0.000001,
            "direction": "equal",
            "source": "scikit-learn's BernoulliNB on the same split: 156 of 179 images",
        },
    ],
    "deviations": ["a pixel counts as there where it is brighter than the mean of the training images"],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.35, "steps": 6},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=NaiveBayes.Config(event_model="bernoulli"), task=Classify.Config()),
    data=Digits.Config(batch=2000),
    epochs=1,
)
