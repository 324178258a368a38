"""Classify the rows of your own table: netsmith train table_classifier --data FILE."""

from netsmith.data.table import Table
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Your own table",
    "paper": "none: a generic recipe",
    "deviations": ["a perceptron of two hidden layers; numbers are normalized, texts one-hot"],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 300},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=MLP.Config(hidden=(64, 64), dropout=0.1), task=Classify.Config()),
    data=Table.Config(batch=32),
    optimizers={"model": AdamW.Config(lr=3e-3, weight_decay=0.01, schedule=OneCycle.Config())},
    epochs=30,
    select="dev/accuracy",
)
