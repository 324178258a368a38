"""Tag your own sentences (names, words, parts of speech): netsmith train tagger --data FILE_OR_FOLDER."""

from netsmith.data.conll import Conll
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.sequence.bilstm_crf import BiLSTMCRF
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.chain import Chain

CARD = {
    "title": "Your own tagged sentences",
    "paper": "arXiv:1508.01991",
    "deviations": ["vectors of tokens are learned from the user's sentences alone", "no features beside the LSTM"],
    "learns": {"metric": "dev/f1", "value": 0.9, "steps": 100},
}

VARIANTS = {
    "features": {
        "set": {
            "data.features": [2],
            "method.model": {
                "kind": "slot_tagger",
                "cell": "lstm",
                "bidirectional": True,
                "crf": True,
                "features": "columns",
                "embedding_dropout": 0.3,
                "dropout": 0.5,
            },
        },
        "title": "Your own tagged sentences, with the file's second column beside the tokens",
        "paper": "Mikolov & Zweig 2012, Context dependent recurrent neural network language model, SLT",
        "deviations": ["vectors of tokens are learned from the user's sentences alone"],
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(model=BiLSTMCRF.Config(), task=Chain.Config(scheme="bioes")),
    data=Conll.Config(batch=16, evaluation_batch=32),
    optimizers={"model": AdamW.Config(lr=0.005, weight_decay=0.01, schedule=OneCycle.Config())},
    epochs=12,
    clip_norm=5.0,
    select="dev/f1",
)
