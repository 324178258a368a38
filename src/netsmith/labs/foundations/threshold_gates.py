"""Which logic functions a threshold unit computes, and what a second layer adds."""

from __future__ import annotations

from itertools import product

import torch
from pydantic import Field

from netsmith.core.findings import Bar, Bars, Figure, Findings, Grid, Number, Points, Series
from netsmith.core.roles import LabConfig
from netsmith.labs.foundations._separation import Impossible, Unit, separate
from netsmith.models.foundations.mcculloch_pitts import GATES, McCullochPitts, gate

__all__ = ["CARD", "ThresholdGates"]

CARD = {
    "title": "Logic gates of threshold units",
    "paper": "McCulloch & Pitts 1943; Minsky & Papert 1969, Perceptrons",
    "shows": "truth tables and decision lines of the gates, and how many functions one unit and two layers compute",
    "quick": {"inputs": 2},
}

Case = tuple[int, ...]

_LOW, _HIGH = -0.75, 1.75  # of both axes
_DRAWN = ("and", "or", "xor")


class ThresholdGates:
    """Decide for every function of a few inputs whether one threshold unit computes it.

    Nothing is sampled or trained: a unit is found by eliminating its weights from the inequalities that the truth table
    puts on them, in whole numbers, and where there is none the elimination ends in 0 > 0, which proves it.
    """

    class Config(LabConfig):
        """How far it goes.

        Attributes:
            inputs: All functions of 1, 2, ... this many inputs are decided (three have 256 functions).
        """

        inputs: int = Field(default=3, ge=2, le=3)

    def __init__(self, config: ThresholdGates.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return truth tables, decision lines, and what one unit and two layers compute."""
        numbers: dict[str, Number] = {}
        counts = {size: _decided(size) for size in range(1, self.config.inputs + 1)}
        for size, decided in counts.items():
            numbers[f"functions/{size}"] = len(decided)
            numbers[f"one_unit/{size}"] = _possible(decided)
            numbers[f"two_layers/{size}"] = sum(_two_layers(size, answers) for answers in decided)
        bars = Bars(
            "shares",
            "Functions that are computed",
            "share of all functions, %",
            tuple(f"{size} input{'s' * (size > 1)}" for size in counts),
            tuple(
                Bar(name, tuple(100 * int(numbers[f"{key}/{n}"] or 0) / len(decided) for n, decided in counts.items()))
                for key, name in (("one_unit", "one unit"), ("two_layers", "two layers"))
            ),
            caption="Each of all functions is decided; none is sampled.",
        )
        figures: tuple[Figure, ...] = (*(_picture(name) for name in _DRAWN), bars)
        return Findings(numbers, figures, (_truth_tables(), _functions(counts[2])), _remarks(counts, numbers))


def _cases(size: int) -> list[Case]:
    return list(product((0, 1), repeat=size))


def _decided(size: int) -> dict[Case, Unit | Impossible]:
    """Return by truth table (the answers to the cases in order) the unit that computes it, or why there is none."""
    return {answers: separate(_cases(size), answers) for answers in product((0, 1), repeat=2**size)}


def _possible(decided: dict[Case, Unit | Impossible]) -> int:
    return sum(isinstance(found, Unit) for found in decided.values())


def _answers(config: McCullochPitts.Config) -> Case:
    """Return what a network answers to all cases of its inputs."""
    cases = torch.tensor(_cases(len(config.weights[0][0])))
    return tuple(int(answer) for answer in config.build()(cases)[:, 0])


def _two_layers(size: int, answers: Case) -> bool:
    """Whether a unit for each case with answer 1, and one that fires when any of them does, compute the function."""
    ones = [case for case, answer in zip(_cases(size), answers, strict=True) if answer] or [(0,) * size]
    first = tuple(tuple(2.0 * x - 1 for x in case) for case in ones)
    thresholds = tuple(float(sum(case)) for case in ones)
    last = (((1.0,) * len(ones),), (1.0 if any(answers) else 2.0,))
    return _answers(McCullochPitts.Config(weights=(first, last[0]), thresholds=(thresholds, last[1]))) == answers


def _picture(name: str) -> Points:
    """Return the four cases by a gate's answer, and the lines at which the units of its first layer begin to fire."""
    config, cases = gate(name), _cases(2)
    answers = _answers(config)
    groups = []
    for answer in (0, 1):
        chosen = [case for case, own in zip(cases, answers, strict=True) if own == answer]
        groups.append(Series(f"answer {answer}", *(tuple(float(case[at]) for case in chosen) for at in (0, 1))))
    lines = []
    for weights, threshold in zip(config.weights[0], config.thresholds[0], strict=True):
        sums = [sum(w * x for w, x in zip(weights, case, strict=True)) for case in cases]
        below = max(one for one in sums if one < threshold)
        level = (below + threshold) / 2
        text = " ".join(f"{'+' if w > 0 else '-'} x{at}" for at, w in enumerate(weights, 1)).removeprefix("+ ")
        lines.append(Series(f"{text} = {level:g}", *_across(weights, level)))
    return Points(
        f"gate_{name}",
        f"{name}: {len(config.weights)} layer{'s' * (len(config.weights) > 1)}",
        "x1",
        "x2",
        tuple(groups),
        tuple(lines),
        equal=True,
        caption="Lines belong to the units of the first layer, each half-way between its threshold and the nearest sum "
        "below it.",
    )


def _across(weights: tuple[float, ...], level: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return where the line w x = level enters and leaves the picture."""
    (a, b), ends = weights, set[tuple[float, float]]()
    for edge in (_LOW, _HIGH):
        if b and _LOW <= (level - a * edge) / b <= _HIGH:
            ends.add((edge, (level - a * edge) / b))
        if a and _LOW <= (level - b * edge) / a <= _HIGH:
            ends.add(((level - b * edge) / a, edge))
    xs, ys = zip(*sorted(ends), strict=True)
    return xs, ys


def _truth_tables() -> Grid:
    names = [name for name in GATES if len(GATES[name][0][0][0]) == 2]
    columns = [_answers(gate(name)) for name in names]
    return Grid(
        "Truth tables, computed by the networks",
        ("x1", "x2", *names),
        tuple((*case, *row) for case, row in zip(_cases(2), zip(*columns, strict=True), strict=True)),
        f"not x1: {' and '.join(map(str, _answers(gate('not'))))} for x1 = 0 and 1.",
    )


def _functions(decided: dict[Case, Unit | Impossible]) -> Grid:
    names = {_answers(gate(name)): name for name in GATES if name != "not"}
    rows: list[tuple[Number, ...]] = []
    for answers, found in decided.items():
        bits = "".join(map(str, answers))
        if isinstance(found, Unit):
            rows.append((bits, names.get(answers, ""), *found.weights, found.threshold))
        else:
            rows.append((bits, names.get(answers, ""), None, None, None))
    return Grid(
        "The functions of two inputs and a unit for each",
        ("answers to 00, 01, 10, 11", "gate", "w1", "w2", "threshold"),
        tuple(rows),
        "A unit fires where w1 x1 + w2 x2 reaches the threshold. Rows without numbers: no unit computes them.",
    )


def _remarks(counts: dict[int, dict[Case, Unit | Impossible]], numbers: dict[str, Number]) -> tuple[str, ...]:
    remarks = [
        f"Of the {numbers[f'functions/{size}']} functions of {size} input{'s' * (size > 1)} one unit computes "
        f"{numbers[f'one_unit/{size}']}, two layers {numbers[f'two_layers/{size}']}."
        for size in counts
    ]
    names = {_answers(gate(name)): name for name in GATES if name != "not"}
    for answers, found in counts[2].items():
        if isinstance(found, Impossible):
            parts = [
                f"{times} x [{'w x - theta > 0' if answer else 'theta - w x > 0'} at {''.join(map(str, case))}]"
                for times, answer, case in zip(found.multipliers, answers, _cases(2), strict=True)
                if times
            ]
            name = names.get(answers, "".join(map(str, answers)))
            remarks.append(f"No unit computes {name}: {' + '.join(parts)} add up to 0 > 0.")
    return tuple(remarks)
