"""Resume NER and sentences in columns: official files, packed ones, and what is refused."""

import gzip
import hashlib

import pytest
import torch

from netsmith.core.errors import DataError
from netsmith.data import resume_ner
from netsmith.data._conll import conll_sentences
from netsmith.data._download import OfficialFile
from netsmith.data.resume_ner import ResumeNer
from netsmith.engine.task import UNLABELED

FILES = {
    "train.char.bmes": "高 B-NAME\n勇 E-NAME\n： O\n\n男 O\n，\tO\n".encode(),
    "dev.char.bmes": "勇 E-NAME\n\n".encode(),
    "test.char.bmes": "\ufeff高 O\r\n中 O\r\n\r\n男 O\r\n".encode(),
}


@pytest.fixture
def given(tmp_path, monkeypatch):
    def put(files):
        monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.setenv("NETSMITH_OFFLINE", "1")
        known = {
            name.split(".")[0]: OfficialFile(name, len(data), hashlib.sha256(data).hexdigest())
            for name, data in FILES.items()
        }
        monkeypatch.setattr(resume_ner, "_FILES", known)
        (tmp_path / "resume-ner").mkdir()
        for name, data in files.items():
            (tmp_path / "resume-ner" / name).write_bytes(data)
        return tmp_path / "resume-ner"

    return put


@pytest.mark.parametrize("packed", [False, True])
def test_each_character_has_its_tag(given, packed):
    given({f"{name}.gz": gzip.compress(data) for name, data in FILES.items()} if packed else FILES)
    source = ResumeNer.Config(max_length=4).build()
    assert source.spec.outputs.names == ("B-NAME", "E-NAME", "O")
    train = source.load("train", torch.arange(2))
    names = dict(enumerate(source.spec.inputs.vocabulary))
    assert [[names[token] for token in row if token] for row in train.inputs.tolist()] == [
        ["高", "勇", "："],
        ["男", "，"],
    ]
    assert train.targets.tolist() == [[0, 1, 2, UNLABELED], [2, 2, UNLABELED, UNLABELED]]
    test = source.load("test", torch.arange(2))
    assert test.targets.tolist() == [[2, 2, UNLABELED, UNLABELED], [2, UNLABELED, UNLABELED, UNLABELED]]
    assert test.inputs[0, 1] == 1  # not seen in training: unknown
    assert ResumeNer.Config(max_length=2).build().load("train", torch.arange(1)).targets.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda data: gzip.compress(data)[:-9], "is damaged"),
        (lambda data: gzip.compress(data + b"x"), "holds more than"),
        (lambda data: gzip.compress(data[:-1] + b"x"), "SHA-256"),
        (lambda _: b"no gzip", "is damaged"),
    ],
)
def test_a_packed_file_is_checked_as_it_is_unpacked(given, change, text):
    given({f"{name}.gz": change(data) for name, data in FILES.items()})
    with pytest.raises(DataError, match=text):
        ResumeNer.Config().build()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a B\nlonely\n", "row 2|:2.*one column"),
        (b"\n\n", "has no sentence"),
        (b"\xff\xfe\n", "is not UTF-8"),
    ],
)
def test_columns_that_are_none_are_refused(data, text):
    with pytest.raises(DataError, match=text):
        conll_sentences(data, "x.conll")


def test_more_columns_are_passed_over():
    (one,) = conll_sentences(b"EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n", "x")
    assert one.tokens == ("EU", "rejects")
    assert one.tags == ("B-ORG", "O")


def test_a_tag_that_training_has_not_is_refused(given, monkeypatch):
    monkeypatch.setitem(FILES, "test.char.bmes", "高 B-RACE\n".encode())
    given(FILES)
    with pytest.raises(DataError, match="'B-RACE' does not come in training"):
        ResumeNer.Config().build()
