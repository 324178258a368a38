import copy

import pytest
import torch
from torch import nn

from netsmith.compress.prune import prune
from netsmith.compress.surgery import SurgeryLog, apply_surgery
from netsmith.core.errors import CheckpointError


def build():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))


@pytest.fixture(scope="module")
def log():
    return prune(build(), torch.zeros(1, 4), ratio=0.5)[1].to_json()


def changed(log, *path, to):
    log = copy.deepcopy(log)
    at = log
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = to
    return log


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        (("format",), 2, "format 1, got 2"),
        (("steps",), {}, "steps as a JSON list"),
        (("extra",), 1, "cannot hold 'extra'"),
        (("steps", 0, "module"), 3, "a module's name"),
        (("steps", 0, "attributes", "a b"), 3, "cannot hold 'a b'"),
        (("steps", 0, "attributes", "_version"), 3, "cannot hold '_version'"),
        (("steps", 0, "attributes", "__class__"), 3, "cannot hold '__class__'"),
        (("steps", 0, "attributes", "out_features"), "os.system", "number above 0"),
        (("steps", 0, "attributes", "out_features"), True, "number above 0"),
        (("steps", 0, "attributes", "out_features"), 0, "number above 0"),
        (("steps", 0, "tensors", "weight", "kept", "0"), [], "at least one must stay"),
        (("steps", 0, "tensors", "weight", "kept", "0"), [1, 1, 2], "must increase"),
        (("steps", 0, "tensors", "weight", "kept", "0"), [-1, 1, 2], "whole numbers from 0"),
        (("steps", 0, "tensors", "weight", "kept"), {"-1": [0]}, "expected an axis"),
        (("steps", 0, "tensors", "weight", "before"), "x", "JSON list"),
        (("steps", 0, "tensors", "weight", "values"), [-2], "whole numbers from -1"),
    ],
)
def test_a_crafted_log_is_refused(log, path, to, message):
    with pytest.raises(CheckpointError, match=message):
        SurgeryLog.from_json(changed(log, *path, to=to))


@pytest.mark.parametrize(
    ("path", "to", "message"),
    [
        (("steps", 0, "module"), "9", "names '9'"),
        (("steps", 0, "module"), "1", "sets 1.out_features"),
        (("steps", 0, "attributes", "out_features"), 7, "sets 0.out_features to 7; it is 6"),
        (("steps", 0, "attributes", "groups"), 1, "sets 0.groups"),
        (("steps", 0, "attributes", "forward"), 3, "sets 0.forward to 3; it is None"),
        (("steps", 0, "attributes", "training"), 1, "sets 0.training to 1; it is "),
        (("steps", 0, "tensors", "weight", "kept", "0"), [0, 1, 99], "keeps position 99"),
        (("steps", 0, "tensors", "weight", "kept", "0"), [0, 1], "its positions give"),
        (("steps", 0, "tensors", "weight", "kept"), {"7": [0]}, "keeps position 0"),
        (("steps", 0, "tensors", "weight", "before"), [9, 9], "expects 0.weight of shape"),
        (("steps", 0, "tensors", "weight", "values"), [0], "which holds none"),
        (("steps", 0, "tensors", "gain"), {"before": [1], "after": [1], "kept": {}}, "tensor '0.gain'"),
    ],
)
def test_a_log_that_does_not_fit_changes_nothing(log, path, to, message):
    net = build()
    with pytest.raises(CheckpointError, match=message):
        apply_surgery(net, SurgeryLog.from_json(changed(log, *path, to=to)))
    assert (net[0].out_features, net[2].in_features) == (6, 6)
    assert torch.equal(net[0].weight, build()[0].weight)


def test_a_log_is_not_applied_twice(log):
    net = apply_surgery(build(), SurgeryLog.from_json(log))
    assert net[0].out_features == 3
    with pytest.raises(CheckpointError, match=r"expects 0\.weight of shape \(6, 4\), got \(3, 4\)"):
        apply_surgery(net, SurgeryLog.from_json(log))


def test_anything_but_a_log_is_refused():
    for wrong in (None, [], "x", {"format": 1}, {"format": 1, "steps": [1]}):
        with pytest.raises(CheckpointError):
            SurgeryLog.from_json(wrong)
