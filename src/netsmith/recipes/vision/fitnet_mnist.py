"""FitNet on MNIST (Romero et al. 2015): a network of three convolutions gives hints to a thin one of six."""

from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.fitnets import FitNets
from netsmith.models.vision.maxout_cnn import MaxoutCNN
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.rmsprop import RMSProp
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
    "teacher": "cnn_mnist",
    "deviations": [
        "train it with --teacher RUN, a finished run of cnn_mnist: three convolutions as in the paper, not maxout",
        "8 epochs of RMSProp with a cosine rate, 2 of them for the hint; the paper: a constant rate, until dev stays",
        "the guided layer gives its hint before its pooling, the hint comes after the teacher's; no bound on the norms",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 400},
}

VARIANTS = {
    "kd": {
        "set": {
            "method.hint_share": 0.0,
            "optimizers": {"model": {"kind": "rmsprop", "lr": 5e-4, "schedule": {"kind": "cosine"}}},
        },
        "title": "The student of fitnet_mnist, without the hint",
        "claims": [],
        "deviations": ["the control: the same steps, all of them of the second stage"],
    },
    "alone": {
        "set": {
            "method.hint_share": 0.0,
            "method.lambda_start": 0.0,
            "optimizers": {"model": {"kind": "rmsprop", "lr": 5e-4, "schedule": {"kind": "cosine"}}},
        },
        "title": "The student of fitnet_mnist, alone",
        "claims": [],
        "teacher": "",
        "deviations": ["the control: the same steps, labels only"],
    },
}

experiment = Experiment.Config(
    method=FitNets.Config(
        model=MaxoutCNN.Config(),
        teacher=SmallCNN.Config(channels=(32, 64, 128)),
        task=Classify.Config(),
        hint="stages.2.pool",  # (B, 64, 7, 7), the second convolution's answer
        guided="layers.3.maxout",  # (B, 16, 10, 10)
        hint_share=0.25,
        cache=True,
    ),
    data=Mnist.Config(batch=128, dev=0.05),
    optimizers={
        "hint": RMSProp.Config(lr=5e-4, schedule=Window.Config(schedule=Cosine.Config(), stop=0.25)),
        "model": RMSProp.Config(lr=5e-4, schedule=Window.Config(schedule=Cosine.Config(), start=0.25)),
    },
    epochs=8,
)
