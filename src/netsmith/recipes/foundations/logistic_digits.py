"""Logistic regression on scikit-learn's digits."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.foundations.logistic_regression import LogisticRegression
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Logistic regression on digits",
    "paper": "Cox 1958, J. Royal Statistical Society B 20, 215-242",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.960894,
            "tolerance": 0.000001,
            "direction": "equal",
            "source": "scikit-learn's LogisticRegression on the same split: 172 of 179 images",
        },
    ],
    "deviations": ["C of 0.001, 0.01, 0.1, 1 compared on dev"],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.2, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=LogisticRegression.Config(strength=0.1), task=Classify.Config()),
    data=Digits.Config(batch=2000),
    epochs=1,
)
