"""ResNet-20 on Fashion-MNIST (He et al. 2016, section 4.2): the teacher of the main journey."""

from netsmith.data.augment.crop import Crop
from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.cifar_resnet import CifarResNet
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "ResNet-20 on Fashion-MNIST",
    "paper": "arXiv:1512.03385",
    "claims": [
        {"metric": "test/accuracy", "value": 0.93, "tolerance": 0.0, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "Fashion-MNIST (28 x 28, one channel) in place of CIFAR-10; the paper has no figure for it",
        "12 epochs of a one-cycle rate (Smith & Topin 2019) in place of 64,000 steps with two drops",
        "Nesterov momentum, weight decay 5e-4, crops padded by 2 pixels in place of 4",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 120},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=CifarResNet.Config(depth=20), task=Classify.Config()),
    data=FashionMnist.Config(batch=128, dev=0.05, augment=(Crop.Config(padding=2), Flip.Config())),
    optimizers={
        "model": SGD.Config(
            lr=0.2, momentum=0.9, nesterov=True, weight_decay=5e-4, schedule=OneCycle.Config(peak=0.25, initial=0.1)
        )
    },
    epochs=12,
    memory_format="channels_last",
)
