"""word2vec on WikiText-2: vectors of 20,000 words from two million, by skip-gram with negative sampling."""

from netsmith.data.wikitext2 import Wikitext2
from netsmith.data.word_windows import WordWindows
from netsmith.engine.experiment import Experiment
from netsmith.methods.word_vectors import WordVectors
from netsmith.models.language.word2vec import Word2vec
from netsmith.tasks.word_relations import WordRelations

CARD = {
    "title": "word2vec on WikiText-2",
    "paper": "Mikolov, Chen, Corrado & Dean 2013, arXiv:1301.3781; Mikolov et al. 2013, arXiv:1310.4546",
    "claims": [
        {
            "metric": "test/ws353",
            "value": 0.4,
            "tolerance": 0.02,
            "source": "netsmith: a target of our own, on two million words; the papers read 783 million and more",
        },
    ],
    "deviations": [
        "two million words of Wikipedia in lower case in place of Google News; 100 numbers per word, ten epochs",
        "gradients of 16 words at a time are taken at the same weights",
    ],
    "known_gaps": {"gradients": "closed_form"},
    "seeds": [0, 1, 2],
    "learns": {"metric": "dev/analogies", "value": 0.9, "steps": 40},
}

VARIANTS = {
    "cbow": {
        "set": {"method.model.form": "cbow", "method.model.whole_error": True, "method.rate": 0.05},
        "title": "word2vec (CBOW) on WikiText-2",
        "claims": [
            {"metric": "test/ws353", "value": 0.3, "tolerance": 0.02, "source": "netsmith: a target of our own"},
        ],
    },
    "hierarchical": {
        "set": {"method.model.output": "hierarchical"},
        "title": "word2vec (hierarchical softmax) on WikiText-2",
        "claims": [
            {"metric": "test/ws353", "value": 0.35, "tolerance": 0.02, "source": "netsmith: a target of our own"},
        ],
        "learns": {"metric": "dev/analogies", "value": 0.18, "steps": 40},
    },
}

experiment = Experiment.Config(
    method=WordVectors.Config(
        model=Word2vec.Config(),
        task=WordRelations.Config(similarity=("men", "ws353", "ws353_similarity", "ws353_relatedness", "rg65", "mc30")),
    ),
    data=WordWindows.Config(text=Wikitext2.Config()),
    epochs=10,
)
