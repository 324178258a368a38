"""Knowledge distillation on MNIST (Hinton, Vinyals & Dean 2015): LeNet-5 teaches a small perceptron."""

from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.distillation import Distillation
from netsmith.models.tabular.mlp import MLP
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Distillation on MNIST",
    "paper": "arXiv:1503.02531",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": ":alone",
            "value": 0.001,
            "tolerance": 0.0,
            "source": "netsmith: 0.1 point above the same student alone",
        },
    ],
    "teacher": "lenet5_mnist",
    "deviations": [
        "train it with --teacher RUN, a finished run of lenet5_mnist: not two layers of 1,200 units",
        "the student has two hidden layers of 256 units, not of 800; T = 4 and alpha = 0.9 in place of T = 20",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 400},
}

VARIANTS = {
    "alone": {
        "set": {"method.alpha": 0.0},
        "title": "The student of distilled_mnist, alone",
        "claims": [],
        "teacher": "",
        "deviations": ["the control: the same run with alpha = 0, so that the student sees labels only"],
    },
}

experiment = Experiment.Config(
    method=Distillation.Config(
        model=MLP.Config(hidden=(256, 256)),
        teacher=LeNet5.Config(),
        task=Classify.Config(),
        temperature=4.0,
        alpha=0.9,
    ),
    data=Mnist.Config(batch=128, dev=0.05),
    optimizers={"model": Adam.Config(lr=2e-3, schedule=Cosine.Config())},
    epochs=8,
)
