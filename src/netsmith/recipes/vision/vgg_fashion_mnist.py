"""A small VGG on Fashion-MNIST (after Simonyan & Zisserman 2015): stacks of 3 x 3 convolutions, two wide layers."""

from netsmith.data.augment.crop import Crop
from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.vgg import VGG
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Small VGG on Fashion-MNIST",
    "paper": "arXiv:1409.1556",
    "claims": [
        {"metric": "test/accuracy", "value": 0.925, "tolerance": 0.0, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "three stages of 1, 1 and 2 convolutions with batch normalization, 256 hidden units",
        "Fashion-MNIST (28 x 28, gray) in place of ImageNet; 12 epochs of a one-cycle rate, dropout of 20 %",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 120},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=VGG.Config(layers=(1, 1, 2), channels=(32, 64, 128), hidden=256, batch_norm=True, dropout=0.2),
        task=Classify.Config(),
    ),
    data=FashionMnist.Config(batch=128, dev=0.05, augment=(Crop.Config(padding=2), Flip.Config())),
    optimizers={
        "model": SGD.Config(lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4, schedule=OneCycle.Config())
    },
    epochs=12,
    memory_format="channels_last",
)
