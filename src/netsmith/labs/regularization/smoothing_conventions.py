"""Label smoothing in its two conventions, and what each asks of the logits."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig
from netsmith.tasks.classify import Classify

__all__ = ["CARD", "SmoothingConventions", "best_gap"]

CARD = {
    "title": "Label smoothing: over all classes, or off the true one",
    "paper": "Szegedy et al. 2016, arXiv:1512.00567, section 7; Mueller et al. 2019, arXiv:1906.02629",
    "shows": "when the two conventions are the same loss, and the logit gap at which each is least",
    "quick": {"examples": 20},
}

Over = Literal["all", "others"]
_OVER: tuple[Over, ...] = ("all", "others")


def best_gap(share: float, classes: int, over: Over) -> float:
    r"""Return by how much the true class's logit exceeds the others' where the smoothed loss is least.

    .. math:: \log \frac{q_y}{q_k}: \quad \log \Big(1 + \frac{K (1 - \epsilon)}{\epsilon}\Big) \text{ over all}, \quad
              \log \frac{(K - 1)(1 - \epsilon)}{\epsilon} \text{ over the others}

    Args:
        share: epsilon, in (0, 1).
        classes: K.
        over: The convention.

    Example:
        >>> round(best_gap(0.1, 10, "all"), 4), round(best_gap(0.1, 10, "others"), 4)
        (4.5109, 4.3944)
    """
    if over == "all":
        return math.log(1 + classes * (1 - share) / share)
    return math.log((classes - 1) * (1 - share) / share)


class SmoothingConventions:
    r"""Give random logits to the loss of the task ``classify`` under both conventions.

    Over all K classes each gets :math:`\epsilon / K`, the true one too; off the true class each other gets
    :math:`\epsilon' / (K - 1)`. They are one loss where :math:`\epsilon = \epsilon' K / (K - 1)`.
    """

    class Config(LabConfig):
        """The losses.

        Attributes:
            classes: K.
            shares: Those of the convention off the true class, epsilon'; at (K - 1) / K all classes would be alike.
            examples: Rows of random logits.
            seed: Of the logits and labels.
        """

        classes: int = Field(default=10, ge=2, le=10_000)
        shares: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = Field(
            default=(0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4), min_length=1
        )
        examples: int = Field(default=1000, ge=1, le=100_000)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> SmoothingConventions.Config:
            most = (self.classes - 1) / self.classes
            if max(self.shares) >= most:
                raise ValueError(f"shares must be below (classes - 1) / classes = {most:g}, got {max(self.shares):g}")
            return self

    def __init__(self, config: SmoothingConventions.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return how far the conventions are apart at equal and at converted shares, and where each is least."""
        classes, shares = self.config.classes, tuple(sorted(set(self.config.shares)))
        generator = torch.Generator().manual_seed(self.config.seed)
        logits = 3 * torch.randn(self.config.examples, classes, dtype=torch.float64, generator=generator)
        labels = torch.randint(classes, (self.config.examples,), generator=generator)
        rows, gaps, slopes, errors = [], {"all": [], "others": []}, [], []
        for share in shares:
            written = {over: _written_out(logits, labels, share, over) for over in _OVER}  # (B,) each
            for over in _OVER:
                gaps[over].append(best_gap(share, classes, over))
                slopes.append(_slope(gaps[over][-1], share, classes, over))
                errors.append(abs(_loss(logits, labels, share, over) - float(written[over].mean())))
            converted = share * classes / (classes - 1)
            difference = abs(_loss(logits, labels, converted, "all") - float(written["others"].mean()))
            rows.append((share, converted, difference, float((written["all"] - written["others"]).abs().mean())))
        numbers = {
            "shares": shares,
            "converted": tuple(row[1] for row in rows),
            "converted_difference": tuple(row[2] for row in rows),
            "same_difference": tuple(row[3] for row in rows),
            "task_error": max(errors),
            "gap/all": tuple(gaps["all"]),
            "gap/others": tuple(gaps["others"]),
            "greatest_slope": max(slopes),
        }
        chart = Lines(
            "gaps",
            "The logit gap at which the loss is least",
            "share that is spread",
            "true logit above each other",
            (
                Series("over all classes", shares, tuple(gaps["all"])),
                Series("off the true one", shares, tuple(gaps["others"])),
            ),
            caption=f"{classes} classes; the other logits are equal.",
        )
        table = Grid(
            "The two conventions on random logits",
            ("share off the true class", "same loss over all at", "difference there", "difference at the same share"),
            tuple(rows),
            f"In nats, over {self.config.examples} rows: of the mean loss, and the mean of each row's.",
        )
        most, same = max(row[2] for row in rows), [row[3] for row in rows]
        remarks = (
            f"Over all classes at K / (K - 1) = {classes / (classes - 1):.6g} times the share, the loss differs from "
            f"that off the true class by at most {most:.2g} nat.",
            f"At the same share a row's losses differ by {same[0]:.3g} nat on average at share {shares[0]:g}, and by "
            f"{same[-1]:.3g} at {shares[-1]:g}.",
            f"The task's loss is that of the written-out targets to within {max(errors):.2g} nat under both.",
            f"The loss is least at a gap of {gaps['all'][0]:.4g} (over all) and {gaps['others'][0]:.4g} (off the true) "
            f"at share {shares[0]:g}, and of {gaps['all'][-1]:.4g} and {gaps['others'][-1]:.4g} at {shares[-1]:g}; "
            f"there its slope is at most {numbers['greatest_slope']:.2g}.",
        )
        return Findings(numbers, (chart,), (table,), remarks)


def _task(share: float, over: Over) -> Classify:
    return Classify.Config(label_smoothing=share, smoothing_over=over).build()


def _loss(logits: Tensor, labels: Tensor, share: float, over: Over) -> float:
    total, weight = _task(share, over).loss(logits, labels)
    return float(total) / float(weight)


def _written_out(logits: Tensor, labels: Tensor, share: float, over: Over) -> Tensor:
    """Return each row's cross entropy with the smoothed target written out, ``(B,)``."""
    classes = logits.shape[1]
    true = torch.nn.functional.one_hot(labels, classes).double()  # (B, K)
    others = (1 - true) / (classes - 1) if over == "others" else torch.full_like(true, 1 / classes)
    return -(((1 - share) * true + share * others) * logits.log_softmax(1)).sum(1)


def _slope(gap: float, share: float, classes: int, over: Over) -> float:
    """Return the greatest derivative of the loss by a logit, with the true one ``gap`` above the others."""
    logits = torch.zeros(1, classes, dtype=torch.float64)
    logits[0, 0] = gap
    logits.requires_grad_()
    (slope,) = torch.autograd.grad(_task(share, over).loss(logits, torch.zeros(1, dtype=torch.int64)).total, logits)
    return float(slope.abs().max())
