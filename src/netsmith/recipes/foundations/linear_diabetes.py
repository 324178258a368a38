"""Linear regression on scikit-learn's diabetes table, by normal equations."""

from netsmith.data.diabetes import Diabetes
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.foundations.linear_regression import LinearRegression
from netsmith.tasks.regress import Regress

CARD = {
    "title": "Linear regression on diabetes",
    "paper": "Legendre 1805; data: Efron et al. 2004, Annals of Statistics 32, 407-499",
    "claims": [
        {
            "metric": "test/r2",
            "value": 0.482510,
            "tolerance": 0.000001,
            "direction": "equal",
            "source": "scikit-learn's LinearRegression on the same split",
        },
    ],
    "deviations": ["our own split"],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "seeds": [0],
    "learns": {"metric": "dev/r2", "value": 0.3, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=LinearRegression.Config(), task=Regress.Config()),
    data=Diabetes.Config(batch=500),
    epochs=1,
)
