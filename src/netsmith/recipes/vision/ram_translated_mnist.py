"""The recurrent model of visual attention on translated MNIST (Mnih et al. 2014): find the digit, then read it."""

from netsmith.data.translated_mnist import TranslatedMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.hard_attention import HardAttention
from netsmith.models.vision.recurrent_attention import RecurrentAttention
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Recurrent visual attention on translated MNIST",
    "paper": "arXiv:1406.6247",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.9846,
            "tolerance": 0.0024,
            "source": "1.54 % error, 4 glimpses of 12 x 12 at 3 scales, Table 1b (another printing: 2.29 %)",
        },
    ],
    "deviations": [
        "Adam with a cosine rate in place of momentum with a searched, falling one",
        "the first look is where the policy looks from a state of zeros, learned; the paper leaves it open",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 400},
}

VARIANTS = {
    "cluttered": {
        "set": {"data.clutter": 4, "method.model.glimpses": 8},
        "title": "Recurrent visual attention on cluttered translated MNIST",
        "claims": [
            {
                "metric": "test/accuracy",
                "value": 0.9596,
                "tolerance": 0.0039,
                "source": "4.04 % error, 8 glimpses of 12 x 12 at 3 scales, Table 2a",
            },
        ],
    },
}

experiment = Experiment.Config(
    method=HardAttention.Config(
        model=RecurrentAttention.Config(glimpses=4, size=12, scales=3), task=Classify.Config(), spread=0.2
    ),
    data=TranslatedMnist.Config(batch=128, dev=0.05),
    optimizers={"model": Adam.Config(lr=1e-3, schedule=Cosine.Config())},
    epochs=30,
)
