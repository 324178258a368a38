"""Contrastive distillation (Tian et al. 2020): a student learns which digit its teacher has looked at."""

from netsmith.data.digits import Digits
from netsmith.engine.experiment import Experiment
from netsmith.methods.crd import CRD
from netsmith.models.vision.small_cnn import SmallCNN
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.classify import Classify

CARD = {
    "title": "CRD on digits",
    "paper": "arXiv:1910.10699",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": "feature_distillation_digits:alone",
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
        "embeddings of 32 numbers and 256 pairs with others; the paper: 128 and 16,384 (of 50,000 examples)",
        "no search besides: the authors' weight, temperature and momentum",
        "the outcome: on average it does not help this student; on three seeds and 719 images it may be chance",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.8, "steps": 200},
}

experiment = Experiment.Config(
    method=CRD.Config(
        model=SmallCNN.Config(channels=(4, 8, 16)),
        teacher=SmallCNN.Config(channels=(32, 64, 128)),
        task=Classify.Config(),
        teacher_layer="flatten",  # (B, 128)
        student_layer="flatten",  # (B, 16)
        size=32,
        negatives=256,
    ),
    data=Digits.Config(batch=64, dev=0.1, test=0.4),
    optimizers={"model": Adam.Config(lr=3e-2, schedule=Cosine.Config())},
    epochs=30,
)
