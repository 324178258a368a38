"""Charts as PNG files where a page holds pictures: heat maps, clouds of points, bars; drawn by matplotlib.

Where an SVG can stand, :mod:`netsmith.report.figures` draws without it. Every size, color and font is given here, so a
reader's own matplotlib style changes nothing; no global state of matplotlib's is used.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from netsmith.core.errors import UserError, shorten
from netsmith.core.extras import require
from netsmith.report.pictures import colormap

__all__ = ["bars_png", "class_colors", "heat_map_png", "scatter_png"]

_DPI = 200  # twice what the page shows
_PAPER, _INK, _MUTED, _LINE = "#fcfbf9", "#1b1c20", "#62656d", "#e3e2dc"
_COLORS = ("#2f5bc4", "#c4571f")
_FONT = 9.0
_NAMED = 24  # rows or columns that still have names


def heat_map_png(
    values: Any,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    title: str,
    low: float,
    high: float,
    legend: str,
    marks: Sequence[int] = (),
) -> bytes:
    """Return a matrix in colors, with its numbers in the cells where there are few.

    Args:
        values: ``(R, C)``.
        rows: R names; empty where single rows need none.
        columns: C names; empty likewise.
        title: Above.
        low: The value at the dark end.
        high: The value at the bright end.
        legend: The name of what is shown, beside the scale.
        marks: Lines between groups of rows (and columns) of a square matrix: the index each group begins with.
    """
    cells = np.asarray(values, dtype=float)
    wanted = (len(rows) or len(cells), len(columns) or cells.shape[-1])
    if cells.ndim != 2 or cells.shape != wanted or not cells.size:
        raise UserError(f"values have shape {cells.shape} for {len(rows)} rows and {len(columns)} columns")
    tall, wide = cells.shape
    cell = min(0.52, (4.2 if rows or columns else 3.0) / max(tall, wide))
    slanted = [0.064 * len(_clean(name)) - (at + 0.5) * cell for at, name in enumerate(columns[:_NAMED])]
    left, right = max(_room(rows), 0.12 + max(slanted, default=0.0)), 1.1
    longest = max((len(_clean(name)) for name in columns), default=0)
    below, above = _room(columns, turned=True), 0.42
    width = max(left + cell * wide + right, 0.3 + 0.075 * len(title))
    height = below + cell * tall + above
    figure = _figure(width, height)
    axes = figure.add_axes((left / width, below / height, cell * wide / width, cell * tall / height))
    image = axes.imshow(cells, cmap=_colors(), vmin=low, vmax=high, interpolation="nearest", aspect="auto")
    _title(figure, title, width, height)
    for axis, names in ((axes.yaxis, rows), (axes.xaxis, columns)):
        shown = bool(names) and len(names) <= _NAMED
        axis.set_ticks(range(len(names)) if shown else [])
        labels = axis.set_ticklabels([_clean(name) for name in names] if shown else [])
        for label in labels:
            label.set(fontsize=_FONT, color=_INK, parse_math=False)
    for label in axes.get_xticklabels() if longest > 4 else []:
        label.set(rotation=40, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0, pad=5)
    for mark in marks:
        axes.axhline(mark - 0.5, color=_PAPER, lw=0.8)
        axes.axvline(mark - 0.5, color=_PAPER, lw=0.8)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if cell >= 0.3:
        for (row, column), value in np.ndenumerate(cells):
            bright = (value - low) / ((high - low) or 1) > 0.55
            text = f"{value:.2f}".replace("-0.00", "0.00").replace("-", "−")
            ink = _INK if bright else "#ffffff"
            axes.text(column, row, text, ha="center", va="center", fontsize=_FONT * min(1, cell / 0.45), color=ink)
    scale = figure.add_axes(((left + cell * wide + 0.16) / width, below / height, 0.12 / width, cell * tall / height))
    bar = figure.colorbar(image, cax=scale)
    bar.outline.set_visible(False)
    scale.tick_params(length=0, labelsize=_FONT - 1, labelcolor=_MUTED, pad=3)
    scale.set_ylabel(legend, fontsize=_FONT - 0.5, color=_MUTED, labelpad=4)
    return _png(figure)


def scatter_png(
    points: Any, labels: Sequence[int], names: Sequence[str], *, title: str, axes_names: tuple[str, str] = ("", "")
) -> bytes:
    """Return points of a plane colored by class; the name of each class stands above its points, too.

    Args:
        points: ``(N, 2)``.
        labels: N classes.
        names: Their names.
        title: Above.
        axes_names: Names of the two axes; without them, the axes have no scale (t-SNE has none).
    """
    places, classes = np.asarray(points, dtype=float), np.asarray(labels)
    if places.ndim != 2 or places.shape != (len(classes), 2) or not len(classes) or classes.max() >= len(names):
        raise UserError(f"points have shape {places.shape}, {len(classes)} labels, {len(names)} names")
    present = [label for label in range(len(names)) if (classes == label).any()]
    listed = present[:_NAMED]
    left, below = (0.72, 0.62) if any(axes_names) else (0.15, 0.15)
    key = _room([names[label] for label in listed]) + 0.25
    side, above = 3.6, 0.42
    width, height = left + side + key, below + side + above
    figure = _figure(width, height)
    axes = figure.add_axes((left / width, below / height, side / width, side / height))
    colors = class_colors(len(names))
    size = min(22.0, max(3.0, 6000 / len(places)))
    order = np.argsort(np.arange(len(places)) * 7919 % len(places), kind="stable")  # no class always lies on top
    axes.scatter(places[order, 0], places[order, 1], s=size, c=colors[classes[order]], alpha=0.75, linewidths=0)
    for label in present if len(present) <= _NAMED else []:
        own = places[classes == label]
        top = (float(np.median(own[:, 0])), float(np.quantile(own[:, 1], 0.9)))  # above its points, not on them
        text = axes.annotate(_clean(names[label], 12), top, (0, 6), textcoords="offset points", fontsize=_FONT)
        text.set(ha="center", va="bottom", color=_INK, fontweight="bold", parse_math=False, bbox=_halo())
    for row, label in enumerate(listed):
        y = 1 - (row + 0.5) * 0.19 / side
        axes.plot([1.035], [y], "o", ms=5, color=colors[label], transform=axes.transAxes, clip_on=False)
        text = axes.text(1.06, y, _clean(names[label]), transform=axes.transAxes, va="center", fontsize=_FONT)
        text.set(color=_INK, parse_math=False)
    if len(present) > len(listed):
        y = 1 - (len(listed) + 0.5) * 0.19 / side
        axes.text(1.06, y, f"and {len(present) - len(listed)} more", transform=axes.transAxes, va="center", fontsize=8)
    _title(figure, title, width, height)
    _quiet(axes)
    axes.margins(0.09)
    if any(axes_names):
        axes.set_xlabel(axes_names[0], fontsize=_FONT, color=_MUTED)
        axes.set_ylabel(axes_names[1], fontsize=_FONT, color=_MUTED)
        axes.tick_params(labelsize=_FONT - 1, labelcolor=_MUTED, length=0)
    else:
        axes.set_xticks([])
        axes.set_yticks([])
    return _png(figure)


def bars_png(
    values: Sequence[float],
    names: Sequence[str],
    *,
    title: str,
    texts: Sequence[str],
    seconds: Sequence[float] = (),
    keys: tuple[str, str] = ("", ""),
    line: float | None = None,
    line_text: str = "",
) -> bytes:
    """Return horizontal bars of proportions 0..1, with a second mark on each and a line across all.

    Args:
        values: The bars.
        names: Their names, from the top.
        title: Above.
        texts: At the end of each row.
        seconds: A second proportion of each bar, a small mark; or none.
        keys: What the bars and the marks are.
        line: A proportion to compare with.
        line_text: What the line is.
    """
    if not len(values) == len(names) == len(texts) or (seconds and len(seconds) != len(values)) or not values:
        raise UserError(f"{len(values)} values, {len(names)} names, {len(texts)} texts, {len(seconds)} marks")
    if not all(math.isfinite(value) and 0 <= value <= 1 for value in (*values, *seconds)):
        raise UserError(f"values are {list(values)} and {list(seconds)}; expected proportions 0..1")
    left, right, step, above, below = _room(names), _room(texts) + 0.05, 0.3, 0.72, 0.55
    span = 3.8
    width, height = left + span + right, above + step * len(values) + below
    figure = _figure(width, height)
    axes = figure.add_axes((left / width, below / height, span / width, step * len(values) / height))
    rows = np.arange(len(values))
    axes.barh(rows, values, height=0.62, color=_COLORS[0], alpha=0.85, label=keys[0])
    if seconds:
        axes.plot(list(seconds), rows, "|", ms=11, mew=2.2, color=_COLORS[1], label=keys[1], clip_on=False)
    if line is not None:
        axes.axvline(line, color=_MUTED, lw=1, ls=(0, (4, 3)), label=line_text)
    for row, text in enumerate(texts):
        axes.text(1.025, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=_FONT, color=_INK)
    axes.set_xlim(0, 1)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_yticks(rows)
    for label in axes.set_yticklabels([_clean(name) for name in names]):
        label.set(fontsize=_FONT, color=_INK, parse_math=False)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xticklabels(["0", "25 %", "50 %", "75 %", "100 %"], fontsize=_FONT - 1, color=_MUTED)
    axes.tick_params(length=0, pad=5)
    _quiet(axes)
    axes.grid(axis="x", color=_LINE, lw=0.8)
    axes.set_axisbelow(True)
    _title(figure, title, width, height)
    if any(keys) or line_text:
        handles, shown = axes.get_legend_handles_labels()
        found = dict(zip(shown, handles, strict=True))
        kept = [(found[text], text) for text in (*keys, line_text) if text in found]
        legend = figure.legend(
            *zip(*kept, strict=True),
            loc="upper left",
            bbox_to_anchor=(0.1 / width, 1 - 0.33 / height),
            ncols=3,
            frameon=False,
            fontsize=_FONT - 0.5,
            borderaxespad=0,
            borderpad=0,
            columnspacing=1.4,
            handletextpad=0.6,
            handlelength=1.4,
        )
        for text in legend.get_texts():
            text.set_color(_MUTED)
    return _png(figure)


def class_colors(count: int) -> np.ndarray:
    """Return ``(count, 3)`` colors 0..1, as far apart as so many hues are; neighbors in number differ in lightness."""
    hues = np.arange(count) / max(1, count)
    light = np.where(np.arange(count) % 2 == 0, 0.44, 0.68)
    chroma = (1 - np.abs(2 * light - 1)) * 0.75
    sector = (hues * 6)[:, None] + np.array([0.0, 4.0, 2.0])
    wave = np.clip(np.abs(sector % 6 - 3) - 1, 0, 1)
    return np.clip(light[:, None] + chroma[:, None] * (wave - 0.5), 0, 1)


def _figure(width: float, height: float) -> Any:
    figure = require("matplotlib.figure", extra="plot").Figure(figsize=(width, height), dpi=_DPI, facecolor=_PAPER)
    require("matplotlib.backends.backend_agg", extra="plot").FigureCanvasAgg(figure)
    return figure


def _png(figure: Any) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a letter that the font lacks is shown as a box
        # Sizes are estimated from names; whatever a font makes of them, nothing is cut off.
        trimmed = {"bbox_inches": "tight", "pad_inches": 0.1}
        figure.savefig(file, format="png", dpi=_DPI, facecolor=_PAPER, metadata={"Software": None}, **trimmed)
    return file.getvalue()


def _title(figure: Any, title: str, width: float, height: float) -> None:
    text = figure.text(0.1 / width, 1 - 0.16 / height, _clean(title, 90), fontsize=11, fontweight="bold", va="center")
    text.set(color=_INK, parse_math=False)


def _quiet(axes: Any) -> None:
    axes.set_facecolor(_PAPER)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(_LINE)


def _halo() -> dict[str, Any]:
    return {"boxstyle": "round,pad=0.15", "facecolor": _PAPER, "edgecolor": "none", "alpha": 0.6}


def _room(names: Sequence[str], *, turned: bool = False) -> float:
    """Return the inches that the names beside (or slanted below) a figure take."""
    if not names or len(names) > _NAMED:
        return 0.2
    longest = max(len(_clean(name)) for name in names) * 0.078 + 0.18
    return longest * 0.68 + 0.12 if turned else longest


def _clean(name: str, limit: int = 30) -> str:
    return shorten("".join(c if c.isprintable() and not 0xD800 <= ord(c) < 0xE000 else "?" for c in name), limit)


def _colors() -> Any:
    return require("matplotlib.colors", extra="plot").ListedColormap(colormap() / 255)
