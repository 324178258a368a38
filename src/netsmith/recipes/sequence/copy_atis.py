"""Words that are copied: what an airline request asks for, written out by a pointer-generator (See et al. 2017)."""

from netsmith.data.atis_frames import AtisFrames
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.translation.pointer_generator import PointerGenerator
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.write import Write

CARD = {
    "title": "Pointer-generator on ATIS requests",
    "paper": "arXiv:1704.04368; the copying: arXiv:1603.06393, and for the meaning of requests arXiv:1606.03622",
    "claims": [
        {
            "metric": "test/exact",
            "value": 0.05,
            "tolerance": 0.0,
            "source": "netsmith: better than the same network without copying by 5 of 100 requests",
            "against": "copy_atis:without",
        },
    ],
    "deviations": [
        "requests and what they ask for, intent and slots, in place of news and summaries, which are not at hand",
        "words seen fewer than 10 times in requests and answers are unknown: training, too, has something to copy",
        "Adam with a one-cycle rate, dropout; no coverage, which is for long texts",
    ],
    "seeds": [0, 1, 2],
    "learns": {"metric": "dev/exact", "value": 0.9, "steps": 300},
}

VARIANTS = {
    "coverage": {
        "set": {"method.model.coverage": True, "method.model.coverage_loss": 1.0},
        "title": "Pointer-generator with coverage on ATIS requests",
        "claims": [],
    },
    "without": {
        "set": {"method.model.copying": False, "data.copies": False},
        "title": "The same network without copying on ATIS requests",
        "claims": [],
    },
    "without_all_words": {
        "set": {"method.model.copying": False, "data.copies": False, "data.min_count": 1},
        "title": "The same network without copying on ATIS requests, with every word of training known",
        "deviations": [
            "requests and what they ask for, intent and slots, in place of news and summaries, which are not at hand",
            "Adam with a one-cycle rate, dropout; no coverage, which is for long texts",
        ],
        "claims": [],
    },
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=PointerGenerator.Config(embedding_size=64, hidden_size=128, dropout=0.3),
        task=Write.Config(figures=("exact",)),
        beams=1,
        longest=60,
    ),
    data=AtisFrames.Config(copies=True, min_count=10, batch=32),
    optimizers={"model": Adam.Config(lr=0.004, schedule=OneCycle.Config())},
    epochs=15,
    clip_norm=2.0,
    select="dev/exact",
)
