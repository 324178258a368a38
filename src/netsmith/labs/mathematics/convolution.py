"""Convolution as a sum, as a product of spectra, and what a network's convolution layer computes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from netsmith.core.findings import Findings, Grid, Lines
from netsmith.core.roles import LabConfig
from netsmith.labs.mathematics._drawn import floats, listed, series

__all__ = ["CARD", "Convolution", "convolve", "correlate2d", "fft_convolve"]

CARD = {
    "title": "Convolution and the FFT",
    "paper": "Cooley & Tukey 1965 (Mathematics of Computation); Goodfellow et al. 2016, Deep Learning, section 9.1",
    "shows": "convolution by sum and by FFT: their difference, and their measured times by length",
    "quick": {"lengths": [16, 32], "repeats": 0},
}


def convolve(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`c_n = \sum_k a_k b_{n-k}`, as it stands.

    Example:
        >>> convolve([1, 2, 3], [4, 5, 6])
        array([ 4., 13., 28., 27., 18.])
    """
    a, b = (np.asarray(one, dtype=np.float64) for one in (first, second))
    total = np.zeros(len(a) + len(b) - 1)
    for shift, factor in enumerate(a):
        total[shift : shift + len(b)] += factor * b
    return total


def fft_convolve(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the same through the product of both spectra, padded to the next power of 2 that holds the result."""
    a, b = (np.asarray(one, dtype=np.float64) for one in (first, second))
    length = len(a) + len(b) - 1
    size = 1 << (length - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(a, size) * np.fft.rfft(b, size), size)[:length]


def correlate2d(picture: ArrayLike, kernel: ArrayLike) -> NDArray[np.float64]:
    r"""Return :math:`\sum_{ab} x_{i+a, j+b} k_{ab}` where the kernel lies within: what ``conv2d`` computes."""
    x, k = (np.asarray(one, dtype=np.float64) for one in (picture, kernel))
    windows = np.lib.stride_tricks.sliding_window_view(x, k.shape)  # (H', W', h, w)
    return np.einsum("ijab,ab->ij", windows, k)


class Convolution:
    r"""Compare convolution by sum and by FFT, in value and in time.

    .. math:: \widehat{a * b} = \hat a \cdot \hat b

    Timed are numpy's direct convolution (``np.convolve``) and the FFT of this file, on two sequences of equal length,
    in turn, so that what else the machine does touches both.
    """

    class Config(LabConfig):
        """What is convolved.

        Attributes:
            first: One sequence.
            second: The other.
            lengths: Of random sequences, ascending.
            repeats: Of each timing, of which the median counts; 0 times nothing.
            seed: Of the random numbers.
        """

        first: tuple[float, ...] = (1.0, 2.0, 3.0)
        second: tuple[float, ...] = (4.0, 5.0, 6.0)
        lengths: tuple[int, ...] = (16, 32, 64, 128, 192, 256, 384, 512, 768, 1024, 2048, 4096, 8192)
        repeats: int = Field(default=31, ge=0, le=10_000)
        seed: int = Field(default=0, ge=0)

        @model_validator(mode="after")
        def _check(self) -> Convolution.Config:
            if not self.first or not self.second:
                raise ValueError("first and second: expected at least one number each")
            if not self.lengths or sorted(set(self.lengths)) != list(self.lengths) or self.lengths[0] < 1:
                raise ValueError(f"lengths={self.lengths}: expected some above 0, ascending")
            if self.lengths[-1] > 65_536:
                raise ValueError(f"lengths={self.lengths}: expected at most 65,536")
            return self

    def __init__(self, config: Convolution.Config) -> None:
        self.config = config

    def run(self) -> Findings:
        """Return results, differences and times."""
        generator = np.random.default_rng(self.config.seed)
        direct, fast = (of(self.config.first, self.config.second) for of in (convolve, fft_convolve))
        pairs = [generator.normal(size=(2, length)) for length in self.config.lengths]
        errors = [float(np.abs(np.convolve(*pair) - fft_convolve(*pair)).max()) for pair in pairs]
        turned, plain = _layer(generator)
        numbers: dict[str, float | int | tuple[float, ...] | None] = {"convolution": floats(direct)}
        numbers |= {"fft_apart": float(np.abs(direct - fast).max()), "fft_errors": tuple(errors)}
        numbers |= {"conv2d_correlation_apart": plain, "conv2d_convolution_apart": turned}
        remarks = [
            f"{listed(self.config.first)} * {listed(self.config.second)} = {listed(direct)}; by FFT the same up to "
            f"{numbers['fft_apart']:.2g}.",
            f"Random sequences of {self.config.lengths[0]:,} to {self.config.lengths[-1]:,} numbers: both ways differ "
            f"by at most {max(errors):.2g}.",
            f"torch's conv2d differs from the cross-correlation by {plain:.2g}, from the convolution (the kernel "
            f"turned by 180 degrees) by {turned:.2g}.",
        ]
        figures, rows = (
            [_errors_chart(self.config.lengths, errors)],
            list(zip(self.config.lengths, errors, strict=True)),
        )
        columns = ("length", "greatest difference")
        if self.config.repeats:
            times = [_timed(pair, self.config.repeats) for pair in pairs]
            slow, quick, ratios = (tuple(one[at] for one in times) for at in range(3))
            wins = next((n for at, n in enumerate(self.config.lengths) if min(ratios[at:]) > 1), None)
            numbers |= {"direct_us": slow, "fft_us": quick, "speedup": ratios, "wins_from": wins}
            remarks.append(_told(wins, self.config.lengths, ratios))
            figures.insert(0, _times_chart(self.config.lengths, slow, quick, self.config.repeats))
            rows = [(*row, *one) for row, one in zip(rows, times, strict=True)]
            columns = (*columns, "direct (µs)", "FFT (µs)", "direct / FFT")
        return Findings(numbers, tuple(figures), (Grid("Sum against FFT", columns, tuple(rows)),), tuple(remarks))


def _timed(pair: NDArray[np.float64], repeats: int) -> tuple[float, float, float]:
    """Return microseconds of both ways, in turn, and the median of the ratios of neighbors."""
    inner = max(1, 4096 // len(pair[0]))  # short ones are too fast for one look at the clock
    ways: tuple[Callable[..., NDArray[np.float64]], ...] = (np.convolve, fft_convolve)
    taken: tuple[list[float], list[float]] = ([], [])
    for turn in range(repeats + 1):
        for way, times in zip(ways, taken, strict=True):
            start = time.perf_counter()
            for _ in range(inner):
                way(*pair)
            if turn:  # the first warms up
                times.append((time.perf_counter() - start) / inner * 1e6)
    ratio = statistics.median(a / b for a, b in zip(*taken, strict=True))
    return statistics.median(taken[0]), statistics.median(taken[1]), ratio


def _layer(generator: np.random.Generator) -> tuple[float, float]:
    """Return how far conv2d is from a convolution and from a cross-correlation."""
    picture, kernel = generator.normal(size=(9, 8)), generator.normal(size=(3, 4))
    x, k = (torch.from_numpy(one)[None, None] for one in (picture, kernel))
    answer = torch.nn.functional.conv2d(x, k)[0, 0].numpy()
    turned = np.abs(answer - correlate2d(picture, kernel[::-1, ::-1])).max()
    return float(turned), float(np.abs(answer - correlate2d(picture, kernel)).max())


def _told(wins: int | None, lengths: tuple[int, ...], ratios: tuple[float, ...]) -> str:
    first, last = (f"{ratios[at]:.3g} times as long at {lengths[at]:,}" for at in (0, -1))
    ends = f"the direct way takes {first}, {last}"
    if wins is None:
        return f"Measured here, the FFT is not faster at {lengths[-1]:,}: {ends}."
    return f"Measured here, of the lengths tried the FFT is faster from {wins:,} on: {ends}."


def _times_chart(lengths: tuple[int, ...], slow: tuple[float, ...], quick: tuple[float, ...], repeats: int) -> Lines:
    lines = (series("direct (np.convolve)", lengths, slow), series("FFT", lengths, quick))
    caption = f"Median of {repeats}, taken in turn, on the machine that made this page."
    title, labels = "Time of a convolution", ("length of both sequences", "time (µs)")
    return Lines("times", title, *labels, lines, log_x=True, log_y=True, caption=caption)


def _errors_chart(lengths: tuple[int, ...], errors: list[float]) -> Lines:
    title, labels = "Sum and FFT differ by rounding", ("length of both sequences", "greatest difference")
    return Lines("errors", title, *labels, (series(title, lengths, errors),), log_x=True, log_y=True)
