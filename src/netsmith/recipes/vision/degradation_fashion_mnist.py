"""Plain deep networks degrade, residual ones do not (He et al. 2016, section 4.2): 20 and 56 layers of each kind."""

from netsmith.data.augment.crop import Crop
from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.cifar_resnet import CifarResNet
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

CARD = {
    "title": "A plain network of 20 layers on Fashion-MNIST",
    "paper": "arXiv:1512.03385",
    "claims": [
        {
            "metric": "train/accuracy",
            "against": ":plain56",
            "value": 0.005,
            "tolerance": 0.0,
            "source": "netsmith: the training error of 56 plain layers is above that of 20 (Fig. 6, left)",
        },
    ],
    "deviations": [
        "Fashion-MNIST (28 x 28, one channel) in place of CIFAR-10; the paper has no figure for it",
        "half of the paper's width (8, 16 and 32 channels), 6 epochs with a cosine rate in place of 64,000 steps",
        "crops padded by 2 pixels in place of 4",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 150},
}

VARIANTS = {
    "plain56": {
        "set": {"method.model.depth": 56},
        "title": "A plain network of 56 layers on Fashion-MNIST",
        "claims": [],
    },
    "residual20": {
        "set": {"method.model.residual": True},
        "title": "A residual network of 20 layers on Fashion-MNIST, as thin as its plain sibling",
        "claims": [],
    },
    "residual56": {
        "set": {"method.model.residual": True, "method.model.depth": 56},
        "title": "A residual network of 56 layers on Fashion-MNIST, as thin as its plain sibling",
        "claims": [
            {
                "metric": "train/accuracy",
                "against": ":residual20",
                "value": 0.001,
                "tolerance": 0.0,
                "source": "netsmith: with shortcuts it is the other way round (Fig. 6, middle)",
            },
        ],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(model=CifarResNet.Config(depth=20, width=8, residual=False), task=Classify.Config()),
    data=FashionMnist.Config(batch=128, dev=0.05, augment=(Crop.Config(padding=2), Flip.Config())),
    optimizers={"model": SGD.Config(lr=0.1, momentum=0.9, weight_decay=1e-4, schedule=Cosine.Config())},
    epochs=6,
    judge_train=True,
    memory_format="channels_last",
)
