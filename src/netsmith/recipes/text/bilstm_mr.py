"""A bidirectional LSTM on MR polarity: sentences of reviews, praise or blame."""

from netsmith.data.mr_polarity import MrPolarity
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.text.bilstm import BiLSTM
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Bidirectional LSTM on MR polarity",
    "paper": "Graves & Schmidhuber 2005, Framewise phoneme classification with bidirectional LSTM",
    "claims": [
        {"metric": "test/accuracy", "value": 0.76, "tolerance": 0.02, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "sentences of MR in place of the paper's phonemes: one answer per sentence, from the maximum over its words",
        "one seeded split (80/10/10) in place of the ten-fold cross-validation that papers on MR report",
        "word vectors learned from the training sentences alone",
        "AdamW with a one-cycle rate (Smith & Topin 2018), dropout of words and features",
    ],
    "seeds": [0, 1, 2, 3, 4],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 150},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=BiLSTM.Config(embedding_size=100, hidden_size=64, embedding_dropout=0.6),
        task=Classify.Config(label_smoothing=0.1),
    ),
    data=MrPolarity.Config(batch=50, min_count=2),
    optimizers={"model": AdamW.Config(lr=2e-3, weight_decay=0.1, schedule=OneCycle.Config())},
    epochs=5,
    clip_norm=1.0,
    select="dev/accuracy",
)
