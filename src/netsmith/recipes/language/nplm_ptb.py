"""The neural probabilistic language model of Bengio et al. (2003) on the Penn Treebank: four words name the fifth."""

from netsmith.data.ptb import Ptb
from netsmith.engine.experiment import Experiment
from netsmith.methods.truncated_bptt import TruncatedBptt
from netsmith.models.language.nplm import Nplm
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.next_token import NextToken

CARD = {
    "title": "Neural probabilistic language model on the Penn Treebank",
    "paper": "Bengio, Ducharme, Vincent & Jauvin 2003, A neural probabilistic language model, JMLR 3",
    "claims": [
        {
            "metric": "test/perplexity",
            "value": 175.0,
            "tolerance": 5.25,
            "direction": "at_most",
            "source": "netsmith: a target of our own; the paper has no figure on this text",
        },
    ],
    "deviations": [
        "the Penn Treebank in place of Brown and AP News, not interpolated with a trigram",
        "Adam with a cosine in place of plain gradient steps with a decreasing rate",
        "no direct connections (W of Eq. 1, which the paper leaves open)",
    ],
    "learns": {"metric": "dev/perplexity", "value": 4.0, "steps": 200, "direction": "at_most"},
}

experiment = Experiment.Config(
    method=TruncatedBptt.Config(
        model=Nplm.Config(order=5, embedding_size=60, hidden_size=100), task=NextToken.Config()
    ),
    data=Ptb.Config(batch=20, bptt=50),
    optimizers={"model": Adam.Config(lr=1e-3, schedule=Cosine.Config())},
    epochs=4,
    select="dev/perplexity",
    select_mode="min",
)
