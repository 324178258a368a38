"""A linear support vector machine on polarity 2.0: whole reviews by their words and pairs of words."""

from netsmith.data.polarity_2 import Polarity2
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.text.linear_svm import LinearSvm
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Linear SVM on polarity 2.0",
    "paper": "Wang & Manning 2012, Baselines and bigrams: simple, good sentiment and topic classification",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.874,
            "tolerance": 0.0469,
            "source": "Table 3, SVM-bi on RT-2k: 87.40, the mean of ten folds (Pang & Lee 2004: 87.15)",
        },
    ],
    "deviations": [
        "one official fold of 200 reviews is the test; the paper gives the mean over all ten",
        "negated words are marked (Pang et al. 2002); texts have unit length; words of four reviews' counts at least",
        "the 50,000 most frequent pairs of words; C = 1 (the paper: 0.1, features of another scale)",
    ],
    "known_gaps": {"gradients": "closed_form", "overfits_one_batch": "closed_form"},
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=LinearSvm.Config(bigrams=50_000, unit_length=True), task=Classify.Config()),
    data=Polarity2.Config(
        batch=2000,
        evaluation_batch=100,
        min_count=4,
        negations=("not", "no", "never", "nor", "neither", "cannot", "n't"),
    ),
    epochs=1,
)
