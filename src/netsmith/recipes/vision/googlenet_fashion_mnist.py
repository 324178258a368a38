"""A small GoogLeNet on Fashion-MNIST (after Szegedy et al. 2015): inception modules with two auxiliary heads."""

from netsmith.data.augment.crop import Crop
from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.auxiliary_heads import AuxiliaryHeads
from netsmith.models.vision.googlenet import GoogLeNet
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Small GoogLeNet on Fashion-MNIST",
    "paper": "arXiv:1409.4842",
    "claims": [
        {"metric": "test/accuracy", "value": 0.93, "tolerance": 0.0, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "all nine modules at an eighth of the paper's channels, with batch normalization; the stem keeps the size",
        "auxiliary heads of 16 channels and 128 units without dropout; 20 % before the main head in place of 40 %",
        "Fashion-MNIST (28 x 28, gray) in place of ImageNet; 8 epochs of a one-cycle rate",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 150},
}

experiment = Experiment.Config(
    method=AuxiliaryHeads.Config(
        model=GoogLeNet.Config(
            stem="small", batch_norm=True, auxiliary=True, dropout=0.2, auxiliary_dropout=0.0
        ).scaled(width=0.125),
        task=Classify.Config(),
        weight=0.3,
    ),
    data=FashionMnist.Config(batch=128, dev=0.05, augment=(Crop.Config(padding=2), Flip.Config())),
    optimizers={
        "model": SGD.Config(lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, schedule=OneCycle.Config())
    },
    epochs=8,
    memory_format="channels_last",
)
