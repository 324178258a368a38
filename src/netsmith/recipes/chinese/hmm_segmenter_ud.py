"""A hidden Markov model that cuts Chinese text into words, counted from the sentences of a small treebank."""

from netsmith.data.ud_chinese import UdChinese
from netsmith.engine.experiment import Experiment
from netsmith.methods.closed_form import ClosedForm
from netsmith.models.sequence.hmm_tagger import HMMTagger
from netsmith.tasks.chain import Chain

CARD = {
    "title": "Hidden Markov model for Chinese words on Universal Dependencies",
    "paper": "Rabiner 1989, doi:10.1109/5.18626; Poritz 1982, doi:10.1109/ICASSP.1982.1171633",
    "claims": [
        {
            "metric": "test/f1",
            "value": 0.9,
            "tolerance": 0.0,
            "source": "netsmith: a target of our own, F1 of words on the official test part",
        },
    ],
    "deviations": [
        "steps and characters depend on the character before, too, as in an autoregressive model",
        "what was seldom seen is smoothed toward the tag alone; the weights were chosen on dev",
    ],
    "known_gaps": {"gradients": "closed_form", "overfits_one_batch": "closed_form"},
    "seeds": [0],
    "learns": {"metric": "dev/f1", "value": 0.8, "steps": 3},
}

experiment = Experiment.Config(
    method=ClosedForm.Config(
        model=HMMTagger.Config(step_alpha=0.01, token_alpha=3.0, step_weight=10.0, token_weight=100.0),
        task=Chain.Config(scheme="words"),
    ),
    data=UdChinese.Config(batch=500, evaluation_batch=100),
    epochs=1,
)
