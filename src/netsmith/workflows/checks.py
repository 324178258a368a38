"""Whether an explanation may be believed: each is put to the checks that it must pass, and told if it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Literal

import torch
from torch import Tensor, nn

from netsmith.explain.sanity import pixel_curve, randomization_check
from netsmith.report.figures import Curve, line_chart
from netsmith.report.page import Page
from netsmith.workflows.attributions import Asked, Found, Method

__all__ = ["Check", "check", "write_checks"]

_HEADERS = (
    "method",
    "deletion",
    "by chance",
    "insertion",
    "by chance",
    "shuffled weights",
    "adds up within",
    "verdict",
)
_TEXT = (
    "Deletion takes the parts away, the most important first: the area under the softmax of its score should be "
    "smaller than in random order (Petsiuk et al. 2018). Insertion brings them in: it should be larger. Shuffled "
    "weights: the rank correlation with the explanation of the same network after its weights were shuffled layer by "
    "layer from the output; what stays alike explains the input, not the network (Adebayo et al. 2018). Adds up "
    "within: how far the parts are from the change of the score that they share out."
)
_EXAMPLES = 4  # examples whose explanation is computed again from shuffled weights
_STEPS = 10
_MODES: tuple[Literal["deletion", "insertion"], ...] = ("deletion", "insertion")
_ORDERS = 8  # random orders in all, at least: a single one may be lucky
_FEWEST = 8  # parts; the ranks of fewer are alike by chance
_ALIKE = 0.7  # a rank correlation this high says that the weights hardly matter
_SHARE = 0.05  # of the largest score: an explanation that is off by more does not add up


@dataclass(frozen=True)
class Check:
    """How one method stood its checks.

    Attributes:
        method: Its name.
        deletion: Mean area under the softmax of the score, and that of random order.
        insertion: The same for bringing in.
        shuffled: Rank correlation after each stage of shuffling, from the output down; empty where nothing is learned
            or the parts are too few to rank.
        error: The largest difference from adding up; None where the method need not.
        remark: What the method says of itself.
        faults: What it failed.
        unchecked: What was not checked, and why; empty where all was.
        curves: The softmax of the score by the share of the parts: deletion and insertion, each beside random order.
    """

    method: str
    deletion: tuple[float, float]
    insertion: tuple[float, float]
    shuffled: tuple[float, ...]
    error: float | None
    remark: str
    faults: tuple[str, ...]
    unchecked: str
    curves: tuple[Curve, ...] = field(repr=False)

    def line(self) -> str:
        """Return it as a line for a terminal."""
        told = [
            f"deletion {self.deletion[0]:.3f} (by chance {self.deletion[1]:.3f})",
            f"insertion {self.insertion[0]:.3f} ({self.insertion[1]:.3f})",
        ]
        if self.shuffled:
            told.append(f"shuffled weights {self.shuffled[-1]:.2f}")
        if self.error is not None:
            told.append(f"adds up within {self.error:.1g}")
        told += [self.remark] if self.remark else []
        return f"{self.method}: {', '.join(told)}: {self._verdict('WARNING', 'passes its checks')}"

    def row(self) -> list[str]:
        """Return it as a row under :data:`_HEADERS`."""
        areas = [f"{area:.3f}" for area in (*self.deletion, *self.insertion)]
        alike = " ".join(f"{value:.2f}" for value in self.shuffled)
        error = "" if self.error is None else f"{self.error:.1g}"
        verdict = self._verdict("warning", "passes")
        return [self.method.replace("_", " "), *areas, alike, error, f"{verdict}; {self.remark}".rstrip("; ")]

    def _verdict(self, warning: str, passed: str) -> str:
        told = [f"{warning}: {'; '.join(self.faults)}" if self.faults else passed]
        return "; ".join(told + ([f"not checked: {self.unchecked}"] if self.unchecked else []))


def check(methods: Mapping[str, Method], cases: Sequence[tuple[Asked, Mapping[str, Found]]]) -> list[Check]:
    """Check what some methods found.

    Args:
        methods: The table they are from.
        cases: What was explained, and what each method found; the figures are means over them.
    """
    measured: dict[str, list[_Measured]] = {}
    orders = max(1, _ORDERS // max(1, sum(len(asked.inputs) for asked, _ in cases)))
    for number, (asked, found) in enumerate(cases):
        if not len(asked.inputs):
            continue
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            size = float(asked.module(asked.inputs).abs().max())
        chance = None
        for name, one in found.items():
            if chance is None:
                drawn = [torch.rand(one.scores.shape, generator=generator).to(one.scores) for _ in range(orders)]
                chance = torch.stack([_curves(asked, scores) for scores in drawn]).mean(0)
            error = None if one.error is None else float(one.error.abs().max())
            shuffled, unchecked = _shuffled(methods[name], asked)
            measured.setdefault(name, []).append(
                _Measured(one, _curves(asked, one.scores), chance, shuffled, unchecked, error, size)
            )
    return [_judged(name, several) for name, several in measured.items()]


@dataclass(frozen=True)
class _Measured:
    """One method on one case."""

    found: Found
    curves: Tensor
    chance: Tensor
    shuffled: tuple[float, ...]
    unchecked: str
    error: float | None
    size: float


def _judged(name: str, several: Sequence[_Measured]) -> Check:
    curves, chance = (torch.stack(found) for found in zip(*((one.curves, one.chance) for one in several), strict=True))
    deletion, insertion = _areas(curves)
    deleted, inserted = _areas(chance)
    stages = [one.shuffled for one in several if one.shuffled]
    shuffled = tuple(fmean(values) for values in zip(*stages, strict=True))
    errors = [one.error for one in several if one.error is not None]
    faults = []
    if deletion >= deleted and insertion <= inserted:
        faults.append("what it calls important matters no more than random parts")
    elif deletion >= deleted:
        faults.append("taking away what it calls important lowers the score no more than random parts do")
    elif insertion <= inserted:
        faults.append("bringing in what it calls important raises the score no more than random parts do")
    if shuffled and shuffled[-1] > _ALIKE:
        faults.append("it stays alike when the weights are shuffled: it shows the input more than the network")
    if any(one.error is not None and one.error > _SHARE * one.size for one in several):
        faults.append(f"it does not add up (scores reach {max(one.size for one in several):.3g})")
    faults += dict.fromkeys(one.found.doubt for one in several if one.found.doubt)
    remarks = {one.found.remark for one in several}
    return Check(
        name,
        (deletion, deleted),
        (insertion, inserted),
        shuffled,
        max(errors) if errors else None,
        remarks.pop() if len(remarks) == 1 else "",
        tuple(faults),
        "" if shuffled else several[0].unchecked,
        tuple(
            Curve(f"{mode}{order}", *values)
            for at, mode in enumerate(_MODES)
            for order, values in (("", curves.mean(0)[at].tolist()), (", random order", chance.mean(0)[at].tolist()))
        ),
    )


def write_checks(page: Page, checks: Sequence[Check], notes: Sequence[str]) -> None:
    """Write the checks onto a page, and what else is to be said."""
    if checks:
        page.section("Checks of the explanations", _TEXT)
        page.table(_HEADERS, [one.row() for one in checks], align="l" + "r" * 6 + "l")
        page.figures([(_chart(one), "") for one in checks])
    page.notes(notes)


def _chart(found: Check) -> str:
    return line_chart(
        found.curves, title=found.method.replace("_", " "), x_label="share of the parts", y_label="softmax of score",
        percent=True,
    )  # fmt: skip


def _curves(asked: Asked, scores: Tensor) -> Tensor:
    """Return shares and mean probabilities of each mode: ``(2, 2, S + 1)``."""
    found = []
    for mode in _MODES:
        curve = pixel_curve(
            asked.module, asked.inputs, asked.targets, attributions=scores, mode=mode, fill=asked.fill, steps=_STEPS,
            rows=asked.rows,
        )  # fmt: skip
        found.append(torch.stack([curve.shares, curve.probabilities.mean(0)]))
    return torch.stack(found).double().cpu()


def _areas(curves: Tensor) -> tuple[float, float]:
    """Return the mean area of each mode under ``(C, 2, 2, S + 1)``."""
    deletion, insertion = torch.trapezoid(curves[:, :, 1], curves[:, :, 0]).mean(0).tolist()
    return deletion, insertion


def _shuffled(method: Method, asked: Asked) -> tuple[tuple[float, ...], str]:
    """Return the correlations, or else why there are none."""
    few = asked.first(_EXAMPLES)
    count, keep = few.inputs.shape[1:].numel(), slice(None)
    if few.segments is not None and bool((few.segments < 0).any()):  # what is in no part would be alike in all
        given = few.segments.flatten(1) >= 0
        count = int(given.sum(1).min())
        keep = given[0] if len(given) == 1 else slice(count)  # a graph; texts, padded at their end
    if count < _FEWEST:
        return (), f"shuffled weights (the ranks of {count} parts are alike by chance)"
    if next(asked.module.parameters(), None) is None:
        return (), "shuffled weights (the network has no parameters)"

    def again(module: nn.Module) -> Tensor:
        scores = method.run(replace(few, module=module)).scores
        return scores if scores.dim() > 2 else scores[:, keep]

    generator = torch.Generator().manual_seed(1)
    stages = randomization_check(asked.module, again, generator=generator, stages=method.stages)
    return tuple(stage.correlation for stage in stages), ""
