"""Information gain, question by question, on the fourteen days of PlayTennis."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from netsmith.core.findings import Bar, Bars, Findings, Grid
from netsmith.core.roles import LabConfig

__all__ = ["CARD", "Leaf", "PlayTennis", "Question", "entropy", "grow", "information_gain"]

CARD = {
    "title": "A decision tree by information gain: PlayTennis",
    "paper": "Quinlan 1986, Machine Learning 1, 81-106 (ID3 and its table)",
    "shows": "how much each attribute tells about the class, and the tree that asks the most telling one first",
    "quick": {},
}

_ATTRIBUTES = ("outlook", "temperature", "humidity", "wind")
_DAYS = tuple(
    tuple(line.split())
    for line in """
    sunny hot high weak no
    sunny hot high strong no
    overcast hot high weak yes
    rain mild high weak yes
    rain cool normal weak yes
    rain cool normal strong no
    overcast cool normal strong yes
    sunny mild high weak no
    sunny cool normal weak yes
    rain mild normal weak yes
    sunny mild normal strong yes
    overcast mild high strong yes
    overcast hot normal weak yes
    rain mild high strong no
    """.strip().splitlines()
)


@dataclass(frozen=True)
class Leaf:
    """An answer: the most frequent class, the first of the alphabet among equals."""

    answer: str
    examples: int


@dataclass(frozen=True)
class Question:
    """A node: the column it asks for, what each column would have told, and a branch for each value."""

    column: int
    gains: tuple[float | None, ...]
    branches: tuple[tuple[str, Leaf | Question], ...]


def entropy(classes: Sequence[str]) -> float:
    r"""Return :math:`-\sum_c p_c \log_2 p_c` in bits.

    Example:
        >>> round(entropy(["yes"] * 9 + ["no"] * 5), 6)
        0.940286
    """
    shares = [count / len(classes) for count in Counter(classes).values()]
    return sum(-share * math.log2(share) for share in shares) + 0.0


def information_gain(rows: Sequence[Sequence[str]], column: int) -> float:
    r"""Return by how much knowing a column lowers the entropy of the last one, in bits.

    .. math:: H(Y) - \sum_v \frac{N_v}{N} H(Y \mid v)
    """
    parts: dict[str, list[str]] = {}
    for row in rows:
        parts.setdefault(row[column], []).append(row[-1])
    left = sum(len(part) / len(rows) * entropy(part) for part in parts.values())
    return entropy([row[-1] for row in rows]) - left


def grow(rows: Sequence[Sequence[str]], columns: Sequence[int]) -> Leaf | Question:
    """Return the tree of ID3: ask for the column of most gain, the first among equals, until a node is of one class."""
    counts = Counter(row[-1] for row in rows)
    if len(counts) == 1 or not columns:
        return Leaf(max(sorted(counts), key=counts.__getitem__), len(rows))
    gains = {column: information_gain(rows, column) for column in columns}
    best = max(gains, key=gains.__getitem__)
    others = [column for column in columns if column != best]
    branches = tuple(
        (value, grow([row for row in rows if row[best] == value], others))
        for value in sorted({row[best] for row in rows})
    )
    return Question(best, tuple(gains.get(column) for column in range(len(rows[0]) - 1)), branches)


class PlayTennis:
    """Fourteen days, four attributes, and whether tennis was played; at each node the attribute of most gain is asked.

    Nothing is drawn: there is nothing to set.
    """

    class Config(LabConfig):
        """There is nothing to set."""

    def __init__(self, config: PlayTennis.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return the gains at every question, the tree, and what they show."""
        tree = grow(_DAYS, range(len(_ATTRIBUTES)))
        assert isinstance(tree, Question)
        asked, leaves = _walk(tree, ())
        numbers: dict[str, float | int] = {
            "entropy": entropy([day[-1] for day in _DAYS]),
            **{f"gain/{name}": information_gain(_DAYS, at) for at, name in enumerate(_ATTRIBUTES)},
            "questions": len(asked),
            "leaves": len(leaves),
        }
        chart = Bars(
            "gains",
            "Information gain at each question of the tree",
            "information gain (bits)",
            tuple(way for way, _ in asked),
            tuple(Bar(name, tuple(node.gains[at] for _, node in asked)) for at, name in enumerate(_ATTRIBUTES)),
            caption="An attribute that was asked before has no bar.",
        )
        gains = Grid(
            "Information gain (bits)",
            ("days", *_ATTRIBUTES, "asked"),
            tuple((way, *node.gains, _ATTRIBUTES[node.column]) for way, node in asked),
        )
        rules = Grid(
            "The tree",
            ("where", "play?", "days"),
            tuple((way, leaf.answer, leaf.examples) for way, leaf in leaves),
        )
        right = sum(_answer(tree, day) == day[-1] for day in _DAYS)
        never = [name for at, name in enumerate(_ATTRIBUTES) if all(node.column != at for _, node in asked)]
        best = max(_ATTRIBUTES, key=lambda name: numbers[f"gain/{name}"])
        remarks = [
            f"Of {len(_DAYS)} days {sum(day[-1] == 'yes' for day in _DAYS)} are played on: "
            f"{numbers['entropy']:.3f} bits are to be learned.",
            "Gains at the root: "
            + ", ".join(f"{name} {numbers[f'gain/{name}']:.3f}" for name in _ATTRIBUTES)
            + f" bits; {best} is asked first.",
            f"With {len(asked)} questions and {len(leaves)} leaves the tree answers {right} of {len(_DAYS)} days right"
            + (f", and never asks for {' or '.join(never)}." if never else "."),
        ]
        return Findings(numbers, (chart,), (gains, rules), tuple(remarks))


def _walk(node: Question, way: tuple[str, ...]) -> tuple[list[tuple[str, Question]], list[tuple[str, Leaf]]]:
    """Return the questions and the leaves of a tree from left to right, each with the values that lead there."""
    asked, leaves = [(", ".join(way) or "all days", node)], []
    for value, branch in node.branches:
        there = (*way, f"{_ATTRIBUTES[node.column]} {value}")
        if isinstance(branch, Leaf):
            leaves.append((", ".join(there), branch))
        else:
            deeper, ends = _walk(branch, there)
            asked += deeper
            leaves += ends
    return asked, leaves


def _answer(node: Leaf | Question, day: Sequence[str]) -> str:
    while isinstance(node, Question):
        node = dict(node.branches)[day[node.column]]
    return node.answer
