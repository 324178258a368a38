"""Show, attend and tell on drawn shapes, where every fact of a caption can be checked (Xu et al. 2015)."""

from netsmith.data.shape_captions import ShapeCaptions
from netsmith.engine.experiment import Experiment
from netsmith.methods.teacher_forcing import TeacherForcing
from netsmith.models.captioning.show_attend_and_tell import ShowAttendAndTell
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.caption import Caption

CARD = {
    "title": "Show, attend and tell on drawn shapes",
    "paper": "Xu et al. 2015, arXiv:1502.03044",
    "claims": [],
    "deviations": [],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/perplexity", "value": 4.0, "steps": 150, "direction": "at_most"},
}

experiment = Experiment.Config(
    method=TeacherForcing.Config(
        model=ShowAttendAndTell.Config(
            encoder=SmallCNN.Config(channels=(16, 32, 64), num_classes=1),
            places=True,
            embedding_size=64,
            hidden_size=128,
            attention_size=64,
            penalty=0.01,
        ),
        task=Caption.Config(figures=("facts",)),
        beams=1,
        longest=20,
    ),
    data=ShapeCaptions.Config(batch=64),
    optimizers={"model": Adam.Config(lr=3e-3, schedule=Cosine.Config())},
    epochs=12,
    evaluate_every=280,
    clip_norm=5.0,
)
