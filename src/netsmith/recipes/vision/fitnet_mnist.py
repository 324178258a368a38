"""FitNet on MNIST (Romero et al. 2015): a maxout network of three layers gives hints to a thin one of six."""

from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.fitnets import FitNets
from netsmith.models.vision.maxout_cnn import MaxoutCNN
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
    "teacher": "maxout_mnist",
    "deviations": [
        "train it with --teacher RUN, a finished run of maxout_mnist, which has smaller kernels than the paper's",
        "8 epochs of RMSProp with a cosine rate, 2 of them for the hint; the paper: a constant rate, until dev stays",
        "no search: the authors' rate, temperature and lambda, one trial",
        "the guided layer gives its answer before its pooling; no bound on the norms of kernels",
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
        teacher=MaxoutCNN.Config(
            channels=(48, 48, 24),
            pieces=(2, 2, 4),
            kernels=(5, 5, 5),
            paddings=(0, 2, 2),
            pools=((4, 2), (4, 2), (2, 2)),
            init_range=0.0,
        ),
        task=Classify.Config(),
        hint="layers.1",  # (B, 48, 5, 5)
        guided="layers.3.maxout",  # (B, 16, 10, 10)
        regressor="linear",
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
