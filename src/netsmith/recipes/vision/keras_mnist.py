"""The network of Keras' introduction on MNIST: two stages of two convolutions, global average, dropout."""

from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.engine.hooks.early_stop import EarlyStop
from netsmith.layers.initializers.xavier import Xavier
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.tasks.classify import Classify

CARD = {
    "title": "The MNIST network of Keras' introduction",
    "paper": "Chollet et al., Keras 3: Getting started with Keras",
    "claims": [
        {"metric": "test/accuracy", "value": 0.99, "tolerance": 0.002, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "the images for validation (15 %) are drawn, Keras takes the last ones",
        "the figure is of the last epoch, as there: early stopping does not go back to the best",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 200},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=SmallCNN.Config(channels=(64, 128), depth=2, normalization="none", padding=0, dropout=0.5),
        task=Classify.Config(),
    ),
    data=Mnist.Config(batch=128, dev=0.15, normalize=False),
    optimizers={"model": Adam.Config(lr=1e-3, eps=1e-7)},
    hooks=(EarlyStop.Config(metric="dev/loss", patience=2),),
    initialize=Xavier.Config(distribution="uniform"),
    epochs=20,
)
