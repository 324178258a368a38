"""A WaveNet on spoken digits (van den Oord et al. 2016): dilated convolutions name the digit, or continue it."""

from netsmith.data.fsdd import Fsdd
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.audio.wavenet import WaveNet
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.classify import Classify

CARD = {
    "title": "WaveNet classifier of spoken digits",
    "paper": "arXiv:1609.03499",
    "claims": [
        {"metric": "test/accuracy", "value": 0.95, "tolerance": 0.025, "source": "netsmith: a target of our own"},
    ],
    "deviations": [
        "spoken digits at 8 kHz; the paper's sounds are phones and speech at 16 kHz, it has no figure for these",
        "half a second: 822 of 3,000 recordings are longer; in training any stretch of them, in tests the first",
        "one block of nine layers of 16 channels, then three convolutions over frames of 10 ms",
        "the paper classifies each frame and predicts the next sample beside it; here the mean over time is classified",
    ],
    "learns": {"metric": "dev/accuracy", "value": 0.9, "steps": 150},
}

VARIANTS = {
    "generator": {
        "set": {
            "method.model.output": "generate",
            "method.model.encoding": "mu_law",
            "method.model.frame": 1,
            "method.model.frame_layers": 0,
            "method.task": {"kind": "tag", "classes_first": True},
            "data.target": "next_sample",
            "data.length": 1024,
            "data.batch": 64,
        },
        "deviations": [
            "generated: stretches of 1,024 samples in place of half a second, not conditioned on speaker or text"
        ],
        "title": "WaveNet generator of spoken digits",
        "claims": [
            {
                "metric": "test/loss",
                "value": 2.5,
                "tolerance": 0.075,
                "direction": "at_most",
                "source": "netsmith: nats per sample of 256 levels, a target of our own; not to know is 5.55",
            },
        ],
        "learns": {"metric": "dev/accuracy", "value": 0.3, "steps": 100},
    },
}

experiment = Experiment.Config(
    method=Supervised.Config(
        model=WaveNet.Config(
            blocks=1, layers=9, channels=16, skip_channels=64, encoding="raw", frame=80, frame_layers=3
        ),
        task=Classify.Config(),
    ),
    data=Fsdd.Config(batch=32, dev=0.1, length=4000, shift=True),
    optimizers={"model": Adam.Config(lr=2e-3, schedule=Cosine.Config())},
    epochs=30,
)
