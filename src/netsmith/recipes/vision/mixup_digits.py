"""Mixup (Zhang et al. 2018, section 3.4) of scanned digits, 40 % of whose training labels are wrong."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Mixup among wrong labels",
    "paper": "arXiv:1710.09412",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": ":plain",
            "value": 0.15,
            "tolerance": 0.0,
            "source": "netsmith: 15 points above the same network without mixup (Table 2 has other data and shares)",
        },
    ],
    "deviations": [
        "scanned digits of 8 x 8 pixels and a small convolutional network in place of CIFAR-10 and a ResNet-18",
        "40 % of the labels are wrong, each another class for sure; the paper replaces 20, 50 and 80 % by random ones",
        "lambda is drawn for each example, and partners come from the whole training split, not from the batch",
        "Adam with a cosine schedule for 1,000 steps of 50; alpha = 32, the largest of the paper's, was chosen on dev",
        "dev and test, 10 % and 20 % of the images, keep their labels",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 300},
}

VARIANTS = {
    "plain": {
        "set": {"data.mixup": 0.0},
        "title": "The network of mixup_digits, without mixup",
        "claims": [],
        "deviations": ["the control: examples and labels as they are"],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(model=SmallCNN.Config(channels=(16, 32), depth=2), task=Classify.Config()),
    data=Digits.Config(batch=50, test=0.2, label_noise=0.4, mixup=32.0),
    optimizers={"model": Adam.Config(lr=3e-3, schedule=Cosine.Config())},
    steps=1000,
)
