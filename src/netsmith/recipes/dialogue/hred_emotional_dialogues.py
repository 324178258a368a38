"""A hierarchical encoder-decoder that remembers who said what and answers in a mood (Serban et al.; Zhou et al.)."""

from netsmith.data.emotional_dialogues import EmotionalDialogues
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.dialogue.hred import Hred
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.write import Write

CARD = {
    "title": "Answers with context and emotion, on drawn dialogues",
    "paper": "Serban et al. 2016, arXiv:1507.04808; the emotion: Zhou et al. 2018, arXiv:1704.01074",
    "claims": [
        {
            "metric": "test/exact",
            "value": 0.95,
            "tolerance": 0.014,
            "source": "netsmith: a target of our own; the last turn alone allows 1/8, no emotion 1/6",
        },
        {
            "metric": "test/exact",
            "against": ":last_turn",
            "value": 0.7,
            "tolerance": 0.0,
            "source": "netsmith: what the context gives",
        },
        {
            "metric": "test/exact",
            "against": ":no_emotion",
            "value": 0.7,
            "tolerance": 0.0,
            "source": "netsmith: what the emotion gives",
        },
    ],
    "deviations": [
        "drawn dialogues of four turns in place of film scripts (Serban et al.) and Weibo (Zhou et al.), whose answers "
        "no one can check; 128 units where Zhou et al. have two layers of 256; no word vectors learned elsewhere",
        "of the emotional chatting machine the emotion's embedding alone: no internal and no external memory, no "
        "attention; emotions are given with the data, not found by a classifier",
        "words are read in one direction",
    ],
    "learns": {"metric": "dev/perplexity", "value": 3.0, "steps": 150, "direction": "at_most"},
}

VARIANTS = {
    "last_turn": {
        "set": {"data.turns": 1, "method.model.turns": 1},
        "title": "The network of hred_emotional_dialogues, which hears the last turn alone",
        "claims": [],
        "deviations": ["the control: what was said before the question is not read"],
    },
    "no_emotion": {
        "set": {"data.emotion": False, "method.model.emotions": 0},
        "title": "The network of hred_emotional_dialogues, which is not told the emotion",
        "claims": [],
        "deviations": ["the control: the emotion of the answer is not read"],
    },
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=Hred.Config(turns=3, emotions=6, embedding_size=48, hidden_size=128, context_size=128, emotion_size=16),
        task=Write.Config(figures=("exact",)),
        beams=1,
        longest=12,
    ),
    data=EmotionalDialogues.Config(batch=32),
    optimizers={"model": Adam.Config(lr=5e-3, schedule=Cosine.Config())},
    epochs=30,
    evaluate_every=625,
    clip_norm=5.0,
)
