"""Spoken digits: WAV files of every coding, the official split, what is refused; a sound through predict and serve."""

import asyncio
import base64
import io
import json
import os
import shutil
import tarfile
import wave
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
import scipy.io.wavfile
import torch

from netsmith.api.encode import encode, read_bytes, read_file
from netsmith.api.network import Network
from netsmith.core.errors import ConfigError, DataError
from netsmith.core.roles import SourceConfig
from netsmith.core.spec import Inputs, Spec
from netsmith.data import fsdd
from netsmith.data._arrays import digest
from netsmith.data._sounds import read_sound, read_wav
from netsmith.data.fsdd import Fsdd
from netsmith.engine.task import UNLABELED
from netsmith.layers.mu_law import mu_law_decode
from netsmith.layers.preprocess import Preprocess
from netsmith.measure.session import open_session, run_session
from netsmith.models.audio.wavenet import WaveNet
from netsmith.serve.app import make_app
from netsmith.tasks.classify import Classify


def wav(values, *, rate=8000, channels=1, width=2):
    """A WAV file of whole numbers, already of the width's range."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(channels)
        sound.setsampwidth(width)
        sound.setframerate(rate)
        sound.writeframes(b"".join(int(v).to_bytes(width, "little", signed=width > 1) for v in values))
    return file.getvalue()


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_width_has_the_same_scale(width):
    largest = 2 ** (8 * width - 1)
    values = np.array([0, 1, -1, largest // 2, -largest // 2, largest - 1, -largest])
    data = wav(values + (128 if width == 1 else 0), width=width)
    got = read_wav(data, rate=8000, name="x.wav")
    assert got.dtype == torch.float32
    assert got.tolist() == [float(np.float32(value / largest)) for value in values]
    rate, other = scipy.io.wavfile.read(io.BytesIO(data))
    assert rate == 8000
    scipys = other.astype(np.float64) - (128 if width == 1 else 0)
    assert np.array_equal(got.numpy(), (scipys / (largest if width != 3 else 2**31)).astype(np.float32))


def recording(name):
    """The digit's value ten times."""
    return wav([1000 * int(name[0])] * 10)


def archive(folder, kind, names):
    """Pack some recordings the way people pass them on."""
    files = {f"recordings/{name}": recording(name) for name in names} | {"README.md": b"digits"}
    folder.mkdir(parents=True)
    if kind == "folder":
        for name, data in files.items():
            path = folder / "free-spoken-digit-dataset" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    elif kind == "zip":
        with zipfile.ZipFile(folder / "v1.0.10.zip", "w") as packed:
            for name, data in files.items():
                packed.writestr(f"free-spoken-digit-dataset-1.0.10/{name}", data)
    else:
        with tarfile.open(folder / "free-spoken-digit-dataset.tar.gz", "w:gz") as packed:
            for name, data in files.items():
                member = tarfile.TarInfo(f"free-spoken-digit-dataset/{name}")
                member.size = len(data)
                packed.addfile(member, io.BytesIO(data))


NAMES = [
    f"{digit}_{speaker}_{number}.wav" for digit in (3, 8) for speaker in ("theo", "george") for number in (4, 5, 49)
]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_any_packing_of_the_same_recordings_will_do(tmp_path, monkeypatch, kind):
    archive(tmp_path / "fsdd", kind, NAMES)
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    with pytest.raises(
        DataError, match=r"its 12 recordings have the SHA-256 \w{12}\.\.\.; expected the 3000 of version"
    ):
        Fsdd.Config().build()
    lines = [digest(f"recordings/{name}", recording(name).hex()) for name in sorted(NAMES)]
    monkeypatch.setattr(fsdd, "_CONTENTS", digest("\n".join(lines)))
    source = Fsdd.Config(dev=0.0, length=64).build()
    assert {split.name: split.size for split in source.spec.splits} == {"train": 8, "test": 4}
    batch = source.load("test", torch.arange(4))
    assert batch.targets.tolist() == [3, 3, 8, 8]
    assert batch.inputs.shape == (4, 1, 64)
    assert batch.inputs[2, 0, :10].tolist() == [float(np.float32(8000 / 32768))] * 10
    assert not batch.inputs[:, :, 10:].any()


def test_the_twin_keeps_the_contract():
    config = Fsdd.Config(twin=True, batch=32, length=2000)
    source = config.build()
    at = torch.tensor([3, 77, 150])
    batch = source.load("train", at)
    assert batch.inputs.shape == (3, 1, 2000)
    assert batch.inputs.dtype == torch.float32
    assert float(batch.inputs.abs().max()) <= 1
    assert torch.equal(batch.inputs, Preprocess(source.spec.inputs)(source.raw("train", at)))
    assert torch.equal(batch.inputs, source.load("train", at, key=4).inputs)  # nothing changes in training
    assert torch.bincount(source.load("test", torch.arange(300)).targets).tolist() == [30] * 10
    assert SourceConfig.load(config.dump()) == config
    assert Spec.load(source.spec.dump()) == source.spec
    assert source.spec.facts()["num_classes"] == 10
    assert config.derive(target="speaker").build().spec.outputs.names == fsdd._SPEAKERS
    assert "rate" not in Inputs(kind="image", shape=(1, 2, 2)).dump()  # recorded schemas stay as they are


def test_a_shift_moves_the_whole_recording():
    source = Fsdd.Config(twin=True, shift=True).build()
    at = torch.arange(40)
    plain, moved = source.load("train", at).inputs[:, 0], source.load("train", at, key=3).inputs[:, 0]
    assert torch.equal(moved[5:6], source.load("train", at[5:6], key=3).inputs[:, 0])
    assert not torch.equal(moved, source.load("train", at, key=4).inputs[:, 0])
    starts = []
    for before, after in zip(plain, moved, strict=True):
        length = int(torch.nonzero(before).max()) + 1
        start = int(torch.nonzero(after).min()) - int(torch.nonzero(before).min())
        assert torch.equal(after[start : start + length], before[:length])
        assert int((after != 0).sum()) == int((before != 0).sum())
        starts.append(start / max(8000 - length, 1))
    assert min(starts) < 0.15
    assert max(starts) > 0.85
    assert torch.equal(source.load("dev", at[:5], key=3).inputs, source.load("dev", at[:5]).inputs)


@pytest.mark.parametrize("target", ["digit", "next_sample"])
def test_a_shift_takes_any_window_of_a_longer_recording(target):
    config = Fsdd.Config(twin=True, shift=True, length=1000, target=target)
    source, whole = config.build(), config.derive(shift=False, length=6200).build()
    at = torch.arange(40)
    batch, sounds = source.load("train", at, key=3), whole.load("train", at).inputs[:, 0]
    places = []
    for window, sound in zip(batch.inputs[:, 0], sounds, strict=True):
        length = int(torch.nonzero(sound).max()) + 1
        found = torch.nonzero((sound.unfold(0, 1000, 1) == window).all(1)).flatten()
        assert len(found) == 1
        assert int(found) + 1000 <= length
        places.append(int(found) / (length - 1000))
    assert min(places) < 0.15
    assert max(places) > 0.85
    assert torch.equal(source.load("train", at[5:6], key=3).inputs, batch.inputs[5:6])
    for split in ("train", "dev", "test"):
        assert torch.equal(source.load(split, at[:5]).inputs, whole.load(split, at[:5]).inputs[:, :, :1000])
    if target == "next_sample":
        heard = mu_law_decode(batch.targets[:, :-1])
        assert float((heard - batch.inputs[:, 0, 1:]).abs().max()) < 0.02
        assert (batch.targets[:, -1] == UNLABELED).all()


def test_the_next_sample_is_the_target_of_a_generator():
    source = Fsdd.Config(twin=True, target="next_sample", shift=True).build()
    assert source.spec.outputs.kind == "tags"
    assert source.spec.facts()["num_classes"] == 256
    for key in (None, 2):
        batch = source.load("train", torch.arange(6), key=key)
        known = batch.targets != UNLABELED
        heard = mu_law_decode(batch.targets.clamp(min=0))[:, :-1]
        error = (heard - batch.inputs[:, 0, 1:]).abs()[known[:, :-1]]
        assert float(error.max()) < 0.02
        assert not known[:, -1].any()
        assert int(known.sum(1).min()) > 1000  # silence that pads a recording is not learned


def test_the_official_recordings():
    base = os.environ.get("NETSMITH_DATA")
    if not base or not (Path(base) / "fsdd").is_dir():
        pytest.skip("no official files here")
    source = Fsdd.Config(length=20_000).build()
    assert {split.name: split.size for split in source.spec.splits} == {"train": 2460, "dev": 240, "test": 300}
    assert torch.bincount(source.load("test", torch.arange(300)).targets).tolist() == [30] * 10
    sounds = torch.cat([source.raw(s, torch.arange(n)) for s, n in (("train", 2460), ("dev", 240), ("test", 300))])
    lengths = (sounds[:, 0] != 0).int().mul(torch.arange(1, 20_001)).amax(1)
    assert int(lengths.max()) <= 18_262
    assert float(lengths.sum()) / 8000 == pytest.approx(1312.3, rel=0.01)  # but for silence at their ends


@pytest.fixture(scope="module")
def network():
    spec = Fsdd.Config(twin=True, length=400).build().spec
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = WaveNet.Config(blocks=1, layers=4, channels=4, skip_channels=8, num_classes=10).build()
    return Network(model, spec, task=Classify.Config().build(), name="digits")


def test_a_wav_file_is_predicted_exported_and_served(network, tmp_path):
    values = (3000 * np.sin(np.arange(250) / 3)).astype(int)
    path = tmp_path / "a.wav"
    path.write_bytes(wav(values))
    names, found = read_file(path, network.spec.inputs)
    assert names == ["a.wav"]
    raw = torch.zeros(1, 1, 400)
    raw[0, 0, :250] = torch.tensor(values / 32768)
    assert torch.equal(encode(found, network.spec.inputs), raw)
    predicted = network.predict(found)
    assert predicted == network.predict(raw)
    assert predicted == network.predict([raw[0, 0].tolist()])  # one row of numbers
    assert network.predict(read_bytes(path.read_bytes(), network.spec.inputs)[1]) == predicted  # through a pipe
    shutil.copy(path, tmp_path / "b.WAV")
    assert read_file(tmp_path, network.spec.inputs)[0] == ["a.wav", "b.WAV"]
    network.export(tmp_path / "n.onnx", exporter="fast")
    (output, *_) = run_session(open_session(tmp_path / "n.onnx"), [raw.numpy()])
    assert np.allclose(output, network(raw).numpy(), atol=1e-5)
    answers = asyncio.run(ask(network, [base64.b64encode(path.read_bytes()).decode(), raw[0].tolist()]))
    assert answers.status_code == 200, answers.text
    assert [p["label"] for p in answers.json()["predictions"]] == [predicted[0]["label"]] * 2


async def ask(network, inputs):
    transport = httpx.ASGITransport(app=make_app(network))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        body = json.dumps({"inputs": inputs}).encode()
        return await client.post("/predict", content=body, headers={"content-type": "application/json"})


def test_the_example_of_the_service_is_a_sound(network):
    example = make_app(network).openapi()["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    data = base64.b64decode(example["example"]["inputs"][0])
    assert 0 < len(read_wav(data, rate=8000, name="example")) <= 160
    assert asyncio.run(ask(network, example["example"]["inputs"])).status_code == 200


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (base64.b64encode(b"RIFFxxxxWAVE").decode(), "inputs[0]: is a damaged WAV file"),
        (base64.b64encode(b"OggS").decode(), "inputs[0]: expected the bytes of a WAV file in base64"),
        (
            base64.b64encode(wav([1] * 900)).decode(),
            "inputs[0]: has 900 samples (0.11 s); the network takes 400 samples (0.05 s)",
        ),
        ([[2.0] * 400], "less than or equal to 1"),
        ([[0.0] * 399], "expected 400 items, got 399"),
        ({"a": 1}, "expected numbers of shape (1, 400), or a WAV file in base64"),
    ],
)
def test_the_service_refuses_what_is_no_sound(network, value, says):
    answer = asyncio.run(ask(network, [value]))
    assert answer.status_code in (400, 422)
    assert says in answer.text


def test_a_sound_where_none_is_taken_and_the_other_way_round(network, tmp_path):
    (tmp_path / "a.wav").write_bytes(wav([1] * 10))
    with pytest.raises(DataError, match=r"a\.wav: is a sound; this network takes image inputs"):
        read_file(tmp_path / "a.wav", Inputs(kind="image", shape=(1, 8, 8)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no WAV files"):
        read_file(tmp_path / "empty", network.spec.inputs)
    with pytest.raises(DataError, match=r"expected values in -1\.\.1, got 0\.\.3"):
        encode([[0.0] * 399 + [3.0]], network.spec.inputs)
    with pytest.raises(DataError, match=r"sound 2: expected a path or bytes, got int"):
        encode([wav([1] * 10), 3], network.spec.inputs)
    with pytest.raises(DataError, match="does not fit inputs of kind 'audio'"):
        read_sound(wav([1]), Inputs(kind="audio", shape=(1, 5)), name="a.wav")
    free = read_sound(wav([1] * 9), Inputs(kind="audio", shape=(1, -1), rate=8000), name="a.wav")
    assert free.shape == (1, 9)


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ConfigError, match="levels=64 applies to target='next_sample' only"):
        Fsdd.Config(levels=64)
