"""How many units a deep and a shallow network need for the very same function."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from netsmith.core.findings import Findings, Grid, Lines, Series
from netsmith.core.roles import LabConfig

__all__ = [
    "CARD",
    "DeepAndShallow",
    "deep_sawtooth",
    "parity_of_sums",
    "parity_of_terms",
    "parity_tree",
    "pieces",
    "shallow_sawtooth",
]

CARD = {
    "title": "Deep against shallow, at the same function",
    "paper": "Telgarsky 2016, arXiv:1602.04485; Hastad 1986; Montufar et al. 2014, arXiv:1402.1869",
    "shows": "the hidden units of deep and shallow networks built for a sawtooth and for the parity of n bits",
    "quick": {"layers": 3, "bits": 3},
}


@dataclass(frozen=True)
class Answers:
    """What a network answers, and what it is made of.

    Attributes:
        values: Its answers.
        units: Its hidden units.
    """

    values: np.ndarray
    units: int


def deep_sawtooth(x: np.ndarray, *, layers: int) -> Answers:
    r"""Return the tent map :math:`t(x) = 2 r(x) - 4 r(x - 1/2)` applied ``layers`` times; r is ReLU.

    Each layer has two units and folds the interval [0, 1] once more, so n layers make :math:`2^n` straight pieces.

    Args:
        x: ``(N,)`` in 0..1.
        layers: How often, n above.
    """
    for _ in range(layers):
        x = 2 * np.maximum(x, 0) - 4 * np.maximum(x - 0.5, 0)
    return Answers(x, 2 * layers)


def shallow_sawtooth(x: np.ndarray, *, teeth: int) -> Answers:
    """Return the same function as a sum of ReLU: one unit for each change of slope.

    A hidden layer of m units has at most m kinks, and n pieces have n - 1 between them: at best one fewer would do.

    Args:
        x: ``(N,)`` in 0..1.
        teeth: Straight pieces between 0 and 1, as many up as down.
    """
    kinks = np.arange(teeth) / teeth
    slopes = np.where(np.arange(teeth) % 2 == 0, teeth, -teeth).astype(np.float64)
    changes = np.diff(slopes, prepend=0.0)
    return Answers(np.maximum(x[:, None] - kinks, 0) @ changes, teeth)


def pieces(values: np.ndarray, *, tolerance: float = 1e-9) -> int:
    """Return how many straight pieces a function has on an even grid that has a point at each of its kinks.

    Args:
        values: ``(N,)`` on the grid.
        tolerance: Differences of slope, from one grid step to the next, that count as none.
    """
    return 1 + int((np.abs(np.diff(values, n=2)) > tolerance).sum())


def parity_tree(bits: np.ndarray) -> Answers:
    """Return the parity of n bits by a tree of XORs, three threshold units each: ``(a or b) and not (a and b)``.

    Args:
        bits: ``(N, n)`` of 0 and 1.
    """
    columns, units = list(bits.T), 0
    while len(columns) > 1:
        joined = [
            (((a + b) >= 1).astype(int) - ((a + b) >= 2).astype(int) >= 1).astype(int)
            for a, b in zip(columns[::2], columns[1::2], strict=False)
        ]
        units += 3 * len(joined)
        columns = joined + columns[len(columns) // 2 * 2 :]
    return Answers(columns[0], max(0, units - 1))  # the last unit is the output


def parity_of_sums(bits: np.ndarray) -> Answers:
    """Return the parity of n bits by one hidden layer that counts: unit k is on where at least k bits are 1.

    The output adds them with signs in turn, so that it is 1 for an odd count. Threshold units of any weights are no
    ANDs: here depth gives nothing.

    Args:
        bits: ``(N, n)`` of 0 and 1.
    """
    counts = np.arange(1, bits.shape[1] + 1)
    hidden = (bits.sum(1)[:, None] >= counts).astype(int)  # (N, n)
    return Answers((hidden @ np.where(counts % 2, 1, -1) >= 1).astype(int), len(counts))


def parity_of_terms(bits: np.ndarray) -> Answers:
    """Return the parity of n bits as an OR of ANDs: a hidden unit for each row of the truth table with an odd sum.

    No fewer ANDs do: one that leaves a bit open would also say yes to a neighbor, whose parity is the other.

    Args:
        bits: ``(N, n)`` of 0 and 1.
    """
    odd = [row for row in itertools.product((0, 1), repeat=bits.shape[1]) if sum(row) % 2]
    signs = 2 * np.array(odd) - 1  # (M, n)
    hidden = bits @ signs.T >= np.array(odd).sum(1)  # each is on for its own row alone
    return Answers(hidden.any(1).astype(int), len(odd))


class DeepAndShallow:
    """Build both networks exactly, check on every input that they agree, and count their units.

    Nothing is learned: the weights are known. That a function *has* a small deep network does not say that a gradient
    finds it.
    """

    class Config(LabConfig):
        """How far it is counted.

        Attributes:
            layers: The deepest sawtooth, in layers.
            bits: The longest parity.
        """

        layers: int = Field(default=10, ge=2, le=14)
        bits: int = Field(default=12, ge=2, le=13)

    def __init__(self, config: DeepAndShallow.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return units by pieces and by bits, the largest disagreement, and one of the functions."""
        layers, bits = range(1, self.config.layers + 1), range(2, self.config.bits + 1)
        teeth, deep, shallow, apart = [], [], [], 0.0
        for count in layers:
            x = np.arange(2**count * 8 + 1) / (2**count * 8)
            a, b = deep_sawtooth(x, layers=count), shallow_sawtooth(x, teeth=2**count)
            apart = max(apart, float(np.abs(a.values - b.values).max()))
            teeth.append(pieces(a.values))
            deep.append(a.units)
            shallow.append(b.units)
        tree, sums, terms, wrong = [], [], [], 0
        for count in bits:
            rows = np.array(list(itertools.product((0, 1), repeat=count)))
            wanted = rows.sum(1) % 2
            for of, units in ((parity_tree, tree), (parity_of_sums, sums), (parity_of_terms, terms)):
                answers = of(rows)
                wrong += int((answers.values != wanted).sum())
                units.append(answers.units)
        shown = np.arange(129) / 128
        curves = tuple(
            Series(
                f"{count} layer{'s' * (count > 1)}",
                tuple(shown.tolist()),
                tuple(deep_sawtooth(shown, layers=count).values.tolist()),
            )
            for count in range(1, min(4, self.config.layers) + 1)
        )
        figures = (
            Lines("sawtooth", "Each layer folds once more", "x", "answer", curves),
            _counts("pieces", "Units for a sawtooth", "straight pieces", teeth, {"deep": deep, "one layer": shallow}),
            _counts(
                "parity",
                "Units for a parity, as built",
                "bits",
                list(bits),
                {"tree of XORs": tree, "one layer, counting": sums, "OR of ANDs": terms},
                log_x=False,
            ),
        )
        numbers = {
            "pieces": tuple(teeth),
            "units/sawtooth/deep": tuple(deep),
            "units/sawtooth/shallow": tuple(shallow),
            "units/parity/tree": tuple(tree),
            "units/parity/counting": tuple(sums),
            "units/parity/terms": tuple(terms),
            "largest_difference": apart,
            "wrong_parities": wrong,
        }
        table = Grid(
            "Hidden units for the same sawtooth",
            ("pieces", "layers", "deep", "one hidden layer"),
            tuple(zip(teeth, layers, deep, shallow, strict=True)),
        )
        remarks = (
            f"A sawtooth of {teeth[-1]:,} straight pieces takes {deep[-1]:,} units in {layers[-1]} layers and "
            f"{shallow[-1]:,} in one hidden layer; the two differ by at most {apart:.2g}.",
            f"The parity of {bits[-1]} bits, as built: {tree[-1]:,} hidden threshold units as a tree of XORs, "
            f"{sums[-1]:,} in one layer that counts, {terms[-1]:,} as an OR of ANDs; of their answers over all inputs, "
            f"{wrong:,} are wrong.",
        )
        return Findings(numbers, figures, (table,), remarks)


def _counts(
    name: str, title: str, label: str, at: list[int], units: dict[str, list[int]], *, log_x: bool = True
) -> Lines:
    xs = tuple(map(float, at))
    series = tuple(Series(way, xs, tuple(map(float, counts))) for way, counts in units.items())
    return Lines(name, title, label, "hidden units", series, log_x=log_x, log_y=True)
