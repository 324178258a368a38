"""Ten of Rosenblatt's perceptrons on scikit-learn's digits, each its class against the rest."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.learning_rule import LearningRule
from netsmith.models.foundations.perceptron import Perceptron
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Perceptron on digits",
    "paper": "Rosenblatt 1958, Psychological Review 65(6)",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.9,
            "tolerance": 0.0,
            "source": "netsmith: nine of ten right by units that learn from mistakes alone (chance is one)",
        },
    ],
    "deviations": ["scanned digits; the paper's units answer to patterns of a retina through fixed random connections"],
    "known_gaps": {
        "gradients": "closed_form",
    },
    "learns": {"metric": "dev/accuracy", "value": 0.35, "steps": 6},
}

experiment = Experiment.Config(
    method=LearningRule.Config(model=Perceptron.Config(), task=Classify.Config()),
    data=Digits.Config(batch=32),
    epochs=10,
    select="dev/accuracy",
)
