"""MAML on sine waves (Finn, Abbeel & Levine 2017): learn a start from which one gradient step suffices."""

from netsmith.data.sine_tasks import SineTasks
from netsmith.engine.experiment import Experiment
from netsmith.methods.maml import MAML
from netsmith.models.meta.sine_mlp import SineMlp
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.linear import Linear
from netsmith.tasks.few_shot_regress import FewShotRegress

CARD = {
    "title": "MAML on sine waves",
    "paper": "arXiv:1703.03400",
    "claims": [
        {
            "metric": "test/mse_after_1",
            "against": ":joint",
            "between": "ratio",
            "value": 0.3333,
            "tolerance": 0.0,
            "direction": "at_most",
            "source": "netsmith: a third of the jointly trained net's error; the paper shows curves",
        },
    ],
    "deviations": [
        "Adam at 2e-3 falling to 0, an inner rate of 0.02 and 10,000 steps, in place of 1e-3, 0.01 and 70,000",
        "the exported product is the start; adapt it first with method.adapt(support, targets)",
    ],
    "learns": {"metric": "dev/mse_after_1", "value": 2.4, "steps": 300, "direction": "at_most"},
}

VARIANTS = {
    "joint": {
        "set": {"method.inner_steps": 0, "method.inner_lr": 0.01, "steps": 3000, "evaluate_every": 1500},
        "title": "The sine net, trained jointly",
        "learns": {"metric": "dev/mse_after_1", "value": 3.2, "steps": 300, "direction": "at_most"},
        "claims": [],
        "deviations": [
            "the control: the same net trained on all tasks at once, then one gradient step on ten points",
            "its step size was chosen on dev among 0.005 .. 0.2, so that the control is as good as it can be",
        ],
    },
}

experiment = Experiment.Config(
    method=MAML.Config(model=SineMlp.Config(hidden=(40, 40)), task=FewShotRegress.Config(), inner_lr=0.02),
    data=SineTasks.Config(shots=10, queries=10, batch=25),
    optimizers={"model": Adam.Config(lr=2e-3, schedule=Linear.Config())},
    steps=10_000,
    evaluate_every=2_500,
)
