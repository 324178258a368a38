"""An LSTM language model on the Penn Treebank: the small, non-regularized network of Zaremba et al. 2014."""

from netsmith.data.ptb import Ptb
from netsmith.engine.experiment import Experiment
from netsmith.methods.truncated_bptt import TruncatedBptt
from netsmith.models.language.lstm_lm import LstmLm
from netsmith.optim.schedules.step import Step
from netsmith.optim.sgd import SGD
from netsmith.tasks.next_token import NextToken

CARD = {
    "title": "LSTM language model on the Penn Treebank",
    "paper": "arXiv:1409.2329",
    "claims": [
        {
            "metric": "test/perplexity",
            "value": 117.0,
            "tolerance": 0.0,
            "direction": "at_most",
            "source": "netsmith: a target of our own; table 1 has 114.5 for the non-regularized LSTM",
        },
    ],
    "deviations": [
        "padding has a place in the softmax beside the 10,000 words, and is never a target",
        "the first word of each part is predicted too, after a line's end; the last window of a row may be shorter",
    ],
    "learns": {"metric": "dev/perplexity", "value": 3.3, "steps": 200, "direction": "at_most"},
}

experiment = Experiment.Config(
    method=TruncatedBptt.Config(model=LstmLm.Config(hidden_size=200), task=NextToken.Config(per="window")),
    data=Ptb.Config(batch=20, bptt=20),
    optimizers={
        # a rate of 1 in the first four of 13 epochs, half as large in each after
        "model": SGD.Config(
            lr=1.0, schedule=Step.Config(milestones=tuple(epoch / 13 for epoch in range(4, 13)), gamma=0.5)
        ),
    },
    epochs=13,
    clip_norm=5.0,
)
