"""The autoregressive model on the yearly sunspot numbers, which Yule made it for in 1927."""

from netsmith.data.sunspots import Sunspots
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.sequence.autoregressive import Autoregressive
from netsmith.tasks.regress import Regress

CARD = {
    "title": "Autoregression on sunspots",
    "paper": "Yule 1927, On a method of investigating periodicities in disturbed series",
    "claims": [
        {
            "metric": "test/mse",
            "value": 200.329,
            "tolerance": 0.001,
            "direction": "equal",
            "source": "statsmodels 0.15 AutoReg(lags=9) fitted to 1700 to 1900, one-step forecasts of 1921 to 1955",
        },
    ],
    "deviations": [
        "nine lags, chosen on dev among 2, 3, 9, 12 and 13 (ten are 1 % better there); Yule had two",
        "fitted to the years up to 1900: the twenty after them are dev",
    ],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "seeds": [0, 1, 2],
    "learns": {"metric": "dev/r2", "value": 0.8, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=Autoregressive.Config(order=9), task=Regress.Config()),
    data=Sunspots.Config(window=9, batch=500),
    epochs=1,
)
