"""What ``budget.json`` keeps: an entry per kind of budget, and nothing that is damaged."""

import copy
import json

import pytest
import torch

from netsmith.api.network import Network
from netsmith.data.digits import Digits
from netsmith.measure.latency import Comparison, Latency
from netsmith.measure.staircase import Staircase
from netsmith.models.tabular.mlp import MLP
from netsmith.workflows import budget, front
from netsmith.workflows.budget import Search
from netsmith.workflows.budget_file import BudgetFile

WIDTHS = {"plans": {"size 5000.0 in 2": {"front1": {"hidden.0": 3}}}}


def test_measurements_of_two_kinds_of_budget_stand_side_by_side(tmp_path):
    path = tmp_path / "budget.json"
    for kind in ("time", "bytes", "time"):
        kept = BudgetFile.read(path, [3, kind, {"processor": "one"}])
        kept.search = kept.search or {"of": kind}
        kept.plans[f"{kind} {len(kept.plans)}"] = {}
        kept.write()
    found = {kind: BudgetFile.read(path, [3, kind, {"processor": "one"}]) for kind in ("time", "bytes")}
    assert [one.search for one in found.values()] == [{"of": "time"}, {"of": "bytes"}]
    assert [list(one.plans) for one in found.values()] == [["time 0", "time 1"], ["bytes 0"]]
    assert BudgetFile.read(path, [3, "bytes", {"processor": "two"}]).search is None


def test_a_file_of_the_first_form_is_read_and_kept(tmp_path):
    path = tmp_path / "budget.json"
    path.write_text(json.dumps({"key": [3, "time"], "search": {"base": 1}, **WIDTHS}))
    other = BudgetFile.read(path, [3, "bytes"])
    assert (other.search, other.plans) == (None, {})
    other.write()
    kept = BudgetFile.read(path, [3, "time"])
    assert (kept.search, kept.plans) == ({"base": 1}, WIDTHS["plans"])


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", "3", '{"key": [1]}', '{"key": [1], "search": null, "plans": []}', '{"entries": {"key": [1]}}'],
)
def test_a_damaged_file_says_nothing(tmp_path, text):
    path = tmp_path / "budget.json"
    path.write_text(text)
    kept = BudgetFile.read(path, [1])
    assert (kept.search, kept.plans, kept.others) == (None, {}, [])


def even(files, example):
    return Comparison({name: Latency(1.0, 1.0, 1.0, 1) for name in files}, dict.fromkeys(files, (1.0,)))


@pytest.fixture(scope="module")
def measured():
    """A small network, its data, and what a search measured of it."""
    pytest.importorskip("onnxruntime")
    source = Digits.Config().build()
    torch.manual_seed(0)
    module = MLP.Config(hidden=(12,), in_features=64, num_outputs=10).build()
    network = Network(module, source.spec)
    steps = Staircase((4, 8, 12), (1.0, 2.0, 3.0), "none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(budget, "measure_staircase", lambda *given, **more: steps)
        patch.setattr(budget, "measure_together", even)
        with Search(network, source, "bytes", notice=lambda line: None) as search:
            assert not search.recalled
            patch.setattr(Search, "_measure_tables", lambda self: copy.deepcopy(search.tables))
            yield search


def again(search, kept):
    kept = json.loads(json.dumps(kept))
    with Search(search.network, search.source, "bytes", notice=lambda line: None, kept=kept) as found:
        return found


def test_what_was_measured_is_not_measured_again(measured):
    found = again(measured, measured.to_json())
    assert found.recalled
    assert (found.base, found.tables, found.path) == (measured.base, measured.tables, measured.path)


def damages(whole):
    name = next(iter(whole["tables"]))
    rows = whole["tables"][name]
    yield 3
    yield {**whole, "base": 5}
    yield {**whole, "base": {**whole["base"], "latency": "slow"}}
    yield {**whole, "base": {**whole["base"], "size": -1}}
    yield {**whole, "tables": {}}
    yield {**whole, "tables": {name: []}}
    yield {**whole, "tables": {"elsewhere": rows}}
    yield {**whole, "tables": {name: [{**rows[0], "keep": 12}]}}
    yield {**whole, "tables": {name: [{"keep": 4}]}}
    yield {"base": whole["base"]}


def test_what_is_damaged_is_measured_again(measured):
    for kept in damages(measured.to_json()):
        assert not again(measured, kept).recalled, kept


def test_a_plan_is_one_of_this_network(measured):
    name = next(iter(measured.tables))
    plan = {"front1": {name: 8}, "front2": {name: 4}}
    assert front._known(plan, measured) == plan
    wrong = [3, {}, {"front1": {}}, {"front1": {name: 12}}, {"front1": {name: -1}}, {"front1": {name: True}}]
    wrong += [{"front1": {name: 8.0}}, {"front1": {"elsewhere": 3}}, {"original": {name: 8}}, {"front1": [name]}]
    assert not any(front._known(plan, measured) for plan in wrong)
