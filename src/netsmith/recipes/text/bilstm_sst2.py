"""A bidirectional LSTM on SST-2: sentences of reviews, praise or blame."""

from netsmith.data.sst import Sst
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.text.bilstm import BiLSTM
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Bidirectional LSTM on SST-2",
    "paper": "Tai, Socher & Manning 2015, Improved semantic representations from tree-structured LSTM networks",
    "claims": [
        {"metric": "test/accuracy", "value": 0.8, "tolerance": 0.0187, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "trained on the 6,920 sentences alone; the paper's 87.5 % is of training on all judged phrases",
        "word vectors learned from those sentences; the paper begins with GloVe vectors of 840 billion words",
        "the maximum over the words in place of the last states; AdamW with a one-cycle rate in place of AdaGrad",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 150},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=BiLSTM.Config(embedding_size=100, hidden_size=64, embedding_dropout=0.6),
        task=Classify.Config(label_smoothing=0.1),
    ),
    data=Sst.Config(batch=50, min_count=2),
    optimizers={"model": AdamW.Config(lr=2e-3, weight_decay=0.1, schedule=OneCycle.Config())},
    epochs=5,
    clip_norm=1.0,
    select="dev/accuracy",
)
