"""Classify your own images: netsmith train image_classifier --data FOLDER."""

from netsmith.data.augment.crop import Crop
from netsmith.data.augment.flip import Flip
from netsmith.data.image_folder import ImageFolder
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Your own images",
    "paper": "none: a generic recipe",
    "deviations": ["a plain convolutional network; give another with --set method.model=..."],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 150},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=SmallCNN.Config(channels=(32, 64, 128), depth=1), task=Classify.Config()),
    data=ImageFolder.Config(batch=32, augment=(Crop.Config(), Flip.Config())),
    optimizers={"model": AdamW.Config(lr=2e-3, weight_decay=0.05, schedule=OneCycle.Config())},
    epochs=20,
    select="dev/accuracy",
)
