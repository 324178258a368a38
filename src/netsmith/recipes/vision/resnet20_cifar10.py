"""ResNet-20 on CIFAR-10 (He et al. 2016, section 4.2), and two of its deeper forms."""

from netsmith.data.augment.crop import Crop
from netsmith.data.augment.flip import Flip
from netsmith.data.cifar10 import Cifar10
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.cifar_resnet import CifarResNet
from netsmith.optim.schedules.step import Step
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "ResNet-20 on CIFAR-10",
    "paper": "arXiv:1512.03385",
    "claims": [
        {"metric": "test/accuracy", "value": 0.9125, "tolerance": 0.005, "source": "Table 6: 8.75 % error"},
    ],
    "deviations": [
        "each channel is normalized by its mean and deviation; the paper subtracts the mean of each pixel",
        "the 45,000 / 5,000 split is drawn by class; the test figure is of the network trained on the 45,000",
        "crops pad with black before the normalization; the paper does not say with what",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 120},
}

VARIANTS = {
    "56": {
        "set": {"method.model.depth": 56},
        "title": "ResNet-56 on CIFAR-10",
        "claims": [{"metric": "test/accuracy", "value": 0.9303, "tolerance": 0.005, "source": "Table 6: 6.97 % error"}],
    },
    "110": {
        "set": {
            "method.model.depth": 110,
            "optimizers.model.schedule.warmup": 0.00625,  # 400 of the 64,000 steps
        },
        "title": "ResNet-110 on CIFAR-10",
        "claims": [
            {
                "metric": "test/accuracy",
                "value": 0.9339,
                "tolerance": 0.004,
                "source": "Table 6: 6.61 +- 0.16 % error over five runs; the best, 6.43 %",
            }
        ],
        "deviations": [
            "rate 0.01 for 400 steps; the paper: until the training error is below 80 % (about 400 steps)",
        ],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(model=CifarResNet.Config(depth=20), task=Classify.Config()),
    data=Cifar10.Config(batch=128, dev=0.1, augment=(Crop.Config(padding=4), Flip.Config())),
    optimizers={
        "model": SGD.Config(
            lr=0.1, momentum=0.9, weight_decay=1e-4, schedule=Step.Config(milestones=(32_000, 48_000), gamma=0.1)
        )
    },
    steps=64_000,
    memory_format="channels_last",
)
