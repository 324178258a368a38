"""A small Inception-v4 on enlarged digits (after Szegedy et al. 2017): uniform modules behind a branching stem."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.inception_v4 import InceptionV4
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Small Inception-v4 on digits",
    "paper": "arXiv:1602.07261",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.97,
            "tolerance": 0.01,
            "source": "netsmith: a target of our own; a standard error of 179 test images is granted",
        },
    ],
    "deviations": [
        "an eighth of the channels; one, two and one modules in place of four, seven and three",
        "scanned digits of 8 x 8 pixels, enlarged to 80 x 80, in place of ImageNet at 299 x 299: maps of the modules "
        "are 7, 3 and 1 pixels wide in place of 35, 17 and 8",
        "SGD with Nesterov momentum, a one-cycle rate and 20 epochs in place of RMSProp",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.5, "steps": 100},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=InceptionV4.Config(
            modules=(1, 2, 1),
            stem=(4, 4, 8, 12, 8, 12, 24),
            inception_a=(12, 8),
            reduction_a=(24, 28, 32, 48),
            inception_b=(48, 24, 28, 32, 16),
            reduction_b=(24, 32, 40),
            inception_c=(32, 48, 56, 64),
        ),
        task=Classify.Config(),
    ),
    data=Digits.Config(size=80, batch=32),
    optimizers={
        "model": SGD.Config(lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-4, schedule=OneCycle.Config())
    },
    epochs=20,
    memory_format="channels_last",
)
