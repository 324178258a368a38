"""A hidden Markov model on Resume NER: names in Chinese résumés, learned by counting in one pass."""

from netsmith.data.resume_ner import ResumeNer
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.sequence.hmm_tagger import HMMTagger
from netsmith.tasks.chain import Chain

CARD = {
    "title": "Hidden Markov model on Resume NER",
    "paper": "Rabiner 1989, doi:10.1109/5.18626; Poritz 1982, doi:10.1109/ICASSP.1982.1171633",
    "claims": [
        {
            "metric": "test/f1",
            "value": 0.85,
            "tolerance": 0.0,
            "source": "netsmith: a target of our own, of whole names (CoNLL's rule), not of characters",
        },
    ],
    "deviations": [
        "steps and characters depend on the character before, too, as in an autoregressive model",
        "what was seldom seen is smoothed toward the tag alone; the weights were chosen on dev",
    ],
    "known_gaps": {"gradients": "closed_form", "overfits_one_batch": "closed_form"},
    "seeds": [0],
    "learns": {"metric": "dev/f1", "value": 0.9, "steps": 5},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(
        model=HMMTagger.Config(step_alpha=0.01, token_alpha=0.3, step_weight=3.0, token_weight=100.0),
        task=Chain.Config(scheme="bmes"),
    ),
    data=ResumeNer.Config(batch=64, evaluation_batch=32),
    epochs=1,
)
