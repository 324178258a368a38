"""``compress`` to a budget: what is refused, what is made, and that a second call goes on."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from netsmith.methods._logit_cache import SharedAnswers
from netsmith.workflows.budget import Search
from netsmith.workflows.budget_figures import Budget
from netsmith.workflows.front_runs import Trainer

SHORT = "--set data.twin=true --set epochs=0 --set steps=30"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--latency 1ms --size 2kB", "give one budget: --latency, --size or --speedup"),
        ("--latency 5", "--latency '5': expected a number above 0 with a unit: ms, us, s"),
        ("--size 0kB", "--size '0kB': expected a number above 0 with a unit: b, kb, mb, kib, mib"),
        ("--speedup 0.5", "--speedup 0.5: expected a number above 1"),
        ("--speedup 0", "--speedup 0: expected a number above 1"),
        ("--speedup -2", "--speedup -2: expected a number above 1"),
        ("--speedup 0 --size 20kB", "give one budget: --latency, --size or --speedup"),
        ("--size ''", "--size '': expected a number above 0 with a unit: b, kb, mb, kib, mib"),
        ("--size 20kB --max-drop 200", "--max-drop 200: expected points of accuracy, at least 0 and below 100"),
        ("--size 20kB --max-drop -1", "--max-drop -1: expected points of accuracy, at least 0 and below 100"),
        (
            "--speedup 2 --prune 0.3 --set epochs=1",
            "--prune, --set do not go with a budget (--latency, --size or --speed",
        ),
        ("--speedup 2 --prune 0.3", "--prune does not go with a budget (--latency, --size or --speed"),
        ("--points 3 --controls 1", "--points, --controls need a budget (--latency, --size or --speedup)"),
        ("--points 3", "--points needs a budget (--latency, --size or --speedup)"),
    ],
)
def test_a_budget_is_one_figure_with_its_unit(netsmith, options, message):
    found = netsmith(f"compress runs/none {options}")
    assert found.code == 2
    assert found.line.startswith(message)


def test_a_run_is_narrowed_to_a_size(netsmith, monkeypatch):
    assert netsmith(f"train mlp_digits {SHORT}").code == 0
    refused = netsmith("compress runs/mlp_digits --size 100b")
    assert refused.code == 2
    told = re.fullmatch(
        r"a budget of 100 B cannot be reached by narrowing: nearest is the narrowest network, at (\d+) B\. "
        r"Ask for --size (\d+)B, or distil into another network \(--student\)",
        refused.line,
    )
    assert told
    assert told[1] == told[2]
    within = netsmith("compress runs/mlp_digits --size 100MB")
    assert within.code == 2
    assert within.line.startswith(
        "the whole network is within 100 MB, in full precision or int8; ask for a tighter one, or: netsmith ex"
    )
    assert not [path for path in Path("runs").iterdir() if path.name.startswith("mlp_digits-")]
    command = "compress runs/mlp_digits --size 5kB --points 2 --controls 1 --epochs 1 --max-drop 0.1 --json"
    before = SharedAnswers.look_up
    answered = []

    def counted(self, *given):
        found = before(self, *given)
        answered.append(self.answered)
        return found

    monkeypatch.setattr(SharedAnswers, "look_up", counted)
    code, out, err = netsmith(command)
    assert code == 0, err
    assert max(answered) > 0  # the second network of the front learns from what the first one asked
    assert "using what was measured of this network before" in err  # for a budget that could not be reached
    assert [int(place) for place in re.findall(r"control (\d) of 3; about \d+ min left for these", err)] == [1, 2, 3]
    rows = {row["name"]: row for row in json.loads(out)}
    controls = ("pruned and taught", "pruned, not taught", "from scratch, taught", "from scratch")
    files = ["original", "original int8", "front1", "front1 int8", "front2", "front2 int8"]
    assert list(rows) == [*files, *(f"{control}, mean of 1" for control in controls)]
    found = json.loads(Path("runs/mlp_digits/front.json").read_text())
    assert found["budget"] == {"kind": "size", "value": 5000}
    lost = rows["original"]["accuracy"] - rows[found["recommended"]]["accuracy"]
    assert (found["met"], found["max_drop"], found["drop_met"]) == (True, 0.001, lost <= 0.001)
    assert rows[found["recommended"]]["bytes"] <= 5000
    assert rows["front2"]["parameters"] < rows["front1"]["parameters"] < rows["original"]["parameters"]
    best = found["recommended"].removesuffix(" int8")
    taught = rows["pruned and taught, mean of 1"]
    assert (taught["accuracy"], taught["parameters"]) == (rows[best]["accuracy"], rows[best]["parameters"])
    assert [list(rows[f"{control}, mean of 1"]["proof"]["seeds"]) for control in controls] == [["0"]] * 4
    for role, name in found["runs"].items():  # each is a run: its folder alone answers
        row = rows[role]
        assert (Path("runs", name) / row["file"]).stat().st_size == row["bytes"]
    steps = [json.loads(path.read_text())["step"] for path in Path("runs").glob("mlp_digits-*/evaluation.json")]
    assert sorted(steps) == [4, 4, 4, 30, 30]  # an epoch of tuning; from scratch as long as the original
    page = Path("runs/mlp_digits/front.html").read_text()
    assert not re.search(r"(src|href|action)\s*=\s*[\"'](?!data:|#)", page)
    assert "From scratch it trains as the original did, as long and at its learning rate" in page
    assert "Latency by channels on this machine" in page
    assert "What a layer alone loses" in page
    assert "netsmith compress runs/mlp_digits --size 5000B --points 2 --controls 1 --epochs 1 --max-drop 0.1" in page
    for title in ("Widths", "Row by row", "Controls"):
        assert f">{title}</h2>" in page
    assert re.search(r"<td[^>]*>hidden\.0</td><td[^>]*>\d+</td>", page) or "hidden.0.linear" in page
    assert f"netsmith export runs/{found['runs']['front2']} --int8" in page
    for ways in ("--speedup 2", "--prune 0.3 --student none"):
        again = netsmith(f"compress runs/{found['runs']['front1']} {ways}")
        assert again.code == 2
        assert again.line.endswith("is itself a cut network; compress the run that it was cut from")
        assert "pruned 30%" not in again.err  # nothing was cut first
    file = Path("runs/mlp_digits/budget.json")
    (kept,) = json.loads(file.read_text())["entries"]
    file.write_text(json.dumps(kept))  # the file's first form: one entry, bare
    code, out, err = netsmith(command)  # nothing is trained twice
    assert code == 0, err
    assert "using the widths that were found before" in err
    assert err.count("using the finished run") == 6
    assert [row["bytes"] for row in json.loads(out)] == [row["bytes"] for row in rows.values()]

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train", stopped)
        found = netsmith(command)
    again = "netsmith compress runs/mlp_digits --size 5000B --points 2 --controls 1 --epochs 1 --max-drop 0.1"
    assert (found.code, found.line) == (130, f"interrupted; what is finished is kept; go on with: {again}")
    exact = Search.cost
    monkeypatch.setattr(Search, "cost", lambda *given: replace(exact(*given), size=exact(*given).size - 1))
    missed = rows["front2 int8"]["bytes"] - 1  # what the search now says it has
    code, _, err = netsmith(f"compress runs/mlp_digits --size {missed}B --points 1 --controls 0 --epochs 1")
    assert code == 0, err
    said = f"front1 int8 comes nearest to {missed} B and misses it, at {missed + 1} B"
    assert f"timed together, {said}: on to a narrower one" in err
    found = json.loads(Path("runs/mlp_digits/front.json").read_text())
    assert list(found["widths"]) == ["front1", "front2"]
    assert sum(found["widths"]["front2"].values()) < sum(found["widths"]["front1"].values())
    assert found["recommended"] == "front2 int8"
    (kept,) = json.loads(file.read_text())["entries"]
    assert kept["plans"][f"size {float(missed)!r} in 1"] == found["widths"]


def test_a_budget_that_is_just_missed_is_told_from_what_is_reached():
    asked, reached = Budget("speedup", 3.0), Budget("speedup", 2.973)
    assert asked.text() == reached.text() == "3.0x as fast"
    assert (reached.exact(), Budget("latency", 1.23456).exact()) == ("2.973x as fast", "1.235 ms")
    assert Budget("size", 5000.0).exact() == "5000 B"
