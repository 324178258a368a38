"""Charts as PNG: nothing is cut off, names are safe, and the colors say what the numbers say."""

import io
import sys

import numpy as np
import pytest

from netsmith.core.errors import MissingExtraError, UserError
from netsmith.report.page import Page, Picture
from netsmith.report.pictures import colormap
from netsmith.report.plots import bars_png, class_colors, heat_map_png, scatter_png

image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")

PAPER = np.array([252, 251, 249])
NAMES = ["stages.0.conv1", "a_very_long_name_of_a_layer.with.many.parts.conv1", "$x^{", "漢\ud800\n", "head"]


def pixels(data):
    with image.open(io.BytesIO(data)) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


def assert_nothing_is_cut(data):
    found = pixels(data)
    edges = np.concatenate([found[0], found[-1], found[:, 0], found[:, -1]])
    assert (np.abs(edges - PAPER).max(1) <= 1).all()


def heat(**settings):
    values = np.array([[0.0, 0.2, 0.4, 0.6, 1.0]] * 5)
    settings = {"title": "All of it", "low": 0.0, "high": 1.0, "legend": "CKA"} | settings
    return heat_map_png(values, NAMES, NAMES, **settings)


def test_charts_are_whole_whatever_the_names_are():
    assert_nothing_is_cut(heat(title="A title that is a good deal longer than the matrix below it is wide, to say so"))
    assert_nothing_is_cut(heat_map_png([[0.5, -0.5]], ["a"], ["b", "c"], title="t", low=-1, high=1, legend="s"))
    assert_nothing_is_cut(bars_png([0.2, 1.0], NAMES[:2], title="t", texts=["20.00 %", "100.0 %"], seconds=[1.0, 0.0]))
    points = np.random.default_rng(0).normal(size=(60, 2))
    assert_nothing_is_cut(scatter_png(points, np.arange(60) % 5, NAMES, title="t", axes_names=("first", "second")))
    assert_nothing_is_cut(scatter_png(points, np.arange(60) % 40, [f"class {k}" for k in range(40)], title="t"))
    wide = np.zeros((90, 90))
    assert_nothing_is_cut(heat_map_png(wide, (), (), title="t", low=0, high=2, legend="1 - r", marks=(30, 60)))


def test_the_same_numbers_give_the_same_file():
    assert heat() == heat()


def test_cells_have_the_colors_of_their_values():
    data = heat_map_png([[0.0, 1.0]], (), (), title="", low=0.0, high=1.0, legend="")
    shown = {tuple(color) for color in pixels(data).reshape(-1, 3).tolist()}
    assert tuple(colormap()[0].tolist()) in shown
    assert tuple(colormap()[-1].tolist()) in shown


def test_class_colors_are_far_apart():
    for count in (2, 10, 20):
        colors = class_colors(count)
        away = np.abs(colors[:, None] - colors[None]).max(-1) + np.eye(count)
        assert away.min() > 0.1
        assert ((colors >= 0) & (colors <= 1)).all()


def test_what_does_not_fit_is_refused():
    with pytest.raises(UserError, match=r"shape \(1, 2\) for 2 rows and 2 columns"):
        heat_map_png([[1.0, 2.0]], ["a", "b"], ["c", "d"], title="", low=0, high=1, legend="")
    with pytest.raises(UserError, match="expected proportions"):
        bars_png([1.2], ["a"], title="", texts=[""])
    with pytest.raises(UserError, match="2 names"):
        scatter_png([[0.0, 1.0]], [2], ["a", "b"], title="")


def test_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"netsmith\[plot\]"):
        heat()


def test_a_page_shows_charts_large_and_at_half_their_pixels():
    data = heat()
    width = pixels(data).shape[1]
    text = Page("t").section("s").pictures([Picture(data, "it", large=True)]).render()
    assert f'style="width:{width // 2}px"' in text
    assert 'class="pictures charts"' in text
    assert 'class="pictures"' in Page("t").section("s").pictures([Picture(data, "it")]).render()
