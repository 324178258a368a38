"""Attention (Bahdanau et al. 2015) on Multi30k: English into German; beside it the same without attention."""

from netsmith.data.multi30k import Multi30k
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.translation.bahdanau import Bahdanau
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.write import Write

CARD = {
    "title": "RNNsearch on Multi30k, English into German",
    "paper": "arXiv:1409.0473",
    "claims": [
        {"metric": "test/bleu", "value": 33.0, "tolerance": 0.0, "source": "netsmith: a target of our own"},
        {
            "metric": "test/bleu",
            "value": 1.0,
            "tolerance": 0.0,
            "source": "netsmith: the direction of figure 2, attention above none",
            "against": "bahdanau_multi30k:plain",
        },
    ],
    "deviations": [
        "Multi30k (29,000 pairs) and byte-pair tokens (4,000 merges a side) in place of WMT 14 and its 30,000 words",
        "256 units where the paper has 620 to 1,000; torch's GRU, which resets after the product",
        "Adam with a one-cycle rate, label smoothing and dropout in place of Adadelta alone: the corpus is small",
        "the output layer sees the new state of the decoder (the paper's Eq. 4), not the one before it (its appendix)",
        "BLEU as sacrebleu has it (nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp), of a search with 5 beams and GNMT's "
        "length penalty",
    ],
    "learns": {"metric": "dev/bleu", "value": 60.0, "steps": 100},
}

VARIANTS = {
    "plain": {
        "title": "RNNencdec on Multi30k, English into German: the control without attention",
        "set": {"method.model.attention": "none"},
        "claims": [],
        "learns": {"metric": "dev/perplexity", "value": 3.0, "steps": 100, "direction": "at_most"},
    },
    "luong": {
        "title": "Luong's attention on Multi30k, English into German",
        "paper": "arXiv:1508.04025",
        "set": {
            "method.model": {
                "kind": "luong",
                "embedding_size": 256,
                "hidden_size": 256,
                "num_layers": 2,
                "attention": "bilinear",
                "dropout": 0.3,
            }
        },
        "claims": [
            {"metric": "test/bleu", "value": 33.0, "tolerance": 0.0, "source": "netsmith: a target of our own"},
        ],
        "deviations": [
            "Multi30k (29,000 pairs) and byte-pair tokens (4,000 merges a side) in place of WMT 14 and 50,000 words",
            "2 layers of 256 units where the paper has 4 of 1,000; global attention alone",
            "Adam with a one-cycle rate, label smoothing and dropout in place of SGD: the corpus is small",
            "BLEU as sacrebleu has it (nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp), of a search with 5 beams and "
            "GNMT's length penalty",
        ],
        "learns": {"metric": "dev/perplexity", "value": 6.0, "steps": 100, "direction": "at_most"},
    },
    "seq2seq": {
        "title": "Stacked LSTMs (Sutskever et al. 2014) on Multi30k, English into German",
        "paper": "arXiv:1409.3215",
        "set": {
            "method.model": {
                "kind": "seq2seq",
                "embedding_size": 256,
                "hidden_size": 256,
                "num_layers": 2,
                "dropout": 0.3,
            }
        },
        "claims": [],
        "deviations": [
            "Multi30k (29,000 pairs) and byte-pair tokens (4,000 merges a side) in place of WMT 14 and its words",
            "2 layers of 256 units where the paper has 4 of 1,000, one model where it has an ensemble of 5",
            "Adam with a one-cycle rate, label smoothing and dropout in place of SGD: the corpus is small",
            "BLEU as sacrebleu has it (nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp), of a search with 5 beams and "
            "GNMT's length penalty",
        ],
        "learns": {"metric": "dev/perplexity", "value": 6.0, "steps": 100, "direction": "at_most"},
    },
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=Bahdanau.Config(embedding_size=256, hidden_size=256, readout_size=256, dropout=0.3),
        task=Write.Config(label_smoothing=0.1, figures=("bleu",)),
        beams=5,
        penalty=1.0,
        longest=60,
    ),
    data=Multi30k.Config(source="en", target="de", merges=4000, batch=64, bucket=500, longest=60),
    optimizers={"model": Adam.Config(lr=2e-3, schedule=OneCycle.Config(peak=0.2))},
    epochs=10,
    clip_norm=1.0,
    select="dev/bleu",
)
