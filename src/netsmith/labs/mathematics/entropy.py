"""Entropy: what a message needs, what a wrong belief costs, and what a noisy channel lets through."""

from __future__ import annotations

import heapq
import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import rounded, series

__all__ = ["CARD", "Entropy", "cross_entropy", "divergence", "entropy_of", "huffman", "mutual_information"]

CARD = {
    "title": "Entropy, divergence and codes",
    "paper": "Shannon 1948, A Mathematical Theory of Communication; Huffman 1952",
    "shows": "binary entropy, the cost of a wrong belief, what a noisy channel lets through, and Huffman's code",
    "quick": {"trials": 10, "block": 2},
}


def entropy_of(p: ArrayLike) -> float:
    r"""Return :math:`H(p) = -\sum_i p_i \log_2 p_i`, in bits."""
    return cross_entropy(p, p)


def cross_entropy(p: ArrayLike, q: ArrayLike) -> float:
    r"""Return :math:`-\sum_i p_i \log_2 q_i`, in bits: the length a code for q has for messages from p."""
    p, q = (np.asarray(one, dtype=np.float64).ravel() for one in (p, q))
    some = p > 0
    return float(-(p[some] * np.log2(q[some])).sum()) + 0.0  # never -0


def divergence(p: ArrayLike, q: ArrayLike) -> float:
    r"""Return Kullback and Leibler's divergence :math:`\sum_i p_i \log_2 (p_i / q_i)`, in bits."""
    return cross_entropy(p, q) - entropy_of(p)


def mutual_information(joint: ArrayLike) -> float:
    """Return what a table's row says of its column, in bits: the divergence from the product of its edges."""
    joint = np.asarray(joint, dtype=np.float64)
    return divergence(joint, np.outer(joint.sum(1), joint.sum(0)))


def huffman(p: ArrayLike) -> tuple[str, ...]:
    """Return the code words of Huffman's code: the two rarest are joined, again and again.

    Example:
        >>> huffman([0.5, 0.25, 0.125, 0.125])
        ('0', '10', '110', '111')
    """
    chances = np.asarray(p, dtype=np.float64)
    codes = [""] * len(chances)
    heap = [(float(chance), at, (at,)) for at, chance in enumerate(chances)]
    heapq.heapify(heap)
    while len(heap) > 1:
        (a, first, left), (b, second, right) = heapq.heappop(heap), heapq.heappop(heap)
        for bit, group in (("0", left), ("1", right)):
            for at in group:
                codes[at] = bit + codes[at]
        heapq.heappush(heap, (a + b, min(first, second), left + right))
    return tuple(codes)


class Entropy:
    r"""Measure a distribution, a wrong belief about it, a channel and a code.

    .. math:: H(p) \le L_{\text{Huffman}} < H(p) + 1, \qquad D(p \| q) \ge 0, \qquad I = 1 - H(f)

    the last for a channel that flips each of its even bits with probability f.
    """

    class Config(LabConfig):
        """What is measured.

        Attributes:
            chances: p of the messages; they sum to 1.
            flip: f of the channel.
            block: Most messages that get one code word together.
            trials: Random pairs of distributions whose divergence is taken, and random codes.
            seed: Of the random ones.
        """

        chances: tuple[float, ...] = (0.7, 0.2, 0.1)
        flip: float = Field(default=0.1, ge=0, le=1)
        block: int = Field(default=6, ge=1, le=8)
        trials: int = Field(default=1000, ge=1, le=100_000)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> Entropy.Config:
            if len(self.chances) < 2 or min(self.chances) <= 0 or abs(sum(self.chances) - 1) > 1e-9:
                raise ValueError(f"chances={self.chances}: expected at least two above 0 that sum to 1")
            if len(self.chances) ** self.block > 10_000:
                raise ValueError(
                    f"block={self.block}: {len(self.chances)}^{self.block} code words; expected at most 10,000"
                )
            return self

    def __init__(self, config: Entropy.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return entropies, information and code lengths."""
        p = np.array(self.config.chances)
        whole, even = entropy_of(p), np.full(len(p), 1 / len(p))
        codes = huffman(p)
        blocks = range(1, self.config.block + 1)
        lengths = [_length(_joined(p, n)) / n for n in blocks]
        least, over = self._random()
        channel = mutual_information(_channel(self.config.flip))
        known = 1 - entropy_of([self.config.flip, 1 - self.config.flip])
        numbers: dict[str, float | tuple[float, ...]] = {"entropy": whole, "code_length": tuple(lengths)}
        numbers |= {"cross_entropy_even": cross_entropy(p, even), "divergence_even": divergence(p, even)}
        numbers |= {"least_divergence": least, "greatest_excess": over, "information": channel, "capacity": known}
        remarks = (
            f"The messages hold {whole:.4f} bits each; Huffman's code takes {lengths[0]:.4f}, and {lengths[-1]:.4f} "
            f"where {blocks[-1]} messages share a code word.",
            f"A code for equally likely messages takes {cross_entropy(p, even):.4f} bits, {divergence(p, even):.4f} "
            "more than the entropy.",
            f"Over {self.config.trials:,} random pairs the least divergence is {rounded(least, 3)} bits; the random "
            f"codes take at most {over:.3f} bits more than their entropy.",
            f"A channel that flips {100 * self.config.flip:g} % of even bits lets {channel:.4f} bits of each through; "
            f"1 - H is {known:.4f}.",
        )
        rows = tuple(
            (at + 1, chance, -math.log2(chance), codes[at], len(codes[at])) for at, chance in enumerate(p.tolist())
        )
        table = Grid("Huffman's code", ("message", "probability", "information (bits)", "code", "length (bits)"), rows)
        return Findings(numbers, (*self._curves(p), _codes(blocks, lengths, whole)), (table,), remarks)

    def _random(self) -> tuple[float, float]:
        """Return the least divergence of random pairs, and the most a random code takes above its entropy."""
        generator = np.random.default_rng(self.config.seed)
        pairs = generator.dirichlet(np.ones(8), size=(self.config.trials, 2))
        return min(divergence(p, q) for p, q in pairs), max(_length(p) - entropy_of(p) for p, _ in pairs)

    def _curves(self, p: NDArray[np.float64]) -> tuple[Lines, Lines]:
        x = np.linspace(0, 1, 201)
        inner, first = x[2:-2], float(p[0])
        binary = [entropy_of([one, 1 - one]) for one in x]
        through = [mutual_information(_channel(one)) for one in x]
        cost = [cross_entropy([first, 1 - first], [one, 1 - one]) for one in inner]
        own = entropy_of([first, 1 - first])
        beliefs = (
            ("cross-entropy", cost),
            ("entropy", [own] * len(inner)),
            ("divergence", [one - own for one in cost]),
        )
        return (
            Lines(
                "binary",
                "One bit",
                "probability (of a 1; of a flip)",
                "bits",
                (series("entropy of the bit", x, binary), series("information through the channel", x, through)),
            ),
            Lines(
                "belief",
                f"The cost of a wrong belief, p = {first:g}",
                "believed probability",
                "bits",
                tuple(series(name, inner, ys) for name, ys in beliefs),
            ),
        )


def _channel(flip: float) -> NDArray[np.float64]:
    """Return the joint probabilities of an even bit that goes in, and what comes out."""
    return np.array([[1 - flip, flip], [flip, 1 - flip]]) / 2


def _joined(p: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    joint = np.ones(1)
    for _ in range(count):
        joint = np.outer(joint, p).ravel()
    return joint


def _length(p: NDArray[np.float64]) -> float:
    return sum(chance * len(code) for chance, code in zip(p.tolist(), huffman(p), strict=True))


def _codes(blocks: range, lengths: list[float], whole: float) -> Lines:
    lines = [
        ("Huffman", lengths),
        ("entropy", [whole] * len(blocks)),
        ("entropy + 1 / n", [whole + 1 / n for n in blocks]),
    ]
    title, labels = "Code words for n messages together", ("n", "bits a message")
    return Lines("codes", title, *labels, tuple(series(name, blocks, ys) for name, ys in lines))
