"""CIFAR-10: the binary records of a small archive of the official form, what is refused, the official counts."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from netsmith.core.errors import DataError
from netsmith.data import cifar10
from netsmith.data._download import OfficialFile, offline
from netsmith.data.cifar10 import Cifar10

NAMES = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]


def batch(seed):
    """Ten records, one of each class: a label, then three planes of 32 x 32."""
    draw = np.random.default_rng(seed)
    labels, pixels = draw.permutation(10).astype(np.uint8), draw.integers(0, 256, (10, 3, 32, 32), dtype=np.uint8)
    return (
        labels,
        pixels,
        b"".join(bytes([label]) + plane.tobytes() for label, plane in zip(labels, pixels, strict=True)),
    )


def official(name, data):
    return OfficialFile(name, len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An archive of six batches in ``$NETSMITH_DATA/cifar-10``; returns what is in them and the folder."""
    batches = [batch(seed) for seed in range(6)]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, data in [("batches.meta.txt", b"airplane\n"), *zip(NAMES, (b[2] for b in batches), strict=True)]:
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    members = [official(f"cifar-10-batches-bin/{name}", b[2]) for name, b in zip(NAMES, batches, strict=True)]
    monkeypatch.setattr(cifar10, "_TRAIN", tuple(members[:5]))
    monkeypatch.setattr(cifar10, "_TEST", members[5])
    monkeypatch.setattr(cifar10, "_ARCHIVE", official("cifar-10-binary.tar.gz", buffer.getvalue()))
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "data" / "cifar-10"
    folder.mkdir(parents=True)
    (folder / "cifar-10-binary.tar.gz").write_bytes(buffer.getvalue())
    return batches, folder


def test_records_are_a_label_and_three_planes(archive):
    batches, folder = archive
    source = Cifar10.Config(dev=0.0, batch=7).build()
    assert source.spec.inputs.shape == (3, 32, 32)
    assert source.spec.outputs.names[3] == "cat"
    assert source.spec.outputs.names[9] == "truck"
    everything = torch.arange(50)
    assert np.array_equal(source.raw("train", everything).numpy(), np.concatenate([b[1] for b in batches[:5]]))
    assert source.load("train", everything).targets.tolist() == [int(label) for b in batches[:5] for label in b[0]]
    assert np.array_equal(source.raw("test", torch.arange(10)).numpy(), batches[5][1])
    # Unpacked files beside it serve too, where the archive is not there.
    (folder / "cifar-10-binary.tar.gz").unlink()
    (folder / "cifar-10-batches-bin").mkdir()
    for name, found in zip(NAMES, batches, strict=True):
        (folder / "cifar-10-batches-bin" / name).write_bytes(found[2])
    assert [s.sha256 for s in Cifar10.Config(dev=0.0).build().spec.splits] == [s.sha256 for s in source.spec.splits]


def test_nothing_was_extracted(archive):
    _, folder = archive
    Cifar10.Config(dev=0.0, batch=7).build()
    assert [path.name for path in folder.iterdir()] == ["cifar-10-binary.tar.gz"]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda data: data[:-20], r"cifar-10-binary\.tar\.gz: has \d+ bytes; expected \d+; replace it by the official"),
        (
            lambda data: data[:-20] + bytes(20),
            r"cifar-10-binary\.tar\.gz: has the SHA-256 [0-9a-f]{12}\.\.\.; expected",
        ),
    ],
    ids=["cut off", "other bytes"],
)
def test_a_damaged_archive_is_refused(archive, damage, says):
    path = archive[1] / "cifar-10-binary.tar.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=says):
        Cifar10.Config().build()


def test_another_member_is_refused(archive, monkeypatch):
    monkeypatch.setattr(cifar10, "_TEST", OfficialFile(cifar10._TEST.name, cifar10._TEST.size, "0" * 64))
    with pytest.raises(DataError, match=r"its member cifar-10-batches-bin/test_batch\.bin has the SHA-256"):
        Cifar10.Config().build()


def test_nothing_at_hand_names_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with (
        offline(),
        pytest.raises(DataError, match=r"cifar-10-binary\.tar\.gz: is not at hand.*\$NETSMITH_DATA/cifar-10"),
    ):
        Cifar10.Config().build()


def test_the_published_archive_is_that_of_the_binary_form():
    assert cifar10._ARCHIVE.size == 170_052_171  # the size and the SHA-256 that TensorFlow Datasets has on record
    assert cifar10._ARCHIVE.sha256.startswith("c4a38c50a1bc5f3a")
    assert all(member.size == 10_000 * 3073 for member in (*cifar10._TRAIN, cifar10._TEST))


def test_official_files():
    base = os.environ.get("NETSMITH_DATA")
    if not base or not (Path(base) / "cifar-10").is_dir():
        pytest.skip("no official files here")
    source = Cifar10.Config().build()
    assert {split.name: split.size for split in source.spec.splits} == {"train": 45000, "dev": 5000, "test": 10000}
    assert torch.bincount(source.load("test", torch.arange(10000)).targets).tolist() == [1000] * 10
