"""Slots of airline requests by recurrent networks, as in Mesnil et al. 2013 and Yao et al. 2013: ATIS."""

from netsmith.data.atis import Atis
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.slot_tagger import SlotTagger
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.tag import Tag

CARD = {
    "title": "Elman network on ATIS slots",
    "paper": "Mesnil, He, Deng & Bengio 2013, Investigation of recurrent-neural-network architectures, Interspeech",
    "claims": [
        {"metric": "test/f1", "value": 0.935, "tolerance": 0.0, "source": "netsmith: a target of our own (CoNLL's F1)"},
    ],
    "deviations": [
        "words only, no named-entity features; 500 of the 4,978 requests of training are dev, and are not learned",
        "AdamW with a one-cycle rate and dropout in place of plain gradient descent, one sentence at a time",
    ],
    "seeds": [0, 1, 2],
    "learns": {"metric": "dev/f1", "value": 0.9, "steps": 150},
}

VARIANTS = {
    "jordan": {
        "set": {
            "method.model.cell": "jordan",
            "method.model.window": 7,
            "method.model.hidden_size": 200,
            "method.model.embedding_dropout": 0.5,
            "method.model.dropout": 0.0,
            "optimizers": {
                "model": {"kind": "adamw", "lr": 0.01, "weight_decay": 0.01, "schedule": {"kind": "one_cycle"}}
            },
            "epochs": 14,
        },
        "title": "Jordan network on ATIS slots",
    },
    "bidirectional": {
        "set": {"method.model.bidirectional": True},
        "title": "Bidirectional Elman network on ATIS slots",
        "claims": [
            {"metric": "test/f1", "value": 0.94, "tolerance": 0.0, "source": "netsmith: a target of our own"},
        ],
    },
    "lookahead": {
        "set": {"method.model.window": 1, "method.model.lookahead": 1, "method.model.features": "request"},
        "title": "Elman network with look-ahead and a bag of words on ATIS slots",
        "paper": "Yao, Zweig, Hwang, Shi & Yu 2013, Recurrent neural networks for language understanding, Interspeech",
        "claims": [
            {"metric": "test/f1", "value": 0.94, "tolerance": 0.0, "source": "netsmith: a target of our own"},
        ],
    },
    "lstm_crf": {
        "set": {
            "method.model.cell": "lstm",
            "method.model.bidirectional": True,
            "method.model.crf": True,
            "method.model.dropout": 0.5,
            "method.task": {"kind": "chain", "scheme": "iob2"},
            "data.max_length": 35,
            "data.batch": 8,
            "epochs": 7,
        },
        "title": "LSTM with a conditional random field on ATIS slots",
        "paper": "arXiv:1508.01991",
        "deviations": [
            "words only, no features; 500 of the 4,978 requests of training are dev, and are not learned",
            "AdamW with a one-cycle rate and dropout in place of plain gradient descent; a window of five words",
            "requests of training are cut after 35 words, the longest of dev; none of test is longer",
        ],
        "claims": [
            {"metric": "test/f1", "value": 0.95, "tolerance": 0.0, "source": "netsmith: a target of our own"},
        ],
    },
    "joint": {
        "set": {
            "data.answer": "frame",
            "method.model.cell": "lstm",
            "method.model.bidirectional": True,
            "method.model.frame": True,
            "method.model.dropout": 0.5,
            "method.task": {"kind": "frame", "scheme": "iob2", "intent_weight": 3.0},
            "epochs": 10,
            "select": "dev/frame_accuracy",
        },
        "title": "Slots and intents of ATIS by one LSTM",
        "paper": "Hakkani-Tür et al. 2016, doi:10.21437/Interspeech.2016-402",
        "claims": [
            {
                "metric": "test/intent_accuracy",
                "value": 0.97,
                "tolerance": 0.0,
                "source": "netsmith: a target of our own, of whole intents: of two at once, both",
            },
            {"metric": "test/f1", "value": 0.94, "tolerance": 0.0, "source": "netsmith: a target of our own"},
        ],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=SlotTagger.Config(window=5, embedding_size=100, hidden_size=100, embedding_dropout=0.3, dropout=0.3),
        task=Tag.Config(scheme="iob2"),
    ),
    data=Atis.Config(batch=16, evaluation_batch=64),
    optimizers={"model": AdamW.Config(lr=0.003, weight_decay=0.01, schedule=OneCycle.Config())},
    epochs=12,
    clip_norm=5.0,
    select="dev/f1",
)
