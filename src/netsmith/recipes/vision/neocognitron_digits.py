"""The neocognitron on scikit-learn's digits: it learns shapes without a teacher, as in 1980; labels only name them."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.vision.neocognitron import Neocognitron
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Neocognitron on digits",
    "paper": "Fukushima 1980, Biological Cybernetics 36, 193-202",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.7,
            "tolerance": 0.0,
            "source": "netsmith: seven of ten right by shapes found without a teacher (chance is one); the paper, with "
            "five drawn digits, has no figure for it",
        },
    ],
    "deviations": [
        "scanned digits, each shown once to each layer; the paper shows five drawn ones twenty times",
        "24, 48 and 96 planes in place of 24 each; each last plane is named after the class it answers to most",
        "one layer learns after the other; r, c and d are ours",
    ],
    "known_gaps": {
        "gradients": "closed_form",
        "overfits_one_batch": "closed_form",
    },
    "learns": {"metric": "dev/accuracy", "value": 0.35, "steps": 6},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=Neocognitron.Config(planes=(24, 48, 96), presentations=1), task=Classify.Config()),
    data=Digits.Config(batch=2000, normalize=False),
    epochs=1,
)
