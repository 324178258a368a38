"""Digits stored in a Hopfield network, corrupted, and recalled."""

from __future__ import annotations

from itertools import pairwise

import torch
from pydantic import Field
from torch import Tensor

from netsmith.core.findings import Findings, Grid, Lines, Number, Pictures, Series
from netsmith.core.keys import key
from netsmith.core.roles import LabConfig
from netsmith.labs.foundations._digits import SIDE, picture, read_digits
from netsmith.models.foundations.hopfield import Hopfield, modern_update

__all__ = ["CARD", "HopfieldRecall"]

CARD = {
    "title": "A memory that is addressed by its content",
    "paper": "Hopfield 1982, PNAS 79; Ramsauer et al. 2020, arXiv:2008.02217",
    "shows": "corrupted digits before and after recall, by Hebb's weights and by attention, and the energy on the way",
    "quick": {"trials": 2},
}

_STEPS = 10  # most updates of the continuous form


class HopfieldRecall:
    """Store one image of each of some classes, turn over a share of their pixels, and let the network fall to rest.

    Digits resemble each other, so that Hebb's rule confuses them long before it would random patterns. The continuous
    form keeps the patterns themselves, and attends to the one that is most like its state.
    """

    class Config(LabConfig):
        """What is stored, and how it is corrupted.

        Attributes:
            stored: How many digits, 0 upwards, the pictures are of.
            flipped: Share of the pixels that are turned over.
            trials: Corrupted copies of each digit.
            beta: Inverse temperature of the continuous form.
            seed: Of the images chosen, the noise and the order of updates.
        """

        stored: int = Field(default=3, ge=2, le=10)
        flipped: float = Field(default=0.15, ge=0, le=0.5)
        trials: int = Field(default=100, ge=1, le=10_000)
        beta: float = Field(default=0.5, gt=0)
        seed: int = Field(default=0, ge=0)

    def __init__(self, config: HopfieldRecall.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return pictures, energies, and how much is recalled by how many are stored."""
        generator = torch.Generator().manual_seed(key(self.config.seed, "digits"))
        digits = self._digits(generator)
        counts = tuple(range(2, 11))
        hebb, modern = zip(*(self._agreement(digits[:count], generator) for count in counts), strict=True)
        xs = tuple(map(float, counts))
        start = 1 - round(self.config.flipped * SIDE * SIDE) / SIDE**2
        chart = Lines(
            "agreement",
            "Pixels that agree with the stored digit",
            "digits stored",
            "share of pixels",
            (
                Series("Hebb's weights", xs, hebb),
                Series("continuous (attention)", xs, modern),
                Series("as corrupted", xs, (start,) * len(xs)),
            ),
            caption=f"Mean over {self.config.trials} corrupted copies of each digit, after recall.",
        )
        pictures, energies, settled = self._shown(digits[: self.config.stored], generator)
        at = counts.index(self.config.stored)
        perfect = [count for place, count in enumerate(counts) if min(hebb[: place + 1]) > 0.999]
        worse = next((count for place, count in enumerate(counts) if max(hebb[place:]) < start), None)
        remarks = [
            f"With {self.config.stored} digits stored and {100 * (1 - start):.3g} % of the pixels turned over, "
            f"{100 * hebb[at]:.1f} % agree after recall by Hebb's weights, {100 * modern[at]:.1f} % by the continuous "
            "form.",
            f"Hebb's weights recall more than 99.9 % with up to {max(perfect)} of these digits."
            if perfect
            else "Hebb's weights recall fewer than 99.9 % of the pixels with the smallest number of digits already.",
        ]
        if worse:
            remarks.append(f"From {worse} digits on, Hebb's recall agrees less than what it started from.")
        rises = sum(after > before for line in energies.series for before, after in pairwise(line.ys))
        remarks.append(
            f"The energy of the {len(energies.series)} copies shown rises in {rises} of all sweeps, and "
            f"{settled} of them come to rest."
        )
        numbers: dict[str, Number | tuple[Number, ...]] = {
            "agreement/start": start,
            "agreement/hebb": hebb,
            "agreement/modern": modern,
            "energy_rises": rises,
        }
        table = Grid(
            "Share of pixels that agree after recall",
            ("digits stored", "Hebb's weights", "continuous (attention)"),
            tuple(zip(counts, hebb, modern, strict=True)),
        )
        return Findings(numbers, (pictures, chart, energies), (table,), tuple(remarks))

    def _digits(self, generator: torch.Generator) -> Tensor:
        """Return one image of each class, ``(10, 64)`` of -1 and 1."""
        images, labels = read_digits()
        order = torch.randperm(len(labels), generator=generator)
        first = [order[labels[order] == digit][0] for digit in range(10)]
        return torch.where(images[torch.stack(first)] > 0.5, 1.0, -1.0)

    def _corrupted(self, digits: Tensor, trials: int, generator: torch.Generator) -> Tensor:
        """Return ``(trials * P, 64)``; each copy has as many pixels turned over."""
        copies = digits.repeat(trials, 1)
        count = round(self.config.flipped * copies.shape[1])
        places = torch.rand(copies.shape, generator=generator).argsort(1)[:, :count]
        return copies.scatter(1, places, -copies.gather(1, places))

    def _agreement(self, digits: Tensor, generator: torch.Generator) -> tuple[float, float]:
        start = self._corrupted(digits, self.config.trials, generator)
        wanted = digits.repeat(self.config.trials, 1)
        recalled = _memory(digits).recall(start, generator=generator).states
        return float((recalled == wanted).double().mean()), float(
            (self._attend(start, digits) == wanted).double().mean()
        )

    def _attend(self, states: Tensor, digits: Tensor) -> Tensor:
        for _ in range(_STEPS):
            states = modern_update(states, digits, beta=self.config.beta)
        return torch.where(states > 0, 1.0, -1.0)

    def _shown(self, digits: Tensor, generator: torch.Generator) -> tuple[Pictures, Lines, int]:
        start = self._corrupted(digits, 1, generator)
        found = _memory(digits).recall(start, generator=generator)
        rows = (
            ("stored", digits),
            ("corrupted", start),
            ("Hebb", found.states),
            ("attention", self._attend(start, digits)),
        )
        pictures = Pictures(
            "recall",
            f"{len(digits)} digits, before and after",
            tuple(picture(name, one) for name, row in rows for one in row),
            low=-1.0,
            high=1.0,
            columns=len(digits),
            caption=f"{round(self.config.flipped * SIDE * SIDE)} of {SIDE**2} pixels are turned over; recalled from "
            f"Hebb's weights, and by attention with beta = {self.config.beta:g}.",
        )
        sweeps = tuple(map(float, range(len(found.energies))))
        energies = Lines(
            "energy",
            "Energy on the way to rest",
            "sweep over all units",
            "energy",
            tuple(
                Series(f"digit {digit}", sweeps, tuple(found.energies[:, digit].tolist()))
                for digit in range(min(5, len(digits)))
            ),
            caption="Hebb's weights, unit after unit in random order; one line for each corrupted digit"
            + (", of the first five." if len(digits) > 5 else "."),
        )
        return pictures, energies, int(found.settled[: len(energies.series)].sum())


def _memory(digits: Tensor) -> Hopfield:
    memory = Hopfield.Config(in_features=digits.shape[1]).build()
    memory.store(digits)
    return memory
