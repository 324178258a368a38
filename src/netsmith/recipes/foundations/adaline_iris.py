"""Adaline on Fisher's iris: the batch rule of least mean squares, run until it is least squares."""

from netsmith.data.iris import Iris
from netsmith.engine.experiment import Experiment
from netsmith.methods.learning_rule import LearningRule
from netsmith.models.foundations.adaline import Adaline
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Adaline on iris",
    "paper": "Widrow & Hoff 1960, Adaptive switching circuits, IRE WESCON",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.9,
            "tolerance": 0.000001,
            "direction": "equal",
            "source": "least squares (numpy's lstsq) on the same split: 27 of 30 flowers",
        },
    ],
    "deviations": ["three units and measured flowers; the paper has one unit and switches of a 4 x 4 panel"],
    "known_gaps": {
        "gradients": "closed_form",
    },
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.5, "steps": 100},
}

experiment = Experiment.Config(
    method=LearningRule.Config(model=Adaline.Config(updates="batch"), task=Classify.Config(), rate=0.5),
    data=Iris.Config(batch=150),
    steps=2000,
    evaluate_every=2000,
)
