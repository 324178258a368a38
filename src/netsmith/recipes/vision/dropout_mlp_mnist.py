"""The large net of Hinton, Vinyals & Dean 2015, section 3: two layers of 1,200 units, dropout, jittered MNIST."""

from netsmith.data.augment.crop import Crop
from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Dropout MLP on MNIST",
    "paper": "arXiv:1503.02531",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.9933,
            "tolerance": 0.0016,
            "source": "section 3: 67 test errors; the tolerance is two standard errors of 10,000 images",
        },
    ],
    "deviations": [
        "Adam with a cosine schedule for 40 epochs; no limit on the weights' norms, no dropout of the inputs",
        "57,000 images train and 3,000 choose the checkpoint; the paper trains on all 60,000",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 200},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=MLP.Config(hidden=(1200, 1200), dropout=0.5), task=Classify.Config()),
    data=Mnist.Config(batch=128, dev=0.05, augment=(Crop.Config(padding=2),)),
    optimizers={"model": Adam.Config(lr=1e-3, schedule=Cosine.Config())},
    epochs=40,
)
