"""The recurrent model of visual attention on MNIST (Mnih et al. 2014): seven looks through a window of 8 x 8 pixels."""

from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.hard_attention import HardAttention
from netsmith.models.vision.recurrent_attention import RecurrentAttention
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Recurrent visual attention on MNIST",
    "paper": "arXiv:1406.6247",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.9893,
            "tolerance": 0.002,
            "source": "1.07 % error, 7 glimpses, Table 1a",
        },
    ],
    "deviations": [
        "Adam with a cosine rate in place of momentum with a searched, falling one",
        "the first look is where the policy looks from a state of zeros, learned; the paper leaves it open",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 400},
}

experiment = Experiment.Config(
    method=HardAttention.Config(
        model=RecurrentAttention.Config(glimpses=7), task=Classify.Config(), spread=0.1, samples=1
    ),
    data=Mnist.Config(batch=128, dev=0.05),
    optimizers={"model": Adam.Config(lr=1e-3, schedule=Cosine.Config())},
    epochs=40,
)
