"""Pseudo-labels (Lee 2013) with 100 labels: what the network believes of the other digits becomes their label."""

from netsmith.data.digits import Digits
from netsmith.data.few_labels import FewLabels
from netsmith.engine.experiment import Experiment
from netsmith.methods.pseudo_labels import PseudoLabels
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.schedules.linear import Linear
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Pseudo-labels with 100 labels",
    "paper": "Lee 2013, Pseudo-Label (ICML workshop on challenges in representation learning)",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": ":plain",
            "value": 0.01,
            "tolerance": 0.0,
            "source": "netsmith: a point above the same network with dropout that learns from the 100 labels alone "
            "(Table 1, of MNIST and 100 labels: 21.89 % of errors without, 16.15 % with them)",
        },
    ],
    "deviations": [
        "scanned digits of 8 x 8 pixels, 1,158 of them without a label, in place of MNIST's 60,000",
        "200 units with dropout in place of 5,000, a softmax in place of ten sigmoids",
        "T1 and T2 are steps (100 and 600 of 1,000), the paper's are epochs; of the alphas 1 and 3 the "
        "paper's 3 was better on dev",
        "the same 100 labels for all seeds",
    ],
    "seeds": (0, 1, 2, 3, 4),
    "learns": {"metric": "dev/accuracy", "value": 0.3, "steps": 300},
}

VARIANTS = {
    "plain": {
        "set": {"method.alpha": 0.0},
        "title": "The network of pseudo_labels_digits, learning from the labels alone",
        "claims": [],
        "deviations": ["the control: images without a label have no weight"],
    },
}

experiment = Experiment.Config(
    method=PseudoLabels.Config(
        model=MLP.Config(hidden=(200,), dropout=0.5), task=Classify.Config(), alpha=3.0, ramp_start=100, ramp_end=600
    ),
    data=FewLabels.Config(data=Digits.Config(batch=96, test=0.2), per_class=10, labeled_batch=32),
    optimizers={"model": SGD.Config(lr=0.05, momentum=0.9, schedule=Linear.Config())},
    steps=1000,
)
