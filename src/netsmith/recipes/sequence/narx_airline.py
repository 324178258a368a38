"""A NARX network on the airline passengers: its own past, and the month that follows as exogenous input."""

from netsmith.data.airline import Airline
from netsmith.engine.experiment import Experiment
from netsmith.layers.series_scale import SeriesScale
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.narx import Narx
from netsmith.optim.adamw import AdamW
from netsmith.tasks.regress import Regress

CARD = {
    "title": "NARX on airline passengers",
    "paper": "Lin, Horne, Tino & Giles 1996, Learning long-term dependencies in NARX recurrent neural networks",
    "claims": [
        {
            "metric": "test/mse",
            "value": 1.0,
            "tolerance": 0.0,
            "direction": "at_most",
            "against": "ar_airline",
            "between": "ratio",
            "source": "netsmith: no worse than the linear model; the paper has no figure for this series",
        },
    ],
    "deviations": [
        "one step ahead from the series itself (series-parallel); the paper's networks feed their outputs back",
        "the logarithm relative to the window's last value, for the trend",
    ],
    "learns": {"metric": "dev/r2", "value": 0.8, "steps": 600},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=Narx.Config(
            lags=13,
            exogenous=2,
            hidden_size=4,
            scaling=SeriesScale.Config(log=True, relative=True, scale=0.3),
        ),
        task=Regress.Config(),
    ),
    data=Airline.Config(window=13, exogenous="month", batch=500),
    optimizers={"model": AdamW.Config(lr=1e-2, weight_decay=0.3)},
    steps=1500,
    evaluate_every=25,
    select="dev/mse",
    select_mode="min",
)
