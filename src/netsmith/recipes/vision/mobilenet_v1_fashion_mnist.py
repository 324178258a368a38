"""A small MobileNet on Fashion-MNIST (after Howard et al. 2017): each convolution but the first in two cheap halves."""

from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.mobilenet_v1 import MobileNetV1
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Small MobileNet on Fashion-MNIST",
    "paper": "arXiv:1704.04861",
    "claims": [
        {"metric": "test/accuracy", "value": 0.87, "tolerance": 0.005, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "six layers of 16 to 128 channels whose strides leave 7 x 7 of 28 x 28 pixels; the paper: fourteen of 32 to "
        "1,024, 7 x 7 of 224 x 224",
        "Fashion-MNIST (28 x 28, gray) in place of ImageNet; one epoch of a one-cycle rate",
        "SGD with Nesterov momentum in place of RMSProp; mirrored, not cropped; ReLU is cut at 6, as in the public "
        "weights",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.8, "steps": 150},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=MobileNetV1.Config(channels=(16, 32, 64, 64, 128, 128), strides=(1, 1, 2, 1, 2, 1)),
        task=Classify.Config(),
    ),
    data=FashionMnist.Config(batch=64, dev=0.05, augment=(Flip.Config(),)),
    optimizers={
        "model": SGD.Config(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4, schedule=OneCycle.Config())
    },
    epochs=1,
    memory_format="channels_last",
)
