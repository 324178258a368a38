"""A graph convolutional network on Cora: 2,708 papers, 140 of them with their subject."""

from netsmith.data.planetoid import Planetoid
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.graph.gcn import GCN
from netsmith.optim.adam import Adam
from netsmith.tasks.tag import Tag

CARD = {
    "title": "GCN on Cora",
    "paper": "arXiv:1609.02907",
    "claims": [
        {"metric": "test/accuracy", "value": 0.815, "tolerance": 0.01, "source": "Kipf & Welling 2017, Table 2"},
    ],
    "deviations": [
        "both layers have a bias, and both decay; the paper's have none, and the first alone decays",
        "200 steps without early stopping (the paper stops where the dev loss has not fallen for 10)",
    ],
    "seeds": [0, 1, 2, 3, 4],
    "learns": {"metric": "dev/accuracy", "value": 0.8, "steps": 100},
}

VARIANTS = {
    "wide": {
        "set": {"method.model.hidden_size": 64},
        "title": "GCN of 64 hidden units on Cora",
        "claims": [
            {"metric": "test/accuracy", "value": 0.815, "tolerance": 0.01, "source": "netsmith: no worse than with 16"},
        ],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(model=GCN.Config(), task=Tag.Config()),
    data=Planetoid.Config(graph="cora"),
    optimizers={"model": Adam.Config(lr=0.01, weight_decay=5e-4)},
    epochs=200,
    evaluate_every=20,
)
