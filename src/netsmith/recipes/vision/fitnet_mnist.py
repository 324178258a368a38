"""FitNet on MNIST (Romero et al. 2015): LeNet-5 gives hints to a student twice as deep, with a tenth of the weights."""

from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.fitnets import FitNets
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.schedules.window import Window
from netsmith.tasks.classify import Classify

CARD = {
    "title": "FitNet on MNIST",
    "paper": "arXiv:1412.6550",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": ":kd",
            "value": 0.0001,
            "tolerance": 0.0,
            "source": "netsmith: by an image or more better than without the hint",
        },
        {
            "metric": "test/accuracy",
            "against": ":alone",
            "value": 0.0001,
            "tolerance": 0.0,
            "source": "netsmith: by an image or more better than alone",
        },
    ],
    "teacher": "lenet5_mnist",
    "deviations": [
        "train it with --teacher RUN, a finished run of lenet5_mnist: not a maxout network",
        "the student has nine convolutions with batch normalization and ReLU, not six of maxout",
        "8 epochs of Adam in all, 3.2 of them for the hint; the paper trains each stage until a held-out error stays",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 300},
}

VARIANTS = {
    "kd": {
        "set": {
            "method.hint_share": 0.0,
            "optimizers": {"model": {"kind": "adam", "lr": 0.004, "schedule": {"kind": "cosine"}}},
        },
        "title": "The student of fitnet_mnist, without the hint",
        "claims": [],
        "deviations": ["the control: the same steps, all of them of the second stage"],
    },
    "alone": {
        "set": {
            "method.hint_share": 0.0,
            "method.lambda_start": 0.0,
            "optimizers": {"model": {"kind": "adam", "lr": 0.004, "schedule": {"kind": "cosine"}}},
        },
        "title": "The student of fitnet_mnist, alone",
        "claims": [],
        "teacher": "",
        "deviations": ["the control: the same steps, labels only"],
    },
}

experiment = Experiment.Config(
    method=FitNets.Config(
        model=SmallCNN.Config(channels=(4, 8, 12), depth=3),
        teacher=LeNet5.Config(),
        task=Classify.Config(),
        hint="features.activation2",  # (B, 16, 10, 10)
        guided="stages.1",  # (B, 8, 14, 14)
        hint_share=0.4,
    ),
    data=Mnist.Config(batch=128, dev=0.05),
    optimizers={
        "hint": Adam.Config(lr=4e-3, schedule=Window.Config(schedule=Cosine.Config(), stop=0.4)),
        "model": Adam.Config(lr=4e-3, schedule=Window.Config(schedule=Cosine.Config(), start=0.4)),
    },
    epochs=8,
)
