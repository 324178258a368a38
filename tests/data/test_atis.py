"""ATIS: the words, slots and intents of files of our own making and the real ones, the twin, what is refused."""

import collections
import hashlib
import os
from pathlib import Path

import pytest
import torch

from netsmith.api.network import Network
from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Step
from netsmith.data import atis
from netsmith.data._download import OfficialFile
from netsmith.data._gazetteer import gazetteer
from netsmith.data.atis import Atis, requests
from netsmith.engine.task import UNLABELED
from netsmith.layers.token_features import encode_with_features

REAL = Path(os.environ.get("NETSMITH_DATA") or "nowhere") / "atis"
FILES = {
    "train": b"BOS to new york EOS\tO O B-to I-to flight\nBOS flight 417 EOS\tO O B-no meal\n",
    "dev": b"BOS to boston EOS\tO O B-to flight\n",
    "test": b"BOS 995 fares EOS\tO B-no O flight#fare\n",
}


@pytest.fixture
def given(tmp_path, monkeypatch):
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NETSMITH_OFFLINE", "1")
    known = {split: OfficialFile(split, len(data), hashlib.sha256(data).hexdigest()) for split, data in FILES.items()}
    monkeypatch.setattr(atis, "_FILES", known)
    (tmp_path / "atis").mkdir()
    for name, data in FILES.items():
        (tmp_path / "atis" / name).write_bytes(data)


def test_each_word_has_its_slot_and_numbers_of_as_many_digits_are_one(given):
    source = Atis.Config(max_length=4).build()
    names, words = source.spec.outputs.names, source.spec.inputs.vocabulary
    assert names == ("B-no", "B-to", "I-to", "O")
    train = source.load("train", torch.arange(2))
    assert [[words[token] for token in row if token] for row in train.inputs.tolist()] == [
        ["to", "new", "york"],
        ["flight", "DIGITDIGITDIGIT"],
    ]
    assert train.targets.tolist() == [[3, 1, 2, UNLABELED], [3, 0, UNLABELED, UNLABELED]]
    test = source.load("test", torch.arange(1))
    assert words[test.inputs[0, 0]] == "DIGITDIGITDIGIT"  # 995, never seen
    assert test.inputs[0, 1] == 1  # a word never seen
    assert source.texts("test", torch.tensor([0])) == ["995 fares"]


def test_the_intent_is_the_answer_or_stands_before_the_slots(given):
    source = Atis.Config(answer="intent").build()
    assert source.spec.outputs.kind == "classes"
    assert source.spec.outputs.names == ("flight", "flight#fare", "meal")
    assert source.load("train", torch.arange(2)).targets.tolist() == [0, 2]
    assert source.load("test", torch.arange(1)).targets.tolist() == [1]
    frame = Atis.Config(answer="frame", max_length=3).build()
    assert frame.spec.outputs.names == ("B-no", "B-to", "I-to", "O", "flight", "flight#fare", "meal")
    assert frame.load("train", torch.arange(2)).targets.tolist() == [[4, 3, 1, 2], [6, 3, 0, UNLABELED]]


def test_a_word_is_of_the_kind_that_other_requests_mark_it_as(given):
    source = Atis.Config(max_length=4, entities=1).build()
    (feature,) = source.spec.inputs.features
    assert source.spec.inputs.shape == (4, 2)
    assert dict(zip(feature.values, feature.tokens, strict=True)) == {
        "no": ("DIGITDIGITDIGIT",),
        "to": ("new", "york"),
    }
    train = source.load("train", torch.arange(2)).inputs
    assert not train[..., 1].any()  # each is marked in one request alone: there it does not count
    assert source.load("test", torch.arange(1)).inputs[0, :2, 1].tolist() == [1, 0]
    plain = Atis.Config(max_length=4).build()
    assert torch.equal(plain.load("train", torch.arange(2)).inputs, train[..., 0])
    again = encode_with_features(["to new york 995"], source.spec.inputs)
    assert again[0, :, 1].tolist() == [0, 2, 2, 1]
    assert Network(Word(), source.spec).encode(["to new york 995"]).equal(again)


class Word(torch.nn.Module):
    def forward(self, numbers):
        return numbers[..., 0]


def test_the_own_tag_of_a_request_says_nothing_for_itself():
    said = [["to", "boston"], ["from", "boston"], ["boston", "boston", "now"], ["may", "day"], ["may", "i"]]
    kinds = [["", "city"], ["", "city"], ["city", "airport", ""], ["month", ""], ["", ""]]
    counts = collections.Counter(
        (w, k) for row in zip(said, kinds, strict=True) for w, k in set(zip(*row, strict=True))
    )
    for least in (1, 2, 3):
        feature, seen = gazetteer(said, kinds, least=least, length=2)
        for words, own, numbers in zip(said, kinds, seen, strict=True):
            for word, number in zip(words, numbers, strict=False):  # the third word is cut
                others = {
                    kind: counts[word, kind] - ((word, kind) in set(zip(words, own, strict=True)))
                    for kind in feature.values
                }
                best = min(others, key=lambda kind: (-others[kind], kind))
                assert number == (feature.values.index(best) + 1 if others[best] >= least else 0)
        assert feature.tokens[feature.values.index("city")] == (("boston",) if least < 4 else ())
    relabeled = [*kinds[:3], ["", "month"], kinds[4]]  # "may" by its own tag
    assert gazetteer(said, relabeled, least=1, length=2)[1][3][0] == gazetteer(said, kinds, least=1, length=2)[1][3][0]


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"BOS hello EOS", "expected BOS, words, EOS, a tab"),
        (b"BOS EOS\tO flight", "expected BOS"),
        (b"hello EOS\tO flight", "expected BOS"),
        (b"BOS hello you EOS\tO O flight", "has 4 words and 3 tags"),
        (b"BOS hello EOS\tO I-to flight", "word 1: 'I-to' follows"),
        (b"BOS hello EOS\tO X flight", "word 1: 'X' is no tag"),
        (b"BOS \xff EOS\tO O flight", "is not UTF-8"),
    ],
)
def test_a_line_of_another_form_is_refused_with_its_number(line, text):
    with pytest.raises(DataError, match=text) as error:
        requests(FILES["dev"] + line + b"\n", "x.iob")
    assert "x.iob" in str(error.value)
    assert "2" in str(error.value).replace(text, "")


def test_a_file_without_a_request_is_refused():
    with pytest.raises(DataError, match="has no request"):
        requests(b"\n\n", "x.iob")


def test_only_tokens_have_digits():
    with pytest.raises(ValueError, match="digits are for tokenize"):
        Step(name="gray", digits="DIGIT")


@pytest.mark.skipif(not REAL.is_dir(), reason="no official files")
def test_the_official_parts_are_those_of_the_papers():
    source = Atis.Config(answer="frame").build()
    assert [len(source.texts(split, torch.arange(size))) for split, size in _SIZES.items()] == [4478, 500, 893]
    names = source.spec.outputs.names
    assert sum(name == "O" or name[:2] in ("B-", "I-") for name in names) == 127
    assert len(names) == 127 + 26
    targets = {split: source.load(split, torch.arange(size)).targets for split, size in _SIZES.items()}
    in_training = set(targets["train"].flatten().tolist())
    assert [len(set(targets[split].flatten().tolist()) - in_training) for split in ("dev", "test")] == [2, 10]
    assert int((targets["test"][:, 1:] != UNLABELED).sum()) == 9164
    assert source.texts("train", torch.tensor([0])) == ["i want to fly from baltimore to dallas round trip"]


_SIZES = {"train": 4478, "dev": 500, "test": 893}


def test_the_twin_needs_the_word_before():
    source = Atis.Config(twin=True).build()
    train = source.load("train", torch.arange(320))
    words, names = source.spec.inputs.vocabulary, source.spec.outputs.names
    tags = {
        names[tag] for row, of in zip(train.inputs, train.targets, strict=True)
        for word, tag in zip(row.tolist(), of.tolist(), strict=True) if words[word] == "boston"
    }  # fmt: skip
    assert tags == {"B-fromloc.city_name", "B-toloc.city_name"}


def test_a_gazetteer_needs_a_token_for_each_word():
    with pytest.raises(ConfigError, match="entities=1 needs a token for each word"):
        Atis.Config(twin=True, entities=1, pattern=r"\w").build()
