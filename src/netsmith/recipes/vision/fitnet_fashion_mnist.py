"""FitNet on Fashion-MNIST (Romero et al. 2015): three wide convolutions give hints to nine thin ones."""

from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.fitnets import FitNets
from netsmith.models.vision.maxout_cnn import MaxoutCNN
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.rmsprop import RMSProp
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.schedules.window import Window
from netsmith.tasks.classify import Classify

CARD = {
    "title": "FitNet on Fashion-MNIST",
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
    "teacher": "cnn_fashion_mnist",
    "deviations": [
        "train it with --teacher RUN, a finished run of cnn_fashion_mnist",
        "the nine layers of the paper's FitNet 1 (CIFAR-10) at half its widths; the paper has no figure for this data",
        "search: two rates for the control alone, one epoch each, on dev; the authors' temperature and lambda",
        "first weights by He's rule: from the paper's range of 0.005 nothing is learned alone in an epoch",
        "8 epochs of RMSProp with a cosine rate, 2 of them for the hint; the paper: a constant rate, until dev stays",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 400},
}

VARIANTS = {
    "kd": {
        "set": {
            "method.hint_share": 0.0,
            "optimizers": {"model": {"kind": "rmsprop", "lr": 1e-3, "schedule": {"kind": "cosine"}}},
        },
        "title": "The student of fitnet_fashion_mnist, without the hint",
        "claims": [],
        "deviations": ["the control: the same steps, all of them of the second stage"],
    },
    "alone": {
        "set": {
            "method.hint_share": 0.0,
            "method.lambda_start": 0.0,
            "optimizers": {"model": {"kind": "rmsprop", "lr": 1e-3, "schedule": {"kind": "cosine"}}},
        },
        "title": "The student of fitnet_fashion_mnist, alone",
        "claims": [],
        "teacher": "",
        "deviations": ["the control: the same steps, labels only"],
    },
}

experiment = Experiment.Config(
    method=FitNets.Config(
        model=MaxoutCNN.Config(
            channels=(8, 8, 8, 16, 16, 16, 24, 24, 32),
            pieces=(2,) * 9,
            kernels=(3,) * 9,
            paddings=(1,) * 9,
            pools=((1, 1), (1, 1), (2, 2), (1, 1), (1, 1), (2, 2), (1, 1), (1, 1), (7, 1)),
            init_range=0.0,
        ),
        teacher=SmallCNN.Config(channels=(48, 96, 192)),
        task=Classify.Config(),
        hint="stages.1.relu1",  # (B, 96, 14, 14)
        guided="layers.5.maxout",  # (B, 16, 14, 14)
        hint_share=0.25,
        cache=True,
    ),
    data=FashionMnist.Config(batch=128, dev=0.05),
    optimizers={
        "hint": RMSProp.Config(lr=1e-3, schedule=Window.Config(schedule=Cosine.Config(), stop=0.25)),
        "model": RMSProp.Config(lr=1e-3, schedule=Window.Config(schedule=Cosine.Config(), start=0.25)),
    },
    epochs=8,
)
