"""Network slimming (Liu et al. 2017) on scikit-learn's digits: an L1 penalty tells which channels can go."""

from netsmith.data.augment.crop import Crop
from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.slimming import Slimming
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Network slimming on digits",
    "paper": "arXiv:1708.06519",
    "claims": [
        {"metric": "test/accuracy", "value": 0.98, "tolerance": 0.02, "source": "netsmith: a target of our own"},
        {
            "metric": "test/accuracy",
            "value": 0.0,
            "tolerance": 0.01,
            "source": "netsmith: the penalty costs no more than a point",
            "against": "slimming_digits:plain",
        },
    ],
    "deviations": [
        "digits (8 x 8) and three stages of two convolutions in place of CIFAR-10 and VGG-19",
        "lambda is 1e-2 where the paper has 1e-4 or 1e-5: 20 epochs of 22 steps in place of 160 of 782",
        "a one-cycle rate, and no weight decay: the penalty alone pulls scales",
        "trained once; the cut is a command of its own: netsmith compress RUN --prune 0.5 --criterion bn_scale",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 100},
}

VARIANTS = {
    "plain": {
        "title": "Network slimming on digits: the control without the penalty",
        "set": {"method.sparsity": 0.0},
        "claims": [],
    },
}

experiment = Experiment.Config(
    method=Slimming.Config(
        model=SmallCNN.Config(channels=(32, 64, 128), depth=2), task=Classify.Config(), sparsity=1e-2
    ),
    data=Digits.Config(batch=64, augment=(Crop.Config(padding=1),)),
    optimizers={"model": SGD.Config(lr=0.1, momentum=0.9, nesterov=True, schedule=OneCycle.Config())},
    epochs=20,
    memory_format="channels_last",
)
