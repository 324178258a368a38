"""A small Inception-v3 on enlarged digits (after Szegedy et al. 2016): large kernels as two of 1 x n and n x 1."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.inception_v3 import InceptionV3
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Small Inception-v3 on digits",
    "paper": "arXiv:1512.00567",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.97,
            "tolerance": 0.01,
            "source": "netsmith: a target of our own; a standard error of 179 test images is granted",
        },
    ],
    "deviations": [
        "an eighth of the channels; two, two and one modules in place of three, four and two; no auxiliary head",
        "scanned digits of 8 x 8 pixels, enlarged to 80 x 80, in place of ImageNet at 299 x 299: maps of the modules "
        "are 7, 3 and 1 pixels wide in place of 35, 17 and 8",
        "SGD with Nesterov momentum, a one-cycle rate and 20 epochs in place of RMSProp and 100; no label smoothing",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.5, "steps": 100},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=InceptionV3.Config(
            stem=(4, 4, 8, 10, 24),
            inception_a=((8, 6, 8, 8, 12, 4), (8, 6, 8, 8, 12, 8)),
            reduction_a=(48, 8, 12),
            inception_b=((24, 16), (24, 20)),
            reduction_b=(24, 40),
            inception_c=((40, 48, 56, 24),),
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
