"""A small MobileNet v2 on Fashion-MNIST (after Sandler et al. 2018): inverted residuals with linear bottlenecks."""

from netsmith.data.augment.crop import Crop
from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.mobilenet_v2 import MobileNetV2
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Small MobileNet v2 on Fashion-MNIST",
    "paper": "arXiv:1801.04381",
    "claims": [
        {"metric": "test/accuracy", "value": 0.92, "tolerance": 0.0, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "five stages of 1, 2, 2, 2 and 1 blocks, 16 to 96 channels, strides that leave 4 x 4 of 28 x 28 pixels",
        "Fashion-MNIST (28 x 28, gray) in place of ImageNet; 10 epochs of a one-cycle rate",
        "SGD with Nesterov momentum in place of RMSProp; a last convolution of 256 channels; dropout of 10 %",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 200},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=MobileNetV2.Config(
            stem=16,
            expansions=(1, 4, 4, 4, 4),
            channels=(16, 24, 32, 64, 96),
            layers=(1, 2, 2, 2, 1),
            strides=(1, 1, 2, 2, 1),
            last=256,
            dropout=0.1,
        ),
        task=Classify.Config(),
    ),
    data=FashionMnist.Config(batch=128, dev=0.05, augment=(Crop.Config(padding=2), Flip.Config())),
    optimizers={
        "model": SGD.Config(lr=0.1, momentum=0.9, nesterov=True, weight_decay=2e-4, schedule=OneCycle.Config())
    },
    epochs=10,
    memory_format="channels_last",
)
