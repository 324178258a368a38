"""Whether runs differ by more than chance: their figures of each example, paired over the examples of one split."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netsmith.core.errors import ConfigError, DataError, UnsupportedError
from netsmith.engine import checkpoint
from netsmith.engine.task import UNLABELED, Metric
from netsmith.layers.writing import Judged
from netsmith.measure.paired import paired_bootstrap, randomization_test
from netsmith.methods._taught import Taught

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = ["Contrast", "PairedFigure", "Side", "compare_paired", "each_example"]

_SAME = 1e-6  # between a figure and the mean of the examples': losses are added up in float32


@dataclass(frozen=True)
class Side:
    """Runs of one experiment.

    Attributes:
        runs: Names of their folders; they differ in their seed alone.
        mean: Of the figure over examples and runs.
    """

    runs: tuple[str, ...]
    mean: float


@dataclass(frozen=True)
class Contrast:
    """The first side against another one.

    Attributes:
        other: The other side.
        difference: The first one's mean minus its.
        low: The lower end of the 95 % interval of the difference, by a paired bootstrap of the examples.
        high: The upper end.
        p: Of Fisher's randomization test, two-sided; not corrected for the number of contrasts.
    """

    other: Side
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class PairedFigure:
    """A figure of several sides over the same examples.

    Attributes:
        figure: ``split/name``.
        examples: How many it is the mean of.
        first: The side that the others are held against.
        contrasts: One for each other side.
    """

    figure: str
    examples: int
    first: Side
    contrasts: tuple[Contrast, ...]


def compare_paired(runs: Sequence[Run], figure: str) -> PairedFigure:
    """Hold the first run against the others, example by example.

    Runs that differ in their seed alone (of one config, code, teacher and cut) are one side, whose figure of an example
    is the mean over them. So the interval and p are about the examples: how a side's seeds scatter is not in them.

    Args:
        runs: Of two sides at least, judged on the same examples.
        figure: Such as ``test/map`` or ``dev/accuracy``: a mean over examples.

    Raises:
        ConfigError: Another figure, or runs of one side only.
        DataError: The runs were not judged on the same examples.
        UnsupportedError: The figure is no mean over examples.
    """
    sides: dict[str, list[Run]] = {}
    for run in runs:
        sides.setdefault(_side(run), []).append(run)
    if len(sides) < 2:
        raise ConfigError(
            f"{', '.join(run.path.name for run in runs)}: one experiment, but for the seed; a paired test needs another"
        )
    split = figure.partition("/")[0]
    same = {next((part.sha256 for part in run.network.spec.splits if part.name == split), "") for run in runs}
    each = [[each_example(run, figure) for run in side] for side in sides.values()]
    there = [scores.isnan() for side in each for scores in side]
    if len(same) > 1 or "" in same or any(not torch.equal(one, there[0]) for one in there):
        raise DataError(f"the runs were not judged on the same {split} examples; a paired test needs the same data")
    scores = [torch.stack(side)[:, ~there[0]] for side in each]  # (R, N) of each side
    first, *others = (
        Side(tuple(run.path.name for run in side), float(found.mean()))
        for side, found in zip(sides.values(), scores, strict=True)
    )
    contrasts = (
        Contrast(
            other,
            first.mean - other.mean,
            *paired_bootstrap(scores[0], found),
            p=randomization_test(scores[0], found),
        )
        for other, found in zip(others, scores[1:], strict=True)
    )
    return PairedFigure(figure, scores[0].shape[1], first, tuple(contrasts))


def _side(run: Run) -> str:
    """Return what the runs of one side have in common; weights begun from stand in the config."""
    method, code = run.method, run.found.code
    # A teacher that was trained in the run hangs on the seed.
    teacher = method.teacher if isinstance(method, Taught) and method.adopted else None
    snapshot, _ = checkpoint.load_latest(run.path / "checkpoints")
    about = {
        "config": run.found.config.dump(whole=True) | {"seed": 0},
        "code": code.sha256 if code else "",
        "teacher": checkpoint.tensors_sha256(teacher.state_dict()) if teacher else "",
        "surgery": snapshot.states.get("surgery"),
    }
    return json.dumps(about, sort_keys=True)


def each_example(run: Run, figure: str) -> Tensor:
    """Return a figure of each example of a split, ``(N,)`` float64; NaN where an example has none.

    Args:
        run: Its product is evaluated.
        figure: Such as ``test/map``.

    Raises:
        ConfigError: The run has no such figure, or it is one of training, whose examples come in a drawn order.
        UnsupportedError: The figure is no mean over examples (a span F1, a figure of tokens).
    """
    split, _, name = figure.partition("/")
    engine = run.engine
    known = [f"{part}/{one}" for part in engine.source.splits() if part != "train" for one in engine.method.metrics()]
    if figure not in known:
        listed = f"expected one of {', '.join(known)}" if known else "it has none but of training"
        raise ConfigError(f"{run.path.name} has no figure {figure!r}; {listed}")
    label = f"{figure} of {run.path.name}"
    refusal = f"{label} is no mean over examples"
    each = _Each(lambda: engine.method.metrics()[name], f"{label} cannot be judged one example at a time")
    whole = engine.evaluate(split, extra={"each": each})[figure]
    values = torch.tensor(each.values, dtype=torch.float64)
    size = next(part.size for part in run.network.spec.splits if part.name == split)
    if len(values) != size:
        raise UnsupportedError(f"{refusal}: {len(values)} figures for {size} examples of {split}")
    if odd := int(values.isinf().sum()):
        raise UnsupportedError(f"{label} is infinite for {odd} of {size} examples")
    if not math.isclose(float(values.nanmean()), whole, rel_tol=_SAME, abs_tol=_SAME):
        raise UnsupportedError(
            f"{refusal}: their mean is {float(values.nanmean()):.6g}, the figure {whole:.6g}; the paired test is "
            "one of means"
        )
    return values


class _Each(Metric):
    """What a metric says of each example alone."""

    def __init__(self, fresh: Callable[[], Metric], refusal: str) -> None:
        self.fresh = fresh
        self.refusal = refusal
        self.values: list[float] = []

    def update(self, output: Any, target: Any) -> None:
        for one, wanted in zip(self._split(output, target), target.split(1), strict=True):
            metric = self.fresh()
            metric.update(one, wanted)
            self.values.append(metric.compute())

    def _split(self, output: Any, target: Any) -> list[Any]:
        """Return the output of each example, a batch of one.

        Raises:
            UnsupportedError: The output does not come one for each example.
        """
        if isinstance(target, Tensor) and isinstance(output, Tensor) and len(output) == len(target):
            return list(output.split(1))
        if not isinstance(target, Tensor) or target.dim() != 2 or not isinstance(output, Judged):
            raise UnsupportedError(self.refusal)
        packed = output.logits.dim() == 2
        logits = output.logits.split((target != UNLABELED).sum(1).tolist() if packed else 1)
        texts = [None] * len(target) if output.tokens is None else output.tokens.split(1)
        return [Judged(one, text, output.outputs) for one, text in zip(logits, texts, strict=True)]

    def merge(self, other: _Each) -> None:
        self.values += other.values

    def compute(self) -> float:
        return math.fsum(self.values) / len(self.values) if self.values else math.nan
