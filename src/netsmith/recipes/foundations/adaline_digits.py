"""Adaline on scikit-learn's digits: least mean squares, one example after the other."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.learning_rule import LearningRule
from netsmith.models.foundations.adaline import Adaline
from netsmith.optim.schedules.linear import Linear
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Adaline on digits",
    "paper": "Widrow & Hoff 1960, Adaptive switching circuits, IRE WESCON",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.927374,
            "tolerance": 0.0056,
            "direction": "equal",
            "source": "least squares (numpy's lstsq) on the same split: 166 of 179 images; the tolerance is one image",
        },
    ],
    "deviations": ["ten units and scanned digits; the paper has one unit and switches of a 4 x 4 panel"],
    "known_gaps": {
        "gradients": "closed_form",
    },
    "learns": {"metric": "dev/accuracy", "value": 0.35, "steps": 6},
}

experiment = Experiment.Config(
    method=LearningRule.Config(
        model=Adaline.Config(updates="online"), task=Classify.Config(), rate=0.005, schedule=Linear.Config()
    ),
    data=Digits.Config(batch=32),
    epochs=20,
)
