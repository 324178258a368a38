"""Elastic weight consolidation on permuted MNIST (Kirkpatrick et al. 2017, section 2.2): five tasks, one network."""

from netsmith.data.mnist import Mnist
from netsmith.data.permuted_tasks import PermutedTasks
from netsmith.engine.experiment import Experiment
from netsmith.methods.consolidation import Consolidation
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Elastic weight consolidation on permuted MNIST",
    "paper": "arXiv:1612.00796",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.9,
            "tolerance": 0.0,
            "source": "netsmith: of all five tasks after the last one; the paper gives curves (Fig. 2B), no number",
        },
        {
            "metric": "test/accuracy",
            "against": ":plain",
            "value": 0.2,
            "tolerance": 0.0,
            "source": "netsmith: most of what plain training forgets is kept",
        },
    ],
    "deviations": [
        "five tasks of one epoch each and one hidden layer of 100 units; the paper: up to ten tasks, two layers of 400 "
        "units and more, found by random search, with early stopping",
        "in the last 10 of a task's 843 batches nothing is updated: the Fisher information is estimated there, over "
        "the network's own answers",
        "lambda was chosen on dev among 5 and 50; the paper's third way, an equal pull on all weights, is in the lab "
        "forgetting_curve",
        "the permutations are the same for all seeds; dev is a tenth of the training images",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.3, "steps": 45},
}

VARIANTS = {
    "plain": {
        "set": {"method.strength": 0.0},
        "title": "Plain training on permuted MNIST, task after task",
        "claims": [],
        "deviations": ["the control: nothing is held"],
    },
}

experiment = Experiment.Config(
    method=Consolidation.Config(
        model=MLP.Config(hidden=(100,)), task=Classify.Config(), tasks=5, strength=5.0, fisher_steps=10
    ),
    data=PermutedTasks.Config(data=Mnist.Config(batch=64)),
    optimizers={"model": SGD.Config(lr=0.03, momentum=0.9)},
    epochs=5,
)
