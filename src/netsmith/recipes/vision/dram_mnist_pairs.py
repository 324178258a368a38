"""The deep recurrent attention model on pairs of digits (Ba et al. 2015): read both, the left one first."""

from netsmith.data.mnist_pairs import MnistPairs
from netsmith.engine.experiment import Experiment
from netsmith.methods.hard_attention import HardAttention
from netsmith.models.vision.deep_recurrent_attention import DeepRecurrentAttention
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.tag import Tag

CARD = {
    "title": "Deep recurrent attention on pairs of MNIST digits",
    "paper": "arXiv:1412.7755",
    "claims": [
        {"metric": "test/accuracy", "value": 0.95, "tolerance": 0.003, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "both digits from left to right, as the paper reads house numbers; its pairs are one of 55 classes",
        "3 looks a digit at 12 x 12 pixels and two scales, states of 128; the paper gives no sizes for this task",
        "Adam with a cosine rate; the baseline is learned from the state, as in RAM",
        "always two objects: no end-of-sequence symbol; every digit is in the loss whatever was said before it",
        "one reward for all looks, the share of digits that are right; the paper: each object's own",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 600},
}

experiment = Experiment.Config(
    method=HardAttention.Config(
        model=DeepRecurrentAttention.Config(glimpses=3, channels=(8, 8, 16), hidden_size=128),
        task=Tag.Config(),
        spread=0.15,
    ),
    data=MnistPairs.Config(target="sequence", batch=128, dev=0.05),
    optimizers={"model": Adam.Config(lr=1e-3, schedule=Cosine.Config())},
    epochs=30,
    clip_norm=5.0,
)
