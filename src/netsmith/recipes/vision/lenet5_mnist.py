"""LeNet-5 on MNIST (LeCun et al. 1998): supervised learning at its most classic."""

from netsmith.data.augment.affine import Affine
from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "LeNet-5 on MNIST",
    "paper": "LeCun, Bottou, Bengio & Haffner 1998, Gradient-based learning applied to document recognition",
    "claims": [
        {"metric": "test/accuracy", "value": 0.992, "tolerance": 0.0, "source": "0.8 % error with distortions, Fig. 9"},
    ],
    "deviations": [
        "the modern form of 61,706 parameters: full connections in C3, ReLU, max-pooling, softmax",
        "random affine distortions drawn anew for every example, in place of 540,000 stored ones",
        "a one-cycle rate and Nesterov momentum in place of the stochastic diagonal Levenberg-Marquardt method",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 150},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=LeNet5.Config(), task=Classify.Config()),
    data=Mnist.Config(batch=128, dev=0.05, augment=(Affine.Config(),)),
    optimizers={
        "model": SGD.Config(lr=0.05, momentum=0.9, nesterov=True, weight_decay=5e-4, schedule=OneCycle.Config())
    },
    epochs=15,
)
