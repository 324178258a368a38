"""A BiLSTM-CRF that cuts Chinese text into words, learned from the sentences of a small treebank."""

from netsmith.data.ud_chinese import UdChinese
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.bilstm_crf import BiLSTMCRF
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.chain import Chain

CARD = {
    "title": "BiLSTM-CRF for Chinese words on Universal Dependencies",
    "paper": "arXiv:1508.01991",
    "claims": [
        {
            "metric": "test/f1",
            "value": 0.9,
            "tolerance": 0.0,
            "source": "netsmith: a target of our own, F1 of words on the official test part",
        },
    ],
    "deviations": [
        "vectors of characters are learned from the training texts alone, and there are no other features",
        "AdamW with a one-cycle rate in place of plain gradient descent",
    ],
    "learns": {"metric": "dev/f1", "value": 0.9, "steps": 100},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=BiLSTMCRF.Config(embedding_size=64, hidden_size=128, embedding_dropout=0.2, dropout=0.2),
        task=Chain.Config(scheme="words"),
    ),
    data=UdChinese.Config(batch=32, evaluation_batch=200),
    optimizers={"model": AdamW.Config(lr=0.005, weight_decay=0.01, schedule=OneCycle.Config())},
    epochs=8,
    clip_norm=5.0,
    select="dev/f1",
)
