"""A pre-activation ResNet on digits (He et al. 2016, "Identity Mappings in Deep Residual Networks")."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.resnet import ResNet
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Pre-activation ResNet on digits",
    "paper": "arXiv:1603.05027",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.965,
            "tolerance": 0.01,
            "source": "netsmith: a target of our own; a standard error of 179 test images is granted",
        },
    ],
    "deviations": [
        "bottlenecks in three stages of two blocks, 8 to 32 channels (32 to 128 at their ends), a stem of 3 x 3; the "
        "paper: 164 and 1,001 layers",
        "scanned digits of 8 x 8 pixels in place of CIFAR; 20 epochs of a one-cycle rate in place of 64,000 steps; no "
        "augmentation: a digit mirrored is another sign",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.6, "steps": 100},
}

VARIANTS = {
    "original": {
        "set": {"method.model.preactivation": False},
        "title": "The network of preact_resnet_digits with blocks of the first kind",
        "claims": [],
        "deviations": ["the control: normalization and ReLU behind each convolution, ReLU behind the addition"],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=ResNet.Config(block="bottleneck", layers=(2, 2, 2), width=8, stem="small", preactivation=True),
        task=Classify.Config(),
    ),
    data=Digits.Config(batch=32),
    optimizers={
        "model": SGD.Config(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4, schedule=OneCycle.Config())
    },
    epochs=20,
)
