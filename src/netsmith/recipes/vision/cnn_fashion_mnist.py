"""A plain convolutional network on Fashion-MNIST: the wide, shallow teacher of fitnet_fashion_mnist."""

from netsmith.data.augment.crop import Crop
from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "CNN on Fashion-MNIST",
    "paper": "none: a plain VGG-like network (arXiv:1409.1556) at the size of 28 x 28 images",
    "claims": [
        {"metric": "test/accuracy", "value": 0.92, "tolerance": 0.0, "source": "netsmith: a target of our own"},
    ],
    "deviations": ["three 3 x 3 convolutions with batch normalization; no paper has this network"],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 100},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=SmallCNN.Config(channels=(48, 96, 192)), task=Classify.Config()),
    data=FashionMnist.Config(batch=128, dev=0.05, augment=(Crop.Config(padding=2), Flip.Config())),
    optimizers={"model": AdamW.Config(lr=3e-3, weight_decay=0.05, schedule=OneCycle.Config())},
    epochs=8,
    memory_format="channels_last",
)
