"""A restricted Boltzmann machine of pixels and labels on scikit-learn's digits, learned by persistent CD."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.learning_rule import LearningRule
from netsmith.models.foundations.rbm import RBM
from netsmith.optim.schedules.linear import Linear
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Restricted Boltzmann machine on digits",
    "paper": "Hinton 2002, Training products of experts by minimizing contrastive divergence; with labels: Larochelle "
    "& Bengio 2008, Classification using discriminative restricted Boltzmann machines",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.95,
            "tolerance": 0.0,
            "source": "netsmith: 19 of 20 right by asking a model of images with labels which label is likelier",
        },
    ],
    "deviations": [
        "8 x 8 pixels in place of MNIST's; gray values count as probabilities",
        "learned as a model of images with their labels, not of labels given images; the chains of CD persist",
    ],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "learns": {"metric": "dev/accuracy", "value": 0.5, "steps": 2000},
}

experiment = Experiment.Config(
    method=LearningRule.Config(
        model=RBM.Config(hidden=200, chains=32), task=Classify.Config(), rate=0.3, schedule=Linear.Config()
    ),
    data=Digits.Config(batch=32, normalize=False),
    epochs=120,
)
