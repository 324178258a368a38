"""DSSM on WikiQA: questions and sentences as points of one space, from their letters."""

from netsmith.data.wikiqa_ranking import WikiQaRanking
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.matching.dssm import DSSM
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.rank import Rank

CARD = {
    "title": "DSSM on WikiQA",
    "paper": "Huang et al. 2013, doi:10.1145/2505515.2505665",
    "deviations": [
        "857 questions with judged sentences in place of 100 million clicked titles",
        "Adam in place of plain gradient descent; sentences that do not answer from the question's own page, in place "
        "of titles drawn at random; gamma = 10 and the rate are the first that were tried",
    ],
    "seeds": [0, 1, 2],
    "learns": {"metric": "dev/map", "value": 0.75, "steps": 100},
}

VARIANTS = {
    "convolution": {
        "set": {"method.model": {"kind": "cdssm"}},
        "title": "CDSSM on WikiQA",
        "paper": "Shen et al. 2014, doi:10.1145/2661829.2661935",
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(model=DSSM.Config(), task=Rank.Config(loss="softmax", gamma=10.0)),
    data=WikiQaRanking.Config(batch=20, letters=3),
    optimizers={"model": Adam.Config(lr=0.001, schedule=Cosine.Config())},
    epochs=3,
    select="dev/map",
)
