"""A multilayer perceptron on scikit-learn's digits: the smallest gradient-trained system."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.adam import Adam
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Perceptron 64-64-10 on digits",
    "paper": "Rumelhart, Hinton & Williams 1986, Learning representations by back-propagating errors",
    "claims": [
        {"metric": "test/accuracy", "value": 0.96, "tolerance": 0.025, "source": "netsmith: a target of our own"},
    ],
    "deviations": ["ReLU, cross entropy and Adam in place of sigmoid, squared error and gradient descent"],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 300},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=MLP.Config(hidden=(64,)), task=Classify.Config()),
    data=Digits.Config(batch=128),
    optimizers={"model": Adam.Config(lr=3e-3)},
    epochs=40,
)
