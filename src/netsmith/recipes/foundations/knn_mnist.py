"""k nearest neighbors on MNIST: the training images themselves are the model."""

from netsmith.data.mnist import Mnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.foundations.k_nearest_neighbors import KNearestNeighbors
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Nearest neighbors on MNIST",
    "paper": "LeCun et al. 1998, Proc. IEEE 86, 2278-2324; Cover & Hart 1967",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.969000,
            "tolerance": 0.000001,
            "direction": "equal",
            "source": "scikit-learn's KNeighborsClassifier on the same split: 9,690 of 10,000 images",
        },
        {
            "metric": "test/accuracy",
            "value": 0.95,
            "tolerance": 0.0,
            "source": "LeCun et al. 1998: 5.0 % error of nearest neighbors on plain pixels",
        },
    ],
    "deviations": ["54,001 training images, the rest is dev; k of 1, 3, 5 compared on dev"],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=KNearestNeighbors.Config(neighbors=5), task=Classify.Config()),
    data=Mnist.Config(batch=60_000, evaluation_batch=2000, normalize=False),
    epochs=1,
)
