"""An ensemble as the teacher (Hinton, Vinyals & Dean 2015, section 1): three networks teach one small student."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.many_teachers import ManyTeachers
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.optim.schedules.window import Window
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Several teachers on digits",
    "paper": "arXiv:1503.02531",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": "feature_distillation_digits:alone",
            "value": 0.005,
            "tolerance": 0.0,
            "source": "netsmith: half a point above the same student alone",
        },
        {
            "metric": "test/accuracy",
            "against": ":one",
            "value": 0.001,
            "tolerance": 0.0,
            "source": "netsmith: by an image of 719 or more better than of one teacher",
        },
    ],
    "deviations": [
        "half of the 1,797 digits of 8 x 8 pixels train, 40 % are test images; the paper has MNIST and speech",
        "each run trains its teachers first, 30 epochs on the same batches without shifts: first weights differ",
        "T = 4 and alpha = 0.9 as in feature_distillation_digits:kd, 30 epochs as there; no search",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.8, "steps": 400},
}

VARIANTS = {
    "one": {
        "set": {
            "method": {
                "kind": "distillation",
                "model": {"kind": "small_cnn", "channels": [4, 8, 16]},
                "teacher": {"kind": "small_cnn", "channels": [32, 64, 128]},
                "task": {"kind": "classify"},
                "temperature": 4.0,
                "alpha": 0.9,
                "teacher_steps": 420,
                "cache": True,
            },
        },
        "title": "The student of several_teachers_digits, with one teacher",
        "claims": [],
        "deviations": ["the control: the first of the three teachers only"],
    },
}

experiment = Experiment.Config(
    method=ManyTeachers.Config(
        model=SmallCNN.Config(channels=(4, 8, 16)),
        teacher=SmallCNN.Config(channels=(32, 64, 128)),
        others=(SmallCNN.Config(channels=(32, 64, 128)), SmallCNN.Config(channels=(32, 64, 128))),
        task=Classify.Config(),
        temperature=4.0,
        alpha=0.9,
        teacher_steps=420,
        cache=True,
    ),
    data=Digits.Config(batch=64, dev=0.1, test=0.4),
    optimizers={
        "teacher": Adam.Config(lr=1e-2, schedule=Window.Config(schedule=Cosine.Config(), stop=0.5)),
        "model": Adam.Config(lr=3e-2, schedule=Window.Config(schedule=Cosine.Config(), start=0.5)),
    },
    steps=840,
)
