import pytest
import torch
from torch import nn

from netsmith.core.roles import MethodConfig
from netsmith.data.cartpole import CartPole
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.methods.actor_critic import ActorCritic, generalized_advantages
from netsmith.models.policy.mlp_actor_critic import MlpActorCritic
from netsmith.optim.adam import Adam
from netsmith.tasks.control import Control

CONFIG = ActorCritic.Config(
    model=MlpActorCritic.Config(hidden=(16,)),
    task=Control.Config(),
    gae_lambda=0.9,
    entropy_coefficient=0.01,
)


def experiment(**changes):
    fields = {
        "method": CONFIG,
        "data": CartPole.Config(environments=8, rollout=5, twin=True),
        "optimizers": {"model": Adam.Config(lr=0.003)},
        "steps": 5,
    }
    return Experiment.Config(**(fields | changes))


def advantages(rewards, values, following, *, terminated=(), truncated=(), gamma=0.99, gae_lambda=0.95):
    def flags(steps):
        return torch.tensor([t in steps for t in range(len(rewards))])

    return generalized_advantages(
        torch.tensor(rewards, dtype=torch.float64),
        torch.tensor(values, dtype=torch.float64),
        torch.tensor(following, dtype=torch.float64),
        terminated=flags(terminated),
        truncated=flags(truncated),
        gamma=gamma,
        gae_lambda=gae_lambda,
    )


def test_advantages_of_the_worked_example():
    # rewards 1..4, values .5 .4 .3 .2, last value .1; an episode starts at index 2
    found = advantages([1, 2, 3, 4], [0.5, 0.4, 0.3, 0.2], [0.4, 0.3, 0.2, 0.1], terminated=(1,))
    expected = torch.tensor([2.4008, 1.6, 6.5650095, 3.899], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=1e-7, atol=0)


def test_lambda_one_gives_n_step_returns_and_lambda_zero_one_step_errors():
    rewards, values, following = [1.0, 2.0, 3.0], [0.5, 0.4, 0.3], [0.4, 0.3, 10.0]
    n_step = advantages(rewards, values, following, gamma=0.9, gae_lambda=1.0) + torch.tensor(values).double()
    expected = [1 + 0.9 * (2 + 0.9 * (3 + 9.0)), 2 + 0.9 * (3 + 9.0), 3 + 9.0]
    torch.testing.assert_close(n_step, torch.tensor(expected).double(), rtol=1e-6, atol=0)
    one_step = advantages(rewards, values, following, gamma=0.9, gae_lambda=0.0)
    torch.testing.assert_close(one_step, torch.tensor([0.86, 1.87, 11.7]).double(), rtol=1e-6, atol=0)


def test_an_episode_cut_off_keeps_the_value_of_what_would_follow():
    rewards, values, following = [1.0, 1.0], [5.0, 2.0], [7.0, 3.0]
    cut = advantages(rewards, values, following, truncated=(0,), gamma=0.5, gae_lambda=1.0)
    over = advantages(rewards, values, following, terminated=(0,), gamma=0.5, gae_lambda=1.0)
    assert cut.tolist() == [1 + 0.5 * 7 - 5, 1 + 0.5 * 3 - 2]
    assert over.tolist() == [1 - 5, 1 + 0.5 * 3 - 2]


def test_loss_agrees_with_a_plain_loop_in_float64():
    engine = Engine(Experiment(experiment(precision="fp64")))
    method = engine.method
    batch = next(engine.feed)
    loss = method.rollout_loss(batch)
    gradient = torch.autograd.grad(loss.total / loss.weight, list(method.parameters()))
    total, gamma, decay = 0.0, 0.99, 0.9
    for e in range(8):
        onward = 0.0
        for t in reversed(range(5)):
            value = method.model.value(batch.inputs["observations"][e, t])
            follows = method.model.value(batch.inputs["next_observations"][e, t]).item()
            if batch.targets["terminated"][e, t]:
                follows, onward = 0.0, 0.0
            onward = 1.0 + gamma * follows - value.item() + gamma * decay * onward
            shares = method.model(batch.inputs["observations"][e, t]).softmax(-1)
            chosen = shares[batch.targets["actions"][e, t]].log()
            entropy = -(shares * shares.log()).sum()
            total = total - chosen * onward + 0.5 * (onward + value.item() - value) ** 2 - 0.01 * entropy
    assert loss.weight == 40
    torch.testing.assert_close(loss.total, total, rtol=1e-10, atol=0)
    expected = torch.autograd.grad(total / 40, list(method.parameters()))
    for mine, theirs in zip(gradient, expected, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-8, atol=1e-12)


def test_scaling_rewards_scales_what_the_critic_learns():
    engine = Engine(Experiment(experiment(precision="fp64")))
    batch, method = next(engine.feed), engine.method

    def critic_gradient(config, rewards):
        method.config = config
        loss = method.rollout_loss(Batch(batch.inputs, batch.targets | {"rewards": rewards}))
        return torch.autograd.grad(loss.total, method.model.critic[-1].bias)[0]

    rewards = batch.targets["rewards"]
    scaled = critic_gradient(CONFIG.derive(reward_scale=0.05), rewards)
    torch.testing.assert_close(scaled, critic_gradient(CONFIG, 0.05 * rewards), rtol=1e-12, atol=0)
    assert (scaled - critic_gradient(CONFIG, rewards)).abs() > 1


def test_actions_follow_the_policy_and_their_noise():
    method = CONFIG.derive(**{"model.in_features": 4, "model.num_classes": 3}).build(
        spec=CartPole.Config().build().spec
    )
    with torch.no_grad():
        method.model.actor[-1].bias.copy_(torch.tensor([0.2, 0.5, 0.3]).log())
        method.model.actor[-1].weight.zero_()
        observations = torch.zeros(20_000, 4)
        noise = keyed_uniform(example_keys(1, torch.arange(20_000)), stream="test")
        actions = method.act(observations, noise)
        shares = torch.bincount(actions, minlength=3) / 20_000
        torch.testing.assert_close(shares, torch.tensor([0.2, 0.5, 0.3]), rtol=0, atol=0.012)
        assert method.act(observations[:3], torch.tensor([0.19, 0.21, 0.71]).double()).tolist() == [0, 1, 2]
        assert method.act(observations[:2], None).tolist() == [1, 1]


def test_cut_into_micro_batches_the_update_is_the_same():
    weights = []
    for pieces in (1, 2, 5):
        engine = Engine(Experiment(experiment(precision="fp64", micro_batches=pieces)))
        assert engine.method.undecomposable() == ""
        engine.fit()
        weights.append(nn.utils.parameters_to_vector(engine.method.parameters()).detach())
    assert (weights[0] - weights[1]).abs().max() < 1e-10
    assert (weights[0] - weights[2]).abs().max() < 1e-10


def test_a_resumed_run_ends_where_an_uncut_one_does():
    def fresh():
        return Engine(Experiment(experiment(steps=8, data=CartPole.Config(environments=3, rollout=7, twin=True))))

    uncut, cut, resumed = fresh(), fresh(), fresh()
    uncut.fit()
    for step in range(5):
        cut.updater.begin(step)
        cut.method.step(cut.feed, cut.updater)
    cut.step = 5
    resumed.restore(cut.snapshot())
    resumed.fit()
    for mine, theirs in zip(resumed.method.parameters(), uncut.method.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_the_return_of_ended_episodes_is_logged():
    engine = Engine(Experiment(experiment(data=CartPole.Config(environments=4, rollout=40, twin=True))))
    engine.updater.begin(0)
    logs = engine.method.step(engine.feed, engine.updater)
    assert set(logs) == {"loss", "episode_return"}
    assert 8 <= logs["episode_return"] <= 30


def test_a_short_run_keeps_the_pole_up_longer():
    engine = Engine(
        Experiment(
            experiment(
                method=CONFIG.derive(**{"model.hidden": (64, 64)}),
                data=CartPole.Config(environments=8, rollout=16, evaluation_episodes=10),
                steps=80,
                clip_norm=0.5,
                evaluate_every=1_000,
            )
        )
    )
    before = engine.evaluate("test")["test/mean_return"]
    engine.fit()
    assert before < 60
    assert engine.evaluate("test")["test/mean_return"] > 80


def test_config_survives_its_dump():
    assert MethodConfig.load(CONFIG.dump()) == CONFIG
    with pytest.raises(ValueError, match="gamma"):
        CONFIG.derive(gamma=1.5)
