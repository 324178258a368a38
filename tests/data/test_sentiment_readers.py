"""SST, polarity 2.0 and ChnSentiCorp: official files of our own making and the real ones, twins, what is refused."""

import hashlib
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.data import chnsenticorp, polarity_2, sst
from netsmith.data._download import OfficialFile
from netsmith.data.chnsenticorp import Chnsenticorp
from netsmith.data.polarity_2 import Polarity2
from netsmith.data.sst import Sst, parse_tree
from netsmith.models.text.bag_naive_bayes import BagNaiveBayes

REAL = Path(os.environ.get("NETSMITH_DATA") or "nowhere")


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def tarred(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def official(name, data):
    return OfficialFile(name, len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """An official archive of our own making, with its checksum; nothing is downloaded."""

    def given(module, dataset, data):
        monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("NETSMITH_OFFLINE", "1")
        name = module._ARCHIVE.name
        monkeypatch.setattr(module, "_ARCHIVE", official(name, data))
        (tmp_path / dataset).mkdir(exist_ok=True)
        (tmp_path / dataset / name).write_bytes(data)

    return given


def everything(source, split):
    at = torch.arange(source.spec.split(split).size)
    return source.texts(split, at), source.load(split, at)


# -- SST ---------------------------------------------------------------------------------------------------------------

TREES = (
    "(3 (2 a) (4 (4 fine) (2 film)))\n"
    "(2 (2 -LRB-) (2 (2 it) (2 -RRB-)))\n"
    "\n"
    r"(0 (1 bad) (1 (2 director\/writer) (2 \*)))" + "\n"
)


def trees(train=TREES):
    return zipped({"trees/train.txt": train, "trees/dev.txt": TREES, "trees/test.txt": TREES})


def test_sst_sentences_and_phrases_in_five_classes_and_two(archive):
    archive(sst, "sst", trees())
    texts, batch = everything(Sst.Config(classes=5, lowercase=False).build(), "train")
    assert texts == ["a fine film", "( it )", "bad director/writer *"]
    assert batch.targets.tolist() == [3, 2, 0]
    texts, batch = everything(Sst.Config(classes=2).build(), "test")
    assert (texts, batch.targets.tolist()) == (["a fine film", "bad director/writer *"], [1, 0])
    source = Sst.Config(classes=2, phrases=True).build()
    texts, batch = everything(source, "train")
    assert dict(zip(texts, batch.targets.tolist(), strict=True)) == {
        "a fine film": 1, "fine film": 1, "fine": 1, "bad director/writer *": 0, "bad": 0, "director/writer *": 0,
    }  # fmt: skip
    assert len(everything(source, "dev")[0]) == 2
    assert source.spec.outputs.names == ("negative", "positive")


@pytest.mark.parametrize("line", ["(3 (2 a) (4 b)", "(5 a)", "(3 a) (3 b)", "a film", "(3 )", "(3 a))", "(3a)"])
def test_a_tree_that_breaks_the_form_is_named(archive, line):
    with pytest.raises(DataError, match=r"t\.txt, row 7: is no tree"):
        parse_tree(line, path="t.txt", row=7)
    archive(sst, "sst", trees(f"(3 a)\n{line}\n"))
    with pytest.raises(DataError, match=r"train\.txt, row 2: is no tree of"):
        Sst.Config().build()


# -- polarity 2.0 ------------------------------------------------------------------------------------------------------


def reviews(count=20):
    return {
        f"txt_sentoken/{kind}/cv{fold}{number:02}_{number}.txt": f"a {word} film \nof fold{fold} n{number} \n".encode()
        for kind, word in (("neg", "dull"), ("pos", "fine"))
        for fold in range(10)
        for number in range(count // 10)
    }


def test_polarity_has_its_official_folds(archive, monkeypatch):
    monkeypatch.setattr(polarity_2, "_EACH", 20)
    archive(polarity_2, "polarity-2.0", tarred({"poldata.README.2.0": b"", **reviews()}))
    source = Polarity2.Config(fold=3).build()
    assert [(split.name, split.size) for split in source.spec.splits] == [("train", 32), ("dev", 4), ("test", 4)]
    texts, batch = everything(source, "test")
    assert all("of fold3" in text for text in texts)
    assert [" fine " in text for text in texts] == batch.targets.bool().tolist()
    assert not any("fold3" in text for split in ("train", "dev") for text in everything(source, split)[0])
    assert [split.made for split in source.spec.splits][2] == "official fold 3"
    assert set(Polarity2.Config(dev=0.0).build().splits()) == {"train", "test"}
    archive(polarity_2, "polarity-2.0", tarred(dict(list(reviews().items())[:-1])))
    with pytest.raises(DataError, match=r"holds 19 reviews in pos/; expected 20"):
        Polarity2.Config().build()


# -- ChnSentiCorp ------------------------------------------------------------------------------------------------------

LINES = 'label\ttext_a\n1\t房间"很好"，Wifi 100M\n0\t差\n'


@pytest.mark.parametrize(
    ("train", "says"),
    [
        (LINES, ""),
        ("text\tlabel\n", r"train\.tsv, row 1: begins with 'text\\tlabel'"),
        (LINES + "2\t好\n", r"train\.tsv, row 4: expected 0 or 1, a tab and a review"),
        (LINES + "1\t \n", r"train\.tsv, row 4: expected 0 or 1"),
    ],
)
def test_chnsenticorp_by_characters(archive, monkeypatch, train, says):
    files = {"train.tsv": ("\ufeff" + train).encode(), "dev.tsv": LINES.encode(), "test.tsv": LINES.encode()}
    known = {name.partition(".")[0]: official(name, data) for name, data in files.items()}
    monkeypatch.setattr(chnsenticorp, "_FILES", known)
    archive(chnsenticorp, "chnsenticorp", zipped(files))
    if says:
        with pytest.raises(DataError, match=says):
            Chnsenticorp.Config().build()
        return
    source = Chnsenticorp.Config(max_length=9).build()
    texts, batch = everything(source, "train")
    assert texts[0] == '房间"很好"，Wifi 100M'
    words = source.spec.inputs.vocabulary
    assert [words[at] for at in batch.inputs[0].tolist()] == ["房", "间", '"', "很", "好", '"', "，", "wifi", "100"]
    assert batch.targets.tolist() == [1, 0]


# -- all of them -------------------------------------------------------------------------------------------------------

TWINS = {
    "sst2": Sst.Config(twin=True),
    "sst5": Sst.Config(twin=True, classes=5),
    "polarity": Polarity2.Config(twin=True),
    "chn": Chnsenticorp.Config(twin=True),
}


@pytest.mark.parametrize("name", TWINS)
def test_the_twins_need_more_than_counts_of_words(name):
    """Counts of words leave the classes apart by chance alone; counts of pairs tell them."""
    source = TWINS[name].build()
    spec = source.spec
    classes = len(spec.outputs.names)
    lengths = (everything(source, "train")[1].inputs > 0).sum(1)
    assert int(lengths.max()) <= spec.inputs.max_length
    shares = []
    for bigrams in (0, 5000):
        config = BagNaiveBayes.Config(
            features="count", bigrams=bigrams, vocab_size=len(spec.inputs.vocabulary), num_classes=classes
        )
        model = config.build()
        batch = everything(source, "train")[1]
        model.fit(batch.inputs, batch.targets)
        test = everything(source, "test")[1]
        shares.append(float((model(test.inputs).argmax(1) == test.targets).double().mean()))
    assert shares[0] <= 1 / classes + 0.2
    assert shares[1] >= (0.9 if classes == 2 else 0.45)


@pytest.mark.skipif(not (REAL / "sst").is_dir(), reason="the official files are not at hand")
def test_the_official_files():
    configs = {"sst": Sst.Config(), "chn": Chnsenticorp.Config()}
    sizes = {name: [split.size for split in config.build().spec.splits] for name, config in configs.items()}
    assert sizes == {"sst": [6920, 872, 1821], "chn": [9600, 1200, 1200]}


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match="fold"):
        Polarity2.Config(fold=10)
    with pytest.raises(ConfigError, match="classes"):
        Sst.Config(classes=3)
