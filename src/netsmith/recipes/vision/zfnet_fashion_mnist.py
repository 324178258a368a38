"""A narrow ZFNet on enlarged Fashion-MNIST (after Zeiler & Fergus 2014), to be looked into by deconvolution."""

from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.zfnet import ZFNet
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Narrow ZFNet on Fashion-MNIST",
    "paper": "arXiv:1311.2901",
    "claims": [
        {"metric": "test/accuracy", "value": 0.855, "tolerance": 0.005, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "a quarter of the channels (24, 64, 96, 96, 64), 256 hidden units in place of 4,096",
        "Fashion-MNIST (28 x 28, gray) enlarged to 64 x 64 in place of ImageNet (224 x 224): the last map is one pixel",
        "one epoch of a one-cycle rate, mirrored, weight decay of 1e-4; the paper: 70 epochs, ten crops, the rate "
        "lowered by hand, no weight decay named; dropout of one half as there",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.8, "steps": 150},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=ZFNet.Config(channels=(24, 64, 96, 96, 64), hidden=256), task=Classify.Config()),
    data=FashionMnist.Config(size=64, batch=64, dev=0.05, augment=(Flip.Config(),)),
    optimizers={
        "model": SGD.Config(lr=0.03, momentum=0.9, nesterov=True, weight_decay=1e-4, schedule=OneCycle.Config())
    },
    epochs=1,
    memory_format="channels_last",
)
