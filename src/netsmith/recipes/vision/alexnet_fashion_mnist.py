"""A narrow AlexNet in two columns on enlarged Fashion-MNIST (after Krizhevsky, Sutskever & Hinton 2012)."""

from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.alexnet import AlexNet
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Narrow AlexNet on Fashion-MNIST",
    "paper": "Krizhevsky, Sutskever & Hinton 2012, ImageNet classification with deep convolutional neural networks",
    "claims": [
        {"metric": "test/accuracy", "value": 0.825, "tolerance": 0.005, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "a quarter of the channels (24, 64, 96, 96, 64) in two columns, 256 hidden units in place of 4,096",
        "Fashion-MNIST (28 x 28, gray) enlarged to 72 x 72 in place of ImageNet (227 x 227): the last map is one pixel",
        "one epoch of a one-cycle rate, mirrored, weight decay of 1e-4; the paper: 90 epochs, crops, shifts of color, "
        "5e-4; dropout of one half as there",
        "weights drawn by He's rule: with the paper's deviation of 0.01 so short a training hardly begins",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.8, "steps": 150},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=AlexNet.Config(columns=2, channels=(24, 64, 96, 96, 64), hidden=256, initial="he"),
        task=Classify.Config(),
    ),
    data=FashionMnist.Config(size=72, batch=64, dev=0.05, augment=(Flip.Config(),)),
    optimizers={
        "model": SGD.Config(lr=0.03, momentum=0.9, nesterov=True, weight_decay=1e-4, schedule=OneCycle.Config())
    },
    epochs=1,
    memory_format="channels_last",
)
