"""Logistic regression on the breast cancer table of Wisconsin."""

from netsmith.data.breast_cancer import BreastCancer
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.foundations.logistic_regression import LogisticRegression
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Logistic regression on breast cancer",
    "paper": "Cox 1958, J. Royal Statistical Society B 20, 215-242",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.982301,
            "tolerance": 0.000001,
            "direction": "equal",
            "source": "scikit-learn's LogisticRegression on the same split: 111 of 113 tumors",
        },
    ],
    "deviations": ["C of 0.01, 0.1, 1, 10, 100 compared on dev"],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.75, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=LogisticRegression.Config(), task=Classify.Config()),
    data=BreastCancer.Config(batch=569),
    epochs=1,
)
