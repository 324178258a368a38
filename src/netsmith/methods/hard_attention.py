"""Learning where to look by reward (Mnih, Heess, Graves & Kavukcuoglu 2014, arXiv:1406.6247, section 3.2)."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from netsmith.core.errors import ConfigError
from netsmith.core.roles import MethodConfig, ModelConfig, TaskConfig
from netsmith.core.spec import InputKind, Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.random import keyed_normal
from netsmith.engine.task import Loss
from netsmith.layers.looks import Looker

__all__ = ["HardAttention", "log_density"]


def log_density(places: Tensor, means: Tensor, spread: float) -> Tensor:
    r"""Return the logarithm of the density of each place under a normal distribution around its mean.

    .. math:: \log \mathcal N(l; \mu, \sigma^2 I) = -\frac{\lVert l - \mu \rVert^2}{2 \sigma^2} - \log(2 \pi \sigma^2)

    Args:
        places: ``(B, T, 2)``.
        means: ``(B, T, 2)``.
        spread: The standard deviation sigma.

    Returns:
        ``(B, T)``.
    """
    return -(places - means).square().sum(-1) / (2 * spread**2) - math.log(2 * math.pi * spread**2)


class HardAttention(Method):
    r"""Train a network that chooses where to look: what it answers by the labels, where it looks by reward.

    With reward R = 1 for the right answer after the last look and 0 for a wrong one, the loss of an example is

    .. math:: L = L_{task} - w \sum_t \log \pi(l_t | s_{1:t}) (R - b_t) + \sum_t (R - b_t)^2

    Its gradient is the hybrid one of section 3.2: backpropagation for the answer, REINFORCE with a baseline (Eq. 3,
    Williams 1992) for the places, squared error for the baseline; no gradient goes from R - b into anything. The log
    density's gradient goes through the policy into the state. Our ``spread`` is the paper's fixed sigma, ``samples``
    its M, ``reward_weight`` w. Batches may be cut.

    Where an answer has several parts (digits of a scene), the reward is the share of them that are right.

    Args:
        config: The fields below.
        spec: The schema of the data.

    Raises:
        ConfigError: The network does not look, or the task's answers are no classes in the last axis.
    """

    class Config(MethodConfig):
        """The network and the weights of the loss.

        Attributes:
            model: Offers ``look(images, noise)`` (recurrent_attention, deep_recurrent_attention).
            task: What its output means.
            spread: Standard deviation of a place around the policy's mean; 2 is the width of the image.
            samples: Different walks over each image in one step.
            reward_weight: Weight of the policy's part of the loss.
        """

        takes: ClassVar[tuple[InputKind, ...]] = ("image",)

        model: ModelConfig
        task: TaskConfig
        spread: float = Field(default=0.1, gt=0)
        samples: int = Field(default=1, ge=1)
        reward_weight: float = Field(default=1.0, ge=0)

    model: Looker

    def __init__(self, config: HardAttention.Config, *, spec: Spec) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        answers, task = set(config.task.answers), config.task.kind_name()
        if not answers or answers - {"classes", "tags"}:
            raise ConfigError(
                f"hard_attention rewards right classes, and the task {task} has none; take classify or tag"
            )
        if getattr(config.task, "classes_first", False):
            raise ConfigError(
                f"hard_attention takes answers with the classes last; set method.task.classes_first=false (task {task})"
            )
        model = config.model.build()
        if getattr(model, "look", None) is None:
            raise ConfigError(
                f"hard_attention trains networks that choose where to look, and {config.model.kind_name()} does not; "
                "take recurrent_attention or deep_recurrent_attention, or the method supervised"
            )
        self.model = model
        self.task = config.task.build()

    def step(self, feed: Feed, update: Update) -> Logs:
        return update("model", self.walk_loss, next(feed))

    def walk_loss(self, batch: Batch) -> Loss:
        """Return the loss of ``samples`` walks over each image of a batch, divided by their number."""
        config, samples = self.config, self.config.samples
        if batch.targets.is_floating_point():
            raise ConfigError(
                f"{type(config).__qualname__} rewards a walk that ends with the right class, and the labels of this "
                "batch are shares of several; leave out what mixes them (data.mixup=0)"
            )
        images = batch.inputs.repeat_interleave(samples, 0)
        targets = batch.targets.repeat_interleave(samples, 0)
        weights = None if batch.weights is None else batch.weights.repeat_interleave(samples, 0)
        assert batch.keys is not None
        # From the examples' keys: the walks do not depend on how a batch is cut.
        noise = keyed_normal(batch.keys, samples * self.model.looks * 2, stream="places").to(images)
        noise = config.spread * noise.view(len(images), self.model.looks, 2)
        looks = self.model.look(images, noise)
        answered = self.task.loss(looks.output, targets, weights)
        reward = _reward(looks.output.detach(), targets)[:, None]  # (B, 1)
        advantage = reward - looks.baselines.detach()  # (B, T)
        policy = -(log_density(looks.places, looks.means, config.spread) * advantage).sum(1)  # Eq. 3
        surprise = F.mse_loss(looks.baselines, reward.expand_as(looks.baselines), reduction="none").sum(1)
        each = config.reward_weight * policy + surprise
        walked = each.sum() if weights is None else (each * weights).sum()
        return Loss((answered.total + walked) / samples, answered.weight / samples)


def _reward(output: Tensor, targets: Tensor) -> Tensor:
    """Return the share of each example's answers that are right: ``(B,)``."""
    right = (output.argmax(-1) == targets).to(output.dtype)
    return right.flatten(1).mean(1) if right.dim() > 1 else right
