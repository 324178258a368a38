"""The autoregressive model on the airline passengers: growth and season in thirteen lags of the logarithm."""

from netsmith.data.airline import Airline
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.sequence.autoregressive import Autoregressive
from netsmith.tasks.regress import Regress

CARD = {
    "title": "Autoregression on airline passengers",
    "paper": "Box & Jenkins 1976, Time Series Analysis: Forecasting and Control, series G",
    "claims": [
        {
            "metric": "test/mse",
            "value": 226.890,
            "tolerance": 0.001,
            "direction": "equal",
            "source": "statsmodels 0.15 AutoReg(lags=13) of the logarithm of 1949 to 1956, on 1959 and 1960",
        },
    ],
    "deviations": ["no moving average: of Box & Jenkins's airline model it has the lags and the logarithm alone"],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "seeds": [0, 1, 2],
    "learns": {"metric": "dev/r2", "value": 0.8, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=Autoregressive.Config(order=13, log=True), task=Regress.Config()),
    data=Airline.Config(window=13, batch=500),
    epochs=1,
)
