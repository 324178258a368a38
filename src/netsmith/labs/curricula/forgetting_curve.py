"""Tasks learned one after another, and what is left of the earlier ones."""

from __future__ import annotations

import statistics

import torch
from pydantic import Field

from netsmith.core.findings import Bar, Bars, Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig, SourceConfig
from netsmith.data.mnist import Mnist
from netsmith.data.permuted_tasks import PermutedTasks
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.method import Logs
from netsmith.engine.source import Source
from netsmith.labs._data import need
from netsmith.methods.consolidation import Consolidation
from netsmith.models.tabular.mlp import MLP
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "ForgettingCurve"]

CARD = {
    "title": "Forgetting: permuted digits, one task after another",
    "paper": "Kirkpatrick et al. 2017, arXiv:1612.00796 (section 2.2, figure 2)",
    "shows": "the accuracy on each task while later ones are learned, with elastic weight consolidation, an equal pull "
    "on all weights, and neither",
    "quick": {"data": {"kind": "digits", "twin": True, "batch": 64}, "tasks": 2, "hidden": [8], "fisher_steps": 2},
}

_POINTS = 40  # of a curve, about
_JUDGED = 1000  # examples of the dev split of a task, for a point


class ForgettingCurve:
    """One perceptron with one head learns the same digits with their pixels permuted in another way for each task.

    Curves are accuracies on held-out (dev) images; the bars are on the test images, which are read once. About 30 s on
    one core; ``--set data=digits --set epochs_each=20`` takes a third of it.
    """

    class Config(LabConfig):
        """Data, network, and how firmly the old is held.

        Attributes:
            data: The images.
            tasks: How many are learned.
            epochs_each: Epochs of each task.
            hidden: Units of each hidden layer.
            rate: The learning rate; its momentum is 0.9.
            strength: Lambda of elastic weight consolidation.
            uniform: Lambda of the pull that is equal for all weights.
            fisher_steps: Batches from which a task's Fisher information is estimated.
            seed: Of weights, order and permutations.
        """

        data: SourceConfig = Mnist.Config(batch=128)
        tasks: int = Field(default=5, ge=2, le=20)
        epochs_each: int = Field(default=1, ge=1)
        hidden: tuple[int, ...] = (100,)
        rate: float = Field(default=0.05, gt=0)
        strength: float = Field(default=5.0, gt=0)
        uniform: float = Field(default=0.003, gt=0)
        fisher_steps: int = Field(default=5, ge=1)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: ForgettingCurve.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return curves of each way, and what is left at the end."""
        config = self.config
        data = PermutedTasks.Config(
            data=config.data, tasks=config.tasks, epochs_each=config.epochs_each, seed=config.seed
        )
        source = data.build()
        need(config.data, source.spec, splits=("dev", "test"), images=True)
        numbers: dict[str, float | tuple[float, ...]] = {}
        first, seen, bars, means = [], [], [], {}
        for key, name, strength, importance in self._ways():
            method = Consolidation.Config(
                model=MLP.Config(hidden=config.hidden),
                task=Classify.Config(),
                tasks=config.tasks,
                strength=strength,
                importance=importance,
                fisher_steps=config.fisher_steps,
            )
            experiment = Experiment.Config(
                method=method,
                data=data,
                optimizers={"model": SGD.Config(lr=config.rate, momentum=0.9)},
                epochs=config.tasks * config.epochs_each,
                seed=config.seed,
            )
            watch = _ByTask(source, config.tasks)
            engine = Engine(Experiment(experiment, source=source), hooks=[watch])
            engine.fit()
            steps = tuple(float(step) for step in watch.steps)
            length = engine.step // config.tasks
            left = tuple(_accuracies(engine, source, "test", config.tasks))
            past = tuple(
                statistics.fmean(row[: -(-step // length)]) for step, row in zip(watch.steps, watch.rows, strict=True)
            )
            numbers |= {f"left/{key}": left, f"mean/{key}": statistics.fmean(left)}
            numbers |= {f"first_task/{key}": tuple(row[0] for row in watch.rows), f"seen/{key}": past}
            # how good each task was when it had just been learned, by the same (dev) images
            ends = [watch.rows[watch.steps.index(length * (task + 1))][task] for task in range(config.tasks)]
            numbers[f"when_learned/{key}"] = tuple(ends)
            first.append(Series(name, steps, tuple(100 * row[0] for row in watch.rows)))
            seen.append(Series(name, steps, tuple(100 * value for value in past)))
            bars.append(Bar(name, tuple(100 * value for value in left)))
            means[name] = statistics.fmean(left)
        numbers["step"] = steps
        caption = (
            f"{config.tasks} tasks of {length} steps each on {config.data.kind_name()}, hidden layers "
            f"{', '.join(map(str, config.hidden))}, seed {config.seed}. At most {_JUDGED} held-out images of each task."
        )
        figures = (
            Lines("first_task", "Accuracy on the first task", "step", "accuracy (%)", tuple(first), caption=caption),
            Lines("seen", "Mean accuracy over the tasks seen", "step", "accuracy (%)", tuple(seen), caption=caption),
            Bars(
                "left",
                "Accuracy on each task after the last one",
                "accuracy (%)",
                tuple(f"task {task}" for task in range(1, config.tasks + 1)),
                tuple(bars),
                caption="On the test images of each task.",
            ),
        )
        table = Grid(
            "After the last task (test images)",
            ("way", *(f"task {task} (%)" for task in range(1, config.tasks + 1)), "mean (%)"),
            tuple((bar.name, *bar.values, 100 * means[bar.name]) for bar in bars),
        )
        return Findings(numbers, figures, (table,), _remarks(means, first, length))

    def _ways(self) -> tuple[tuple[str, str, float, str], ...]:
        config = self.config
        return (
            ("plain", "no pull", 0.0, "fisher"),
            ("uniform", f"equal pull (lambda {config.uniform:g})", config.uniform, "uniform"),
            ("consolidation", f"consolidation (lambda {config.strength:g})", config.strength, "fisher"),
        )


class _ByTask(Hook):
    """Accuracies on every task, at some steps and at the end of each task."""

    def __init__(self, source: PermutedTasks, tasks: int) -> None:
        self.source, self.tasks = source, tasks
        self.steps: list[int] = []
        self.rows: list[list[float]] = []

    def after_step(self, engine: Engine, logs: Logs) -> None:  # noqa: ARG002
        whole = int(engine.config.steps)
        length = whole // self.tasks
        if engine.step % max(1, whole // _POINTS) == 0 or engine.step % length == 0:
            self.steps.append(engine.step)
            self.rows.append(_accuracies(engine, self.source, "dev", self.tasks, most=_JUDGED))


@torch.no_grad()
def _accuracies(engine: Engine, source: Source, split: str, tasks: int, *, most: int = 0) -> list[float]:
    """Return the accuracy on each task's part of a split, of at most so many examples (0: all)."""
    network = engine.method.product().eval()
    size = source.spec.split(split).size // tasks
    found = []
    for task in range(tasks):
        at = torch.arange(size)[: most or size] + task * size
        right = 0
        for part in at.split(1000):
            batch = engine.move(source.load(split, part))
            right += int((network(batch.inputs).argmax(1) == batch.targets).sum())
        found.append(right / len(at))
    engine.method.train()
    return found


def _remarks(means: dict[str, float], first: list[Series], length: int) -> tuple[str, ...]:
    ranked = sorted(means, key=means.__getitem__, reverse=True)
    texts = [f"{name}: {100 * means[name]:.1f} %" for name in ranked]
    fell = []
    for line in first:
        learned = line.ys[line.xs.index(float(length))]
        fell.append(f"{line.name}: from {learned:.1f} to {line.ys[-1]:.1f} %")
    return (
        f"Mean accuracy over all tasks after the last one. {'; '.join(texts)}.",
        f"On the first task, between its own last step and the last step of all. {'; '.join(fell)}.",
    )
