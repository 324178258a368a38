"""A BiLSTM-CRF on Resume NER: names in Chinese résumés, from vectors of characters learned on the way."""

from netsmith.data.resume_ner import ResumeNer
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.bilstm_crf import BiLSTMCRF
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.chain import Chain

CARD = {
    "title": "BiLSTM-CRF on Resume NER",
    "paper": "arXiv:1508.01991",
    "claims": [
        {
            "metric": "test/f1",
            "value": 0.93,
            "tolerance": 0.0,
            "source": "netsmith: a target of our own, of whole names (CoNLL's rule), not of characters",
        },
    ],
    "deviations": [
        "vectors of characters are learned from the training sentences alone, and there are no other features",
        "AdamW with a one-cycle rate in place of plain gradient descent",
    ],
    "learns": {"metric": "dev/f1", "value": 0.9, "steps": 150},
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=BiLSTMCRF.Config(embedding_size=64, hidden_size=128), task=Chain.Config(scheme="bmes")
    ),
    data=ResumeNer.Config(batch=16, evaluation_batch=64),
    optimizers={"model": AdamW.Config(lr=0.005, weight_decay=0.01, schedule=OneCycle.Config())},
    epochs=8,
    clip_norm=5.0,
    select="dev/f1",
)
