"""Whether an explanation may be believed: each is put to the checks that it must pass, and told if it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from netsmith.explain.sanity import pixel_curve, randomization_check
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
    "Deletion takes the parts away, the most important first: the area under the probability should be smaller than in "
    "random order (Petsiuk et al. 2018). Insertion brings them in: it should be larger. Shuffled weights: the rank "
    "correlation with the explanation of the same network after its weights were shuffled layer by layer from the "
    "output; what stays alike explains the input, not the network (Adebayo et al. 2018). Adds up within: how far the "
    "parts are from the change of the score that they share out."
)
_EXAMPLES = 4  # examples whose explanation is computed again from shuffled weights
_STEPS = 10
_FEWEST = 8  # parts; the ranks of fewer are alike by chance
_ALIKE = 0.7  # a rank correlation this high says that the weights hardly matter
_SHARE = 0.05  # of the largest score: an explanation that is off by more does not add up


@dataclass(frozen=True)
class Check:
    """How one method stood its checks.

    Attributes:
        method: Its name.
        deletion: Mean area under the probability, and that of random order.
        insertion: The same for bringing in.
        shuffled: Rank correlation after each stage of shuffling, from the output down; empty where nothing is learned
            or the parts are too few to rank.
        error: The largest difference from adding up; None where the method need not.
        remark: What the method says of itself.
        faults: What it failed.
    """

    method: str
    deletion: tuple[float, float]
    insertion: tuple[float, float]
    shuffled: tuple[float, ...]
    error: float | None
    remark: str
    faults: tuple[str, ...]

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
        verdict = f"WARNING: {'; '.join(self.faults)}" if self.faults else "passes its checks"
        return f"{self.method}: {', '.join(told)}: {verdict}"

    def row(self) -> list[str]:
        """Return it as a row under :data:`_HEADERS`."""
        areas = [f"{area:.3f}" for area in (*self.deletion, *self.insertion)]
        alike = " ".join(f"{value:.2f}" for value in self.shuffled)
        error = "" if self.error is None else f"{self.error:.1g}"
        verdict = f"warning: {'; '.join(self.faults)}" if self.faults else "passes"
        return [self.method.replace("_", " "), *areas, alike, error, f"{verdict}; {self.remark}".rstrip("; ")]


def check(methods: Mapping[str, Method], asked: Asked, found: Mapping[str, Found]) -> list[Check]:
    """Check what some methods found.

    Args:
        methods: The table they are from.
        asked: What was explained.
        found: What they found.
    """
    if not len(asked.inputs) or not found:
        return []
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        size = float(asked.module(asked.inputs).abs().max())
    chance = None
    checks = []
    for name, one in found.items():
        if chance is None:
            order = torch.rand(one.scores.shape, generator=generator).to(one.scores)
            chance = _areas(asked, order)
        ours = _areas(asked, one.scores)
        shuffled = _shuffled(methods[name], asked)
        error = None if one.error is None else float(one.error.abs().max())
        faults = []
        if ours[0] >= chance[0] and ours[1] <= chance[1]:
            faults.append("what it calls important matters no more than random parts")
        elif ours[0] >= chance[0]:
            faults.append("taking away what it calls important lowers the probability no more than random parts do")
        if shuffled and shuffled[-1] > _ALIKE:
            faults.append("it stays alike when the weights are shuffled: it shows the input more than the network")
        if error is not None and error > _SHARE * size:
            faults.append(f"it does not add up (scores reach {size:.3g})")
        if one.doubt:
            faults.append(one.doubt)
        checks.append(
            Check(name, (ours[0], chance[0]), (ours[1], chance[1]), shuffled, error, one.remark, tuple(faults))
        )
    return checks


def write_checks(page: Page, checks: Sequence[Check], notes: Sequence[str]) -> None:
    """Write the checks onto a page, and what else is to be said."""
    if checks:
        page.section("Checks of the explanations", _TEXT)
        page.table(_HEADERS, [one.row() for one in checks], align="l" + "r" * 6 + "l")
    page.notes(notes)


def _areas(asked: Asked, scores: Tensor) -> tuple[float, float]:
    areas = []
    for mode in ("deletion", "insertion"):
        curve = pixel_curve(
            asked.module, asked.inputs, asked.targets, attributions=scores, mode=mode, fill=asked.fill, steps=_STEPS
        )
        areas.append(float(curve.area.mean()))
    return areas[0], areas[1]


def _shuffled(method: Method, asked: Asked) -> tuple[float, ...]:
    few = asked.first(_EXAMPLES)
    count = few.inputs.shape[1:].numel()
    if not few.inputs.is_floating_point() and few.segments is not None:  # padding would be alike in all
        count = int((few.segments >= 0).sum(1).min())
    if count < _FEWEST:
        return ()

    def again(module: nn.Module) -> Tensor:
        scores = method.run(replace(few, module=module)).scores
        return scores if scores.dim() > 2 else scores[:, :count]

    generator = torch.Generator().manual_seed(1)
    stages = randomization_check(asked.module, again, generator=generator, stages=method.stages)
    return tuple(stage.correlation for stage in stages)
