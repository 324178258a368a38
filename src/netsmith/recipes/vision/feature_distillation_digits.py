"""Distillation by features on scanned digits: what a network's maps say to one with a fiftieth of its weights."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.feature_distillation import FeatureDistillation
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Attention transfer on digits",
    "paper": "arXiv:1612.03928",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": ":alone",
            "value": 0.005,
            "tolerance": 0.0,
            "source": "netsmith: half a point above the same student alone",
        },
    ],
    "teacher": "feature_distillation_digits:teacher",
    "deviations": [
        "half of the 1,797 digits of 8 x 8 pixels train, 40 % are test images; the papers have CIFAR and ImageNet",
        "a teacher of its own, trained on the same half with shifted images: cnn_digits has seen these test images",
        "30 epochs of Adam with a cosine rate, chosen on dev for the student alone among 0.003, 0.01, 0.03 and 0.1",
        "the weight of each form: the better of two on dev, three seeds at a rate of 0.01: 0.3 and 3 (attention), 300 "
        "and 3,000 (similarity), 2.5 and 25 (relational); features alone, without soft targets",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.8, "steps": 200},
}

VARIANTS = {
    "teacher": {
        "set": {
            "method": {
                "kind": "supervised",
                "model": {"kind": "small_cnn", "channels": [32, 64, 128]},
                "task": {"kind": "classify"},
            },
            "data.augment": [{"kind": "crop", "padding": 1}],
            "optimizers.model.lr": 1e-2,
        },
        "title": "The teacher of feature_distillation_digits",
        "paper": "none: the network of cnn_digits, with one layer in a stage",
        "teacher": "",
        "claims": [],
        "deviations": ["its own rate, 0.01; no search"],
    },
    "alone": {
        "set": {"method.beta": 0.0},
        "title": "The student of feature_distillation_digits, alone",
        "claims": [],
        "teacher": "",
        "deviations": ["the control: labels only"],
    },
    "kd": {
        "set": {"method.beta": 0.0, "method.alpha": 0.9},
        "title": "The student of feature_distillation_digits, by soft targets",
        "paper": "arXiv:1503.02531",
        "deviations": ["T = 4 and alpha = 0.9; no search"],
    },
    "similarity_preserving": {
        "set": {"method.form": "similarity", "method.pairs": [["stages", "stages"]], "method.beta": 300.0},
        "title": "Similarity-preserving distillation on digits",
        "paper": "arXiv:1907.09682",
        "deviations": ["gamma = 300; the paper: 3,000"],
    },
    "relational": {
        "set": {"method.form": "relational", "method.pairs": [["flatten", "flatten"]], "method.beta": 25.0},
        "title": "Relational distillation on digits",
        "paper": "arXiv:1904.05068",
        "deviations": ["means over pairs and triples, weighted 25 and 50 as in the paper"],
    },
}

experiment = Experiment.Config(
    method=FeatureDistillation.Config(
        model=SmallCNN.Config(channels=(4, 8, 16)),
        teacher=SmallCNN.Config(channels=(32, 64, 128)),
        task=Classify.Config(),
        pairs=(("stages.0", "stages.0"), ("stages.1", "stages.1"), ("stages.2", "stages.2")),
        form="attention",
        alpha=0.0,
        beta=0.3,
    ),
    data=Digits.Config(batch=64, dev=0.1, test=0.4),
    optimizers={"model": Adam.Config(lr=3e-2, schedule=Cosine.Config())},
    epochs=30,
)
