"""A GAN on a ring of eight Gaussians (Goodfellow et al. 2014): finding every mode."""

from netsmith.data.gaussian_ring import GaussianRing
from netsmith.engine.experiment import Experiment
from netsmith.methods.adversarial import Adversarial
from netsmith.models.generative.mlp_discriminator import MlpDiscriminator
from netsmith.models.generative.mlp_generator import MlpGenerator
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.cosine import Cosine
from netsmith.tasks.generate import Generate, ring

CARD = {
    "title": "GAN on eight Gaussians",
    "paper": "arXiv:1406.2661",
    "claims": [
        {"metric": "test/modes", "value": 8, "tolerance": 0.0, "source": "netsmith: all modes found"},
        {"metric": "test/high_quality", "value": 0.9, "tolerance": 0.0, "source": "netsmith: samples within 3 sd"},
    ],
    "deviations": [
        "a gradient penalty on real data (Mescheder et al. 2018, R1) beside the game of 2014",
        "Adam with a falling rate in place of gradient descent with momentum",
    ],
    "known_gaps": {"overfits_one_batch": "adversarial_game"},
    "learns": {"metric": "test/modes", "value": 3, "steps": 1000},
}

experiment = Experiment.Config(
    method=Adversarial.Config(
        generator=MlpGenerator.Config(latent_size=8, hidden=(128, 128)),
        discriminator=MlpDiscriminator.Config(hidden=(128, 128)),
        task=Generate.Config(centers=ring(8, radius=2.0), sd=0.02),
        latent_size=8,
        r1=0.005,
    ),
    data=GaussianRing.Config(batch=256),
    optimizers={
        "generator": Adam.Config(lr=2e-3, betas=(0.5, 0.999), schedule=Cosine.Config()),
        "discriminator": Adam.Config(lr=2e-3, betas=(0.5, 0.999), schedule=Cosine.Config()),
    },
    steps=8_000,
    evaluate_every=2_000,
)
