"""Describe pictures as your own captions do: netsmith train captioner --data FOLDER (Flickr8k's or COCO's layout)."""

from netsmith.data.captions import Captions
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.captioning.show_attend_and_tell import ShowAttendAndTell
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.caption import Caption

CARD = {
    "title": "Your own pictures with captions",
    "paper": "arXiv:1502.03044",
    "deviations": [
        "a small convolutional encoder that is trained along; give another with --set method.model.encoder=...",
        "each place has a learned vector; each epoch shows a picture with one of its captions",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/perplexity", "value": 8.0, "steps": 60, "direction": "at_most"},
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=ShowAttendAndTell.Config(
            encoder=SmallCNN.Config(channels=(32, 64, 128), num_classes=1),
            places=True,
            embedding_size=128,
            hidden_size=256,
            attention_size=128,
            penalty=0.01,
            dropout=0.3,
        ),
        task=Caption.Config(),
        longest=40,
    ),
    data=Captions.Config(batch=32),
    optimizers={"model": Adam.Config(lr=1e-3, schedule=Cosine.Config())},
    epochs=20,
    clip_norm=5.0,
    select="dev/perplexity",
    select_mode="min",
)
