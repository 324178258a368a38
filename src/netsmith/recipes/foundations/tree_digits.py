"""A decision tree on scikit-learn's digits."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.foundations.decision_tree import DecisionTree
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Decision tree on digits",
    "paper": "Breiman, Friedman, Olshen & Stone 1984, Classification and Regression Trees",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.843575,
            "tolerance": 0.000001,
            "direction": "equal",
            "source": "scikit-learn's DecisionTreeClassifier on the same split: 151 of 179 images",
        },
    ],
    "deviations": ["impurity and smallest leaf compared on dev; not pruned"],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.7, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=DecisionTree.Config(), task=Classify.Config()),
    data=Digits.Config(batch=2000),
    epochs=1,
)
