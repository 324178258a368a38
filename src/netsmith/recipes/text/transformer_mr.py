"""A small Transformer encoder on MR polarity: sentences of reviews, praise or blame."""

from netsmith.data.mr_polarity import MrPolarity
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.text.transformer_encoder import TransformerEncoder
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Transformer encoder on MR polarity",
    "paper": "arXiv:1706.03762",
    "claims": [
        {"metric": "test/accuracy", "value": 0.75, "tolerance": 0.02, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "the encoder alone, two layers of 96, with the mean over the words and a linear head: a classifier",
        "normalization before each block (arXiv:2002.04745)",
        "one seeded split (80/10/10) in place of the ten-fold cross-validation that papers on MR report",
        "dropout 0.4 (the paper: 0.1); AdamW with a one-cycle rate in place of Adam with the paper's warm-up",
    ],
    "seeds": [0, 1, 2, 3, 4],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 150},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=TransformerEncoder.Config(size=96, num_heads=4, feedforward_size=192, dropout=0.4),
        task=Classify.Config(label_smoothing=0.1),
    ),
    data=MrPolarity.Config(batch=50, min_count=2),
    optimizers={"model": AdamW.Config(lr=1e-3, weight_decay=0.1, schedule=OneCycle.Config())},
    epochs=5,
    clip_norm=1.0,
    select="dev/accuracy",
)
