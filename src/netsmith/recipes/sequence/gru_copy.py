"""A gated recurrent unit on the copy memory problem (Cho et al. 2014; Arjovsky, Shah & Bengio 2016)."""

from netsmith.data.copy_memory import CopyMemory
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.recurrent_tagger import RecurrentTagger
from netsmith.optim.adam import Adam
from netsmith.tasks.tag import Tag

CARD = {
    "title": "GRU on the copy memory problem",
    "paper": "arXiv:1511.06464, section 5.1; the cell: arXiv:1406.1078",
    "claims": [
        {
            "metric": "test/accuracy",
            "value": 0.99,
            "tolerance": 0.003,
            "source": "netsmith: a target of our own; who remembers nothing has 0.25",
        },
    ],
    "deviations": [
        "three of four symbols over 20 steps in place of ten of eight over 100 to 1,000",
        "judged at the answers alone, not at the blanks",
        "the reset gate acts after the product, as in torch",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.5, "steps": 400},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=RecurrentTagger.Config(cell="gru", embedding_size=32, hidden_size=32), task=Tag.Config()
    ),
    data=CopyMemory.Config(symbols=4, count=3, delay=20, batch=32),
    optimizers={"model": Adam.Config(lr=5e-3)},
    steps=1500,
    evaluate_every=250,
    clip_norm=1.0,
)
