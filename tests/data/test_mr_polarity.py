"""MR: the official files in a folder or in their archive, splits, vocabulary, and what is refused."""

import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from netsmith.core.errors import ConfigError, DataError
from netsmith.data import mr_polarity
from netsmith.data._download import OfficialFile
from netsmith.data.mr_polarity import MrPolarity
from netsmith.layers.tokenize import encode, tokenize


def sentences(kind, count=20):
    lines = [f"a {kind} film number{place} , isn't it \x85 caf\xe9 ? " for place in range(count)]
    return ("\n".join(lines) + "\n").encode("latin-1")


FILES = {"rt-polaritydata/rt-polarity.neg": sentences("dull"), "rt-polaritydata/rt-polarity.pos": sentences("fine")}


def packed(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in {"rtpolarity.README.txt": b"read me", **files}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def official(name, data):
    return OfficialFile(name, len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of official files of our own making, with their checksums; nothing is downloaded."""

    def given(files, *, known=FILES):
        monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("NETSMITH_OFFLINE", "1")
        monkeypatch.setattr(mr_polarity, "_FILES", tuple(official(name, data) for name, data in known.items()))
        archive = files.get("rt-polaritydata.tar.gz", b"")
        monkeypatch.setattr(mr_polarity, "_ARCHIVE", official("rt-polaritydata.tar.gz", archive))
        for name, data in files.items():
            path = tmp_path / "mr-polarity" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return tmp_path / "mr-polarity"

    return given


def everything(source, split):
    return source.load(split, torch.arange(source.spec.split(split).size))


@pytest.mark.parametrize("form", ["files", "archive"])
def test_official_files_as_they_are_or_in_their_archive(folder, form):
    base = folder(FILES if form == "files" else {"rt-polaritydata.tar.gz": packed(FILES)})
    before = sorted(path.name for path in base.rglob("*"))
    source = MrPolarity.Config(max_length=9).build()
    assert sorted(path.name for path in base.rglob("*")) == before  # nothing was extracted
    spec = source.spec
    assert [(s.name, s.size, s.made, s.seed) for s in spec.splits] == [
        ("train", 32, "seeded 80/10/10", 0), ("dev", 4, "seeded 80/10/10", 0), ("test", 4, "seeded 80/10/10", 0)
    ]  # fmt: skip
    assert spec.outputs.names == ("negative", "positive")
    assert spec.inputs.kind == "text"
    found = {}
    for split in ("train", "dev", "test"):
        batch = everything(source, split)
        texts = source.texts(split, torch.arange(len(batch.targets)))
        assert batch.targets.sum() * 2 == len(batch.targets)  # class by class
        assert [" fine " in text for text in texts] == batch.targets.bool().tolist()
        assert torch.equal(batch.inputs, encode(texts, spec.inputs))
        found |= dict.fromkeys(texts, split)
    assert len(found) == 40
    text = next(iter(found))
    assert text.endswith("\u2026 caf\xe9 ?")  # cp1252: its ellipsis is no end of a line
    assert tokenize(text, spec.inputs.preprocessing[0])[4:] == [",", "is", "n't", "it", "\u2026", "caf\xe9", "?"]


def test_the_vocabulary_is_of_the_training_part(folder):
    folder(FILES)
    source = MrPolarity.Config().build()
    known = set(source.spec.inputs.vocabulary)
    train = set(" ".join(source.texts("train", torch.arange(32))).split())
    others = set(" ".join(source.texts("dev", torch.arange(4)) + source.texts("test", torch.arange(4))).split())
    assert {word for word in train if word.startswith("number")} <= known
    assert others - train
    assert not known & (others - train)
    assert source.spec.inputs.vocabulary[:4] == ("<pad>", "<unk>", ",", "?")  # the most frequent first, ties by letter
    fewer = MrPolarity.Config(min_count=2, vocabulary_size=8).build().spec.inputs.vocabulary
    assert len(fewer) == 8


def test_splits_follow_the_seed_alone(folder):
    folder(FILES)

    def hashes(**fields):
        return [split.sha256 for split in MrPolarity.Config(**fields).build().spec.splits]

    assert hashes() == hashes()
    assert hashes(split_seed=1)[2] != hashes()[2]


def test_damaged_files_are_refused(folder):
    folder({"rt-polaritydata/rt-polarity.neg": FILES["rt-polaritydata/rt-polarity.neg"]})
    with pytest.raises(DataError, match="NETSMITH_OFFLINE forbids downloads; put it into"):
        MrPolarity.Config().build()
    changed = {name: data.replace(b"film", b"farm") for name, data in FILES.items()}
    folder({"rt-polaritydata.tar.gz": packed(changed)})
    with pytest.raises(DataError, match=r"its member rt-polaritydata/rt-polarity.neg has the SHA-256 .* expected"):
        MrPolarity.Config().build()
    folder({"rt-polaritydata.tar.gz": packed({"rt-polaritydata/rt-polarity.pos": b"x"})})
    with pytest.raises(DataError, match=r"has no member 'rt-polaritydata/rt-polarity.neg'"):
        MrPolarity.Config().build()
    folder(changed)
    with pytest.raises(DataError, match="replace it by the official file"):
        MrPolarity.Config().build()


def test_what_the_pattern_cannot_read_is_named(folder):
    folder(FILES)
    with pytest.raises(DataError, match=r"rt-polarity.neg, row 1: has no token that '\[A-Z\]' finds"):
        MrPolarity.Config(pattern="[A-Z]", lowercase=False).build()
    with pytest.raises(ConfigError, match="not a regular expression"):
        MrPolarity.Config(pattern="(").build()


def test_the_twin_needs_more_than_counts_of_words():
    source = MrPolarity.Config(twin=True).build()
    assert source.spec.inputs.shape == (48,)
    counts, targets = {}, {}
    for split in ("train", "test"):
        batch = everything(source, split)
        groups = [{word[:3] for word in text.split()} for text in source.texts(split, torch.arange(len(batch.targets)))]
        mixed = torch.tensor([len(found) == 2 for found in groups])
        assert (mixed == batch.targets.bool()).double().mean() >= 0.97  # a short one is of one group by chance
        lengths = (batch.inputs > 0).sum(1)
        assert 6 <= int(lengths.min()) < 15 < 30 < int(lengths.max()) <= 48
        targets[split] = batch.targets.numpy()
        rows = [torch.bincount(row, minlength=len(source.spec.inputs.vocabulary)) for row in batch.inputs]
        counts[split] = torch.stack(rows).double().numpy()
    linear = LogisticRegression(C=0.1, max_iter=2000).fit(counts["train"], targets["train"])
    assert linear.score(counts["test"], targets["test"]) <= 0.70


def test_the_official_files():
    base = os.environ.get("NETSMITH_DATA")
    if not base or not (Path(base) / "mr-polarity").is_dir():
        pytest.skip("no official files here")
    source = MrPolarity.Config().build()
    assert {s.name: s.size for s in source.spec.splits} == {"train": 8530, "dev": 1066, "test": 1066}
    assert torch.bincount(everything(source, "test").targets).tolist() == [533, 533]
    assert source.spec.inputs.vocabulary[2:6] == (".", "the", ",", "a")
