"""A conditional random field on Resume NER: windows of characters and their pairs, whole sequences of tags."""

from netsmith.data.resume_ner import ResumeNer
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.crf_tagger import CRFTagger
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.chain import Chain

CARD = {
    "title": "Conditional random field on Resume NER",
    "paper": "Lafferty, McCallum & Pereira 2001, ICML",
    "claims": [
        {
            "metric": "test/f1",
            "value": 0.91,
            "tolerance": 0.0,
            "source": "netsmith: a target of our own, of whole names (CoNLL's rule), not of characters",
        },
    ],
    "deviations": [
        "stochastic gradients with AdamW, whose decay pulls the weights to 0 as L2 does, in place of iterative scaling",
        "pairs of characters share rows by a hash",
    ],
    "learns": {"metric": "dev/f1", "value": 0.9, "steps": 100},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=CRFTagger.Config(window=5, buckets=131_071), task=Chain.Config(scheme="bmes")),
    data=ResumeNer.Config(batch=32, evaluation_batch=64),
    optimizers={"model": AdamW.Config(lr=0.02, weight_decay=0.3, schedule=OneCycle.Config())},
    epochs=4,
    select="dev/f1",
)
