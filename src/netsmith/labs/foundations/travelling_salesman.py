"""The Hopfield-Tank network on the travelling salesman's problem, against the shortest tour."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.errors import ConfigError
from netsmith.core.findings import Findings, Grid, Histograms, Number, Panel, Points, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig, ModelConfig
from netsmith.models.foundations.hopfield_tsp import HopfieldTsp, Tours, best_tour, tour_length

__all__ = ["CARD", "TravellingSalesman"]

CARD = {
    "title": "The travelling salesman's network",
    "paper": "Hopfield & Tank 1985, Biological Cybernetics 52, 141-152",
    "shows": "how often the network ends in a tour, and how long its tours are beside the shortest and random ones",
    "quick": {"cities": 5, "layouts": 2, "trials": 5, "model.steps": 200},
}

_RANDOM = 10_000  # random tours that lengths are compared with
_BINS = 20


class TravellingSalesman:
    """Let the network run from many starts on cities at random places in a unit square, with the paper's constants.

    The shortest tour is found by going through all of them.

    Raises:
        ConfigError: ``model`` is no ``hopfield_tsp``.
    """

    class Config(LabConfig):
        """The cities and the trials.

        Attributes:
            cities: How many.
            layouts: Sets of cities.
            trials: Starts for each.
            model: A ``hopfield_tsp``: the network's constants.
            seed: Of the places and the starts.
        """

        cities: int = Field(default=10, ge=4, le=10)
        layouts: int = Field(default=3, ge=1, le=10)
        trials: int = Field(default=100, ge=1, le=10_000)
        model: ModelConfig = HopfieldTsp.Config()
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: TravellingSalesman.Config) -> None:
        if not isinstance(config.model, HopfieldTsp.Config):
            raise ConfigError(f"model={config.model!r}: expected a hopfield_tsp, whose fields are the constants")
        self.config = config

    def run(self) -> Findings:
        """Return tours, lengths, and how many trials end in one."""
        config = self.config
        rows, figures, panels = [], [], []
        numbers: dict[str, Number | tuple[Number, ...]] = {}
        everything: list[float] = []
        for layout in range(config.layouts):
            generator = torch.Generator().manual_seed(key(config.seed, "cities", layout))
            places = torch.rand(config.cities, 2, generator=generator, dtype=torch.float64)
            distances = torch.linalg.vector_norm(places[:, None] - places, dim=2)
            model = config.model.build()
            found = model(distances, model.starts(config.trials, cities=config.cities, generator=generator))
            order, best = best_tour(distances)
            ratios = (found.lengths[found.valid] / best).tolist()
            chance = _random_lengths(distances, generator) / best
            everything += ratios
            figures.append(_map(layout + 1, places, order, best, found))
            rows.append(
                (
                    layout + 1,
                    len(ratios),
                    sum(ratio < 1 + 1e-9 for ratio in ratios),
                    min(ratios, default=None),
                    sum(ratios) / len(ratios) if ratios else None,
                    float(chance.mean()),
                    best,
                )
            )
            panels.append((f"{layout + 1}: random", chance.tolist()))
            panels.append((f"{layout + 1}: network", ratios))
        valid = [row[1] for row in rows]
        numbers |= {
            "valid": tuple(valid),
            "optimal": tuple(row[2] for row in rows),
            "best_ratio": tuple(row[3] for row in rows),
            "mean_ratio": tuple(row[4] for row in rows),
            "random_ratio": tuple(row[5] for row in rows),
            "shortest": tuple(row[6] for row in rows),
        }
        total = config.trials * config.layouts
        remarks = [f"{sum(valid)} of {total} trials end in a tour ({100 * sum(valid) / total:.1f} %)."]
        if everything:
            remarks.append(
                f"Those tours are {min(everything):.2f} to {max(everything):.2f} times as long as the shortest one, "
                f"{sum(everything) / len(everything):.2f} times on average; random tours "
                f"{sum(row[5] for row in rows) / len(rows):.2f} times. Of the shortest length: "
                f"{sum(row[2] for row in rows)} of {len(everything)}."
            )
        high = max(max(values, default=1.0) for _, values in panels)
        histogram = Histograms(
            "lengths",
            "Length of tours, in units of the shortest",
            "length / shortest",
            1.0,
            high,
            tuple(Panel(name, _shares(values, high)) for name, values in panels if values),
            caption=f"{_RANDOM} random tours, and the trials that end in a tour; each panel's tallest bar has the full "
            "height.",
        )
        table = Grid(
            f"{config.trials} trials on each of {config.layouts} layouts of {config.cities} cities",
            (
                "layout",
                "tours",
                "of them shortest",
                "best / shortest",
                "mean / shortest",
                "random / shortest",
                "shortest",
            ),
            tuple(rows),
        )
        return Findings(numbers, (*figures, histogram), (table,), tuple(remarks))


def _random_lengths(distances: Tensor, generator: torch.Generator) -> Tensor:
    orders = torch.rand(_RANDOM, len(distances), generator=generator).argsort(1)
    return tour_length(distances, orders)


def _shares(values: list[float], high: float) -> tuple[float, ...]:
    counts = torch.histc(torch.tensor(values, dtype=torch.float64), bins=_BINS, min=1.0, max=high)
    return tuple((counts / len(values)).tolist())


def _map(number: int, places: Tensor, order: Tensor, best: float, found: Tours) -> Points:
    def line(name: str, cities: Tensor) -> Series:
        xs, ys = places[torch.cat([cities, cities[:1]])].T.tolist()
        return Series(name, tuple(xs), tuple(ys))

    tours = [line(f"shortest ({best:.3f})", order)]
    lengths = found.lengths[found.valid]
    if len(lengths):
        middle = int(lengths.argsort()[len(lengths) // 2])
        tours.append(line(f"network's median ({float(lengths[middle]):.3f})", found.orders[found.valid][middle]))
    xs, ys = places.T.tolist()
    return Points(
        f"tours_{number}",
        f"Layout {number}: {len(places)} cities in a unit square",
        "east",
        "north",
        (Series("cities", tuple(xs), tuple(ys)),),
        tuple(tours),
        equal=True,
        caption=f"{len(lengths)} of {len(found.valid)} trials end in a tour.",
    )
