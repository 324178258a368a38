"""What labs draw besides lines: points, bars, small images."""

import base64
import math
import struct
import xml.etree.ElementTree as ElementTree
import zlib

import pytest

from netsmith.core.errors import UserError
from netsmith.core.findings import Bar, Bars, Picture, Pictures, Points, Series
from netsmith.report.lab_figures import draw
from netsmith.report.lab_marks import grouped_bars, picture_rows, points_chart


def texts(drawing):
    return [part.text or "" for part in ElementTree.fromstring(drawing).iter("text")]


def starts(drawing):
    """Where each point's outline begins, group by group."""
    groups = [group for group in ElementTree.fromstring(drawing).iter("g") if group.find("path") is not None]
    return [
        [tuple(map(float, one.get("d")[1:].split("a")[0].split("L")[0].split(","))) for one in group.iter("path")]
        for group in groups
    ]


def test_points_lie_at_their_places_and_lines_over_them():
    figure = Points(
        "p", "Two & more", "x, m", "y, m", (Series("left", (0.0, 1.0), (0.0, 2.0)),), (Series("way", (0, 1), (0, 2)),)
    )
    drawing = draw(figure)
    (first, second) = starts(drawing)[0]
    line = next(ElementTree.fromstring(drawing).iter("polyline")).get("points").split()
    ends = [tuple(map(float, one.split(","))) for one in line]
    for (a, b), (c, d) in zip((first, second), ends, strict=True):
        assert (a + 3.2, b) == pytest.approx((c, d), abs=0.02)  # a circle's outline begins at its left
    assert {"Two & more", "left", "way", "x, m", "y, m"} <= set(texts(drawing))


def test_a_line_breaks_where_it_has_no_place_and_its_length_does_not_fade_the_points():
    way = Series("way", (0.0, 1.0, math.nan, 2.0, 3.0, math.nan), (0.0, 1.0, math.nan, 0.0, 1.0, math.nan))
    root = ElementTree.fromstring(draw(Points("p", "t", "x", "y", (Series("s", (0.0,), (1.0,)),), (way,))))
    lines = list(root.iter("polyline"))
    assert [len(line.get("points").split()) for line in lines] == [2, 2]
    assert len({line.get("style") for line in lines}) == 1
    assert texts(draw(Points("p", "t", "x", "y", (), (way,)))).count("way") == 1
    long = Series("way", tuple(map(float, range(1000))), (0.5,) * 1000)
    assert "fill-opacity:0.85" in draw(Points("p", "t", "x", "y", (Series("s", (0.0,), (1.0,)),), (long,)))


def test_equal_axes_keep_a_circle_round_in_either_direction():
    for xs, ys in (((-1.0, 1.0, 0.0, 0.0), (0.0, 0.0, 9.0, -9.0)), ((-9.0, 9.0, 0.0, 0.0), (0.0, 0.0, 1.0, -1.0))):
        drawing = points_chart(Points("p", "t", "x", "y", (Series("s", xs, ys),), equal=True))
        left, right, top, bottom = starts(drawing)[0]
        wide, tall = right[0] - left[0], bottom[1] - top[1]
        assert wide / (xs[1] - xs[0]) == pytest.approx(tall / (ys[2] - ys[3]), rel=1e-3)


def test_what_has_no_place_is_left_out_and_the_sixth_group_has_another_shape():
    bad = Series("bad", (1.0, float("nan"), -1.0), (1.0, 1.0, 1.0))
    assert [len(group) for group in starts(points_chart(Points("p", "t", "x", "y", (bad,), log_x=True)))] == [1]
    many = tuple(Series(f"group {k}", (float(k),), (1.0,)) for k in range(7))
    root = ElementTree.fromstring(points_chart(Points("p", "t", "x", "y", many)))
    assert ["a" in one.get("d") for one in root.iter("path")] == ([True] * 5 + [False] * 2) * 2  # legend, then plot
    assert "no values" in texts(points_chart(Points("p", "t", "x", "y")))
    with pytest.raises(UserError, match="'s' has 1 xs and 2 ys"):
        points_chart(Points("p", "t", "x", "y", (Series("s", (1.0,), (1.0, 2.0)),)))


def test_bars_are_as_high_as_their_values_on_both_sides_of_zero():
    figure = Bars("b", "t", "points", ("a", "b"), (Bar("one", (2.0, -1.0)), Bar("two", (4.0, None), (0.5, 0.0))))
    root = ElementTree.fromstring(draw(figure))
    bars = [one for one in root.iter("rect") if one.find("title") is not None]
    assert [one.find("title").text for one in bars] == ["one, a: 2", "two, a: 4", "one, b: -1"]
    high = [float(one.get("height")) for one in bars]
    assert high == pytest.approx([high[0], 2 * high[0], high[0] / 2], abs=0.03)
    assert float(bars[2].get("y")) == pytest.approx(float(bars[0].get("y")) + high[0], abs=0.03)  # below zero
    spread = [one for one in root.iter("line") if one.get("x1") == one.get("x2") and "1.2" in one.get("style")]
    assert float(spread[0].get("y1")) - float(spread[0].get("y2")) == pytest.approx(high[0] / 2, abs=0.05)


@pytest.mark.parametrize(
    "bars",
    [(Bar("one", (1.0,)),), (Bar("one", (1.0, 2.0), (0.1,)),), (Bar("one", (1.0, float("inf"))),), ()],
)
def test_bars_that_do_not_fit_are_refused(bars):
    with pytest.raises(UserError, match="b: "):
        grouped_bars(Bars("b", "t", "y", ("a", "b"), bars))


def test_images_are_drawn_pixel_by_pixel():
    figure = Pictures("d", "Digits", (Picture("one", ((0.0, 8.0), (16.0, 99.0))), Picture("", ((4.0,),))), 0, 16, 1)
    drawing = draw(figure)
    images = list(ElementTree.fromstring(drawing).iter("image"))
    data = base64.b64decode(images[0].get("href").split(",")[1])
    size = struct.unpack(">I", data[33:37])[0]
    assert zlib.decompress(data[41 : 41 + size]) == bytes([0, 0, 128, 0, 255, 255])
    assert float(images[1].get("y")) > float(images[0].get("y")) + float(images[0].get("height"))
    assert texts(drawing) == ["Digits", "one"]
    for wrong in (Pictures("d", "t", (), 0, 1), Pictures("d", "t", (Picture("a", ((1.0,), (1.0, 2.0))),), 0, 1)):
        with pytest.raises(UserError, match="d: "):
            picture_rows(wrong)
    with pytest.raises(UserError, match="over a range"):
        picture_rows(Pictures("d", "t", (Picture("a", ((1.0,),)),), 1, 1))


def test_equal_axes_of_a_thin_figure_have_as_many_ticks_as_others():
    thin = Series("s", (0.0, 1e-6), (0.0, 1e6))
    shown = texts(points_chart(Points("p", "t", "x", "y", lines=(thin,), equal=True)))
    assert 4 <= len(shown) < 20
