"""Fourier series of a square wave with its overshoot, and the discrete Fourier transform as a matrix."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import series

__all__ = ["CARD", "Fourier", "dft_matrix", "gibbs_limit", "overshoot", "square_wave"]

CARD = {
    "title": "Fourier series and the DFT matrix",
    "paper": "Körner 1988, Fourier Analysis; Cooley & Tukey 1965 (Mathematics of Computation)",
    "shows": "a square wave from sines, its overshoot by their number, and a spectrum found by one matrix",
    "quick": {"most": 20, "samples": 40},
}

_RATE = 100.0  # samples a second of the signal


def square_wave(x: NDArray[np.float64], terms: int) -> NDArray[np.float64]:
    r"""Return :math:`\frac{4}{\pi} \sum_{k=1}^{n} \frac{\sin (2k-1) x}{2k-1}`, which goes to the sign of sin x."""
    odd = np.arange(1, 2 * terms, 2)
    return 4 / math.pi * (np.sin(np.multiply.outer(x, odd)) / odd).sum(-1)


def overshoot(terms: int) -> float:
    """Return by what part of the jump (2) a sum rises above the wave, at its first maximum: x = pi / 2n."""
    return float(square_wave(np.array(math.pi / (2 * terms)), terms) - 1) / 2


def gibbs_limit(nodes: int = 40) -> float:
    r"""Return what the overshoot goes to, :math:`\frac1\pi \int_0^\pi \frac{\sin t}{t} dt - \frac12`, by quadrature."""
    places, weights = np.polynomial.legendre.leggauss(nodes)
    t = (places + 1) * math.pi / 2
    return float((weights * np.sin(t) / t).sum() / 2 - 0.5)


def dft_matrix(size: int) -> NDArray[np.complex128]:
    r"""Return :math:`F_{jk} = e^{-2 \pi i j k / n}`; :math:`F / \sqrt n` is unitary."""
    at = np.arange(size)
    return np.exp(-2j * math.pi * (np.outer(at, at) % size) / size)  # the exponent is reduced first: it stays exact


class Fourier:
    r"""Sum sines to a square wave, and take a noisy signal apart into its frequencies.

    .. math:: \sum_t |x_t|^2 = \frac1n \sum_k |X_k|^2 \qquad \text{(Parseval)}
    """

    class Config(LabConfig):
        """What is summed, and the signal.

        Attributes:
            terms: Numbers of sines whose sums are drawn.
            most: The most sines whose overshoot is measured.
            samples: Length of the signal, at 100 samples a second.
            frequencies: Of its sines, in Hz, below 50.
            noise: Standard deviation of the normal noise upon them.
            seed: Of the noise.
        """

        terms: tuple[int, ...] = (1, 3, 10, 50)
        most: int = Field(default=1000, ge=2, le=100_000)
        samples: int = Field(default=200, ge=8, le=2000)
        frequencies: tuple[float, ...] = (5.0, 12.0)
        noise: float = Field(default=0.5, ge=0)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> Fourier.Config:
            if not self.terms or not all(1 <= one <= 10_000 for one in self.terms):
                raise ValueError(f"terms={self.terms}: expected some of 1 to 10,000")
            if not self.frequencies or not all(0 < one < _RATE / 2 for one in self.frequencies):
                raise ValueError(f"frequencies={self.frequencies}: expected some above 0, below {_RATE / 2:g} Hz")
            return self

    def __init__(self, config: Fourier.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return sums, overshoots and the spectrum."""
        limit = gibbs_limit()
        counts = sorted({1, 2, 5, *(int(n) for n in np.geomspace(10, self.config.most, 12)), self.config.most})
        counts = [n for n in counts if n <= self.config.most]
        above = [overshoot(n) for n in counts]
        size, (signal, matrix) = self.config.samples, (self._signal(), dft_matrix(self.config.samples))
        found = matrix @ signal
        unitary = float(np.abs(matrix @ matrix.conj().T / size - np.eye(size)).max())
        apart = float(np.abs(found - np.fft.fft(signal)).max())
        parseval = float(abs((np.abs(found) ** 2).sum() / size / (signal**2).sum() - 1))
        half = size // 2 + 1
        hertz, height = np.arange(half) * _RATE / size, np.abs(found[:half]) * 2 / size
        inner = [k for k in range(1, half - 1) if height[k - 1] < height[k] > height[k + 1]]
        peaks = sorted(float(hertz[k]) for k in sorted(inner, key=lambda k: -height[k])[: len(self.config.frequencies)])
        numbers = {"gibbs_limit": limit, "overshoot": tuple(above), "terms": tuple(counts)}
        numbers |= {"unitary_error": unitary, "fft_error": apart, "parseval_error": parseval, "peaks": tuple(peaks)}
        shown = ", ".join(f"{100 * one:.4f} % at {n}" for n, one in zip(counts, above, strict=True) if n in counts[::4])
        made = ", ".join(f"{one:g}" for one in self.config.frequencies)
        remarks = (
            f"The sum rises above the wave by {shown} sines; the integral that it goes to is {100 * limit:.4f} % of "
            f"the jump{', from above' if all(a > b for a, b in pairwise(above)) else ''}.",
            f"The DFT matrix of size {size} times its adjoint, over {size}, is the unit matrix up to {unitary:.2g}; "
            f"its product with the signal is the FFT up to {apart:.2g}.",
            f"The signal's energy and the spectrum's differ by {parseval:.2g} of it (Parseval).",
            f"The {len(peaks)} highest peaks lie at {', '.join(f'{one:g}' for one in peaks)} Hz; the signal was made "
            f"of {made} Hz.",
        )
        table = Grid("Overshoot", ("sines", "part of the jump"), tuple(zip(counts, above, strict=True)))
        return Findings(
            numbers, (*self._waves(counts, above, limit), *_spectrum(signal, hertz, height)), (table,), remarks
        )

    def _signal(self) -> NDArray[np.float64]:
        seconds = np.arange(self.config.samples) / _RATE
        noise = np.random.default_rng(self.config.seed).normal(size=len(seconds)) * self.config.noise
        return noise + sum(np.sin(2 * math.pi * one * seconds) for one in self.config.frequencies)

    def _waves(self, counts: list[int], above: list[float], limit: float) -> tuple[Lines, Lines]:
        x = np.linspace(0, 2 * math.pi, 239)
        sums = tuple(series(f"{n} sine{'s' if n > 1 else ''}", x, square_wave(x, n)) for n in self.config.terms)
        percent = tuple(100 * one for one in above)
        lines = (series("sum", counts, percent), series("limit", (counts[0], counts[-1]), (100 * limit,) * 2))
        labels = ("sines", "overshoot (% of the jump)")
        return (
            Lines("square_wave", "A square wave from sines", "x (rad)", "value", sums),
            Lines("overshoot", "Gibbs' overshoot", *labels, lines, log_x=True),
        )


def _spectrum(
    signal: NDArray[np.float64], hertz: NDArray[np.float64], height: NDArray[np.float64]
) -> tuple[Lines, Lines]:
    seconds = np.arange(len(signal)) / _RATE
    title, of = "Signal", "Amplitude by frequency"
    return (
        Lines("signal", title, "time (s)", "value", (series(title, seconds, signal),)),
        Lines("spectrum", of, "frequency (Hz)", "amplitude", (series(of, hertz, height),)),
    )
