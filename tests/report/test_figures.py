"""Figures: the numbers arrive at the right places, and the drawings are well-formed."""

import math
import random
import re
import xml.etree.ElementTree as ElementTree

import pytest

from netsmith.core.errors import UserError
from netsmith.report._axes import linear_scale, log_scale, number_text, number_texts, text_width, tick_texts
from netsmith.report.figures import Bar, Curve, bar_chart, confusion_chart, line_chart, standalone
from netsmith.report.pareto import ModelPoint, pareto_chart, pareto_front


def parts(drawing, tag):
    return list(ElementTree.fromstring(drawing).iter(tag))


def texts(drawing):
    return [part.text for part in parts(drawing, "text")]


def coordinates(drawing, tag="polyline"):
    return [[tuple(map(float, p.split(","))) for p in part.get("points").split()] for part in parts(drawing, tag)]


def test_a_curve_is_drawn_where_its_numbers_are():
    line = coordinates(line_chart([Curve("a", [0, 5, 10], [0.0, 1.0, 4.0])], title="t"))[0]
    (x0, y0), (x1, y1), (x2, y2) = line
    assert x1 - x0 == pytest.approx(x2 - x1, abs=0.02)
    assert (y0 - y1) * 3 == pytest.approx(y1 - y2, abs=0.05)
    (_, y0), (_, y1), (_, y2) = coordinates(
        line_chart([Curve("a", [0, 5, 10], [1.0, 10, 100])], title="t", log_y=True)
    )[0]
    assert y0 - y1 == pytest.approx(y1 - y2, abs=0.02)


def test_values_that_are_no_numbers_are_left_out():
    nan, inf = math.nan, math.inf
    drawing = line_chart([Curve("a", [0, 1, 2, 3, 4], [1.0, nan, inf, -2.0, 3.0])], title="t", log_y=True)
    assert len(coordinates(drawing)[0]) == 2
    assert "no values" in texts(line_chart([Curve("a", [0], [nan])], title="t"))
    assert "no values" in texts(line_chart([], title="t"))
    with pytest.raises(UserError, match="2 xs and 1 ys"):
        line_chart([Curve("a", [0, 1], [1.0])], title="t")


def test_a_long_curve_becomes_its_mean_and_range():
    ys = [float(step % 2) for step in range(64_000)]
    drawing = line_chart([Curve("a", range(64_000), ys)], title="t")
    line, band = coordinates(drawing)[0], coordinates(drawing, "polygon")[0]
    assert len(line) <= 240
    assert len(drawing) < 20_000
    bottom, top = max(y for _, y in band), min(y for _, y in band)
    assert all(y == pytest.approx((bottom + top) / 2, abs=1) for _, y in line)


def test_the_best_point_is_marked_even_in_a_long_curve():
    ys = [0.5] * 5000
    ys[3210] = 0.98765
    drawing = line_chart([Curve("dev", range(5000), ys, mark="max")], title="t", percent=True)
    assert "98.77 %" in texts(drawing)
    assert "0.5" in texts(line_chart([Curve("dev", [0, 1], [0.5, 2.0], mark="min")], title="t"))


@pytest.mark.parametrize("seed", range(20))
def test_scales_hold_their_values_and_have_sensible_ticks(seed):
    draw = random.Random(seed)
    values = [draw.uniform(-1, 1) * 10 ** draw.randint(-6, 6) for _ in range(draw.randint(1, 9))]
    for scale, inside in [
        (linear_scale(values, 10, 110), values),
        (log_scale([abs(v) for v in values], 10, 110), [abs(v) for v in values]),
    ]:
        assert all(10 - 1e-6 <= scale(v) <= 110 + 1e-6 for v in inside)
        assert 2 <= len(scale.ticks) <= 12
        assert list(scale.ticks) == sorted(set(scale.ticks))
        assert len(set(tick_texts(scale))) == len(scale.ticks)
    assert max(linear_scale([0.5, 0.97, 1.0], 0, 1, cap=1.0).ticks) == 1.0


def test_names_of_many_curves_and_a_long_axis_name_stay_inside():
    names = [f"stages.{number}.conv{number}" for number in range(5)]
    drawn = line_chart([Curve(name, [0, 1], [0, 1]) for name in names], title="t", y_label="cross entropy added")
    (one,) = coordinates(line_chart([Curve("a", [0, 1], [0, 1])], title="t", y_label="cross entropy added"))
    assert set(names) <= set(texts(drawn))
    room = [float(value) for value in ElementTree.fromstring(drawn).get("viewBox").split()]
    for part in parts(drawn, "text"):
        size = float(re.search(r"font-size:([\d.]+)px", part.get("style"))[1])
        begin = float(part.get("x")) - {"start": 0, "middle": 0.5, "end": 1}[part.get("text-anchor")] * text_width(
            part.text, size
        )
        assert begin >= -1e-6
        assert begin + text_width(part.text, size) <= room[2]
    rows = {float(part.get("y")) for part in parts(drawn, "text") if part.text in names}
    assert len(rows) == 2
    assert coordinates(drawn)[0] == [(x, y + 18) for x, y in one]  # as large as beside one row, and further down


def test_ticks_of_whole_numbers_are_whole():
    for high in (1, 2, 3, 7, 9, 11, 12, 13, 14, 30, 60, 240, 25_000):
        for scale in (linear_scale([1, high], 0, 1), log_scale([1.0, 3.0, high], 0, 1, pad=1.1)):
            assert all(float(tick).is_integer() for tick in scale.ticks), (high, scale.ticks)
            assert 2 <= len(scale.ticks) <= 12
    assert 12.5 in linear_scale([0.5, 12.0], 0, 1).ticks
    assert len(linear_scale([0.0, 1.0], 0, 1, cap=1.0).ticks) > 2  # proportions, not counts
    chart = line_chart([Curve("a", range(1, 13), [1 / x for x in range(1, 13)])], title="t")
    assert {"2", "4", "12"} <= set(texts(chart))


def test_an_axis_has_one_notation():
    scale = log_scale([1e6, 1e19], 0, 1)
    assert tick_texts(scale) == [f"1e{power}" for power in (6, 8, 10, 12, 14, 16, 18)]
    assert number_texts([0, 1e-5, 0.00015, 2.5]) == ["0", "1e-5", "1.5e-4", "2.5e0"]
    assert number_texts([0, 500, 1500]) == ["0", "500", "1.5k"]


def test_tick_labels():
    assert [number_text(v) for v in (0, 0.05, 1.5, 20_000, 1e-6, 2.5e6)] == ["0", "0.05", "1.5", "20k", "1e-6", "2.5M"]
    assert [number_text(v) for v in (1e12, 1e13, -3e20)] == ["1000G", "1e13", "-3e20"]
    assert tick_texts(linear_scale([0.985, 0.99], 0, 1), percent=True)[0] == "98.5 %"
    assert set(map(len, tick_texts(linear_scale([0.985, 0.99], 0, 1), percent=True))) == {6}
    assert text_width("WWW", 10) > text_width("iii", 10)


def test_confusion_chart_shows_counts_recall_and_labels():
    drawing = confusion_chart([[40, 2, 0], [0, 41, 0], [1, 0, 12_345]], ["cat", "dog", "<cow>"], title="t")
    shown = texts(drawing)
    for wanted in ("40", "2", "41", "1", "12.3k", "95 %", "100 %", "99 %", "<cow>", "predicted", "true"):
        assert wanted in shown, wanted
    assert "0" not in shown
    cells = [part for part in parts(drawing, "rect") if part.find("title") is not None]
    assert len(cells) == 9
    tips = [cell.find("title").text for cell in cells]
    assert tips[1] == "cat taken for dog: 2"
    strength = {
        tip: float(re.search(r"fill-opacity:([\d.]+)", c.get("style"))[1]) for tip, c in zip(tips, cells, strict=True)
    }
    assert strength["cat: 40"] > strength["cat taken for dog: 2"] > strength["<cow> taken for cat: 1"]
    with pytest.raises(UserError, match="for 2 names"):
        confusion_chart([[1]], ["a", "b"], title="t")


@pytest.mark.parametrize("count", [1, 2, 13, 24, 25, 100])
def test_confusion_charts_of_any_size_stay_inside_their_frame(count):
    drawing = confusion_chart(
        [[1] * count for _ in range(count)], [f"a long class name {i}" for i in range(count)], title="t"
    )
    _, _, width, height = map(float, ElementTree.fromstring(drawing).get("viewBox").split())
    for part in parts(drawing, "rect"):
        assert float(part.get("x")) >= 0
        assert float(part.get("x")) + float(part.get("width")) <= width
        assert float(part.get("y")) + float(part.get("height")) <= height
    assert len(drawing) < 300 * count**2 + 20_000


@pytest.mark.parametrize("seed", range(10))
def test_pareto_front_against_the_definition(seed):
    draw = random.Random(seed)
    points = [ModelPoint(str(i), draw.randint(1, 6) / 2, draw.randint(0, 6) / 10) for i in range(12)]

    def beaten(p):
        return any(
            q.cost <= p.cost and q.accuracy >= p.accuracy and (q.cost, q.accuracy) != (p.cost, p.accuracy)
            for q in points
        )

    wanted = {(p.cost, p.accuracy) for p in points if not beaten(p)}
    front = pareto_front(points)
    found = [(points[i].cost, points[i].accuracy) for i in front]
    assert set(found) == wanted
    assert len(found) == len(wanted)
    assert found == sorted(found)


def test_pareto_chart_places_models_and_keeps_labels_apart():
    points = [
        ModelPoint("teacher", 0.09, 0.99),
        ModelPoint("pruned", 0.045, 0.988),
        ModelPoint("teacher, int8", 0.0713, 0.988),
        ModelPoint("student", 0.0263, 0.986),
        ModelPoint("student, int8", 0.0225, 0.986),
    ]
    drawing = pareto_chart(points, title="t")
    at = {part.find("title").text.split(":")[0]: part for part in parts(drawing, "circle")}
    x = {name: float(part.get("cx")) for name, part in at.items()}
    y = {name: float(part.get("cy")) for name, part in at.items()}
    assert x["teacher"] - x["pruned"] == pytest.approx(x["pruned"] - x["student, int8"], abs=0.05)  # factors of 2
    assert y["pruned"] - y["teacher"] == pytest.approx(y["student"] - y["pruned"], abs=0.05)
    filled = {name for name, part in at.items() if "fill:var(--series-1" in part.get("style")}
    assert filled == {"teacher", "pruned", "student, int8"}
    boxes = []
    for part in parts(drawing, "text"):
        if part.text in at:
            length = text_width(part.text, 12.5)
            left = float(part.get("x")) - {"start": 0, "end": length, "middle": length / 2}[part.get("text-anchor")]
            boxes.append((left, float(part.get("y")) - 10, left + length, float(part.get("y")) + 2))
    assert len(boxes) == 5
    for number, a in enumerate(boxes):
        assert 0 <= a[0] < a[2] <= 470
        for b in boxes[number + 1 :]:
            assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])


def test_names_that_would_cover_others_are_left_to_the_pointer_but_never_those_of_the_best():
    crowd = [ModelPoint(f"one_of_the_crowd_{at:02}", 1 + at / 1000, 0.97 + at / 1e6) for at in range(26)]
    best = ModelPoint("cheapest_of_all", 0.999, 0.98)
    drawing = pareto_chart([*crowd, best, ModelPoint("alone", 50.0, 0.6)], title="t")
    shown = [
        text for text in parts(drawing, "text") if text.text and text.text.startswith(("one_of", "cheap", "alone"))
    ]
    names = [text.text for text in shown]
    assert {"cheapest_of_all", "alone"} <= set(names)
    assert len(names) < 10
    assert len(parts(drawing, "circle")) == 28
    assert all(point.name in drawing for point in crowd)  # under the pointer


def test_pareto_chart_of_one_or_equal_models_and_of_nonsense():
    assert len(parts(pareto_chart([ModelPoint("a", 1.0, 1.0)], title="t"), "circle")) == 1
    assert len(parts(pareto_chart([ModelPoint("a", 1.0, 0.0)] * 3, title="t"), "circle")) == 3
    assert "no models" in texts(pareto_chart([], title="t"))
    drawing = pareto_chart([ModelPoint("a", 2e6, 0.5)], title="t", axis="parameters", text=lambda cost: f"{cost:.0e}!")
    assert "parameters (logarithmic)" in texts(drawing)
    assert "a: 50.00 %, 2e+06!" in drawing
    with pytest.raises(UserError, match=r"'a' costs 0\.0 and has accuracy"):
        pareto_chart([ModelPoint("a", 0.0, 0.5)], title="t")


def test_bars_are_as_long_as_their_values():
    drawing = bar_chart([Bar("a", 100, "100 B"), Bar("b", 25, "25 B"), Bar("c", 0, "0 B")], title="t")
    lengths = [float(part.get("width")) for part in parts(drawing, "rect")]
    assert lengths[0] == pytest.approx(4 * lengths[1], abs=0.05)
    assert lengths[2] == 2
    assert {"100 B", "25 B", "0 B"} < set(texts(drawing))
    with pytest.raises(UserError, match=r"bar 'a' has value -1"):
        bar_chart([Bar("a", -1, "")], title="t")


def test_a_standalone_figure_is_an_svg_file():
    root = ElementTree.fromstring(standalone(bar_chart([Bar("a", 1, "1")], title="t")).encode())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"


def test_a_narrow_logarithmic_axis_has_ticks_however_small_its_values_are() -> None:
    for size in (1e-15, 1e-5, 1.0, 1e9):
        for values in ([3.4e0 * size, 4.6e0 * size], [2.66 * size, 5.33 * size], [9.5 * size, 9.6 * size]):
            scale = log_scale(values, 0, 100, pad=1.1)
            assert len(scale.ticks) >= 2
            assert scale.low <= min(scale.ticks) < max(scale.ticks) <= scale.high
