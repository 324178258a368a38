"""Two networks against each other (Goodfellow et al. 2014, arXiv:1406.2661)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.roles import MethodConfig, ModelConfig, TaskConfig
from netsmith.core.spec import InputKind, Inputs, Outputs, Spec, Step
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.random import keyed_normal
from netsmith.engine.task import Loss, Metric, weighted

__all__ = ["Adversarial"]


class Adversarial(Method):
    r"""Learn to generate by fooling an opponent that learns to tell samples from data.

    .. math:: \min_G \max_D \; E_x \log D(x) + E_z \log(1 - D(G(z))) \qquad \text{(Eq. 1)}

    Our discriminator returns the logit of the paper's ``D``. The generator's loss is :math:`-\log D(G(z))`
    (``non_saturating``, end of section 3, which the paper trains with) or :math:`\log(1 - D(G(z)))` (``saturating``,
    Eq. 1 itself, whose gradient vanishes while the discriminator wins). ``r1`` adds the gradient penalty of Mescheder,
    Geiger & Nowozin 2018 (arXiv:1801.04406, Eq. 9), :math:`\tfrac{r_1}{2} E_x |\nabla D(x)|^2`: without it the game
    circles around its solution, with it it converges.

    Noise comes from each example's own key, so the result does not depend on how a batch is cut. Every update takes a
    fresh batch.

    Args:
        config: The fields below.
        spec: The schema of the data; its inputs are what the generator imitates.

    Raises:
        ConfigError: The generator does not take ``latent_size`` numbers.
    """

    class Config(MethodConfig):
        """The players and the game.

        Attributes:
            generator: From noise ``(B, latent_size)`` to samples.
            discriminator: From samples to logits ``(B,)``.
            task: Judges the samples.
            latent_size: Standard normal numbers per sample, the paper's ``z``.
            critic_steps: Updates of the discriminator for each of the generator, the paper's ``k``.
            loss: Of the generator.
            r1: Strength of the gradient penalty on real data; 0 for the game as in 2014.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image", "table", "series", "audio", "state")

        generator: ModelConfig
        discriminator: ModelConfig
        task: TaskConfig
        latent_size: PositiveInt = 16
        critic_steps: PositiveInt = 1
        loss: Literal["non_saturating", "saturating"] = "non_saturating"
        r1: float = Field(default=0.0, ge=0)

    def __init__(self, config: Adversarial.Config, *, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.generator: nn.Module = config.generator.build()
        self.discriminator: nn.Module = config.discriminator.build()
        self.task = config.task.build()
        with torch.no_grad():
            probe = torch.zeros(1, config.latent_size)
            try:
                shape = tuple(self.generator(probe).shape[1:])
            except RuntimeError as error:
                raise ConfigError(
                    f"the generator {config.generator!r} does not take latent_size={config.latent_size} "
                    f"numbers: {error}"
                ) from None
        if shape != spec.inputs.shape:
            raise ConfigError(f"the generator makes samples of shape {shape}, {spec.dataset} has {spec.inputs.shape}")

    def players(self) -> Mapping[str, Mapping[str, nn.Parameter]]:
        return {
            player: {f"{player}.{name}": p for name, p in network.named_parameters() if p.requires_grad}
            for player, network in (("generator", self.generator), ("discriminator", self.discriminator))
        }

    def step(self, feed: Feed, update: Update) -> Logs:
        """Algorithm 1: ``critic_steps`` updates of the discriminator, then one of the generator."""
        logs: Logs = {}
        for _ in range(self.config.critic_steps):
            logs |= update("discriminator", self.discriminator_loss, next(feed))
        return logs | update("generator", self.generator_loss, next(feed))

    def latents(self, batch: Batch) -> Tensor:
        """Return the noise of each example, ``(B, latent_size)``, a function of its key alone."""
        assert batch.keys is not None
        return keyed_normal(batch.keys, self.config.latent_size, stream="latents").to(batch.inputs.dtype)

    def discriminator_loss(self, batch: Batch) -> Loss:
        """Return the negated Eq. 1, plus the gradient penalty."""
        with torch.no_grad():
            samples = self.generator(self.latents(batch))
        points = batch.inputs.detach().requires_grad_() if self.config.r1 else batch.inputs
        real = self.discriminator(points)
        losses = F.softplus(-real) + F.softplus(self.discriminator(samples))  # -log D(x) - log(1 - D(G(z)))
        if self.config.r1:
            (slope,) = torch.autograd.grad(real.sum(), points, create_graph=True)
            losses = losses + self.config.r1 / 2 * slope.flatten(1).square().sum(1)
        return weighted(losses, batch.weights)

    def generator_loss(self, batch: Batch) -> Loss:
        """Return the generator's side of the game."""
        fake = self.discriminator(self.generator(self.latents(batch)))
        losses = F.softplus(-fake) if self.config.loss == "non_saturating" else -F.softplus(fake)
        return weighted(losses, batch.weights)

    def evaluate(self, batch: Batch, metrics: Mapping[str, Metric]) -> None:
        samples = self.generator(self.latents(batch))
        for metric in metrics.values():
            metric.update(samples, batch.inputs)

    def product(self) -> nn.Module:
        return self.generator

    def product_spec(self, spec: Spec) -> Spec:
        noise = Inputs(kind="none", shape=(self.config.latent_size,), preprocessing=(Step(name="standard_normal"),))
        names = spec.inputs.columns
        samples = (
            Outputs(kind="samples", names=names) if names else Outputs(kind="samples", size=spec.facts()["in_features"])
        )
        return spec.derive(inputs=noise, outputs=samples)
