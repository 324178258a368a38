"""Learn to answer from your own dialogues: netsmith train chatbot --data talk.jsonl, then netsmith chat RUN."""

from netsmith.data.dialogues import Dialogues
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.dialogue.hred import Hred
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.write import Write

CARD = {
    "title": "Your own dialogues",
    "paper": "arXiv:1507.04808; the emotion: arXiv:1704.01074",
    "deviations": [
        "of the emotional chatting machine the emotion's embedding alone",
        "vectors of words are learned from the user's dialogues alone",
    ],
    "learns": {"metric": "dev/perplexity", "value": 5.0, "steps": 200, "direction": "at_most"},
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=Hred.Config(
            emotions="auto", embedding_size=128, hidden_size=256, context_size=256, emotion_size=32, dropout=0.2
        ),
        task=Write.Config(figures=("bleu_lc",)),
        longest=40,
    ),
    data=Dialogues.Config(batch=32),
    optimizers={"model": Adam.Config(lr=2e-3, schedule=Cosine.Config())},
    epochs=12,
    clip_norm=5.0,
    select="dev/perplexity",
    select_mode="min",
)
