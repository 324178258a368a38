"""Advantage actor-critic on CartPole (Mnih et al. 2016, the synchronous form)."""

from netsmith.data.cartpole import CartPole
from netsmith.engine.experiment import Experiment
from netsmith.methods.actor_critic import ActorCritic
from netsmith.models.policy.mlp_actor_critic import MlpActorCritic
from netsmith.optim.adam import Adam
from netsmith.optim.schedules.linear import Linear
from netsmith.tasks.control import Control

CARD = {
    "title": "A2C on CartPole-v1",
    "paper": "arXiv:1602.01783",
    "claims": [
        {
            "metric": "test/mean_return",
            "value": 475,
            "tolerance": 0.0,
            "source": "gymnasium: CartPole-v1 is solved at 475",
        },
    ],
    "deviations": [
        "synchronous environments in place of asynchronous actors; generalized advantages; Adam",
        "rewards are scaled by 0.05 for the critic; 204,800 steps of the environment",
    ],
    "known_gaps": {"overfits_one_batch": "live_source"},
    "learns": {"metric": "test/mean_return", "value": 110, "steps": 600},
}

experiment = Experiment.Config(
    method=ActorCritic.Config(
        model=MlpActorCritic.Config(),
        task=Control.Config(),
        gamma=0.99,
        gae_lambda=0.95,
        entropy_coefficient=0.002,
        reward_scale=0.05,
    ),
    data=CartPole.Config(environments=16, rollout=16),
    optimizers={"model": Adam.Config(lr=2e-3, schedule=Linear.Config())},
    steps=800,
    evaluate_every=400,
    clip_norm=0.5,
)
