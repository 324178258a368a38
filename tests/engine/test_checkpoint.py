"""A checkpoint is whole or refused in one line; nothing in it can execute code; the previous one is used."""

import errno
import hashlib
import json
import os
import random
import resource
import shutil
import struct
import sys

import pytest
import torch
from safetensors.torch import save as to_safetensors

import toy
from netsmith.core.errors import CheckpointError, RunError
from netsmith.engine import checkpoint
from netsmith.engine.checkpoint import Snapshot

FILES = ("weights.safetensors", "optimizer.safetensors", "state.json", "manifest.json")


def snapshot(step):
    return Snapshot(
        step=step,
        weights={"model.a": torch.full((4, 4), float(step)), "model.b": torch.arange(3) + step},
        optimizer={"model/model.a/momentum_buffer": torch.full((4, 4), -float(step))},
        states={"method": {"buffers": {"seen": torch.tensor(step)}}, "position": step, "best": [0.5, 1]},
        facts={"experiment": "x" * 64, "machine": {"torch": "2"}},
    )


def same(one, other):
    assert (one.step, one.facts) == (other.step, other.facts)
    assert str(one.states) == str(other.states)
    for left, right in ((one.weights, other.weights), (one.optimizer, other.optimizer)):
        assert left.keys() == right.keys()
        assert all(torch.equal(left[name], right[name]) and left[name].dtype == right[name].dtype for name in left)
    return True


@pytest.fixture
def root(tmp_path):
    """Two checkpoints; tests damage the newer one."""
    checkpoint.save(tmp_path, snapshot(1))
    checkpoint.save(tmp_path, snapshot(2))
    return tmp_path


def refused(root):
    """The newer checkpoint is refused in one line and the older one used; return the line."""
    found, notices = checkpoint.load_latest(root)
    assert found.step == 1
    if not notices:  # a folder without a manifest was never finished
        with pytest.raises(CheckpointError) as caught:
            checkpoint.load(root / "step-00000002")
        return str(caught.value)
    (text,) = notices
    assert len(text.splitlines()) == 1
    assert len(text) < 300
    assert text.startswith("checkpoint step-00000002 ")
    assert text.endswith("; using the previous one")
    return text


def sign(folder):
    """Rewrite the manifest so that hashes and sizes hold, as an attacker would."""
    contents = {name: (folder / name).read_bytes() for name in FILES[:3]}
    files = {name: {"sha256": hashlib.sha256(c).hexdigest(), "bytes": len(c)} for name, c in contents.items()}
    (folder / "manifest.json").write_text(json.dumps({"format": 1, "files": files}))


# -- what goes in comes out -------------------------------------------------------------------------------------------


def test_round_trip(root):
    assert same(checkpoint.load(root / "step-00000002"), snapshot(2))
    assert checkpoint.load_latest(root)[1] == []
    assert sorted(path.name for path in (root / "step-00000002").iterdir()) == sorted(FILES)


def test_states_of_every_kind(tmp_path):
    shared = torch.arange(6.0)
    big = torch.arange(100.0)
    states = {
        "nested": [{"a": [shared, (shared[1:], shared[:2])]}, None, True, 3, -0.0, "text ü", []],
        "floats": [float("nan"), float("inf"), float("-inf"), 0.1 + 0.2, 5e-324],
        "kinds": {str(d): torch.ones(2).to(d) for d in (torch.float16, torch.bfloat16, torch.float64, torch.bool)},
        "empty": [torch.zeros(0, 3), torch.zeros(())],
        "view": big[10:20],
        "strided": torch.arange(6.0).reshape(2, 3).T,
        "names": {"a/b": torch.ones(1), "a": {"b": torch.zeros(1)}},
    }
    checkpoint.save(tmp_path, Snapshot(step=3, weights={"w": shared, "again": shared}, states=states))
    found = checkpoint.load(tmp_path / "step-00000003")
    assert torch.equal(found.weights["again"], shared)
    assert str(found.states["floats"]) == "[nan, inf, -inf, 0.30000000000000004, 5e-324]"
    inner = found.states["nested"]
    assert torch.equal(inner[0]["a"][1][0], shared[1:])
    assert torch.equal(inner[0]["a"][1][1], shared[:2])
    assert inner[1:] == [None, True, 3, -0.0, "text ü", []]
    assert {str(t.dtype) for t in found.states["kinds"].values()} == set(found.states["kinds"])
    assert [tuple(t.shape) for t in found.states["empty"]] == [(0, 3), ()]
    assert torch.equal(found.states["strided"], torch.arange(6.0).reshape(2, 3).T)
    assert (tmp_path / "step-00000003" / "weights.safetensors").stat().st_size < 3000
    with pytest.raises(TypeError, match="state:/hook: a state holds tensors and JSON values, not set"):
        checkpoint.save(tmp_path, Snapshot(step=4, weights={}, states={"hook": {1}}))


def test_names_of_states_that_meet(tmp_path):
    """``{"a/b": x}`` and ``{"a": {"b": y}}`` must not share a name in the file."""
    states = {"a/b": torch.ones(1), "a": {"b": torch.zeros(1)}}
    checkpoint.save(tmp_path, Snapshot(step=1, weights={}, states=states))
    found = checkpoint.load(tmp_path / "step-00000001").states
    assert (float(found["a/b"]), float(found["a"]["b"])) == (1.0, 0.0)


def test_keep_deletes_the_rest_and_nothing_else(root):
    checkpoint.save(root, snapshot(10**8))
    (root / "step-00000009").mkdir()
    (root / "step-mine").mkdir()
    (root / "notes.txt").write_text("")
    assert [path.name for path in checkpoint.folders(root)] == ["step-100000000", "step-00000002", "step-00000001"]
    checkpoint.keep(root, checkpoint.folders(root)[:1])
    assert sorted(path.name for path in root.iterdir()) == ["notes.txt", "step-100000000", "step-mine"]


def test_no_checkpoint_at_all(tmp_path):
    with pytest.raises(CheckpointError, match=r"no whole checkpoint in .*; train again$"):
        checkpoint.load_latest(tmp_path / "none")


# -- damage -----------------------------------------------------------------------------------------------------------


def test_a_thousand_flipped_bits(root):
    draw = random.Random(0)
    folder = root / "step-00000002"
    contents = {name: (folder / name).read_bytes() for name in FILES}
    for number in range(1000):
        name = FILES[number % 4]
        content = bytearray(contents[name])
        place = draw.randrange(8 * len(content))
        content[place // 8] ^= 1 << place % 8
        (folder / name).write_bytes(content)
        refused(root)
        (folder / name).write_bytes(contents[name])
    assert same(checkpoint.load_latest(root)[0], snapshot(2))


def test_three_hundred_truncations_and_extensions(root):
    draw = random.Random(1)
    folder = root / "step-00000002"
    contents = {name: (folder / name).read_bytes() for name in FILES}
    for number in range(300):
        name = FILES[number % 4]
        size = 0 if number < 4 else draw.randrange(len(contents[name].rstrip()))
        (folder / name).write_bytes(contents[name][:size])
        refused(root)
        if name != "manifest.json":
            (folder / name).write_bytes(contents[name] + bytes(draw.randrange(1, 9)))
            refused(root)
        (folder / name).write_bytes(contents[name])
    assert same(checkpoint.load_latest(root)[0], snapshot(2))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(root, name):
    (root / "step-00000002" / name).unlink()
    assert ("does not exist" if name == "manifest.json" else f"{name} is missing") in refused(root)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_place_of_a_file(root, name):
    (root / "step-00000002" / name).unlink()
    (root / "step-00000002" / name).mkdir()
    refused(root)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_checkpoint(root, name):
    shutil.copy(root / "step-00000001" / name, root / "step-00000002" / name)
    assert "damaged" in refused(root)


def test_two_files_swapped(root):
    folder = root / "step-00000002"
    (folder / "weights.safetensors").rename(folder / "x")
    (folder / "optimizer.safetensors").rename(folder / "weights.safetensors")
    (folder / "x").rename(folder / "optimizer.safetensors")
    assert "weights.safetensors" in refused(root)


def test_a_whole_folder_under_another_name(root):
    shutil.rmtree(root / "step-00000002")
    shutil.copytree(root / "step-00000001", root / "step-00000002")
    assert "it holds step 1" in refused(root)


def test_nothing_is_whole(root):
    for folder in checkpoint.folders(root):
        (folder / "weights.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load_latest(root)
    assert "no whole checkpoint in" in str(caught.value)
    assert "step-00000002 is damaged: weights.safetensors has 0 bytes, expected" in str(caught.value)


@pytest.mark.parametrize(
    "manifest",
    [
        "null", "[]", "1", '"x"', "{}", '{"format": 2, "files": {}}', '{"format": 1, "files": []}',
        '{"format": 1, "files": {"weights.safetensors": {}}}', '{"format": true, "files": null}',
        '{"format": 1, "files": {"weights.safetensors": 1, "optimizer.safetensors": 2, "state.json": 3}}',
        '{"format": 1, "files": {"../../x": {}, "optimizer.safetensors": {}, "state.json": {}}}',
        '{"format": NaN}', "[" * 100_000, '{"format": "' + "x" * 5000 + '"}', '{"format": "a\\nb"}',
    ],
)  # fmt: skip
def test_a_malformed_manifest(root, manifest):
    (root / "step-00000002" / "manifest.json").write_text(manifest)
    refused(root)


# -- attacks: the manifest's hashes hold ------------------------------------------------------------------------------

PICKLE = b"cos\nsystem\n(S'touch pwned'\ntR."
TORCH_ZIP = b"PK\x03\x04" + bytes(26) + b"archive/data.pkl" + PICKLE
EVENTS = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class", "marshal.loads", "compile")


def header(text, *, length=None, body=b""):
    content = json.dumps(text).encode() if not isinstance(text, bytes) else text
    return struct.pack("<Q", len(content) if length is None else length) + content + body


ATTACKS = {
    "pickle": PICKLE,
    "torch zip": TORCH_ZIP,
    "10 GB header": struct.pack("<Q", 10 * 2**30) + b"{}",
    "huge header": struct.pack("<Q", 2**64 - 1) + b"{}",
    "10 GB tensor": header({"w": {"dtype": "F32", "shape": [2500000000], "data_offsets": [0, 10**10]}}),
    "overlap": header(
        {name: {"dtype": "U8", "shape": [4], "data_offsets": [at, at + 4]} for name, at in (("a", 0), ("b", 2))},
        body=bytes(6),
    ),
    "negative": header({"w": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 4]}}, body=bytes(4)),
    "overflow": header({"w": {"dtype": "U8", "shape": [2**63, 2**63], "data_offsets": [0, 4]}}, body=bytes(4)),
    "unknown type": header({"w": {"dtype": "os.system", "shape": [4], "data_offsets": [0, 4]}}, body=bytes(4)),
    "not json": header(b"\xff\xfe{}", body=b""),
    "deep json": header(b"[" * 100_000),
    "metadata": to_safetensors({"w": torch.ones(1)}, metadata={"__reduce__": "os.system", "cmd": "touch pwned"}),
    "empty": b"",
}


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors"])
@pytest.mark.parametrize("attack", list(ATTACKS))
def test_a_crafted_tensor_file_is_refused_and_nothing_runs(root, monkeypatch, attack, name):
    monkeypatch.chdir(root)
    folder = root / "step-00000002"
    (folder / name).write_bytes(ATTACKS[attack])
    refused(root)  # by its hash
    sign(folder)
    assert_quiet(root, lambda: refused(root))  # and also when somebody signed it


STATES = {
    "not an object": b"[]",
    "more keys": b'{"format": 1, "step": 2, "facts": {}, "states": {}, "__class__": "os.system"}',
    "fewer keys": b'{"format": 1, "step": 2}',
    "another format": b'{"format": 9, "step": 2, "facts": {}, "states": {}}',
    "infinite step": b'{"format": 1, "step": Infinity, "facts": {}, "states": {}}',
    "text step": b'{"format": 1, "step": "os.system", "facts": {}, "states": {}}',
    "missing tensor": b'{"format": 1, "step": 2, "facts": {}, "states": {"a": {"__tensor__": "state:/none"}}}',
    "strange tensor": b'{"format": 1, "step": 2, "facts": {}, "states": {"a": {"__tensor__": ["x"]}}}',
    "strange float": b'{"format": 1, "step": 2, "facts": {}, "states": {"a": {"__float__": "__import__(\'os\')"}}}',
    "deep": b'{"format": 1, "step": 2, "facts": {}, "states": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    "pickle": PICKLE,
    "long number": b'{"format": 1, "step": ' + b"9" * 10_000 + b', "facts": {}, "states": {}}',
}


@pytest.mark.parametrize("attack", list(STATES))
def test_a_crafted_state_is_refused_and_nothing_runs(root, monkeypatch, attack):
    monkeypatch.chdir(root)
    folder = root / "step-00000002"
    (folder / "state.json").write_bytes(STATES[attack])
    sign(folder)
    assert_quiet(root, lambda: refused(root))


def test_a_dotted_path_is_only_a_text(root, monkeypatch):
    """Where JSON values are allowed, a name of a function stays a name."""
    monkeypatch.chdir(root)
    state = json.loads((root / "step-00000002" / "state.json").read_text())
    state["facts"] = {"kind": "os.system", "__reduce__": ["os.system", ["touch pwned"]]}
    (root / "step-00000002" / "state.json").write_text(json.dumps(state))
    sign(root / "step-00000002")

    def look():
        found = checkpoint.load(root / "step-00000002")
        assert found.facts == {"kind": "os.system", "__reduce__": ["os.system", ["touch pwned"]]}

    assert_quiet(root, look)


def assert_quiet(root, look):
    """Run ``look`` in a child whose audit hook ends it at anything that executes or imports code."""
    look()  # what is imported late is imported here

    def work():
        bad = []
        before = set(sys.modules)
        sys.addaudithook(lambda event, arguments: bad.append(event) if event in EVENTS else None)
        look()
        return 0 if not bad and set(sys.modules) == before else 3

    assert toy.wait(toy.fork(work)) == 0
    assert not (root / "pwned").exists()


# -- a full disk ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["replace", "fsync", "mkdir"])
@pytest.mark.parametrize("at", range(4))
def test_a_full_disk_leaves_the_previous_checkpoint(root, monkeypatch, call, at):
    calls = []
    real = getattr(os, call)

    def full(*arguments, **named):
        calls.append(call)
        if len(calls) > (at if call != "mkdir" else 0):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(*arguments, **named)

    monkeypatch.setattr(os, call, full)
    with pytest.raises(RunError) as caught:
        checkpoint.save(root, snapshot(3))
    monkeypatch.undo()
    assert "No space left on device; what was saved before is intact. Free space or choose" in str(caught.value)
    found, notices = checkpoint.load_latest(root)
    assert same(found, snapshot(2))
    assert notices == []
    assert not (root / "step-00000003").exists()
    checkpoint.save(root, snapshot(3))
    assert same(checkpoint.load_latest(root)[0], snapshot(3))


@pytest.mark.parametrize("limit", [0, 100, 300, 1000, 3000])
def test_a_size_limit_of_the_system_leaves_the_previous_checkpoint(root, limit):
    big = snapshot(3)
    big.optimizer["model/model.a/more"] = torch.zeros(2000)

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        try:
            checkpoint.save(root, big)
        except RunError as error:
            return 0 if "File too large; what was saved before is intact" in str(error) else 1
        return 2

    assert toy.wait(toy.fork(work)) == 0
    assert same(checkpoint.load_latest(root)[0], snapshot(2))
    assert not (root / "step-00000003").exists()
