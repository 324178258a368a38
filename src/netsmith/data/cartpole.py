"""The cart with a pole of gymnasium (CartPole-v1; Barto, Sutton & Anderson 1983), played live."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import PositiveInt

from netsmith.core.errors import ConfigError
from netsmith.core.extras import require
from netsmith.core.keys import key as named_key
from netsmith.core.roles import Batches, SourceConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Split
from netsmith.engine.batch import Batch
from netsmith.engine.random import example_keys, keyed_uniform
from netsmith.engine.source import Act, LiveSource

__all__ = ["CartPole"]


class CartPole(LiveSource):
    """Keep a pole upright by pushing its cart left or right: 1 reward per step, 500 steps at most.

    Environments run side by side. The reset of an episode depends on (key, environment, episode) and the noise of an
    action on (key, environment, round, step), so the transitions are the same however the environments are divided over
    processes. The environments are gymnasium's own; their state is the reset and the actions since.

    A batch is a rollout of every environment: ``inputs = {"observations": (E, T, 4), "next_observations": (E, T, 4)}``
    float32, where the next observation is the one before any reset, and ``targets = {"actions": int64, "rewards":
    float32, "terminated": bool, "truncated": bool, "episode_returns": float32}``, each ``(E, T)``. An episode's return
    (the sum of its rewards) stands at its last step, elsewhere 0. Evaluation batches hold the first observations of
    episodes played greedily (``act`` without noise) and ``targets = {"returns": (n,)}``.

    Raises:
        MissingExtraError: gymnasium is not installed.
    """

    class Config(SourceConfig):
        """How much is played.

        Attributes:
            environments: Number of environments that run side by side.
            rollout: Steps per environment and batch.
            evaluation_episodes: Whole episodes of an evaluation.
            twin: The same environment with episodes of 150 steps at most, 10 of them for evaluation.
        """

        gives: ClassVar[Batches] = "rollouts"

        environments: PositiveInt = 8
        rollout: PositiveInt = 16
        evaluation_episodes: PositiveInt = 100

    def __init__(self, config: CartPole.Config) -> None:
        self.config = config
        self._gymnasium = require("gymnasium", extra="rl")
        self._longest = 150 if config.twin else 500
        self._evaluation_episodes = 10 if config.twin else config.evaluation_episodes
        self._round = 0
        self._saved: dict[int, dict[str, Any]] = {}
        self._places: dict[int, _Place] = {}
        self.spec = Spec(
            dataset="cartpole",
            inputs=Inputs(
                kind="state",
                shape=(4,),
                columns=("cart_position", "cart_velocity", "pole_angle", "pole_angular_velocity"),
            ),
            outputs=Outputs(kind="policy", names=("left", "right")),
            splits=(
                Split(name="train", size=0, made="played live"),
                Split(name="dev", size=self._evaluation_episodes, made="episodes reset from their own key"),
                Split(name="test", size=self._evaluation_episodes, made="episodes reset from their own key"),
            ),
        )

    def splits(self) -> list[str]:
        return ["dev", "test"]

    def next(self, act: Act, *, key: int, part: tuple[int, int]) -> Batch:
        rank, world = part
        count, steps = self.config.environments, self.config.rollout
        if world > count:
            raise ConfigError(f"{world} processes cannot share {count} environments; set data.environments={world}")
        mine = range(count * rank // world, count * (rank + 1) // world)
        places = self._open(mine, key)
        indices = torch.tensor(list(mine))
        keys = example_keys(named_key(key, "round", self._round), indices)
        noise = keyed_uniform(keys, steps, stream="action")  # (E, T)
        observations = np.empty((len(places), steps, 4), dtype=np.float32)
        following = np.empty_like(observations)
        actions = torch.empty((len(places), steps), dtype=torch.int64)
        terminated, truncated = np.zeros((2, len(places), steps), dtype=bool)
        rewards, episode_returns = np.zeros((2, len(places), steps), dtype=np.float32)
        for t in range(steps):
            for row, place in enumerate(places):
                observations[row, t] = place.observation
            actions[:, t] = act(torch.from_numpy(observations[:, t]), noise[:, t])
            for row, (place, action) in enumerate(zip(places, actions[:, t].tolist(), strict=True)):
                reward, terminated[row, t], truncated[row, t] = place.step(action)
                rewards[row, t] = reward
                following[row, t] = place.observation
                if terminated[row, t] or truncated[row, t]:
                    episode_returns[row, t] = place.total
                    place.reset(_reset_seed(key, place.index, place.episode + 1))
        self._round += 1
        return Batch(
            inputs={"observations": torch.from_numpy(observations), "next_observations": torch.from_numpy(following)},
            targets={
                "actions": actions,
                "rewards": torch.from_numpy(rewards),
                "terminated": torch.from_numpy(terminated),
                "truncated": torch.from_numpy(truncated),
                "episode_returns": torch.from_numpy(episode_returns),
            },
            keys=keys,
        )

    def episodes(self, act: Act, *, split: str, key: int) -> Iterator[Batch]:
        count = self._evaluation_episodes
        places = [_Place(index, self._make()) for index in range(count)]
        for place in places:
            place.reset(named_key(key, "episode", split, place.index))
        first = torch.from_numpy(np.stack([place.observation for place in places]))
        playing = places
        while playing:
            observations = torch.from_numpy(np.stack([place.observation for place in playing]))
            actions = act(observations, None).tolist()
            ends = [any(place.step(action)[1:]) for place, action in zip(playing, actions, strict=True)]
            playing = [place for place, end in zip(playing, ends, strict=True) if not end]
        yield Batch(
            inputs=first,
            targets={"returns": torch.tensor([place.total for place in places], dtype=torch.float32)},
            keys=example_keys(key, torch.arange(count)),
        )

    def state(self) -> dict[str, Any]:
        return {
            "round": self._round,
            "environments": {
                str(index): {"seed": place.seed, "episode": place.episode, "actions": "".join(map(str, place.actions))}
                for index, place in sorted(self._places.items())
            }
            or {str(index): dict(saved) for index, saved in self._saved.items()},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self._round = int(state["round"])
        self._saved = {int(index): dict(saved) for index, saved in state["environments"].items()}
        self._places = {}

    def _make(self) -> Any:
        # The checker only repeats, at every step, what gymnasium's own tests assert of this environment.
        return self._gymnasium.make("CartPole-v1", max_episode_steps=self._longest, disable_env_checker=True)

    def _open(self, indices: range, key: int) -> list[_Place]:
        """Return the environments of this process, replayed to where they were where a state was restored."""
        if list(self._places) != list(indices):
            places = {index: _Place(index, self._make()) for index in indices}
            for index, place in places.items():
                if index in self._saved:
                    place.replay(self._saved[index])
                else:
                    place.reset(_reset_seed(key, index, 0))
            self._places = places
        return list(self._places.values())


def _reset_seed(key: int, index: int, episode: int) -> int:
    return named_key(key, "reset", index, episode)


class _Place:
    """One environment: its episode, and the actions that led to where it is."""

    def __init__(self, index: int, environment: Any) -> None:
        self.index = index
        self.environment = environment
        self.episode = -1
        self.seed = 0
        self.actions: list[int] = []
        self.total = 0.0
        self.observation: Any = None

    def reset(self, seed: int) -> None:
        self.seed = seed
        self.episode += 1
        self.actions = []
        self.total = 0.0
        self.observation, _ = self.environment.reset(seed=seed)

    def step(self, action: int) -> tuple[float, bool, bool]:
        self.observation, reward, terminated, truncated, _ = self.environment.step(action)
        self.actions.append(action)
        self.total += float(reward)
        return float(reward), terminated, truncated

    def replay(self, saved: Mapping[str, Any]) -> None:
        self.episode = int(saved["episode"]) - 1
        self.reset(int(saved["seed"]))
        for action in saved["actions"]:
            self.step(int(action))
