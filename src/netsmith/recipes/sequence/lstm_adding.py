"""Long short-term memory on the adding problem (Hochreiter & Schmidhuber 1997, experiment 4)."""

from netsmith.data.adding_problem import AddingProblem
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.recurrent_regressor import RecurrentRegressor
from netsmith.optim.adam import Adam
from netsmith.tasks.regress import Regress

CARD = {
    "title": "LSTM on the adding problem",
    "paper": "Hochreiter & Schmidhuber 1997, Long short-term memory, experiment 4",
    "claims": [
        {
            "metric": "test/mse",
            "value": 0.01,
            "tolerance": 0.0003,
            "direction": "at_most",
            "source": "netsmith: a target of our own; who remembers nothing has 0.167",
        },
    ],
    "deviations": [
        "40 steps, one number marked in each half (Le et al. 2015), in place of 100 to 1,000 of varying length",
        "a forget gate that starts open, Adam, clipped gradients, all of which came later",
    ],
    "learns": {"metric": "dev/r2", "value": 0.5, "steps": 1500},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=RecurrentRegressor.Config(cell="lstm", channels=2, hidden_size=32, forget_bias=1.0),
        task=Regress.Config(),
    ),
    data=AddingProblem.Config(length=40, batch=32),
    optimizers={"model": Adam.Config(lr=1e-2)},
    steps=2000,
    evaluate_every=250,
    clip_norm=1.0,
)
