"""A support vector machine with a Gaussian kernel on the breast cancer table of Wisconsin."""

from netsmith.data.breast_cancer import BreastCancer
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.foundations.svm import Svm
from netsmith.tasks.classify import Classify

CARD = {
    "title": "SVM on breast cancer",
    "paper": "Cortes & Vapnik 1995, Machine Learning 20, 273-297",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.973451,
            "tolerance": 0.000001,
            "direction": "equal",
            "source": "scikit-learn's SVC on the same split: 110 of 113 tumors",
        },
    ],
    "deviations": ["C of 0.1, 1, 10, 100 and two kernels compared on dev; the paper has other data"],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.75, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=Svm.Config(break_ties=True), task=Classify.Config()),
    data=BreastCancer.Config(batch=569),
    epochs=1,
)
