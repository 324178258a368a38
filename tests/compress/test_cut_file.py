"""A network of one's own that was cut is built again, exactly, from its class, a log and weights; or is refused."""

import json

import pytest
import torch
from torch import nn

import netsmith
from netsmith.compress.cut_file import load_cut, save_cut
from netsmith.core.errors import CheckpointError, UnsupportedError
from netsmith.core.files import sha256_of


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)
        self.second = nn.Conv2d(16, 24, 3, padding=1)
        self.head = nn.Linear(24, 10)

    def forward(self, inputs):
        hidden = self.norm(self.first(inputs)).relu()
        return self.head(self.second(hidden).relu().mean((2, 3)))


def network(seed=0):
    torch.manual_seed(seed)
    return netsmith.from_module(Small(), torch.randn(1, 3, 8, 8), classes=tuple("abcdefghij"))


@pytest.fixture
def saved(tmp_path):
    """A network that was cut, made thin and tuned, and the folder it was saved to."""
    smaller = network().compress(prune=0.5, low_rank=0.8)
    with torch.no_grad():
        for value in smaller.module.state_dict().values():  # as fine-tuning would, its counter too
            value.add_(torch.randn_like(value) if value.is_floating_point() else 7)
    folder = smaller.save(tmp_path / "kept")
    return smaller, tmp_path / "kept", folder


def test_the_round_trip_is_exact(saved):
    smaller, root, _ = saved
    fresh = network(seed=1)
    before = {name: value.clone() for name, value in fresh.module.state_dict().items()}
    again = fresh.load(root)
    ours, theirs = again.module.state_dict(), smaller.module.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) and ours[name].dtype == theirs[name].dtype for name in ours)
    x = torch.randn(5, 3, 8, 8)
    assert torch.equal(again(x), smaller(x))
    assert [type(log).__name__ for log in again.logs] == ["SurgeryLog", "FactorLog"]
    assert [log.to_json() for log in again.logs] == [log.to_json() for log in smaller.logs]
    assert again.measure()["macs"] == smaller.measure()["macs"] < network().measure()["macs"]
    assert all(torch.equal(value, before[name]) for name, value in fresh.module.state_dict().items())
    thinner = again.compress(prune=0.3)  # what was loaded is cut further, and kept in turn
    thinner.save(root.with_name("further"))
    assert torch.equal(network(seed=2).load(root.with_name("further"))(x), thinner(x))


def changed(folder, name, change, *, forged):
    file = folder / name
    file.write_bytes(change(file.read_bytes()))
    if forged:  # whoever changes a file can write its hash anew
        manifest = json.loads((folder / "manifest.json").read_text())
        manifest["files"][name] = {"sha256": sha256_of(file), "bytes": file.stat().st_size}
        (folder / "manifest.json").write_text(json.dumps(manifest))


def test_changed_weights_are_refused(saved):
    _, root, folder = saved
    changed(folder, "weights.safetensors", lambda held: held[:-1] + bytes([held[-1] ^ 1]), forged=False)
    with pytest.raises(CheckpointError, match=r"weights\.safetensors does not match its SHA-256"):
        network().load(root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda steps: steps[0]["attributes"].update(out_channels=999), r"sets \w+\.out_channels to 999"),
        (lambda steps: steps[0]["attributes"].update(__class__=1), "attributes cannot hold '__class__'"),
        (lambda steps: steps[0].update(module="elsewhere"), "names 'elsewhere'"),
        (lambda steps: steps[0].update(run="rm"), "a step cannot hold 'run'"),
        (lambda steps: steps.clear(), r"does not fit Small|the log factorizes"),
    ],
)
def test_a_changed_log_is_refused(saved, change, message):
    def forge(held):
        state = json.loads(held)
        change(state["states"]["surgery"][0]["steps"])
        return json.dumps(state).encode()

    _, root, folder = saved
    changed(folder, "state.json", forge, forged=True)
    with pytest.raises(CheckpointError, match=message):
        network().load(root)
    changed(folder, "state.json", lambda held: held + b" ", forged=False)
    with pytest.raises(CheckpointError, match=r"state\.json has \d+ bytes"):
        network().load(root)


def test_what_does_not_fit_is_refused(saved, tmp_path):
    _, root, folder = saved
    with pytest.raises(CheckpointError, match=r"the surgery log names 'first'|the surgery log"):
        load_cut(root, nn.Linear(3, 2))
    with pytest.raises(CheckpointError, match=r"is torch\.float32, and the network's is torch\.float64"):
        load_cut(root, Small().double())
    with pytest.raises(CheckpointError, match="none holds no network that was saved"):
        network().load(tmp_path / "none")
    changed(folder, "state.json", lambda held: held.replace(b'"surgery"', b'"history"'), forged=True)
    with pytest.raises(CheckpointError, match="without a list of logs"):
        network().load(root)


class Remembering(nn.Linear):
    def get_extra_state(self):
        return {"more": 1}


def test_a_state_of_more_than_tensors_is_not_saved(tmp_path):
    with pytest.raises(UnsupportedError, match="Remembering keeps '_extra_state' in its state"):
        save_cut(tmp_path, Remembering(2, 2), [])
