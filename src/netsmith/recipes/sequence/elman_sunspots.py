"""An Elman network that reads twelve years of sunspot numbers (Elman 1990)."""

from netsmith.data.sunspots import Sunspots
from netsmith.engine.experiment import Experiment
from netsmith.layers.series_scale import SeriesScale
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.recurrent_regressor import RecurrentRegressor
from netsmith.optim.adamw import AdamW
from netsmith.tasks.regress import Regress

CARD = {
    "title": "Elman network on sunspots",
    "paper": "Elman 1990, Finding structure in time",
    "claims": [
        {
            "metric": "test/mse",
            "value": 1.0,
            "tolerance": 0.0,
            "direction": "at_most",
            "against": "ar_sunspots",
            "between": "ratio",
            "source": "netsmith: no worse than the linear model; the paper has no figure for this series",
        },
    ],
    "deviations": [
        "sunspots in place of the paper's words and letters: one forecast from the state after twelve years",
        "the whole window is back-propagated through; Elman's context was one step",
        "fitted to the years up to 1900: the twenty after them are dev and choose the step to stop at",
    ],
    "learns": {"metric": "dev/r2", "value": 0.8, "steps": 200},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=RecurrentRegressor.Config(
            cell="elman", hidden_size=12, scaling=SeriesScale.Config(location=45.0, scale=40.0)
        ),
        task=Regress.Config(),
    ),
    data=Sunspots.Config(window=12, batch=500),
    optimizers={"model": AdamW.Config(lr=5e-3, weight_decay=0.1)},
    steps=300,
    evaluate_every=25,
    select="dev/mse",
    select_mode="min",
)
