"""A student of depthwise-separable blocks, distilled from a ResNet-20: the small model of the main journey."""

from netsmith.data.augment.flip import Flip
from netsmith.data.fashion_mnist import FashionMnist
from netsmith.engine.experiment import Experiment
from netsmith.methods.distillation import Distillation
from netsmith.models.vision.cifar_resnet import CifarResNet
from netsmith.models.vision.student_net import StudentNet
from netsmith.optim.adamw import AdamW
from netsmith.optim.schedules.one_cycle import OneCycle
from netsmith.tasks.classify import Classify

CARD = {
    "title": "Depthwise student on Fashion-MNIST",
    "paper": "arXiv:1503.02531",
    "claims": [
        {
            "metric": "test/accuracy",
            "against": "resnet20_fashion_mnist",
            "value": -0.01,
            "tolerance": 0.0,
            "source": "netsmith: at most 1 point lost",
        },
        {"metric": "onnx/lost", "value": 0.01, "tolerance": 0.0, "direction": "at_most", "source": "netsmith"},
        {"metric": "onnx/smaller", "value": 4.0, "tolerance": 0.0, "source": "netsmith: bytes of the ONNX files"},
        {"metric": "onnx/faster", "value": 3.0, "tolerance": 0.0, "source": "netsmith: median latency, ONNX Runtime"},
    ],
    "teacher": "resnet20_fashion_mnist",
    "deviations": [
        "train it with --teacher RUN, a finished run of resnet20_fashion_mnist",
        "T = 4, alpha = 0.9; the paper has no figure for this data",
        "mirrored images but no crops (chosen on dev, seed 0)",
    ],
    "known_gaps": {"ranks": "batch_statistics"},
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 200},
}

VARIANTS = {
    "alone": {
        "set": {"method.alpha": 0.0},
        "title": "The student of student_fashion_mnist, alone",
        "claims": [],
        "teacher": "",
        "deviations": ["the control: alpha = 0, labels only"],
    },
}

experiment = Experiment.Config(
    method=Distillation.Config(
        model=StudentNet.Config(channels=(32, 64, 96, 128, 128, 128), pools=(1, 3), activation="relu"),
        teacher=CifarResNet.Config(depth=20),
        task=Classify.Config(),
        temperature=4.0,
        alpha=0.9,
    ),
    data=FashionMnist.Config(batch=128, dev=0.05, augment=(Flip.Config(),)),
    optimizers={"model": AdamW.Config(lr=4e-3, weight_decay=0.02, schedule=OneCycle.Config(peak=0.25))},
    epochs=16,
    memory_format="channels_last",
)
