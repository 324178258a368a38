"""A network on nine lags of the yearly sunspot numbers (Weigend, Huberman & Rumelhart 1990)."""

from netsmith.data.sunspots import Sunspots
from netsmith.engine.experiment import Experiment
from netsmith.layers.series_scale import SeriesScale
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.narx import Narx
from netsmith.optim.adamw import AdamW
from netsmith.tasks.regress import Regress

CARD = {
    "title": "Nonlinear autoregression on sunspots",
    "paper": "Weigend, Huberman & Rumelhart 1990, Predicting the future: a connectionist approach",
    "claims": [
        {
            "metric": "test/mse",
            "value": 1.0,
            "tolerance": 0.0,
            "direction": "at_most",
            "against": "ar_sunspots",
            "between": "ratio",
            "source": "netsmith: no worse than the linear model; the paper's ratio to its linear one is 0.086 / 0.097",
        },
    ],
    "deviations": [
        "nine lags as the linear model has on dev, and a linear path beside the eight units; the paper has twelve lags",
        "decoupled weight decay in place of the paper's weight elimination",
        "fitted to the years up to 1900: the twenty after them are dev and choose the step to stop at",
    ],
    "learns": {"metric": "dev/r2", "value": 0.8, "steps": 200},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=Narx.Config(lags=9, hidden_size=8, scaling=SeriesScale.Config(location=45.0, scale=40.0)),
        task=Regress.Config(),
    ),
    data=Sunspots.Config(window=9, batch=500),
    optimizers={"model": AdamW.Config(lr=5e-3, weight_decay=1.0)},
    steps=600,
    evaluate_every=25,
    select="dev/mse",
    select_mode="min",
)
