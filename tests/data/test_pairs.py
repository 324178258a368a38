"""Pairs of texts: numbers, batches of like lengths, what is left out, the official files."""

import itertools
import os
from pathlib import Path

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError, UnknownNameError
from netsmith.core.spec import Spec
from netsmith.data._pairs import PairFields, Pairs, PairSource
from netsmith.data._twin_pairs import twin_sentences
from netsmith.data.multi30k import Multi30k
from netsmith.data.multi30k_multilingual import Multi30kMultilingual
from netsmith.engine.task import UNLABELED
from netsmith.layers.tokenize import detokenize, encode


class Small(PairSource):
    class Config(PairFields):
        def build(self, *parts, **named_parts):
            raise NotImplementedError


def source_of(train, *others, marks=(), **fields):
    parts = {"train": train} | dict(zip(("dev", "test"), others, strict=False))
    pairs = {
        split: Pairs([a for a, _ in these], [b for _, b in these], f"{split}.txt", range(1, len(these) + 1))
        for split, these in parts.items()
    }
    config = Small.Config(**{"merges": 0, "batch": 2, **fields})
    return PairSource(config, dataset="small", pairs=pairs, marks=marks)


def drawn(count, seed=0):
    """Pairs of words whose counts differ."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 12, (count, 2), generator=generator).tolist()
    return [(" ".join(["a"] * left), " ".join(["b"] * right)) for left, right in sizes]


def test_numbers_targets_and_what_was_written_before_them():
    source = source_of([("b a a", "x"), ("a <unk>", "y x x")], [("c a", "z x")], pattern=r"\S+")
    assert source.spec.inputs.vocabulary == ("<pad>", "<unk>", "<eos>", "a", "b")
    assert source.spec.outputs.names == ("<pad>", "<unk>", "<eos>", "x", "y")
    batch = source.load("train", torch.tensor([0, 1]))
    assert batch.inputs["source"].tolist() == [[4, 3, 3], [3, 1, 0]]
    assert batch.targets.tolist() == [[3, 2, UNLABELED, UNLABELED], [4, 3, 3, 2]]
    assert batch.inputs["written"].tolist() == [[2, 3, 0, 0], [2, 4, 3, 3]]
    other = source.load("dev", torch.tensor([0]))
    assert (other.inputs["source"].tolist(), other.targets.tolist()) == ([[1, 3]], [[1, 3, 2]])
    assert source.texts("dev", torch.tensor([0])) == [("c a", "z x")]
    with pytest.raises(UnknownNameError):
        source.load("test", torch.tensor([0]))


def test_a_part_of_a_batch_is_the_same_but_for_padding():
    source = source_of(drawn(40), batch=8)
    (at, *_) = source.order("train", seed=1, epoch=0)
    whole = source.load("train", at, key=7)
    for place, index in enumerate(at):
        one = source.load("train", index[None], key=7)
        size = one.targets.shape[1]
        assert one.targets[0].equal(whole.targets[place, :size])
        assert one.inputs["written"][0].equal(whole.inputs["written"][place, :size])
        assert bool((whole.targets[place, size:] == UNLABELED).all())
        assert one.keys[0] == whole.keys[place]


def test_an_epoch_shows_every_pair_once_in_batches_of_like_lengths():
    pairs = drawn(403)
    source = source_of(pairs, batch=8, bucket=10)
    order = source.order("train", seed=3, epoch=2)
    assert [len(at) for at in order] == [8] * 50
    seen = torch.cat(list(order)).tolist()
    assert len(set(seen)) == 400
    assert [at.tolist() for at in order] == [at.tolist() for at in source.order("train", seed=3, epoch=2)]
    for other in ({"seed": 4, "epoch": 2}, {"seed": 3, "epoch": 3}):
        assert [at.tolist() for at in order] != [at.tolist() for at in source.order("train", **other)]

    def padding(source):
        batches = [source.load("train", at) for at in source.order("train", seed=3, epoch=2)]
        return sum(int((batch.inputs["source"] == 0).sum() + (batch.targets == UNLABELED).sum()) for batch in batches)

    assert padding(source) < 0.6 * padding(source_of(pairs, batch=8, bucket=1))
    firsts = [int(source.load("train", at).inputs["source"].shape[1]) for at in order]
    assert firsts != sorted(firsts)  # the batches are shuffled


def test_fewer_pairs_than_a_batch_make_one():
    source = source_of(drawn(3), batch=8)
    assert [sorted(at.tolist()) for at in source.order("train", seed=0, epoch=0)] == [[0, 1, 2]]


def test_dev_keeps_its_order():
    source = source_of(drawn(4), drawn(7), evaluation_batch=3)
    assert [at.tolist() for at in source.order("dev", seed=5, epoch=4)] == [[0, 1, 2], [3, 4, 5], [6]]


def test_longer_training_pairs_are_left_out_and_counted():
    pairs = [("a a", "b"), ("a a a", "b"), ("a", "b b b"), ("a", "b b")]
    source = source_of(pairs, pairs, longest=2, max_length=2)
    assert source.left_out == 2
    assert source.spec.split("train").size == 2
    assert source.spec.split("train").made == "official, without 2 pairs of more than 2 tokens"
    assert source.texts("train", torch.tensor([0, 1])) == [pairs[0], pairs[3]]
    cut = source.load("dev", torch.arange(4))  # in dev all are there, cut as predict cuts
    assert cut.inputs["source"].tolist() == [[3, 3], [3, 3], [3, 0], [3, 0]]
    assert cut.targets[2].tolist() == [3, 3, 2]
    with pytest.raises(DataError, match=r"train\.txt: has no pair for train; expected one at least, without 4 pairs"):
        source_of([("a a", "b")] * 4, longest=1)


def test_an_empty_side_is_named_with_its_row():
    with pytest.raises(DataError, match=r"dev\.txt, row 2: the target has no token"):
        source_of([("a", "b")], [("a", "b"), ("a", " ")])
    with pytest.raises(DataError, match=r"train\.txt, row 1: the source has no token"):
        source_of([("", "b")])


def test_settings_that_contradict_are_refused():
    with pytest.raises(ConfigError, match="longest=100 is more than max_length=50"):
        Small.Config(max_length=50)
    with pytest.raises(ConfigError, match="source and target are both 'en'"):
        Multi30k.Config(target="en")
    with pytest.raises(ConfigError, match="is not a regular expression"):
        source_of([("a", "b")], pattern="(")
    with pytest.raises(DataError, match=r"no two signs come together twice .*data\.merges=0"):
        source_of([("a", "b")], merges=5)


def test_shared_subwords_marks_and_what_is_read_in_predict():
    pairs = [("<2de> low lower", "niedrig niedriger"), ("<2fr> low", "bas lower")]
    source = source_of(pairs, merges=12, shared=True, marks=("<2de>", "<2fr>"))
    spec = Spec.load(source.spec.dump())
    assert spec.inputs.vocabulary == spec.outputs.names
    assert spec.inputs.preprocessing == spec.outputs.steps
    assert {"▁<2de>", "▁<2fr>", "▁low"} <= set(spec.inputs.vocabulary)
    rows = source.load("train", torch.tensor([0, 1])).inputs["source"]
    assert rows.equal(encode([text for text, _ in pairs], spec.inputs))
    names = [spec.outputs.names[int(token)] for token in source.load("train", torch.tensor([0])).targets[0][:-1]]
    assert detokenize(names, spec.outputs.steps[0]) == "niedrig niedriger"


def test_the_twin_says_the_same_in_another_order():
    source = Multi30k.Config(twin=True, batch=32).build()
    assert [split.size for split in source.spec.splits] == [2400, 120, 120]
    english, german = (twin_sentences(language, "train") for language in ("en", "de"))
    verbs = {text.removesuffix(".").split(" ")[-1] for text in german}
    assert len(verbs) == 8
    assert len(set(english)) > 2300
    seen = {}
    for one, other in zip(english, german, strict=True):  # one meaning, one sentence
        assert seen.setdefault(one, other) == other
    unknown = source.load("test", torch.arange(120))
    assert int((unknown.inputs["source"] == 1).sum() + (unknown.targets == 1).sum()) == 0


def test_the_official_files():
    given = os.environ.get("NETSMITH_DATA")
    if not given or not (Path(given) / "multi30k").is_dir():
        pytest.skip("the official files are not at hand")
    source = Multi30k.Config(merges=500).build()
    assert [split.size for split in source.spec.splits] == [29_000, 1014, 1000]
    assert source.left_out == 0
    steps = source.spec.inputs.preprocessing[0], source.spec.outputs.steps[0]
    assert [len(step.merges) for step in steps] == [500, 500]
    for split in ("train", "test"):
        at = torch.arange(200)
        batch, texts = source.load(split, at), source.texts(split, at)
        for side, numbers, names, step in (
            (0, batch.inputs["source"], source.spec.inputs.vocabulary, steps[0]),
            (1, batch.targets, source.spec.outputs.names, steps[1]),
        ):
            for row, pair in zip(numbers.tolist(), texts, strict=True):
                kept = list(itertools.takewhile(lambda token: token not in (0, 2), row))
                if 1 not in kept:
                    assert detokenize([names[token] for token in kept], step) == " ".join(pair[side].split())
            assert int((numbers == 1).sum()) < 20
    assert source.texts("test", torch.tensor([0]))[0][0] == "A man in an orange hat starring at something."


def test_directions_share_words_and_each_has_splits_of_its_own():
    source = Multi30kMultilingual.Config(twin=True, directions=("en-de", "de-fr"), zero_shot=("en-fr",)).build()
    sizes = {split.name: split.size for split in source.spec.splits}
    assert sizes == {"train": 4800, "dev": 80, "test": 80} | {
        f"{split}-{direction}": 40 for split in ("dev", "test") for direction in ("en-de", "de-fr", "en-fr")
    }
    assert source.spec.inputs.vocabulary == source.spec.outputs.names
    marks = [source.spec.inputs.vocabulary.index(f"▁<2{language}>") for language in ("de", "fr")]
    for split, expected in (("test-en-de", [0]), ("test-de-fr", [1]), ("test-en-fr", [1]), ("test", [0, 1])):
        at = torch.arange(sizes[split])
        batch = source.load(split, at)
        assert set(batch.inputs["source"][:, 0].tolist()) == {marks[one] for one in expected}
        assert not any(bool((batch.inputs["source"][:, 1:] == mark).any()) for mark in marks)
    text, target = source.texts("test-en-fr", torch.tensor([5]))[0]
    assert (text, target) == (f"<2fr> {twin_sentences('en', 'test')[5]}", twin_sentences("fr", "test")[5])
    (at, *_) = source.order("train", seed=0, epoch=0)
    assert len(set(source.load("train", at).inputs["source"][:, 0].tolist())) == 2


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"directions": ("en-en",)}, "no direction 'en-en'; expected one of en-de"),
        ({"directions": ()}, "expected one or more, each once"),
        ({"zero_shot": ("en-de",)}, "expected one or more, each once"),
        (
            {"zero_shot": ("de-en",)},
            "zero_shot de-en: expected a source language of cs, de, en, fr and a target of cs, de",
        ),
    ],
)
def test_directions_that_cannot_be_are_refused(fields, says):
    with pytest.raises(ConfigError, match=says):
        Multi30kMultilingual.Config(**fields)
