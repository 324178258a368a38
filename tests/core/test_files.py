"""Files that are whole or absent, also on a disk that is full."""

import errno
import hashlib
import os
import resource
from pathlib import Path

import pytest

import toy
from netsmith.core.errors import RunError
from netsmith.core.files import read_json, sha256_of, write_atomic, write_json


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_bytes_functions_and_hashes(tmp_path):
    path = tmp_path / "a.bin"
    write_atomic(path, b"old")
    write_atomic(path, lambda file: file.write(b"n" * 300_000), sync=False)
    assert sha256_of(path) == hashlib.sha256(b"n" * 300_000).hexdigest()
    assert names(tmp_path) == ["a.bin"]


def test_a_reader_never_sees_a_part(tmp_path):
    path = tmp_path / "a.bin"
    write_atomic(path, b"old")

    def write(file):
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        file.write(b"er")

    write_atomic(path, write)
    assert path.read_bytes() == b"newer"


@pytest.mark.parametrize("place", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, place):
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})

    def full(*arguments, **named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if place != "write":
        monkeypatch.setattr(os, place, full)
    with pytest.raises(RunError) as caught:
        write_atomic(path, full if place == "write" else b"new")
    assert str(caught.value) == (
        "could not write state.json: No space left on device; what was saved before is intact. "
        "Free space or choose another folder, then resume"
    )
    monkeypatch.undo()
    assert read_json(path) == {"a": 1}
    assert names(tmp_path) == ["state.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_really_full(tmp_path, monkeypatch):
    path = tmp_path / "state.json"
    write_json(path, {"a": 1})
    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda self, mode="r", *a, **n: opened(Path("/dev/full") if "w" in mode else self, mode, *a, **n)
    )
    with pytest.raises(RunError, match="No space left on device"):
        write_json(path, {"a": 2})
    assert read_json(path) == {"a": 1}


def test_a_file_size_limit_of_the_system(tmp_path):
    path = tmp_path / "state.bin"
    write_atomic(path, b"old")

    def work():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            write_atomic(path, b"n" * 100_000)
        except RunError as error:
            return 0 if "could not write state.bin: File too large" in str(error) else 1
        return 2

    assert toy.wait(toy.fork(work)) == 0
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["state.bin"]


def test_other_failures_clean_up_and_pass_through(tmp_path):
    def stop(file):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", stop)
    assert names(tmp_path) == []
    with pytest.raises(RunError, match="could not write a: No such file or directory"):
        write_atomic(tmp_path / "missing" / "a", b"")


def test_json_is_readable_exact_and_finite(tmp_path):
    path = tmp_path / "a.json"
    value = {"ü": [1, 0.1 + 0.2, None, True, "\u2028"], "n": -1e300}
    write_json(path, value)
    assert read_json(path) == value
    assert path.read_text(encoding="utf-8").endswith("}\n")
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(path, {"a": bad})
    assert read_json(path) == value


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "run/a.json is not JSON"),
        (b'{"a": ', "run/a.json is not JSON"),
        (b'{"a": NaN}', "run/a.json is not JSON: NaN is not a JSON number"),
        (b"[-Infinity]", "-Infinity is not a JSON number"),
        (b'"\xff"', "run/a.json is not JSON"),
        (b"[" * 100_000, "run/a.json is not JSON"),
        (b"9" * 5000, "run/a.json is not JSON"),
        (b" " * 2000 + b"1", "a.json has 2001 bytes; expected at most 2000"),
    ],
)
def test_malformed_json_is_named(tmp_path, content, message):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "a.json").write_bytes(content)
    with pytest.raises(RunError) as caught:
        read_json(folder / "a.json", limit=2000 if b" " in content[:1] else 2**20)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_unreadable_places(tmp_path):
    with pytest.raises(RunError, match=r"/none\.json does not exist"):
        read_json(tmp_path / "none.json")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(RunError, match=r"could not read .*/folder\.json: Is a directory"):
        read_json(tmp_path / "folder.json")
    (tmp_path / "plain").write_text("x")
    with pytest.raises(RunError, match=r"could not read plain/a\.json: Not a directory"):
        read_json(tmp_path / "plain" / "a.json")
