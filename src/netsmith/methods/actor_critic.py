"""Advantage actor-critic, the synchronous form of A3C (Mnih et al. 2016, arXiv:1602.01783)."""

from __future__ import annotations

from typing import ClassVar, Protocol

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.roles import Batches, MethodConfig, ModelConfig, TaskConfig
from netsmith.core.spec import Spec
from netsmith.engine.batch import Batch
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.task import Loss

__all__ = ["ActorCritic", "generalized_advantages"]


class _PolicyAndValue(Protocol):
    """What the network must offer: a policy when called, and a value."""

    def __call__(self, observations: Tensor) -> Tensor:
        """Return logits ``(..., A)``."""
        ...

    def value(self, observations: Tensor) -> Tensor:
        """Return values ``(...)``."""
        ...


def generalized_advantages(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    *,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    gae_lambda: float,
) -> Tensor:
    r"""Return how much better each action was than expected (GAE, Schulman et al. 2016, arXiv:1506.02438).

    .. math:: \delta_t = r_t + \gamma V(s_{t+1}) - V(s_t), \qquad
        A_t = \delta_t + \gamma \lambda A_{t+1} \qquad \text{(Eqs. 12, 16)}

    After a terminal state nothing follows, so :math:`V(s_{t+1})` counts as 0; an episode that was merely cut off
    (truncated) goes on in thought and keeps the value of the state it was cut at. Both end the sum. ``gae_lambda=1``
    gives the n-step returns of A3C, minus the value.

    Args:
        rewards: ``(..., T)``.
        values: ``(..., T)``, of the states the actions were taken in.
        next_values: ``(..., T)``, of the states they led to (before any reset).
        terminated: ``(..., T)`` bool, whether the action led to a terminal state.
        truncated: ``(..., T)`` bool, whether the episode was cut off after the action.
        gamma: Discount per step, in 0..1.
        gae_lambda: Trust in what was seen (1) against the values (0).

    Returns:
        ``(..., T)``.
    """
    deltas = rewards + gamma * next_values * ~terminated - values  # Eq. 12
    onward = gamma * gae_lambda * (~(terminated | truncated)).to(deltas.dtype)
    advantages = torch.empty_like(deltas)
    following = torch.zeros_like(deltas[..., 0])
    for t in range(deltas.shape[-1] - 1, -1, -1):
        following = deltas[..., t] + onward[..., t] * following  # Eq. 16
        advantages[..., t] = following
    return advantages


class ActorCritic(Method):
    r"""Learn a policy from its own experience, with a value function that says what was to be expected.

    .. math:: L = -\log \pi(a|s) \, A + c_v (R - V(s))^2 - c_e H(\pi(\cdot|s)), \qquad R = A + V

    One update per rollout, on data of the very policy it improves (on-policy). Our ``value_coefficient`` is ``c_v``,
    ``entropy_coefficient`` the paper's beta. Advantages are not normalized, so a batch may be cut.

    Batches hold ``inputs = {"observations": (E, T, ...), "next_observations": (E, T, ...)}`` and ``targets =
    {"actions", "rewards", "terminated", "truncated", "episode_returns"}``, each ``(E, T)``; E counts environments.

    Args:
        config: The fields below.
        spec: The schema of the environment.
    """

    class Config(MethodConfig):
        """The network and the weights of the loss.

        Attributes:
            model: Returns logits of the actions; its ``value`` returns the value of a state.
            task: Control: the policy's loss and the figures.
            gamma: Discount per step.
            gae_lambda: 1 for n-step returns, less for lower variance.
            value_coefficient: Weight of the value's squared error.
            entropy_coefficient: Weight of the policy's entropy, in nats.
            reward_scale: Factor on rewards while learning (figures stay as they are): a critic starts near 0 and is
                slow to reach values in the hundreds, and until then every action looks better than expected.
        """

        learns_from: ClassVar[Batches] = "rollouts"

        model: ModelConfig
        task: TaskConfig
        gamma: float = Field(default=0.99, ge=0, le=1)
        gae_lambda: float = Field(default=1.0, ge=0, le=1)
        value_coefficient: float = Field(default=0.5, ge=0)
        entropy_coefficient: float = Field(default=0.0, ge=0)
        reward_scale: float = Field(default=1.0, gt=0)

    model: _PolicyAndValue

    def __init__(self, config: ActorCritic.Config, *, spec: Spec) -> None:  # noqa: ARG002
        super().__init__()
        self.config = config
        self.model = config.model.build()
        self.task = config.task.build()

    def act(self, observations: Tensor, noise: Tensor | None) -> Tensor:
        """Choose actions: drawn from the policy with ``noise``, the most probable ones without.

        Args:
            observations: ``(B, ...)``.
            noise: ``(B,)`` uniform numbers in (0, 1), or None to act greedily.
        """
        parameter = next(self.parameters())
        logits = self.model(observations.to(parameter))
        if noise is None:
            return logits.argmax(-1).cpu()
        shares = logits.double().cpu().softmax(-1).cumsum(-1)
        actions = (noise.cpu()[:, None] >= shares).sum(-1)  # the inverse of the distribution function
        return actions.clamp_max(logits.shape[-1] - 1)

    def step(self, feed: Feed, update: Update) -> Logs:
        batch = next(feed)
        logs = update("model", self.rollout_loss, batch)
        ended = batch.targets["terminated"] | batch.targets["truncated"]
        if ended.any():
            logs["episode_return"] = float(batch.targets["episode_returns"][ended].mean())
        return logs

    def rollout_loss(self, batch: Batch) -> Loss:
        """Return the loss of a rollout, summed over its actions."""
        inputs, targets = batch.inputs, batch.targets
        logits = self.model(inputs["observations"])  # (E, T, A)
        values = self.model.value(inputs["observations"])  # (E, T)
        with torch.no_grad():
            advantages = generalized_advantages(
                self.config.reward_scale * targets["rewards"],
                values,
                self.model.value(inputs["next_observations"]),
                terminated=targets["terminated"],
                truncated=targets["truncated"],
                gamma=self.config.gamma,
                gae_lambda=self.config.gae_lambda,
            )
            returns = advantages + values
        policy = self.task.loss(logits.flatten(0, 1), targets["actions"].flatten(), advantages.flatten()).total
        log_shares = logits.log_softmax(-1)
        entropy = -(log_shares.exp() * log_shares).sum()
        error = (returns - values).square().sum()
        total = policy + self.config.value_coefficient * error - self.config.entropy_coefficient * entropy
        return Loss(total, float(values.numel()))
