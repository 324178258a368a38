"""Rosenblatt's perceptron on Fisher's iris: setosa, which a plane parts from the other two species."""

from netsmith.data.iris import Iris
from netsmith.engine.experiment import Experiment
from netsmith.methods.learning_rule import LearningRule
from netsmith.models.foundations.perceptron import Perceptron
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Perceptron on iris, setosa against the rest",
    "paper": "Rosenblatt 1958, Psychological Review 65(6)",
    "claims": [
        {
            "metric": "train/accuracy",
            "value": 1.0,
            "tolerance": 0.0,
            "direction": "equal",
            "source": "Novikoff 1962: on examples that a plane parts, the mistakes come to an end",
        },
        {
            "metric": "test/accuracy",
            "value": 1.0,
            "tolerance": 0.0,
            "direction": "equal",
            "source": "scikit-learn's Perceptron on the same split: 30 of 30 flowers",
        },
    ],
    "deviations": [
        "measured flowers; the paper's units answer to patterns of a retina through fixed random connections",
        "many planes part the training flowers, and which is found follows from their order: that of one seed of three "
        "has one of the 30 test flowers on its wrong side",
    ],
    "known_gaps": {
        "gradients": "closed_form",
    },
    "learns": {"metric": "dev/accuracy", "value": 0.75, "steps": 7},
}

experiment = Experiment.Config(
    method=LearningRule.Config(model=Perceptron.Config(), task=Classify.Config()),
    data=Iris.Config(batch=15, against_rest="setosa"),
    epochs=5,
    judge_train=True,
)
