"""The context module on Fashion-MNIST (Yu & Koltun 2016): dilated convolutions see ever more at full resolution."""

from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.context_module import ContextNet
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Context module on Fashion-MNIST",
    "paper": "arXiv:1511.07122",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.855,
            "tolerance": 0.01,
            "source": "netsmith: a target of our own; the rate was chosen on dev among two",
        },
    ],
    "deviations": [
        "one label an image (Fashion-MNIST) in place of one a pixel (Pascal VOC): the last maps are averaged",
        "the basic form with 16 channels on maps of 28 x 28, behind one convolution; the paper: 21 channels on maps of "
        "64 x 64, behind VGG-16 without its last two pools, trained before",
        "Adam with a one-cycle rate, one epoch, mirrored, all layers at once; the paper: SGD of the module alone",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.7, "steps": 200},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=ContextNet.Config(front=(16,)), task=Classify.Config()),
    data=FashionMnist.Config(batch=64, dev=0.05, augment=(Flip.Config(),)),
    optimizers={"model": Adam.Config(lr=1e-2, schedule=OneCycle.Config())},
    epochs=1,
    memory_format="channels_last",
)
