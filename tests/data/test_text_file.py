"""One's own running text: words and characters, parts cut from the end, memory, bad bytes."""

import re

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.data._sniff import describe
from netsmith.data.ptb import Ptb
from netsmith.data.text_file import TextFile
from netsmith.data.word_windows import WordWindows

LINES = [f"Line {n}: the cat's {'very ' * (n % 4)}old, isn't it?" for n in range(200)]
TEXT = "\n".join(LINES) + "\n"


def source_of(tmp_path, text, **fields):
    path = tmp_path / "my.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return TextFile.Config(path=str(path), **{"batch": 1, **fields}).build()


def tokens_of(source, split):
    names = source.spec.inputs.vocabulary
    return [names[number] for number in source.stream(split).tolist()]


def test_words_in_order_and_parts_that_begin_with_a_line(tmp_path):
    source = source_of(tmp_path, TEXT, dev=0.1, test=0.2)
    wanted = [token for line in LINES for token in (*re.findall(r"\w+|[^\w\s]", line), "<eos>")]
    found = [token for split in ("train", "dev", "test") for token in tokens_of(source, split)]
    assert len(found) == len(wanted)
    train = tokens_of(source, "train")
    assert train == wanted[: len(train)]
    assert all(one in (other, "<unk>") for one, other in zip(found, wanted, strict=True))
    assert all(tokens_of(source, split)[0] == "Line" for split in ("dev", "test"))
    sizes = [split.size for split in source.spec.splits]
    assert [round(size / sum(sizes), 1) for size in sizes] == [0.7, 0.1, 0.2]
    assert describe(source).startswith("read as text file: ")


def test_vectors_of_words_are_learned_from_it_too(tmp_path):
    text = source_of(tmp_path, "".join(f"A b{line}\n" for line in range(10)), dev=0.2, test=0.1, lowercase=True)
    windows = WordWindows.Config(text=text.config, min_count=1, dev=(), test=()).build()
    assert windows.spec.inputs.vocabulary[2:] == ("a", *(f"b{line}" for line in range(7)))


@pytest.mark.parametrize("end", ["", "\n"])
@pytest.mark.parametrize(("dev", "test"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.2)])
def test_a_part_of_no_share_is_not_there_and_nothing_is_lost(tmp_path, dev, test, end):
    source = source_of(tmp_path, TEXT.rstrip("\n") + end, dev=dev, test=test, vocabulary_size=1000)
    assert [split.name for split in source.spec.splits] == ["train", *["dev"] * (dev > 0), *["test"] * (test > 0)]
    found = [split.size for split in source.spec.splits]
    assert sum(found) == sum(len(re.findall(r"\w+|[^\w\s]", line)) + 1 for line in LINES)
    made = {(0.0, 0.0): "all of it", (0.2, 0.0): "last 0.2 dev", (0.0, 0.2): "last 0.2 test"}
    assert {split.made for split in source.spec.splits} == {made[dev, test]}
    if not dev and not test:
        assert tokens_of(source, "train")[-2:] == ["?", "<eos>"]


def test_characters_with_blanks_and_line_breaks(tmp_path):
    source = source_of(tmp_path, TEXT.replace("\n", "\r\n"), unit="character", lowercase=True)
    found = "".join(token for split in ("train", "dev", "test") for token in tokens_of(source, split))
    assert found == TEXT.lower()
    assert source.spec.inputs.vocabulary[2] == "\n"


def test_numbers_are_those_of_a_stream_that_is_counted_at_once(tmp_path):
    ours = source_of(tmp_path, TEXT, pattern=r"\S+")
    counted = Ptb.Config(twin=True, batch=1).build()
    assert ours.spec.inputs.vocabulary[:3] == counted.spec.inputs.vocabulary[:3]
    words = TEXT.replace("\n", " <eos> ").split()[: ours.spec.split("train").size]
    ordered = sorted(set(words) - {"<eos>"}, key=lambda word: (-words.count(word), word))
    assert ours.spec.inputs.vocabulary[3:] == tuple(ordered)
    batch = ours.load("train", ours.order("train", seed=0, epoch=0)[0])
    assert batch.targets.dtype == batch.inputs.dtype == torch.int64
    assert batch.inputs[0].tolist() == [2, *batch.targets[0, :-1].tolist()]


@pytest.mark.parametrize(("most", "kept"), [(6, "B"), (300, "h"), (40_000, "i")])
def test_rare_words_are_unknown_and_numbers_take_few_bytes(tmp_path, most, kept):
    text = "".join(f"a a b w{n}\n" for n in range(40_000))
    source = source_of(tmp_path, text, vocabulary_size=most)
    words, numbers = source.spec.inputs.vocabulary, source.stream("train")
    assert words[:5] == ("<pad>", "<unk>", "<eos>", "a", "b")
    assert source._held("train").code == kept
    assert numbers.dtype == torch.int32
    lines = int((numbers == 2).sum())
    assert len(words) == min(most, lines + 5)
    assert int((numbers == 1).sum()) == lines - (len(words) - 5)


def test_a_line_break_of_two_bytes_between_two_parts_is_one(tmp_path):
    source = source_of(tmp_path, "x" * 65_535 + "\r\n" + "ab\r\n" * 50_000, unit="character")
    assert set(source.spec.inputs.vocabulary) == {"<pad>", "<unk>", "\n", "a", "b", "x"}
    assert tokens_of(source, "train")[65_534:65_540] == ["x", "\n", "a", "b", "\n", "a"]
    alone = source_of(tmp_path, "x" * 65_535 + "\r" + "ab\n" * 50_000, unit="character")  # no break: it stays
    assert tokens_of(alone, "train")[65_534:65_537] == ["x", "\r", "a"]


def test_a_text_without_line_breaks(tmp_path):
    text = " ".join(f"word{n % 50}" for n in range(60_000))
    source = source_of(tmp_path, text)
    found = [token for split in ("train", "dev", "test") for token in tokens_of(source, split)]
    assert found == [*text.split(), "<eos>"]
    assert "".join(tokens_of(source_of(tmp_path, "\u00e9" * 100_000, unit="character"), "test")).strip("\u00e9") == ""
    solid = source_of(tmp_path, "x" * 3_000_000)  # no blank at all
    assert solid.spec.split("dev").size < 10


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"good\n" * 40 + b"caf\xe9 bad\n" + b"good\n" * 10, r"my\.txt, row 41: holds the byte 0xe9, not UTF-8"),
        (b"good\n" * 50 + b"caf\xe9\n", r"my\.txt, row 51: holds the byte 0xe9, not UTF-8"),
        (("gro\u00df\n" * 20).encode("utf-16"), r"my\.txt, row 1: holds the byte 0xff"),
        (b"", r"my\.txt: has 0 bytes, too few lines for training, dev and test"),
        (b"one line\n", r"my\.txt: has 9 bytes, too few lines"),
        (b"a\nb\nc\n", r"the split 'train' of my\.txt has \d tokens; expected at least 20"),
    ],
)
def test_bad_input_names_the_line(tmp_path, text, says):
    with pytest.raises(DataError, match=says):
        source_of(tmp_path, text, batch=20 if text == b"a\nb\nc\n" else 1, dev=0.3, test=0.3)


def test_settings_that_mean_nothing_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"TextFile\.Config\.path is empty"):
        TextFile.Config().build()
    with pytest.raises(ConfigError, match="pattern is for words"):
        TextFile.Config(unit="character", pattern="x")
    with pytest.raises(ConfigError, match="is not a regular expression"):
        source_of(tmp_path, TEXT, pattern="(")
    with pytest.raises(DataError, match=r"has 0 bytes, no text; expected 1 or more"):
        source_of(tmp_path, "", dev=0.0, test=0.0)
    with pytest.raises(DataError, match="does not exist"):
        TextFile.Config(path=str(tmp_path / "none.txt")).build()


def test_the_twin():
    assert [split.size > 1000 for split in TextFile.Config(twin=True).build().spec.splits] == [True, True, True]
