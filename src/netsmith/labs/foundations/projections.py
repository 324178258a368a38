"""Digits and a rolled-up sheet in the plane, by six projections."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Points, Series
from netsmith.core.roles import LabConfig
from netsmith.data.digits import Digits
from netsmith.explain.eigen_projections import classical_scaling, discriminants
from netsmith.explain.manifolds import isomap, locally_linear, metric_scaling, stress
from netsmith.explain.projections import Projection, feature_rows, judged, principal_components

__all__ = ["CARD", "Projections"]

CARD = {
    "title": "Five projections of digits and of a rolled-up sheet",
    "paper": "Pearson 1901; Fisher 1936; Torgerson 1952; Kruskal 1964; Tenenbaum et al. 2000; Roweis & Saul 2000",
    "shows": "what principal components, discriminants, metric scaling, Isomap and local weights make of both",
    "quick": {"count": 20, "points": 150},
}

_NAMES = {
    "pca": "Principal components",
    "lda": "Linear discriminants",
    "mds": "Metric scaling",
    "isomap": "Isomap",
    "lle": "Locally linear embedding",
}
_BANDS = 4
_TURNS = (1.5 * math.pi, 4.5 * math.pi)


class Projections:
    """Points of the plane for images of a few digits (64 pixels), and for points of a sheet rolled up in space.

    A projection is judged by its trustworthiness (1 where every neighbor in the plane is a neighbor among the
    features), for the sheet also by how well its first axis follows the way along the roll (Spearman's correlation).
    Discriminants need classes, so the sheet has none. Classical scaling of the distances is compared with the
    principal components.
    """

    class Config(LabConfig):
        """What is projected.

        Attributes:
            digits: The classes shown, at most five.
            count: Images of each, at most.
            points: Points of the sheet.
            around: Neighbors of Isomap and locally linear embedding, among the images.
            around_sheet: The same, among the points of the sheet.
            seed: Of the sheet's points.
        """

        digits: tuple[int, ...] = Field(default=(0, 1, 2, 3, 4), min_length=3, max_length=5)
        count: int = Field(default=100, ge=10, le=150)
        points: int = Field(default=1000, ge=50, le=3000)
        around: int = Field(default=20, ge=3, le=100)
        around_sheet: int = Field(default=8, ge=3, le=100)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: Projections.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the planes, how well they keep neighbors, and what they show."""
        images, labels = self._digits()
        sheet, along = self._sheet()
        numbers: dict[str, float] = {}
        figures, rows = [], []
        for data, features in (("digits", images), ("sheet", sheet)):
            for key, project in self._methods(features, labels if data == "digits" else None).items():
                found = project()
                numbers[f"trustworthiness/{data}/{key}"] = found.trustworthiness
                row: list[str | float | None] = [_NAMES[key], data, found.trustworthiness, None]
                if data == "digits":
                    groups = [(f"digit {digit}", labels == digit) for digit in sorted(self.config.digits)]
                else:
                    row[3] = numbers[f"follows/{key}"] = abs(_rank_correlation(found.points[:, 0], along))
                    edges = torch.linspace(*_TURNS, _BANDS + 1)
                    parts = pairwise(edges.tolist())
                    groups = [
                        (f"quarter {at} of the roll", (along >= a) & (along <= b)) for at, (a, b) in enumerate(parts, 1)
                    ]
                rows.append(tuple(row))
                figures.append(_figure(key, data, found, groups))
        shares = principal_components(images).shares
        numbers |= {"share/1": shares[0], "share/2": shares[1]}
        distances = torch.cdist(images, images)
        scaled, flat = classical_scaling(distances, count=2).points, principal_components(images).points
        turned = scaled * (scaled * flat).sum(0).sign()
        numbers["classical_scaling_from_pca"] = float((turned - flat).abs().max())
        numbers["stress/classical"] = stress(distances, scaled)
        numbers["stress/metric"] = stress(distances, metric_scaling(images).points)
        table = Grid(
            "How much of the arrangement is kept",
            ("projection", "data", "trustworthiness (0 to 1)", "first axis along the roll (Spearman, 0 to 1)"),
            tuple(rows),
        )
        return Findings(numbers, tuple(figures), (table,), _remarks(numbers))

    def _digits(self) -> tuple[Tensor, Tensor]:
        source = Digits.Config(normalize=False).build()
        size = next(part.size for part in source.spec.splits if part.name == "train")
        batch = source.load("train", torch.arange(size))
        chosen = torch.cat(
            [(batch.targets == one).nonzero()[: self.config.count, 0] for one in sorted(self.config.digits)]
        )
        return batch.inputs.flatten(1)[chosen].double(), batch.targets[chosen]

    def _sheet(self) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(self.config.seed)
        draws = torch.rand(self.config.points, 2, generator=generator).double()
        along = _TURNS[0] + (_TURNS[1] - _TURNS[0]) * draws[:, 0]
        return torch.stack([along * along.cos(), 21 * draws[:, 1], along * along.sin()], 1), along

    def _methods(self, features: Tensor, labels: Tensor | None) -> dict[str, Callable[[], Projection]]:
        def by_classes() -> Projection:
            assert labels is not None
            rows = feature_rows(features, least=4)
            return judged(rows, discriminants(features, labels, count=2).points.numpy(), 5)

        around = self.config.around_sheet if labels is None else self.config.around
        methods: dict[str, Callable[[], Projection]] = {"pca": lambda: principal_components(features)}
        if labels is not None:
            methods["lda"] = by_classes
        return methods | {
            "mds": lambda: metric_scaling(features),
            "isomap": lambda: isomap(features, around=around),
            "lle": lambda: locally_linear(features, around=around),
        }


def _figure(key: str, data: str, found: Projection, groups: list[tuple[str, Tensor]]) -> Points:
    axes = [f"{which} axis" for which in ("first", "second")]
    if found.shares:
        axes = [f"{name}, {100 * share:.3g} % of the variance" for name, share in zip(axes, found.shares, strict=True)]
    series = (Series(name, *(tuple(found.points[at, axis].tolist()) for axis in (0, 1))) for name, at in groups)
    return Points(
        f"{data}_{key}",
        f"{_NAMES[key]}: {data}",
        axes[0],
        axes[1],
        tuple(series),
        caption=f"Trustworthiness {found.trustworthiness:.3f} over {found.neighbors} neighbors.",
    )


def _rank_correlation(one: Tensor, other: Tensor) -> float:
    ranks = torch.stack([part.argsort().argsort().double() for part in (one, other)])
    return float(torch.corrcoef(ranks)[0, 1])


def _remarks(numbers: dict[str, float]) -> tuple[str, ...]:
    remarks = []
    for data in ("digits", "sheet"):
        found = {key: numbers[name] for key in _NAMES if (name := f"trustworthiness/{data}/{key}") in numbers}
        order = sorted(found, key=lambda key: -found[key])
        kept = ", ".join(f"{_NAMES[key].lower().replace('isomap', 'Isomap')} {found[key]:.3f}" for key in order)
        remarks.append(f"Trustworthiness on the {data}: {kept}.")
    follows = {key: numbers[f"follows/{key}"] for key in _NAMES if f"follows/{key}" in numbers}
    best = max(follows, key=follows.__getitem__)
    remarks += [
        "How well the first axis follows the roll: "
        + ", ".join(f"{_NAMES[key]} {value:.3f}" for key, value in follows.items())
        + f"; best is {_NAMES[best]}.",
        f"Two principal components hold {100 * (numbers['share/1'] + numbers['share/2']):.3g} % of the variance of the "
        "digits.",
        f"Classical scaling of the digits' distances differs from the principal components by at most "
        f"{numbers['classical_scaling_from_pca']:.1g}; its stress is {numbers['stress/classical']:.3f}, that of metric "
        f"scaling {numbers['stress/metric']:.3f}.",
    ]
    return tuple(remarks)
