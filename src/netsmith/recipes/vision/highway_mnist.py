"""A highway network of 50 layers on MNIST (Srivastava et al. 2015), beside a plain one of the same depth and size."""

from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.highway_net import HighwayNet
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Highway network of 50 layers on MNIST",
    "paper": "arXiv:1505.00387",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.97,
            "tolerance": 0.003,
            "source": "netsmith: a target of our own; the paper shows curves of the training error (Fig. 1)",
        },
        {
            "metric": "test/accuracy",
            "against": ":plain",
            "value": 0.01,
            "tolerance": 0.0,
            "source": "netsmith: by a point better than plain layers at that depth (Fig. 1)",
        },
    ],
    "deviations": [
        "10 epochs with a cosine rate; the paper: up to 400 with an exponentially falling one",
        "one setting for both; the paper draws 40 at random for each depth and kind and shows the best",
        "gradients clipped at norm 1: without, the plain network stays at chance and then diverges (seed 0); with, it "
        "learns too, and badly",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 300},
}

VARIANTS = {
    "plain": {
        "set": {"method.model": {"kind": "highway_net", "highway": False, "width": 71}},
        "title": "A plain network of 50 layers on MNIST",
        "claims": [],
        "deviations": ["the control: 71 units a layer without gates, 306,943 parameters against 289,660"],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(model=HighwayNet.Config(), task=Classify.Config()),
    data=Mnist.Config(batch=128, dev=0.05),
    optimizers={"model": SGD.Config(lr=0.05, momentum=0.9, schedule=Cosine.Config())},
    epochs=10,
    clip_norm=1.0,
)
