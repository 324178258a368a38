"""Stochastic depth (Huang et al. 2016) of a residual network of 32 layers on scanned digits."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.cifar_resnet import CifarResNet
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Stochastic depth",
    "paper": "arXiv:1603.09382",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": ":plain",
            "value": 0.002,
            "tolerance": 0.0,
            "source": "netsmith: 0.2 points above constant depth, which takes more multiply-adds (Table 1, CIFAR-10 "
            "and 110 layers: 1.16 points)",
        },
    ],
    "deviations": [
        "half of the 1,797 digits of 8 x 8 pixels train; the paper: CIFAR and SVHN",
        "32 layers of half the width (8, 16 and 32 channels), 25 epochs with a cosine rate; the paper: 110 layers, 500 "
        "epochs; the last branch survives with p = 0.5 as there",
        "no augmentation: a digit mirrored is another sign",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "seeds": (0, 1, 2),
    "learns": {"metric": "dev/accuracy", "value": 0.5, "steps": 150},
}

VARIANTS = {
    "plain": {
        "set": {"method.model.stochastic_depth": 0.0},
        "title": "The network of stochastic_depth_digits, at constant depth",
        "claims": [],
        "deviations": ["the control: no branch is ever skipped"],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(model=CifarResNet.Config(depth=32, width=8, stochastic_depth=0.5), task=Classify.Config()),
    data=Digits.Config(batch=50, test=0.4),
    optimizers={"model": SGD.Config(lr=0.1, momentum=0.9, weight_decay=1e-4, schedule=Cosine.Config())},
    epochs=25,
)
