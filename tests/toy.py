"""A small world for the tests of core and engine: sources, networks, methods, optimizers; and a forked child."""

from __future__ import annotations

import hashlib
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from netsmith.core.config import AUTO, Auto, Config
from netsmith.core.roles import MethodConfig, ModelConfig, OptimizerConfig, ScheduleConfig, SourceConfig, TaskConfig
from netsmith.core.spec import Inputs, Outputs, Spec, Split
from netsmith.engine.batch import Batch
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.method import Feed, Logs, Method, Update
from netsmith.engine.random import example_keys, keyed_normal, keyed_uniform
from netsmith.engine.source import Act, LiveSource, Source, cut_batches
from netsmith.engine.task import Loss, Metric, Ratio, Task, weighted

# -- how a gradient becomes a step ------------------------------------------------------------------------------------


class Constant:
    class Config(ScheduleConfig):
        pass

    def __init__(self, config: Config) -> None:
        pass

    def factor(self, step: int, steps: int) -> float:
        return 1.0


class Decay:
    """Falls linearly to zero over the run."""

    class Config(ScheduleConfig):
        floor: float = 0.0

    def __init__(self, config: Config) -> None:
        self.floor = config.floor

    def factor(self, step: int, steps: int) -> float:
        return max(self.floor, 1 - step / steps)


class Sgd:
    class Config(OptimizerConfig):
        lr: float = 0.1
        momentum: float = 0.9
        weight_decay: float = 0.0
        schedule: ScheduleConfig = Constant.Config()

        def build(self, parameters: Mapping[str, nn.Parameter]) -> torch.optim.Optimizer:
            groups = [{"params": list(parameters.values()), "names": list(parameters)}]
            return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)


class Adam:
    class Config(OptimizerConfig):
        lr: float = 0.01
        schedule: ScheduleConfig = Decay.Config()

        def build(self, parameters: Mapping[str, nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.Adam(list(parameters.values()), lr=self.lr)


class Lbfgs:
    class Config(OptimizerConfig):
        needs_closure = True
        lr: float = 1.0
        max_iter: int = 20
        schedule: ScheduleConfig = Constant.Config()

        def build(self, parameters: Mapping[str, nn.Parameter]) -> torch.optim.Optimizer:
            return torch.optim.LBFGS(
                list(parameters.values()),
                lr=self.lr,
                max_iter=self.max_iter,
                tolerance_grad=1e-12,
                tolerance_change=1e-16,
            )


# -- networks ---------------------------------------------------------------------------------------------------------


class Net(nn.Module):
    class Config(ModelConfig):
        in_features: int | Auto = AUTO
        num_classes: int | Auto = AUTO
        hidden: int = 12
        dropout: float = 0.1
        norm: bool = False
        spare: bool = False  # a parameter the loss never uses

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.a = nn.Linear(int(config.in_features), config.hidden)
        self.norm = nn.BatchNorm1d(config.hidden) if config.norm else nn.Identity()
        self.d = nn.Dropout(config.dropout)
        self.b = nn.Linear(config.hidden, int(config.num_classes))
        self.spare = nn.Parameter(torch.ones(3)) if config.spare else None

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.d(torch.tanh(self.norm(self.a(x)))))


class ConvNet(nn.Module):
    class Config(ModelConfig):
        in_channels: int | Auto = AUTO
        num_classes: int | Auto = AUTO

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.conv = nn.Conv2d(int(config.in_channels), 5, 3, padding=1)
        self.norm = nn.BatchNorm2d(5)
        self.deep = nn.Conv2d(5, 7, 3, padding=1)
        self.head = nn.Linear(7, int(config.num_classes))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.deep(torch.relu(self.norm(self.conv(x)))))  # (B, 7, H, W)
        return self.head(x.mean((2, 3)))


# -- what an answer means ---------------------------------------------------------------------------------------------


class Classify(Task):
    class Config(TaskConfig):
        pass

    def __init__(self, config: Config) -> None:
        super().__init__()

    def loss(self, output: Tensor, target: Tensor, weights: Tensor | None = None) -> Loss:
        return weighted(nn.functional.cross_entropy(output, target, reduction="none"), weights)

    def metrics(self) -> dict[str, Metric]:
        def right(output: Tensor, target: Tensor) -> tuple[Tensor, int]:
            return (output.argmax(1) == target).sum(), len(target)

        def loss(output: Tensor, target: Tensor) -> tuple[Tensor, int]:
            return nn.functional.cross_entropy(output, target, reduction="sum"), len(target)

        return {"accuracy": Ratio(right), "loss": Ratio(loss, higher_is_better=False)}

    def decode(self, output: Tensor, outputs: Outputs) -> list[dict[str, Any]]:
        return [{"label": outputs.names[number]} for number in output.argmax(1).tolist()]


# -- how it is learned ------------------------------------------------------------------------------------------------


class Supervised(Method):
    class Config(MethodConfig):
        model: ModelConfig
        task: TaskConfig = Classify.Config()

    def __init__(self, config: Config, *, spec: Spec) -> None:
        super().__init__()
        self.model = config.model.build()
        self.task = config.task.build()

    def step(self, feed: Feed, update: Update) -> Logs:
        return update("model", self.loss, next(feed))

    def loss(self, batch: Batch) -> Loss:
        return self.task.loss(self.model(batch.inputs), batch.targets, batch.weights)


class Duel(Method):
    """Two players: the second learns to predict the first's output, each from a fresh batch, and two counts."""

    class Config(MethodConfig):
        model: ModelConfig
        critic: ModelConfig
        critic_steps: int = 2

    def __init__(self, config: Config, *, spec: Spec) -> None:
        super().__init__()
        self.config = config
        self.model = config.model.build()
        self.critic = config.critic.build()
        self.task = Classify.Config().build()
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))
        self.baseline = 0.0

    def players(self) -> Mapping[str, Mapping[str, nn.Parameter]]:
        return {
            name: {f"{name}.{inner}": p for inner, p in getattr(self, name).named_parameters()}
            for name in ("model", "critic")
        }

    def step(self, feed: Feed, update: Update) -> Logs:
        logs: Logs = {}
        for _ in range(self.config.critic_steps):
            batch = next(feed)
            count = torch.tensor(len(batch))
            update.sum_ranks([count])
            self.seen += count
            logs |= update("critic", self.critic_loss, batch)
        logs |= update("model", self.model_loss, next(feed))
        self.baseline = 0.9 * self.baseline + 0.1 * logs["model/loss"]
        return logs

    def critic_loss(self, batch: Batch) -> Loss:
        with torch.no_grad():
            wanted = self.model(batch.inputs)
        return weighted((self.critic(batch.inputs) - wanted).square().sum(1), batch.weights)

    def model_loss(self, batch: Batch) -> Loss:
        output = self.model(batch.inputs)
        pull = (output - self.critic(batch.inputs)).square().sum(1)  # reaches the critic's parameters too
        losses = nn.functional.cross_entropy(output, batch.targets, reduction="none")
        return weighted(losses + 0.1 * pull + 0 * self.baseline, batch.weights)

    def state(self) -> dict[str, Any]:
        return super().state() | {"baseline": self.baseline}

    def restore(self, state: Mapping[str, Any]) -> None:
        super().restore(state)
        self.baseline = state["baseline"]


class Reach(Method):
    """Acts in :class:`Track`: a policy is pulled towards the position that was reached."""

    class Config(MethodConfig):
        pass

    def __init__(self, config: Config, *, spec: Spec) -> None:
        super().__init__()
        self.model = nn.Linear(1, 1)
        self.task = Classify.Config().build()

    def act(self, observations: Tensor, noise: Tensor) -> Tensor:
        return self.model(observations)[:, 0] + noise - 0.5

    def step(self, feed: Feed, update: Update) -> Logs:
        return update("model", self.loss, next(feed))

    def loss(self, batch: Batch) -> Loss:
        return weighted((self.model(batch.inputs)[:, 0] - batch.targets).square(), None)

    def metrics(self) -> dict[str, Metric]:
        return {"end": Ratio(lambda output, target: (target.sum(), len(target)))}


# -- where batches come from ------------------------------------------------------------------------------------------


class Table(Source):
    """240 rows for training, 60 for dev; four classes; optional example weights, some of them zero."""

    class Config(SourceConfig):
        batch: int = 30
        evaluation_batch: int = 25
        weights: bool = False
        noise: float = 0.1
        drop_last: bool = True

    def __init__(self, config: Config) -> None:
        self.config = config
        generator = torch.Generator().manual_seed(1)
        self.x = torch.randn(300, 8, generator=generator)
        self.y = self.x[:, :4].argmax(1)
        self.weights = torch.rand(300, generator=generator) * (torch.rand(300, generator=generator) > 0.2)
        self.spec = Spec(
            dataset="toy",
            inputs=Inputs(kind="table", shape=(8,)),
            outputs=Outputs(kind="classes", names=("north", "east", "south", "west")),
            splits=(Split(name="train", size=240), Split(name="dev", size=60)),
        )

    def order(self, split: str, *, seed: int, epoch: int) -> Sequence[Tensor]:
        if split == "train":
            return cut_batches(240, self.config.batch, seed=seed, epoch=epoch, drop_last=self.config.drop_last)
        return [240 + b for b in cut_batches(60, self.config.evaluation_batch, seed=None, epoch=0, drop_last=False)]

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        keys = example_keys(key or 0, indices)
        inputs = self.x[indices]
        if key is not None:
            inputs = inputs + self.config.noise * keyed_normal(keys, 8, stream="noise").float()
        weights = self.weights[indices] if self.config.weights else None
        return Batch(inputs, self.y[indices], keys, indices, weights)


class Pictures(Table):
    """The same rows as pictures of two channels."""

    class Config(Table.Config):
        pass

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.spec = self.spec.derive(inputs=Inputs(kind="image", shape=(2, 6, 6)))
        self.images = torch.randn(300, 2, 6, 6, generator=torch.Generator().manual_seed(2))
        self.images[:, 0, :4, 0] += self.x[:, :4]

    def load(self, split: str, indices: Tensor, *, key: int | None = None) -> Batch:
        return Batch(self.images[indices], self.y[indices], example_keys(key or 0, indices), indices)


class Track(LiveSource):
    """Four walkers on a line; each call moves them by their actions. Its state is the actions, replayed."""

    class Config(SourceConfig):
        pass

    def __init__(self, config: Config) -> None:
        self.spec = Spec(
            dataset="track",
            inputs=Inputs(kind="state", shape=(1,)),
            outputs=Outputs(kind="policy", size=1),
            splits=(Split(name="test", size=0),),
        )
        self.places = torch.zeros(4)
        self.actions: list[Tensor] = []

    def next(self, act: Act, *, key: int, part: tuple[int, int]) -> Batch:
        before = self.places[:, None].clone()
        noise = keyed_uniform(example_keys(key + len(self.actions), torch.arange(4)), stream="act").float()
        self._move(act(before, noise))
        return Batch(before, self.places.clone())

    def _move(self, action: Tensor) -> None:
        self.actions.append(action.clone())
        self.places = torch.tanh(0.5 * self.places + action + 0.3)

    def episodes(self, act: Act, *, split: str, key: int) -> Iterator[Batch]:
        yield Batch(torch.zeros(4, 1), act(torch.zeros(4, 1), torch.full((4,), 0.5)))

    def state(self) -> dict[str, Any]:
        return {"actions": self.actions}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.places, self.actions = torch.zeros(4), []
        for action in state["actions"]:
            self._move(action)


KINDS: dict[tuple[str, str], type[Config]] = {
    (config.role, config.kind_name()): config
    for config in (
        *(owner.Config for owner in (Constant, Decay, Sgd, Adam, Lbfgs, Net, ConvNet, Classify)),
        *(owner.Config for owner in (Supervised, Duel, Reach, Table, Pictures, Track)),
    )
}

# -- experiments ------------------------------------------------------------------------------------------------------


def config(**changes: Any) -> Experiment.Config:
    """Return a supervised experiment of 5 epochs of 8 steps; ``changes`` are fields of the experiment."""
    fields = {
        "method": Supervised.Config(model=Net.Config()),
        "data": Table.Config(),
        "optimizers": {"model": Sgd.Config()},
        "epochs": 5,
    }
    return Experiment.Config(**{**fields, **changes})


def duel(**changes: Any) -> Experiment.Config:
    """Return an experiment of two players with different optimizers."""
    method = Duel.Config(model=Net.Config(), critic=Net.Config(dropout=0.0))
    optimizers = {"model": Sgd.Config(lr=0.05), "critic": Adam.Config()}
    return config(**{"method": method, "optimizers": optimizers, "steps": 14, "epochs": 0, **changes})


def engine(wanted: Experiment.Config, **named: Any) -> Engine:
    """Build an engine."""
    return Engine(Experiment(wanted), **named)


def weights(engine: Engine) -> dict[str, Tensor]:
    """Return copies of all parameters and buffers by name."""
    return {name: tensor.detach().clone() for name, tensor in engine.method.state_dict().items()}


def sha(engine: Engine) -> str:
    """Return the SHA-256 of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights(engine).items()):
        digest.update(name.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def distance(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> float:
    """Return the largest difference between two sets of tensors of the same names."""
    assert one.keys() == other.keys()
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


class Cut(Hook):
    """Ends a run in the hardest way an exception allows: after a step, before anything is saved for it."""

    class Stop(Exception):
        pass

    order = 0

    def __init__(self, step: int) -> None:
        self.at = step

    def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:
        if engine.step == self.at:
            raise Cut.Stop


class Each(Hook):
    """Calls a function after each step."""

    def __init__(self, call: Callable[[Engine], Any]) -> None:
        self.call = call

    def after_step(self, engine: Engine, logs: Mapping[str, float]) -> None:
        self.call(engine)


# -- children ---------------------------------------------------------------------------------------------------------


def fork(work: Callable[[], int | None]) -> int:
    """Fork a child that does ``work`` and exits with its code (99 for an exception); return its process id."""
    sys.stdout.flush()
    sys.stderr.flush()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12: threads exist; the child starts none
        child = os.fork()
    if child:
        return child
    code = 99
    try:
        torch.set_num_threads(1)
        code = work() or 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def wait(child: int) -> int:
    """Wait for a child; return its exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
