"""A character LSTM on tiny Shakespeare: names, verse and spelling from single letters (Karpathy 2015)."""

from netsmith.data.tiny_shakespeare import TinyShakespeare
from netsmith.engine.experiment import Experiment
from netsmith.methods.truncated_bptt import TruncatedBptt
from netsmith.models.language.lstm_lm import LstmLm
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.next_token import NextToken

CARD = {
    "title": "Character LSTM on tiny Shakespeare",
    "paper": "Karpathy, Johnson & Fei-Fei 2015, arXiv:1506.02078",
    "claims": [
        {
            "metric": "test/bits",
            "value": 2.4,
            "tolerance": 0.07,
            "direction": "at_most",
            "source": "netsmith: a target of our own, for a network that learns in minutes on one core",
        },
    ],
    "deviations": [
        "one layer of 192 units in place of two or three of 128 to 512; Adam with a cosine in place of RMSprop",
        "the text is tiny Shakespeare; the paper reads War and Peace and the source of Linux",
        "the last 10 % of the text are cut into dev and test",
    ],
    "learns": {"metric": "dev/perplexity", "value": 3.3, "steps": 200, "direction": "at_most"},
}

experiment = Experiment.Config(
    method=TruncatedBptt.Config(
        model=LstmLm.Config(hidden_size=192, num_layers=1, bound=0.08), task=NextToken.Config(bits=True)
    ),
    data=TinyShakespeare.Config(batch=50, bptt=64),
    optimizers={"model": Adam.Config(lr=4e-3, schedule=Cosine.Config())},
    epochs=4,
    clip_norm=5.0,
)
