"""Transfer between two halves of MNIST (Yosinski et al. 2014): learned on 0 to 4, tuned on a few of 5 to 9."""

from netsmith.data.class_subset import ClassSubset
from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.fine_tuning import FineTuning
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Fine-tuning on ten images of each digit",
    "paper": "arXiv:1411.1792",
    "start": ":base",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": ":fresh",
            "value": 0.04,
            "tolerance": 0.0,
            "source": "netsmith: four points above fresh weights (Table 1, of halves of ImageNet: 1.6 points in the "
            "mean over one to seven layers)",
        },
    ],
    "deviations": [
        "train it with --from RUN, a finished run of fine_tuned_mnist:base (verify does so)",
        "digits 5 to 9 after 0 to 4, a network of three convolutions; the paper: random halves of ImageNet, AlexNet",
        "the new task has 50 training images, and of the old one 15,000 are seen; the paper has as many for both",
        "all layers but the head are taken over, and all learn; the rate was chosen on dev, which has all the "
        "held-out images of these digits",
        "the same images for all seeds",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.8, "steps": 100},
}

VARIANTS = {
    "base": {
        "set": {
            "method": {
                "kind": "supervised",
                "model": {"kind": "small_cnn", "channels": [8, 16, 16]},
                "task": {"kind": "classify"},
            },
            "data.classes": [0, 1, 2, 3, 4],
            "data.per_class": 0,
            "data.data.batch": 50,
            "steps": 300,
        },
        "title": "The network that fine_tuned_mnist begins with",
        "start": "",
        "claims": [],
        "deviations": ["the task before: digits 0 to 4, 300 batches of 50 images"],
    },
    "fresh": {
        "set": {
            "method": {
                "kind": "supervised",
                "model": {"kind": "small_cnn", "channels": [8, 16, 16]},
                "task": {"kind": "classify"},
            },
        },
        "title": "The network of fine_tuned_mnist, from fresh weights",
        "start": "",
        "claims": [],
        "deviations": ["the control: the same steps on the same images, nothing is taken over"],
    },
}

experiment = Experiment.Config(
    method=FineTuning.Config(model=SmallCNN.Config(channels=(8, 16, 16)), task=Classify.Config()),
    data=ClassSubset.Config(data=Mnist.Config(batch=25), classes=(5, 6, 7, 8, 9), per_class=10),
    optimizers={"model": AdamW.Config(lr=0.01, weight_decay=0.01, schedule=OneCycle.Config())},
    steps=150,
)
