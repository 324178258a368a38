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
    "known_gaps": {"gradients": "closed_form"},
    "learns": {"metric": "dev/analogies", "value": 0.9, "steps": 40},
}

experiment = Experiment.Config(
    method=WordVectors.Config(
        model=Word2vec.Config(),
        task=WordRelations.Config(similarity=("men", "ws353", "ws353_similarity", "ws353_relatedness", "rg65", "mc30")),
    ),
    data=WordWindows.Config(text=Wikitext2.Config()),
    epochs=5,
)
