"""A spatial transformer before a small CNN on distorted MNIST (Jaderberg et al. 2015), beside the same CNN alone."""

from netsmith.data.distorted_mnist import DistortedMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.spatial_transformer_net import SpatialTransformerNet
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Spatial transformer on distorted MNIST",
    "paper": "arXiv:1506.02025",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": ":cnn",
            "value": 0.001,
            "tolerance": 0.0,
            "source": "netsmith: better than the same network without it; the paper: 0.5 against 0.8 % error, Table 1",
        },
        {
            "metric": "test/accuracy",
            "value": 0.995,
            "tolerance": 0.0014,
            "source": "0.5 % error, ST-CNN Aff, RTS, Table 1",
        },
    ],
    "deviations": [
        "12 epochs with momentum and a one-cycle rate; the paper: 150,000 steps, a rate cut in tenths",
        "gradients clipped at norm 1, small first steps, theta's gradient a tenth: else it turns away from the digit",
        "32 channels of a convolution; the paper fits their number to 400,000 parameters",
        "momentum of 0.9 and batches of 128; the distortion's ranges as we know them from memory",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 400},
}

VARIANTS = {
    "cnn": {
        "set": {"method.model.transformer": False},
        "title": "The CNN of stn_distorted_mnist, alone",
        "claims": [],
        "deviations": ["the control: the same classifier sees the image as it is, with fewer parameters in all"],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(model=SpatialTransformerNet.Config(), task=Classify.Config()),
    data=DistortedMnist.Config(batch=128, dev=0.05),
    optimizers={"model": SGD.Config(lr=0.02, momentum=0.9, schedule=OneCycle.Config(initial=0.02))},
    epochs=12,
    clip_norm=1.0,
)
