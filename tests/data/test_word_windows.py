"""Words and their windows against a loop over the text; thinning out; questions, and files that are none."""

import itertools
import math
import os
from pathlib import Path

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError, UnknownNameError
from netsmith.data import _download, word_windows
from netsmith.data._sniff import describe
from netsmith.data._word_sets import Question, analogies_of, pairs_of, word_set
from netsmith.data.digits import Digits
from netsmith.data.ptb import Ptb
from netsmith.data.text_file import TextFile
from netsmith.data.word_windows import WordWindows
from netsmith.engine.random import example_keys, keyed_uniform

GIVEN = Path(os.environ.get("NETSMITH_DATA", "nowhere"))


def source(**fields):
    return WordWindows.Config(text=Ptb.Config(twin=True), **{"dev": (), "test": (), "batch": 100, **fields}).build()


def by_hand(given, key, window, sample):
    """Return (words around, word) of every place, by a loop over the lines."""
    lines = given._starts.tolist()
    words, counts = given._words.read(0, len(given._words)).tolist(), given.spec.inputs.counts
    total = sum(counts)
    found = []
    for begin, end in itertools.pairwise(lines):
        keys = example_keys(key, torch.arange(begin, end))
        stays = keyed_uniform(keys, stream="thinning").tolist()
        reach = (1 + (keyed_uniform(keys, stream="window") * window).long()).tolist()
        kept = []
        for at in range(end - begin):
            f = counts[words[begin + at]] / total
            if stays[at] < (math.sqrt(sample / f) + sample / f if sample else 2):
                kept.append(at)
        for place, at in enumerate(kept):
            around = [0] * (2 * window)
            for j in range(-reach[at], reach[at] + 1):
                if j and 0 <= place + j < len(kept):
                    around[j + window - (j > 0)] = words[begin + kept[place + j]]
            if any(around):
                found.append((begin + at, words[begin + at], around))
    return found


@pytest.mark.parametrize("sample", [0.0, 0.01])
def test_windows_are_those_of_a_loop_over_the_lines(sample):
    given = source(sample=sample, window=3, min_count=300)
    order = given.order("train", seed=0, epoch=0)
    assert torch.equal(torch.cat(list(order)), torch.arange(len(given._words)))
    found = []
    for indices in order:
        batch = given.load("train", indices, key=11)
        found += zip(batch.indices.tolist(), batch.targets.tolist(), batch.inputs.tolist(), strict=True)
    assert found == by_hand(given, 11, 3, sample)


def test_a_part_of_a_line_is_what_the_line_gives():
    given = source()
    first = given.order("train", seed=0, epoch=0)[1]
    whole = given.load("train", first, key=3)
    part = given.load("train", first[20:33], key=3)
    rows = torch.isin(whole.indices, first[20:33])
    assert torch.equal(part.inputs, whole.inputs[rows])
    assert torch.equal(part.keys, whole.keys[rows])


def test_words_are_numbered_by_count_and_case_is_one():
    text = torch.tensor([3, 4, 2, 4, 5, 3, 6])
    words, counts, numbered = word_windows._counted([text], ["", "", "", "b", "the", "the", "x"], 2)
    assert words == ["the", "b"]
    assert counts.tolist() == [3, 2]
    assert numbered[text.numpy()].tolist() == [3, 2, -1, 2, 2, 3, 0]


def test_long_lines_are_cut(monkeypatch):
    monkeypatch.setattr(word_windows, "_LINE", 3)
    words, starts = word_windows._lines([torch.tensor([2, 2, 3, 2, 4, 2, 2, -1, -1, 0, -1, 3, 2, -1]).numpy()], 5)
    assert starts.tolist() == [0, 3, 6, 7, 9]
    assert words.read(0, 9).tolist() == [2, 2, 3, 2, 4, 2, 2, 3, 2]


def test_questions_have_the_words_numbers(monkeypatch):
    sets = {"men": pairs_of(b"A b 5.5\nA zzz 1\n", "men", "f"), "analogies": analogies_of(b": gram1\na b c d", "", "f")}
    monkeypatch.setattr(word_windows, "word_set", sets.__getitem__)
    given = source(dev=("men",), test=("analogies",))
    number = {word: n for n, word in enumerate(given.spec.inputs.vocabulary)}
    dev = given.load("dev", torch.arange(2))
    assert dev.inputs.tolist() == [[number["a"], 0, 0], [number["a"], 0, 0]]
    assert dev.targets[0][:, 1:].tolist() == [[number["a"], number["b"], 0, 0], [number["a"], 1, 0, 0]]
    assert dev.targets[1].tolist() == [5.5, 1.0]
    a, b, c, d = (number[word] for word in "abcd")
    test = given.load("test", torch.arange(1))
    assert test.inputs.tolist() == [[-a, b, c]]
    assert test.targets[0][0, 1:].tolist() == [a, b, c, d]
    with pytest.raises(UnknownNameError):
        given.load("other", torch.arange(1))


def test_collections_of_another_language_or_unknown_words_are_left_out_by_name(monkeypatch, tmp_path):
    sets = {
        "men": pairs_of(b"b c 5\nA c 1\nb zzz 2\n", "men", "f"),
        "ws353": pairs_of(b"a b 5\na zzz 1\n", "ws353", "f"),
    }
    monkeypatch.setattr(word_windows, "word_set", lambda name: sets.get(name, [Question(name, ("x", "y"))]))
    asked = {"dev": ("men",), "test": ("ws353", "ca8_semantic")}

    def windows(line, **fields):
        (tmp_path / "my.txt").write_text(line * 10)
        text = TextFile.Config(path=str(tmp_path / "my.txt"), batch=1, dev=0.0, test=0.0)
        return WordWindows.Config(text=text, **asked, **fields).build()

    english = windows("a b c d e f g h The thing\n", fitting=True)
    few, chinese = "1 questions of known words", "Chinese, as the text is not"
    assert (english.asked, english.left_out) == ({"men": (2, 3)}, {"ws353": few, "ca8_semantic": chinese})
    assert english.splits() == ["train", "dev"]
    assert describe(english) == (
        "read as running text, my.txt: 10 words known in 100 places; asked men (2 of 3); "
        f"left out ws353 ({few}); left out ca8_semantic ({chinese})"
    )
    german = windows("a b c d e f g h die das\n", fitting=True)
    assert (german.asked, german.splits()) == ({}, ["train"])
    assert describe(german).endswith(
        f"left out men, ws353 (English, as the text is not); left out ca8_semantic ({chinese})"
    )
    every = windows("a b c d e f g h die das\n")
    assert (every.asked, every.left_out) == ({"men": (2, 3), "ws353": (1, 2), "ca8_semantic": (0, 1)}, {})


def test_questions_that_are_not_at_hand_can_be_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("NETSMITH_OFFLINE", "1")
    with pytest.raises(DataError, match=r"EN-RG-65\.txt.*Without its questions: leave 'rg65' out of data\.test"):
        source(test=("rg65",))
    (tmp_path / "my.txt").write_text("the lion and the tiger of the forest\n" * 10)
    text = TextFile.Config(path=str(tmp_path / "my.txt"), batch=1, dev=0.0, test=0.0)
    own = WordWindows.Config(text=text, dev=("men",), test=("rg65", "ws353"), fitting=True).build()
    missing = "its questions are not at hand"  # all of them are told at once
    assert (own.splits(), own.left_out) == (["train"], {"men": missing, "rg65": missing, "ws353": missing})


def test_who_waited_for_one_download_waits_for_no_other(monkeypatch, tmp_path):
    asked = []

    def unreachable(address, *_, **__):
        asked.append(address)
        raise ConnectionError("no route")

    monkeypatch.setattr(_download, "_transfer", unreachable)
    monkeypatch.setattr(_download.time, "sleep", lambda _: None)
    monkeypatch.delenv("NETSMITH_OFFLINE", raising=False)
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "my.txt").write_text("the lion and the tiger of the forest\n" * 10)
    text = TextFile.Config(path=str(tmp_path / "my.txt"), batch=1, dev=0.0, test=0.0)
    own = WordWindows.Config(text=text, dev=("men",), test=("rg65", "ws353"), fitting=True).build()
    assert set(own.left_out) == {"men", "rg65", "ws353"}
    assert 0 < len(asked) <= 4
    assert all("MEN" in address for address in asked)


def test_damaged_questions_are_refused_and_not_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    (tmp_path / "word-similarity").mkdir()
    (tmp_path / "word-similarity" / "EN-RG-65.txt").write_text("cat\tdog\t1\n")
    (tmp_path / "my.txt").write_text("the lion and the tiger of the forest\n" * 10)
    text = TextFile.Config(path=str(tmp_path / "my.txt"), batch=1, dev=0.0, test=0.0)
    with pytest.raises(DataError, match=r"EN-RG-65\.txt: has 10 bytes; expected"):
        WordWindows.Config(text=text, dev=(), test=("rg65",), fitting=True).build()


@pytest.mark.parametrize("size", [1, 3, 7, 200])
def test_lines_are_those_of_the_text_however_it_comes_in_pieces(size):
    text = torch.randint(-1, 6, (200,), generator=torch.Generator().manual_seed(3))
    words, starts = word_windows._lines((piece.numpy() for piece in text.split(size)), 6)
    lines = [[n for n in of if n > 0] for end, of in itertools.groupby(text.tolist(), lambda n: n == -1) if not end]
    lines = [line for line in lines if line]
    assert words.read(0, 200).tolist() == list(itertools.chain(*lines))
    assert starts.tolist() == list(itertools.accumulate(map(len, lines), initial=0))


@pytest.mark.skipif(not (GIVEN / "word-analogy").is_dir(), reason="word-analogy is not in $NETSMITH_DATA")
def test_official_collections_are_whole():
    sizes = {"men": 3000, "ws353": 353, "ws353_similarity": 203, "ws353_relatedness": 252, "rg65": 65, "mc30": 30}
    for name, size in sizes.items():
        assert len(word_set(name)) == size
    asked = word_set("analogies")
    assert sum(q.kind == "semantic" for q in asked) == 8869
    assert sum(q.kind == "syntactic" for q in asked) == 10675
    assert len(word_set("ca8_semantic")) == 7636
    assert len(word_set("ca8_morphological")) == 10177


@pytest.mark.parametrize(
    ("read", "content", "what"),
    [
        (pairs_of, b"a b 1\na b\n", r"f, row 2: expected two words and a number, got 'a b'"),
        (pairs_of, b"a b nan\n", "row 1: expected two words and a number"),
        (pairs_of, b"a b 1\n\xff b 1", "f, row 2: is not UTF-8"),
        (analogies_of, b": s\na b c d\na b c\n", "f, row 3: expected four words, got 'a b c'"),
    ],
)
def test_a_line_that_is_no_question_is_named(read, content, what):
    with pytest.raises(DataError, match=what):
        read(content, "men", "f")


def test_what_gives_no_words_is_refused():
    with pytest.raises(ConfigError, match="is no running text"):
        WordWindows.Config(text=Digits.Config()).build()
    with pytest.raises(DataError, match="0 words come at least 100000 times"):
        source(min_count=100_000)
