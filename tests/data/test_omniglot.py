"""Omniglot: small archives of the official form, splits by drawing and by character, what is refused."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from netsmith.core.errors import ConfigError, DataError
from netsmith.data import omniglot
from netsmith.data._arrays import digest
from netsmith.data._download import official_tree
from netsmith.data.omniglot import Omniglot
from netsmith.layers.preprocess import Preprocess


def drawing(seed):
    """A PNG of 1 bit, 105 x 105, as the official ones; and its pixels."""
    pixels = np.random.default_rng(seed).random((105, 105)) < 0.9
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue(), pixels


@pytest.fixture
def archives(tmp_path, monkeypatch):
    """Two archives in ``$NETSMITH_DATA/omniglot``: 3 and 2 characters of 20 drawings."""
    folder = tmp_path / "omniglot"
    folder.mkdir()
    contents = {}
    for part, characters in (("background", ("Greek/character01", "Greek/character02", "Tifinagh/character01")),
                             ("evaluation", ("Angelic/character01", "ULOG/character07"))):  # fmt: skip
        files = {}
        for number, character in enumerate(characters, start=1):
            for drawer in range(1, 21):
                files[f"{character}/{number:04}_{drawer:02}.png"] = drawing(100 * number + drawer)
        with zipfile.ZipFile(folder / f"images_{part}.zip", "w") as packed:
            for name, (data, _) in reversed(files.items()):
                packed.writestr(f"images_{part}/{name}", data)
        lines = [digest(name, torch.from_numpy(pixels[None] * np.uint8(255))) for name, (_, pixels) in files.items()]
        contents[part] = digest("\n".join(lines))
    monkeypatch.setattr(omniglot, "_CONTENTS", contents)
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    return folder


def test_drawings_of_every_character_are_divided(archives):
    source = Omniglot.Config(image_size=105).build()
    assert {split.name: split.size for split in source.spec.splits} == {"train": 48, "dev": 6, "test": 6}
    assert source.spec.outputs.names == ("Greek/character01", "Greek/character02", "Tifinagh/character01")
    for split, size in (("train", 16), ("dev", 2), ("test", 2)):
        targets = source.load(split, torch.arange(3 * size)).targets
        assert torch.bincount(targets).tolist() == [size] * 3
    pixels = {drawing(100 * number + drawer)[1].tobytes() for number in (1, 2, 3) for drawer in range(1, 21)}
    got = {bytes((image == 255).numpy().tobytes()) for image in source.raw("train", torch.arange(48))[:, 0]}
    assert len(got) == 48
    assert got <= pixels  # black strokes on white, nothing inverted


def test_characters_are_apart_for_few_shot_learning(archives):
    source = Omniglot.Config(split="characters", dev=0.34).build()
    seen = {}
    for split in source.spec.splits:
        labels = source.load(split.name, torch.arange(split.size)).targets
        counts = torch.bincount(labels, minlength=5)
        assert set(counts.tolist()) == {0, 20}
        seen[split.name] = set(labels.tolist())
    assert seen["test"] == {3, 4}
    assert len(seen["train"]) == 2
    assert len(seen["dev"]) == 1
    assert seen["train"] | seen["dev"] == {0, 1, 2}
    assert source.spec.outputs.names[3:] == ("Angelic/character01", "ULOG/character07")


def test_a_drawing_shrinks_as_in_predict(archives):
    source = Omniglot.Config().build()
    raw = source.raw("train", torch.arange(4))
    assert raw.shape == (4, 1, 28, 28)
    assert torch.equal(Preprocess(source.spec.inputs)(raw), source.load("train", torch.arange(4)).inputs)
    whole = Omniglot.Config(image_size=105).build().raw("train", torch.arange(4))
    for small, large in zip(raw[:, 0].numpy(), whole[:, 0].numpy(), strict=True):
        wanted = Image.fromarray(large).resize((28, 28), Image.Resampling.BILINEAR)
        assert np.array_equal(small, np.asarray(wanted))


def test_another_drawing_is_refused(archives, monkeypatch):
    monkeypatch.setattr(omniglot, "_CONTENTS", {"background": "0" * 64, "evaluation": "0" * 64})
    with pytest.raises(
        DataError, match=r"images_background\.zip: its 60 drawings of 3 characters have the SHA-256 \w{12}"
    ):
        Omniglot.Config().build()
    with pytest.raises(ConfigError, match="split"):
        Omniglot.Config(split="alphabets")


def test_the_twin_has_two_parts_of_other_characters():
    for split, sizes in (("drawings", (640, 80, 80)), ("characters", (720, 80, 400))):
        source = Omniglot.Config(twin=True, split=split).build()
        assert tuple(part.size for part in source.spec.splits) == sizes
        assert source.load("test", torch.arange(3)).inputs.shape == (3, 1, 28, 28)
        assert int(source.load("test", torch.arange(sizes[2])).targets.max()) == len(source.spec.outputs.names) - 1


def test_the_official_archives():
    base = os.environ.get("NETSMITH_DATA")
    if not base or not (Path(base) / "omniglot").is_dir():
        pytest.skip("no official files here")
    names = {}
    for part, archive in omniglot._ARCHIVES.items():  # the members of both, the pixels of the smaller one
        tree = official_tree("omniglot", archive, mirrors=())
        names[part] = sorted({name.rpartition("/")[0] for name in tree.files})
        assert len(tree.files) == 20 * len(names[part])
    assert [len(characters) for characters in names.values()] == [964, 659]
    assert [len({name.split("/")[0] for name in characters}) for characters in names.values()] == [30, 20]
    found = omniglot._read("evaluation", Omniglot.Config())
    assert list(found.names) == names["evaluation"]
    assert found.images.shape == (13180, 1, 28, 28)
    assert torch.bincount(found.labels).tolist() == [20] * 659
