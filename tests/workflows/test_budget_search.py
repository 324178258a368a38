"""Which widths a budget's search gives, by figures that are set: no clock is asked."""

import pytest

from netsmith.compress.widths import Width
from netsmith.core.errors import ConfigError
from netsmith.workflows.budget import Search
from netsmith.workflows.budget_figures import Budget, Cost
from netsmith.workflows.front import _words
from netsmith.workflows.front_runs import Control, words_of
from netsmith.workflows.shipping import Shipment


def searched(costs, *, kind="time"):
    """Return a search over one layer of 10 units whose whole costs 10 ms, with the costs of 9, 8, ... units."""
    search = object.__new__(Search)
    search.kind, search._whole, search.base = kind, 10.0, Cost(10.0, 10_000, 1.0)
    search.tables = {"a": [Width(9 - at, 0.1 * at, cost) for at, cost in enumerate(costs)]}
    search.path = [{"a": 9 - at} for at in range(len(costs))]
    search._known = {repr([("a", 9 - at)]): Cost(c, int(1000 * c), 10 / c) for at, c in enumerate(costs)}
    search._known["[]"] = search.base
    return search


@pytest.mark.parametrize(
    ("most", "count", "kept"),
    [
        (2.5, 4, [8, 6, 4, 2]),
        (2.5, 2, [6, 2]),
        (8.0, 1, [8]),
        (8.0, 2, [9, 8]),
        (8.0, 4, [9, 8, 7, 6]),
        (2.5, 8, [9, 8, 7, 6, 5, 4, 3, 2]),
        (8.0, 20, [9, 8, 7, 6, 5, 4, 3, 2, 1]),
    ],
)
def test_points_lie_evenly_and_go_on_behind_the_budget_where_few_steps_lead_there(most, count, kept):
    search = searched([9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    assert [point["a"] for point in search.points(Budget("latency", most), count)] == kept
    assert search.points(Budget("latency", 10.0), count) == []


@pytest.mark.parametrize("steps", [6, 7, 8, 9])
def test_a_path_gives_as_many_networks_as_it_has(steps):
    search = searched([9.0 - at for at in range(steps)])
    found = search.points(Budget("latency", 9.0 - steps + 1), 8)
    assert len({point["a"] for point in found}) == len(found) == min(steps, 8)
    assert found[-1] == search.path[-1]


def test_a_step_further_promises_what_the_last_one_missed():
    search = searched([9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0])
    asked = Budget("latency", 5.0)
    assert search.further({"a": 5}, asked, Cost(5.1, 0, 0)) == {"a": 4}  # 5.1 * 4 / 5
    assert search.further({"a": 5}, asked, Cost(9.0, 0, 0)) == {"a": 2}  # 9 * 2 / 5 = 3.6, and 9 * 3 / 5 = 5.4
    assert search.further({"a": 5}, asked, Cost(50.0, 0, 0)) == {"a": 1}  # the last one there is
    assert search.further({"a": 5}, Budget("speedup", 3.0), Cost(0, 0, 1.9)) == {"a": 3}  # 1.9 * 5 / 3 = 3.2
    assert search.further({"a": 1}, asked, Cost(50.0, 0, 0)) is None
    assert search.further({"b": 1}, asked, Cost(50.0, 0, 0)) is None


@pytest.mark.parametrize(
    ("asked", "told", "again"),
    [
        (Budget("speedup", 2.0), "1.231x as fast", Budget("speedup", 1.17)),
        (Budget("latency", 1.0), "8.123 ms", Budget("latency", 8.53)),
        (Budget("size", 10), "8123 B", Budget("size", 8123)),
    ],
)
def test_out_of_reach_is_told_with_what_can_be_asked_for(asked, told, again):
    search = searched([9.0, 8.123456])
    with pytest.raises(ConfigError) as error:
        search.points(asked, 2)
    assert f"nearest is the narrowest network, at {told}. Ask for {again.option()}, or distil into" in str(error.value)
    assert search.points(again, 2) == [{"a": 9}, {"a": 8}]


def test_a_narrowed_network_may_be_no_nearer_than_the_whole_one():
    with pytest.raises(ConfigError, match="narrowing makes this network no faster on this machine; ask for a --size"):
        searched([10.5, 11.0]).points(Budget("speedup", 1.5), 2)
    search = searched([9.0, 8.0])
    search._known["[]"] = Cost(5.0, 5_000, 2.0)  # in int8
    with pytest.raises(
        ConfigError, match=r"the whole network in int8 \(export --int8\), at 2x as fast\. Take that, or"
    ):
        search.points(Budget("speedup", 3.0), 2)


def shipped(name, accuracy, size, latency):
    return Shipment(name, f"{name}.onnx", accuracy, 1, size, 1, latency, {})


def test_a_drop_that_is_too_large_names_what_loses_no_more():
    rows = [shipped("original", 0.95, 900, 1.0), shipped("front1", 0.949, 500, 0.4), shipped("front2", 0.92, 90, 0.6)]
    best, cost = rows[2], Cost(0.6, 90, 1 / 0.6)
    size, speed = Budget("size", 100), Budget("speedup", 1.5)
    assert _words(rows, best, size, cost, max_drop=None, split="dev") == [
        "front2 is within 100 B; it loses 3.00 % on dev"
    ]
    told = _words(rows, best, size, cost, max_drop=0.01, split="dev")[1]
    assert told == (
        "That is more than 1.00 %: more epochs or a larger budget may help. "
        "The smallest that loses no more is front1, 500 B."
    )
    told = _words(rows, best, speed, cost, max_drop=0.01, split="dev")[1]
    assert told.endswith(" The fastest that loses no more is front1, 0.40 ms.")
    assert len(_words(rows, best, size, cost, max_drop=0.03, split="dev")) == 1
    worse = [rows[0], shipped("front1", 0.9, 500, 0.4), rows[2]]
    assert _words(worse, best, size, cost, max_drop=0.01, split="dev")[1].endswith("may help.")


def test_a_control_that_wins_is_told():
    ours = Control("pruned and taught", {}, {"0": 0.90, "1": 0.92})
    scratch = Control("from scratch", {}, {"0": 0.93, "1": 0.915})
    assert words_of([ours, Control("pruned, not taught", {}, {"0": 0.91, "1": 0.90})])[2:] == []
    assert words_of([ours, scratch]) == [
        "pruned and taught, mean of 2: 90.0 % to 92.0 %",
        "from scratch, mean of 2: 91.5 % to 93.0 %",
        "A simpler way wins here: from scratch, mean of 2, by 1.25 %.",
    ]
