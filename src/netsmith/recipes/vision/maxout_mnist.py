"""A convolutional maxout network on MNIST (after Goodfellow et al. 2013): the wide, shallow teacher of fitnet_mnist."""

from netsmith.data.augment.crop import Crop
from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.maxout_cnn import MaxoutCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Maxout on MNIST",
    "paper": "arXiv:1302.4389",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.992,
            "tolerance": 0.0,
            "source": "netsmith: a target of our own; the paper's larger kernels and dropout give 0.9955",
        },
    ],
    "deviations": [
        "the paper's 48, 48 and 24 units in three layers, with kernels of 5 x 5 in place of 8, 8 and 5",
        "images are shifted by up to 2 pixels in place of dropout; no bound on the norms of kernels",
        "5 epochs of Adam with a one-cycle rate; the paper trains until a held-out error stays, then on all images",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 100},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=MaxoutCNN.Config(
            channels=(48, 48, 24),
            pieces=(2, 2, 4),
            kernels=(5, 5, 5),
            paddings=(0, 2, 2),
            pools=((4, 2), (4, 2), (2, 2)),
            init_range=0.0,
        ),
        task=Classify.Config(),
    ),
    data=Mnist.Config(batch=128, dev=0.05, augment=(Crop.Config(padding=2),)),
    optimizers={"model": Adam.Config(lr=1e-3, schedule=OneCycle.Config())},
    epochs=5,
    memory_format="channels_last",
)
