"""MAML on sine waves (Finn, Abbeel & Levine 2017): learn a start from which one gradient step suffices."""

from netsmith.data.sine_tasks import SineTasks
from netsmith.engine.experiment import Experiment
from netsmith.methods.maml import MAML
from netsmith.models.meta.sine_mlp import SineMlp
from netsmith.optim.adam import Adam
from netsmith.tasks.few_shot_regress import FewShotRegress

CARD = {
    "title": "MAML on sine waves",
    "paper": "arXiv:1703.03400",
    "claims": [
        {
            "metric": "test/mse_after_1",
            "value": 0.8,
            "tolerance": 0.0,
            "direction": "at_most",
            "source": "netsmith: a third of the jointly trained net's error; the paper's figure 3 shows curves",
        },
    ],
    "deviations": ["the exported product is the start; adapt it first with method.adapt(support, targets)"],
}

VARIANTS = {
    "joint": {
        "set": {"method.inner_steps": 0},
        "title": "The sine net, trained jointly",
        "claims": [],
        "deviations": ["the control: the same net trained on all tasks at once, then one gradient step on ten points"],
    },
}

experiment = Experiment.Config(
    method=MAML.Config(model=SineMlp.Config(hidden=(40, 40)), task=FewShotRegress.Config(), inner_lr=0.01),
    data=SineTasks.Config(shots=10, queries=10, batch=25),
    optimizers={"model": Adam.Config(lr=1e-3)},
    steps=20_000,
    evaluate_every=5_000,
)
