"""Labs: what they find is what the papers know, and what they say of it follows from the numbers."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
import torch

from netsmith.core.cards import lab_card_of
from netsmith.core.errors import ConfigError, UnknownNameError, UserError
from netsmith.core.findings import Histograms, Lines, Panel, Series, Surface
from netsmith.core.registry import find_kind, kinds, labs
from netsmith.core.roles import LabConfig, ScheduleConfig
from netsmith.labs.initialization.deep_signal import DeepSignal
from netsmith.labs.optimization._surfaces import SURFACES, walk
from netsmith.labs.optimization.nesterov_forms import NesterovForms
from netsmith.labs.optimization.race import Race
from netsmith.labs.optimization.schedules import Schedules
from netsmith.optim.adam import Adam
from netsmith.optim.sgd import SGD
from netsmith.report.lab_figures import contour_chart, draw, histogram_row
from netsmith.report.markup import escape
from netsmith.workflows.lab import run_lab


def texts(drawing: str) -> list[str]:
    return [part.text or "" for part in ElementTree.fromstring(drawing).iter("text")]


# -- what they find ---------------------------------------------------------------------------------------------------


def test_ten_layers_of_500_units_have_the_known_statistics() -> None:
    found = DeepSignal.Config().build().run()
    gaussian, xavier = found.numbers["std/tanh_gaussian"], found.numbers["std/tanh_xavier"]
    assert gaussian[0] == pytest.approx(0.213, abs=0.002)
    assert max(gaussian[8:]) < 1e-5
    assert xavier[:4] == pytest.approx((0.63, 0.49, 0.41, 0.36), abs=0.006)
    assert xavier[9] == pytest.approx(0.23, abs=0.006)
    assert found.numbers["std/relu_xavier"][9] == pytest.approx(0.026, abs=0.004)
    assert all(0.55 < std < 1.05 for std in found.numbers["std/relu_he"])
    gone = next(layer for layer, std in enumerate(gaussian, 1) if std < 1e-5)
    assert f"below 1e-05 from layer {gone} on" in found.remarks[0]
    assert not [remark for remark in found.remarks[1:] if "below" in remark]
    chart = found.figures[0]
    assert isinstance(chart, Lines)
    assert chart.series[1].ys == xavier
    assert [row[2] for row in found.tables[0].rows] == list(xavier)
    for histogram, zeros in zip(found.figures[1:], (0.0, 0.0, 0.5, 0.5), strict=True):
        assert isinstance(histogram, Histograms)
        assert [sum(panel.shares) for panel in histogram.panels] == pytest.approx([1 - zeros] * 10, abs=0.03)


def test_a_seed_and_a_size_change_the_signal() -> None:
    first, again, other = (
        DeepSignal.Config(layers=12, units=30, batch=40, seed=seed).build().run() for seed in (0, 0, 1)
    )
    assert first == again
    assert first.numbers["std/relu_he"] != other.numbers["std/relu_he"]
    assert len(first.numbers["std/relu_he"]) == 12
    assert [row[0] for row in first.tables[0].rows] == [1, 2, 3, 4, 5, 7, 8, 9, 10, 12]


def test_every_schedule_of_the_catalogue_is_drawn() -> None:
    found = Schedules.Config(steps=1000).build().run()
    assert {row[0] for row in found.tables[0].rows} == set(kinds(ScheduleConfig))
    assert {"cosine", "one_cycle", "warm_restarts", "window"} <= set(kinds(ScheduleConfig))
    assert found.numbers["mean/cosine"] == pytest.approx(0.5, abs=0.001)
    assert found.numbers["last/linear"] == pytest.approx(0.001)
    assert found.numbers["highest_at/one_cycle"] == 299
    cosine = next(figure for figure in found.figures if figure.title == "cosine").series[0]
    assert (cosine.xs[0], cosine.xs[-1]) == (0, 999)
    assert len(cosine.xs) <= 240  # more would be drawn as means, and the ends would not be what they are
    assert "mean factor is largest for constant (1)" in found.remarks[-1]


def test_schedules_of_ones_own_are_drawn_and_told_apart() -> None:
    two = [{"kind": "inverse_time", "unit": 10}, {"kind": "inverse_time", "unit": 20}]
    found = Schedules.Config().derive(steps=100, schedules=two).build().run()
    assert [row[0] for row in found.tables[0].rows] == ["inverse_time", "inverse_time_2"]
    assert found.numbers["last/inverse_time_2"] == pytest.approx(1 / (1 + 99 / 20))
    assert found.figures[1].caption == "inverse_time(decay=1.0, unit=20)"


def test_a_walk_is_the_recurrence_of_its_optimizer() -> None:
    x, y = SURFACES["valley"].start
    way = walk(SURFACES["valley"], SGD.Config(lr=0.5), 7)
    assert way.xs == pytest.approx([x * (1 - 0.5 / 50) ** step for step in range(8)], abs=1e-12)
    assert way.ys == pytest.approx([y * 0.5**step for step in range(8)], abs=1e-12)
    assert way.distances[-1] == pytest.approx((way.xs[-1] ** 2 + way.ys[-1] ** 2) ** 0.5)
    place = torch.tensor(SURFACES["beale"].start, dtype=torch.float64, requires_grad=True)
    peer = torch.optim.Adam([place], lr=0.1)
    for _ in range(20):
        peer.zero_grad()
        a, b = place
        ((1.5 - a + a * b) ** 2 + (2.25 - a + a * b**2) ** 2 + (2.625 - a + a * b**3) ** 2).backward()
        peer.step()
    way = walk(SURFACES["beale"], Adam.Config(lr=0.1), 20)
    assert (way.xs[-1], way.ys[-1]) == pytest.approx(tuple(place.tolist()), abs=1e-12)


@pytest.mark.parametrize("name", SURFACES)
def test_the_minima_are_minima(name) -> None:
    plane = SURFACES[name]
    for minimum in plane.minima:
        place = torch.tensor(minimum, dtype=torch.float64)
        hessian = torch.autograd.functional.hessian(lambda at: plane.value(at[0], at[1]), place)
        gradient = torch.autograd.functional.jacobian(lambda at: plane.value(at[0], at[1]), place)
        assert gradient.abs().max() < 1e-12
        assert torch.linalg.eigvalsh(hessian).min() > 0


def test_a_race_takes_the_best_rate_and_says_who_arrives() -> None:
    optimizers = [{"kind": "sgd", "lr": 0.1}, {"kind": "lookahead", "inner": {"kind": "sgd", "lr": 0.1}}]
    config = Race.Config().derive(surface="valley", optimizers=optimizers, rates=[0.1, 1.0, 3.0], steps=400)
    found = config.build().run()
    # x shrinks by 1 - 1/50 a step from 4.5, y is gone after the first: the hundredth is reached at step 303
    assert found.tables[0].rows[0][:3] == ("sgd", 1.0, 303)
    assert found.numbers["rate/lookahead(sgd)"] == 1.0
    assert found.remarks[0].startswith("1 of 2 come within 0.01")
    assert "lookahead(sgd) (" in found.remarks[2]
    surface, chart = found.figures
    assert isinstance(surface, Surface)
    assert chart.series[0].ys[0] == pytest.approx((4.5**2 + 1.2**2) ** 0.5)
    lost = Race.Config().derive(optimizers=optimizers[:1], rates=[100.0, 1000.0], steps=50).build().run()
    assert texts(draw(chart)).count("sgd, rate 1") == 1
    assert lost.remarks[1] == "Diverged at every rate tried: sgd."
    assert lost.tables[0].rows[0][2] is None


def test_nesterovs_forms_part_where_the_rate_falls() -> None:
    found = NesterovForms.Config().build().run()
    forms = ("momentum(nesterov)", "sgd(nesterov)")
    assert max(found.numbers[f"apart/constant/{form}"] for form in forms) < 1e-13
    assert found.numbers["apart/falling/momentum(nesterov)"] < 1e-13
    assert found.numbers["apart/falling/sgd(nesterov)"] > 0.01
    assert found.numbers["parted_at/falling/sgd(nesterov)"] == 51  # the rate falls at step 50
    assert found.remarks[3].endswith("first more than 1e-09 at step 51.")


# -- what is drawn ----------------------------------------------------------------------------------------------------


def test_histograms_stand_side_by_side() -> None:
    panels = (Panel("layer 1", (0.25, 0.5, 0.25)), Panel("layer 2", (0.0, 1.0, 0.0)))
    figure = Histograms("h", "Activations", "activation", -1.0, 1.0, panels)
    drawing = histogram_row(figure)
    bars = [(float(b.get("x")), float(b.get("height"))) for b in ElementTree.fromstring(drawing).iter("rect")]
    assert len(bars) == 4  # an empty bin has none
    assert bars[1][1] == pytest.approx(2 * bars[0][1], abs=0.02)
    assert bars[3][1] == pytest.approx(bars[1][1])
    assert {"layer 1", "layer 2", "-1", "1", "activation"} <= set(texts(drawing))
    with pytest.raises(UserError, match="expected panels over a range"):
        histogram_row(Histograms("h", "t", "x", 1.0, 1.0, panels))


def test_paths_lie_on_their_contour_lines() -> None:
    grid = tuple(step / 10 for step in range(-20, 21))
    values = tuple(tuple(x * x + y * y for x in grid) for y in grid)
    path = Series("sgd & co", (1.0, 0.0, 5.0), (0.0, 1.0, 9.0))
    figure = Surface("s", "Bowl", "x", "y", grid, grid, values, (1.0,), (path,), (("minimum", 0.0, 0.0),))
    root = ElementTree.fromstring(contour_chart(figure))
    lines = [[tuple(map(float, p.split(","))) for p in line.get("points").split()] for line in root.iter("polyline")]
    circle, drawn = lines[0], lines[-1]
    nearest = [min(((a - x) ** 2 + (b - y) ** 2) ** 0.5 for a, b in circle) for x, y in drawn[:2]]
    assert max(nearest) < 0.5  # both first points lie on the circle of radius 1
    assert [part.get("overflow") for part in root.iter("svg")][1] == "hidden"
    assert {"minimum", "sgd & co", "x", "y"} <= set(texts(contour_chart(figure)))
    placed = {part.text: part for part in ElementTree.fromstring(contour_chart(figure)).iter("text")}
    a, b = float(placed["1"].get("x")), float(placed["1"].get("y")) - 3.5  # of the text's middle
    x, y = next((c, d) for c, d in circle if abs(c - a) + abs(d - b) < 0.02)  # a level has its value on its line
    assert min(math.dist((x, y), place) for place in drawn[:2]) > 26
    with pytest.raises(UserError, match="a row for each y"):
        contour_chart(Surface("s", "t", "x", "y", grid, grid, values[1:], (1.0,)))


def test_more_than_five_lines_are_dashed_and_a_logarithmic_axis_leaves_zeros_out() -> None:
    series = tuple(Series(f"line {number}", (0.0, 1.0, 10.0, 100.0), (1.0, 2.0, 3.0, 4.0)) for number in range(7))
    drawing = draw(Lines("l", "t", "x", "y", series, log_x=True))
    lines = list(ElementTree.fromstring(drawing).iter("polyline"))
    assert ["stroke-dasharray" in line.get("style") for line in lines] == [False] * 5 + [True] * 2
    (a, b, c) = (float(point.split(",")[0]) for point in lines[0].get("points").split())
    assert b - a == pytest.approx(c - b, abs=0.02)


# -- the workflow -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(labs()))
def test_each_lab_writes_its_page_figures_and_numbers(name, tmp_path) -> None:
    card = lab_card_of(labs()[name])
    found = run_lab(name, quick=True, folder=tmp_path / "out")
    page = found.page.read_text(encoding="utf-8")
    numbers = json.loads((tmp_path / "out" / "numbers.json").read_text(encoding="utf-8"))
    assert escape(card.title) in page
    assert numbers["lab"] == name
    assert find_kind(LabConfig, name).load(numbers["config"]) == found.config
    assert numbers["remarks"] == list(found.findings.remarks)
    assert len(numbers["remarks"]) > 0
    assert "torch" in numbers["environment"]["versions"]
    assert sorted(one.name for one in (tmp_path / "out").glob("*.svg")) == sorted(numbers["figures"])
    assert len(set(numbers["figures"])) == len(found.findings.figures)
    for file in found.files[1:]:
        ElementTree.fromstring(file.read_text(encoding="utf-8"))
        assert file.name.removesuffix(".svg") in {one.name for one in found.findings.figures}
    assert page.count("<svg ") >= len(numbers["figures"])
    assert found.findings == run_lab(name, quick=True, folder=tmp_path / "again").findings


def test_quick_settings_are_a_labs_own_and_give_way_to_those_that_are_set(tmp_path) -> None:
    found = run_lab("race", quick=True, sets={"steps": 7}, folder=tmp_path)
    assert found.config == Race.Config().derive(steps=7, rates=[0.01])


def test_a_second_run_leaves_no_figure_of_the_first(tmp_path) -> None:
    run_lab("schedules", sets={"steps": 20}, folder=tmp_path)
    (tmp_path / "mine.svg").write_text("mine")
    found = run_lab("schedules", sets={"steps": 20, "schedules": ["linear"]}, folder=tmp_path)
    assert {one.name for one in tmp_path.glob("*.svg")} == {"mine.svg", "schedule_linear.svg"}
    assert [one.name for one in found.files] == ["numbers.json", "schedule_linear.svg"]
    with pytest.raises(UserError, match="not of the lab race; choose another folder"):
        run_lab("race", quick=True, folder=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file; expected a folder"):
        run_lab("race", quick=True, folder=tmp_path / "file")


@pytest.mark.parametrize(
    ("name", "sets", "kind", "text"),
    [
        ("rase", {}, UnknownNameError, "'race'"),
        ("deep_signal", {"layer": 3}, ConfigError, "did you mean 'layers'"),
        ("deep_signal", {"layers": 1}, ConfigError, "DeepSignal.Config.layers"),
        ("race", {"surface": "beal"}, ConfigError, "'beale'"),
        ("race", {"optimizers": ["adan"]}, ConfigError, "did you mean"),
        ("race", {"kind": "schedules"}, ConfigError, "chosen by its name"),
    ],
)
def test_wrong_names_and_fields_are_answered_with_the_nearest(name, sets, kind, text, tmp_path) -> None:
    with pytest.raises(kind, match=re.escape(text)):
        run_lab(name, sets=sets, folder=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_labs_are_listed_without_torch() -> None:
    code = (
        "import sys, netsmith.cli\n"
        "assert netsmith.cli.main(['lab', 'list']) == 0\n"
        "assert not {'torch', 'numpy', 'matplotlib'} & set(sys.modules), 'heavy'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    listed = [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")]
    assert sorted(listed) == sorted(labs())
    assert f"{len(listed)} labs" in done.stdout
