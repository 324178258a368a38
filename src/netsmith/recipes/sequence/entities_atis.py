"""Slots of airline requests with the kind of name of each word beside it: the auxiliary layer of features on ATIS."""

from netsmith.data.atis import Atis
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.slot_tagger import SlotTagger
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.tag import Tag

CARD = {
    "title": "Elman network with named entities on ATIS slots",
    "paper": "Yao, Zweig, Hwang, Shi & Yu 2013, Recurrent neural networks for language understanding, Interspeech",
    "claims": [
        {
            "metric": "test/f1",
            "value": 0.005,
            "tolerance": 0.0,
            "source": "netsmith: better than the same network of words alone by half a point of F1",
            "against": "entities_atis:words",
        },
    ],
    "deviations": [
        "the files have no named entities: in their place is a gazetteer of training, of each word the kind of name "
        "that requests mark it as; a request of training does not count for itself",
        "no syntactic features; 500 of the 4,978 requests of training are dev, and are not learned",
        "words seen fewer than 3 times in training are unknown, with and without entities",
        "AdamW with a one-cycle rate and dropout in place of plain gradient descent, one sentence at a time",
    ],
    "seeds": [0, 1, 2],
    "learns": {"metric": "dev/f1", "value": 0.9, "steps": 150},
}

VARIANTS = {
    "words": {
        "set": {"data.entities": 0, "method.model.features": "none"},
        "title": "The same Elman network of words alone on ATIS slots",
        "deviations": [
            "no features; 500 of the 4,978 requests of training are dev, and are not learned",
            "words seen fewer than 3 times in training are unknown",
            "AdamW with a one-cycle rate and dropout in place of plain gradient descent, one sentence at a time",
        ],
        "claims": [],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=SlotTagger.Config(
            window=5,
            embedding_size=100,
            hidden_size=100,
            features="columns",
            embedding_dropout=0.3,
            dropout=0.3,
        ),
        task=Tag.Config(scheme="iob2"),
    ),
    data=Atis.Config(batch=16, evaluation_batch=64, min_count=3, entities=1),
    optimizers={"model": AdamW.Config(lr=0.003, weight_decay=0.01, schedule=OneCycle.Config())},
    epochs=12,
    clip_norm=5.0,
    select="dev/f1",
)
