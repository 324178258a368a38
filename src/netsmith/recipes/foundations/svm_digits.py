"""A support vector machine with a Gaussian kernel on scikit-learn's digits."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.foundations.svm import Svm
from netsmith.tasks.classify import Classify

CARD = {
    "title": "SVM on digits",
    "paper": "Cortes & Vapnik 1995, Machine Learning 20, 273-297",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.988827,
            "tolerance": 0.000001,
            "direction": "equal",
            "source": "scikit-learn's SVC on the same split: 177 of 179 images",
        },
    ],
    "deviations": ["C of 1, 10, 100 and three kernels compared on dev"],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=Svm.Config(strength=10.0), task=Classify.Config()),
    data=Digits.Config(batch=2000),
    epochs=1,
)
