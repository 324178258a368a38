"""Maximum entropy on polarity 2.0: whole reviews by the words that are there, marked where they are negated."""

from netsmith.data.polarity_2 import Polarity2
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.text.maximum_entropy import MaximumEntropy
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Maximum entropy on polarity 2.0",
    "paper": "Pang, Lee & Vaithyanathan 2002, Thumbs up? Sentiment classification using machine learning techniques",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.804,
            "tolerance": 0.0,
            "source": "Figure 3, presence of unigrams: 80.4, on 1,400 earlier reviews (three folds)",
        },
    ],
    "deviations": [
        "polarity 2.0, the successor of the paper's data: 2,000 reviews, of which one official fold of 200 is the test",
        "a Gaussian prior of variance 1 (the paper's is on expectations' weights too, its variance is not told)",
        "L-BFGS in place of improved iterative scaling; both end at the one optimum",
    ],
    "known_gaps": {"gradients": "closed_form", "overfits_one_batch": "closed_form"},
    "seeds": [0],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 1},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(model=MaximumEntropy.Config(), task=Classify.Config()),
    data=Polarity2.Config(
        batch=2000,
        evaluation_batch=100,
        min_count=4,
        negations=("not", "no", "never", "nor", "neither", "cannot", "n't"),
    ),
    epochs=1,
)
