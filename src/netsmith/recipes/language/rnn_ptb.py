"""A recurrent language model with a class-factored softmax on the Penn Treebank (Mikolov et al. 2010, 2011)."""

from netsmith.data.ptb import Ptb
from netsmith.engine.experiment import Experiment
from netsmith.methods.truncated_bptt import TruncatedBptt
from netsmith.models.language.rnn_lm import RnnLm
from netsmith.optim.schedules.step import Step
from netsmith.optim.sgd import SGD
from netsmith.tasks.next_token import NextToken

CARD = {
    "title": "Recurrent language model on the Penn Treebank",
    "paper": "Mikolov et al. 2011, doi:10.1109/ICASSP.2011.5947611",
    "claims": [
        {
            "metric": "test/perplexity",
            "value": 150.0,
            "tolerance": 4.5,
            "direction": "at_most",
            "source": "netsmith: a target of our own; Mikolov & Zweig 2012 have 124.7",
        },
    ],
    "deviations": [
        "20 rows of the text side by side, an update for every 20 tokens of each; the paper updates at every word",
        "the rate halves at fixed epochs, not when dev no longer falls; the gradient's norm is clipped",
        "classes hold equal shares of frequencies by Zipf's law, not of those that were counted",
    ],
    "learns": {"metric": "dev/perplexity", "value": 4.0, "steps": 600, "direction": "at_most"},
}

experiment = Experiment.Config(
    method=TruncatedBptt.Config(model=RnnLm.Config(hidden_size=200), task=NextToken.Config(per="window")),
    data=Ptb.Config(batch=20, bptt=20),
    optimizers={
        "model": SGD.Config(lr=1.0, schedule=Step.Config(milestones=tuple(n / 10 for n in range(5, 10)), gamma=0.5)),
    },
    epochs=10,
    clip_norm=5.0,
)
