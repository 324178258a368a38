"""A conditional random field that cuts Chinese text into words, learned from the sentences of a small treebank."""

from netsmith.data.ud_chinese import UdChinese
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.crf_tagger import CRFTagger
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.chain import Chain

CARD = {
    "title": "Conditional random field for Chinese words on Universal Dependencies",
    "paper": "Tseng et al. 2005, A conditional random field word segmenter for SIGHAN bakeoff 2005",
    "claims": [
        {
            "metric": "test/f1",
            "value": 0.9,
            "tolerance": 0.0,
            "source": "netsmith: a target of our own, F1 of words on the official test part",
        },
    ],
    "deviations": [
        "stochastic gradients with AdamW, whose decay pulls the weights to 0 as L2 does",
        "pairs of characters share rows by a hash; no features of reduplication and no morphemes",
    ],
    "learns": {"metric": "dev/f1", "value": 0.9, "steps": 60},
}

experiment = Experiment.Config(
    method=Supervised.Config(model=CRFTagger.Config(window=5, buckets=524_287), task=Chain.Config(scheme="words")),
    data=UdChinese.Config(batch=64, evaluation_batch=200),
    optimizers={"model": AdamW.Config(lr=0.02, weight_decay=0.03, schedule=OneCycle.Config())},
    epochs=6,
    select="dev/f1",
)
