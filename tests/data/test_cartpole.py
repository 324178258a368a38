import json
import sys

import gymnasium
import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError, MissingExtraError
from netsmith.core.roles import SourceConfig
from netsmith.data.cartpole import CartPole


def act(observations, noise):
    """A policy that looks at the state and at its noise; greedy, it leans against the pole and keeps it up."""
    lean = observations[:, 2] + 0.5 * observations[:, 3]
    if noise is None:
        return (lean > 0).long()
    return ((lean + 0.3 * (noise - 0.5)) > 0).long()


def same(one, other, rows=slice(None)):
    for name, value in one.inputs.items():
        assert torch.equal(value, other.inputs[name][rows])
    for name, value in one.targets.items():
        assert torch.equal(value, other.targets[name][rows])
    assert torch.equal(one.keys, other.keys[rows])


def test_transitions_are_gymnasium_s():
    source = CartPole.Config(environments=2, rollout=60).build()
    batch = source.next(lambda observations, noise: (noise > 0.5).long(), key=7, part=(0, 1))
    other = gymnasium.make("CartPole-v1")
    inputs, targets = batch.inputs, batch.targets
    checked = 0
    for row in range(2):
        for t in range(60):
            if t == 0 or targets["terminated"][row, t - 1]:
                total = 0.0
            total += float(targets["rewards"][row, t])
            ended = bool(targets["terminated"][row, t])
            assert float(targets["episode_returns"][row, t]) == (total if ended else 0.0)
            if not ended and t + 1 < 60:
                assert torch.equal(inputs["next_observations"][row, t], inputs["observations"][row, t + 1])
            if ended:
                assert abs(float(inputs["next_observations"][row, t, 2])) > 0.2094
            # One step of the physics in float64 from the float32 observation.
            other.reset(seed=0)
            other.unwrapped.state = inputs["observations"][row, t].double().numpy()
            found, reward, terminated, _, _ = other.step(int(targets["actions"][row, t]))
            np.testing.assert_allclose(found, inputs["next_observations"][row, t].numpy(), atol=1e-5)
            assert (reward, terminated) == (float(targets["rewards"][row, t]), ended)
            checked += ended
    assert checked >= 2


def test_divided_over_processes_the_transitions_are_the_same():
    whole = CartPole.Config(environments=5, rollout=40).build()
    parts = [CartPole.Config(environments=5, rollout=40).build() for _ in range(2)]
    for _ in range(3):
        batch = whole.next(act, key=7, part=(0, 1))
        same(parts[0].next(act, key=7, part=(0, 2)), batch, slice(0, 2))
        same(parts[1].next(act, key=7, part=(1, 2)), batch, slice(2, 5))


def test_resume_is_exact_and_its_state_small():
    source = CartPole.Config(environments=3, rollout=50).build()
    for _ in range(4):
        source.next(act, key=7, part=(0, 1))
    text = json.dumps(source.state())
    assert len(text) < 3 * 700
    resumed = CartPole.Config(environments=3, rollout=50).build()
    resumed.restore(json.loads(text))
    assert json.dumps(resumed.state()) == text
    for _ in range(3):
        same(resumed.next(act, key=7, part=(0, 1)), source.next(act, key=7, part=(0, 1)))
    assert resumed.state() == source.state()
    source.restore(json.loads(text))
    again = CartPole.Config(environments=3, rollout=50).build()
    again.restore(json.loads(text))
    same(source.next(act, key=7, part=(0, 1)), again.next(act, key=7, part=(0, 1)))


def test_rounds_resets_and_keys_differ():
    source = CartPole.Config(environments=2, rollout=4).build()
    first = source.next(act, key=7, part=(0, 1))
    second = source.next(act, key=7, part=(0, 1))
    assert not torch.equal(first.keys, second.keys)
    assert not torch.equal(first.inputs["observations"][0, 0], first.inputs["observations"][1, 0])
    other = CartPole.Config(environments=2, rollout=4).build().next(act, key=8, part=(0, 1))
    assert not torch.equal(first.inputs["observations"], other.inputs["observations"])


def test_an_episode_is_cut_off_at_its_longest():
    source = CartPole.Config(twin=True, environments=1, rollout=310).build()
    batch = source.next(lambda observations, noise: act(observations, None), key=1, part=(0, 1))
    assert batch.targets["truncated"][0].nonzero().flatten().tolist() == [149, 299]
    assert not batch.targets["terminated"].any()
    assert batch.targets["episode_returns"][0, 149] == 150
    (episodes,) = source.episodes(act, split="test", key=3)
    assert episodes.targets["returns"].tolist() == [150.0] * 10


def test_evaluation_plays_whole_episodes_greedily():
    source = CartPole.Config(evaluation_episodes=6).build()

    def poor(observations, noise):
        assert noise is None
        return (observations[:, 2] > 0).long()

    (batch,) = source.episodes(poor, split="test", key=3)
    for first, found in zip(batch.inputs, batch.targets["returns"].tolist(), strict=True):
        environment = gymnasium.make("CartPole-v1")
        environment.reset(seed=0)
        environment.unwrapped.state = first.double().numpy()
        observation, total, ended = first.numpy(), 0.0, False
        while not ended:
            observation, reward, terminated, truncated, _ = environment.step(int(observation[2] > 0))
            total, ended = total + float(reward), terminated or truncated
        assert abs(total - found) <= 2  # it starts from a rounded state
    assert len(batch.targets["returns"].unique()) > 1
    (again,) = source.episodes(poor, split="test", key=3)
    assert torch.equal(batch.targets["returns"], again.targets["returns"])
    (dev,) = source.episodes(poor, split="dev", key=3)
    assert not torch.equal(dev.inputs, batch.inputs)
    assert source.splits() == ["dev", "test"]


def test_evaluation_leaves_training_alone():
    one, other = (CartPole.Config(environments=2, rollout=30, twin=True).build() for _ in range(2))
    same(one.next(act, key=7, part=(0, 1)), other.next(act, key=7, part=(0, 1)))
    list(one.episodes(act, split="dev", key=3))
    same(one.next(act, key=7, part=(0, 1)), other.next(act, key=7, part=(0, 1)))


def test_what_is_wrong_is_said(monkeypatch):
    with pytest.raises(ConfigError, match="3 processes cannot share 2 environments"):
        CartPole.Config(environments=2).build().next(act, key=1, part=(0, 3))
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'netsmith\[rl\]'"):
        CartPole.Config().build()


def test_schema():
    config = CartPole.Config(environments=2)
    spec = config.build().spec
    assert spec.facts() == {"num_outputs": 2, "num_classes": 2, "in_features": 4}
    assert spec.inputs.columns[2] == "pole_angle"
    assert SourceConfig.load(config.dump()) == config
