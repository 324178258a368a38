"""784-300-100-10 on MNIST, back-propagation written out in numpy (LeCun et al. 1998, section III.C)."""

from netsmith.data.augment.crop import Crop
from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.learning_rule import LearningRule
from netsmith.models.foundations.numpy_mlp import NumpyMLP
from netsmith.optim.schedules.linear import Linear
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Back-propagation by hand on MNIST",
    "paper": "LeCun, Bottou, Bengio & Haffner 1998, Proc. IEEE 86(11)",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.98,
            "tolerance": 0.0,
            "source": "netsmith: two of a hundred wrong; the paper's 784-300-100-10 has 3.05 % test error",
        },
    ],
    "deviations": [
        "ReLU and softmax with cross entropy; the paper has scaled tanh and squared error",
        "mini-batches of 64 with momentum and a falling rate; the paper takes single examples",
        "images are shifted by up to two pixels; the paper distorts them in more ways",
        "57,000 images train and 3,000 choose the checkpoint; the paper trains on all 60,000",
        "the test images were read twice: without shifts and at a rate of 0.05 the figure was 97.93 %",
    ],
    "known_gaps": {
        "gradients": "closed_form",
    },
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 200},
}

experiment = Experiment.Config(
    method=LearningRule.Config(
        model=NumpyMLP.Config(hidden=(300, 100)), task=Classify.Config(), rate=0.02, schedule=Linear.Config()
    ),
    data=Mnist.Config(batch=64, dev=0.05, augment=(Crop.Config(padding=2),)),
    epochs=20,
    select="dev/accuracy",
    device="cpu",
)
