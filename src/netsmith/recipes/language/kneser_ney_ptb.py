"""A 5-gram model with modified Kneser-Ney smoothing on the Penn Treebank: the baseline of every language model."""

from netsmith.data.ptb import Ptb
from netsmith.engine.experiment import Experiment
from netsmith.methods.counting import Counting
from netsmith.models.language.ngram import Ngram
from netsmith.tasks.next_token import NextToken

CARD = {
    "title": "Kneser-Ney 5-gram on the Penn Treebank",
    "paper": "Chen & Goodman 1998, An empirical study of smoothing techniques for language modeling, TR-10-98",
    "claims": [
        {
            "metric": "test/perplexity",
            "value": 141.2,
            "tolerance": 4.236,
            "direction": "equal",
            "source": "Mikolov & Zweig 2012, table 2: KN5",
        },
    ],
    "deviations": ["below single words stands the uniform distribution over the 10,000 words"],
    "known_gaps": {
        "gradients": "closed_form",
        "same_seed_same_run": "closed_form",
        "overfits_one_batch": "closed_form",
        "export_matches": "no_export",
    },
    "seeds": [0],
    "learns": {"metric": "dev/perplexity", "value": 5.0, "steps": 1, "direction": "at_most"},
}

experiment = Experiment.Config(
    method=Counting.Config(model=Ngram.Config(order=5), task=NextToken.Config()),
    data=Ptb.Config(batch=1, bptt=1_000_000),
    epochs=1,
)
