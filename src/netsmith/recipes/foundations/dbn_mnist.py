"""A deep belief network on MNIST (Hinton, Osindero & Teh 2006): three layers learned one by one, then fine-tuned."""

from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.layerwise_pretraining import LayerwisePretraining
from netsmith.models.foundations.deep_belief_network import DeepBeliefNetwork
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.schedules.window import Window
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Deep belief network on MNIST",
    "paper": "Hinton, Osindero & Teh 2006, A fast learning algorithm for deep belief nets",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.9875,
            "tolerance": 0.0022,
            "source": "1.25 % errors (abstract); the tolerance is two standard errors of 10,000 images",
        },
    ],
    "deviations": [
        "layers of 500, 500 and 500 units, 1.8 epochs each, then 6.6 for all; the paper: 500, 500, 2,000, 30 each",
        "fine-tuned upwards by the gradient of the labels' loss (Hinton & Salakhutdinov 2006); the paper: up-down",
        "57,000 images train and 3,000 choose the checkpoint; the paper trains on all 60,000",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 600},
}

VARIANTS = {
    "alone": {
        "set": {
            "method.share": 0.0,
            "optimizers": {"model": {"kind": "adam", "lr": 1e-3, "schedule": {"kind": "cosine"}}},
        },
        "title": "The network of dbn_mnist without pre-training",
        "claims": [],
        "deviations": ["the control: the same steps, all of them from labels"],
    },
}

experiment = Experiment.Config(
    method=LayerwisePretraining.Config(
        model=DeepBeliefNetwork.Config(hidden=(500, 500, 500)), task=Classify.Config(), share=0.45
    ),
    data=Mnist.Config(batch=128, dev=0.05, normalize=False),
    optimizers={
        "layers": SGD.Config(lr=0.05, momentum=0.5),
        "model": Adam.Config(lr=1e-3, schedule=Window.Config(schedule=Cosine.Config(), start=0.45)),
    },
    epochs=12,
    select="dev/accuracy",
)
