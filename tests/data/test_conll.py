"""One's own tagged sentences: every scheme and layout, and what is refused with file and line."""

import zipfile

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.data._sniff import describe, notes, sniff
from netsmith.data.conll import Conll
from netsmith.engine.task import UNLABELED

SENTENCES = (
    "EU B-ORG\nrejects O\nGerman B-MISC\ncall O\n",
    "Peter B-PER\nBlackburn I-PER\nof O\nNew B-LOC\nYork I-LOC\nCity I-LOC\n",
    "he O\nspoke O\n",
)
TEXT = "\n".join(SENTENCES)


def read(path, **fields):
    return Conll.Config(path=str(path), **{"max_length": 8, "dev": 0, "test": 0} | fields).build()


def tags_of(source, split="train"):
    names = source.spec.outputs.names
    size = source.spec.split(split).size
    rows = source.load(split, torch.arange(size)).targets.tolist()
    return [" ".join(names[tag] for tag in row if tag != UNLABELED) for row in rows]


def put(tmp_path, text, name="my.conll"):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


WANTED = ["S-ORG O S-MISC O", "B-PER E-PER O B-LOC I-LOC E-LOC", "O O"]


BIOES = (("B-ORG", "S-ORG"), ("B-MISC", "S-MISC"), ("n I-PER", "n E-PER"), ("y I-LOC", "y E-LOC"))
BILOU = (("B-ORG", "U-ORG"), ("B-MISC", "U-MISC"), ("n I-PER", "n L-PER"), ("y I-LOC", "y L-LOC"))


def with_all(text, changes):
    for old, new in changes:
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        (TEXT, "iob2"),
        (TEXT.replace("B-", "I-"), "iob1"),
        (with_all(TEXT, BIOES), "bioes"),
        (with_all(TEXT, BILOU), "bioes"),
        (with_all(TEXT, (*BIOES, ("I-", "M-"))), "bmes"),
        ("-DOCSTART- O\n\n\n" + TEXT.replace("\n", "\r\n") + "\n\n", "iob2"),
        ("\ufeff" + TEXT.replace(" ", "\tNNP\t"), "iob2"),
    ],
    ids=["iob2", "iob1", "bioes", "bilou", "bmes", "windows", "columns"],
)
def test_every_scheme_comes_out_as_one(tmp_path, text, scheme):
    source = read(put(tmp_path, text))
    assert tags_of(source) == WANTED
    assert source.scheme == scheme
    assert source.texts("train", torch.tensor([1])) == ["Peter Blackburn of New York City"]
    names = source.spec.outputs.names
    assert names == tuple(sorted(["O", *(f"{a}-{b}" for a in "BIES" for b in ("ORG", "MISC", "PER", "LOC"))]))
    assert tags_of(read(put(tmp_path, text), written="iob2"))[1] == "B-PER I-PER O B-LOC I-LOC I-LOC"


def test_characters_words_and_parts_of_speech(tmp_path):
    words = read(put(tmp_path, "我 S\n爱 S\n北 B\n京 E\n\n天 B\n安 M\n门 E\n"))
    assert words.spec.outputs.names == ("B", "E", "M", "S")
    assert tags_of(words) == ["S S B E", "B M E"]
    assert words.texts("train", torch.tensor([1])) == ["天安门"]
    assert words.load("train", torch.tensor([1])).inputs.count_nonzero() == 3
    plain = read(put(tmp_path, "he PRP\nspoke VBD\n"))
    assert tags_of(plain) == ["PRP VBD"]
    assert describe(plain) == "read as conll: 2 tags (the file's scheme: plain), 1 texts, split train 1 (given)"


def test_splits_are_files_of_a_folder_or_an_archive_or_are_drawn(tmp_path):
    for split, text in zip(("train", "dev", "test"), (TEXT, SENTENCES[1], SENTENCES[0]), strict=True):
        put(tmp_path, text, f"data/{split}.char.txt")
    with zipfile.ZipFile(tmp_path / "data.zip", "w") as archive:
        for file in (tmp_path / "data").iterdir():
            archive.write(file, f"inside/{file.name}")
    for place in (tmp_path / "data", tmp_path / "data.zip"):
        source = read(place)
        assert [split.size for split in source.spec.splits] == [3, 1, 1]
        assert tags_of(source, "dev") == [WANTED[1]]
        assert tags_of(source, "test") == [WANTED[0]]
    drawn = read(put(tmp_path, "\n".join([TEXT] * 10)), dev=0.1, test=0.2)
    assert {split.name: split.size for split in drawn.spec.splits} == {"train": 21, "dev": 3, "test": 6}
    assert sniff(tmp_path / "my.conll").kind_name() == "conll"
    put(tmp_path, TEXT, "other/train.bio")
    assert sniff(tmp_path / "other").kind_name() == "conll"


def test_what_is_longer_is_cut_and_a_very_long_sentence_is_read(tmp_path):
    long = "".join(f"w{n % 50} O\n" for n in range(100_000))
    source = read(put(tmp_path, TEXT + "\n" + long), max_length=100_000)
    assert int((source.load("train", torch.tensor([3])).targets != UNLABELED).sum()) == 100_000
    assert notes(source) == []
    assert notes(read(put(tmp_path, TEXT + "\n" + long))) == [
        "1 sentence of more than 8 tokens is cut there; data.max_length says where"
    ]
    assert notes(read(put(tmp_path, TEXT), max_length=3))[0].startswith("2 sentences of more than 3 tokens are cut")
    assert tags_of(read(put(tmp_path, TEXT), max_length=3)) == ["S-ORG O S-MISC", "B-PER E-PER O", "O O"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a O\nb\nc O\n", r"my.conll, row 2: has 1 column\(s\), 'b'; expected 2, as in the first line"),
        ("a O\n\n\nb X O\n", r"row 4: has 3 column\(s\)"),
        ("a\nb\n", r"row 1: has 1 column\(s\), 'a'; expected a token and its tag"),
        ("\n \n", "has no sentence"),
        ("a O\nb B-X\n\nc I-Y\nd B-X\ne I-X\nf I-X\ng B-X\n\nx B-Y\nx I-Y\nx B-X\n", "row 4: 'I-Y' follows 'O'"),
        ("a B-X\nb M-X\nc E-X\n\nd B-X\n", "row 5: 'B-X' is not ended: the sentence ends; --set data.broken=repair"),
        ("".join(f"x B-K{kind}\n" for kind in range(600)), "2,401 different ones as bioes; expected at most 2,000"),
        (TEXT.encode("utf-16"), "row 1: is not utf-8 .byte 1.; it begins as UTF-16.*--set data.encoding=utf-16"),
        ("a O\nb \xe9\n".encode("latin-1"), "row 2: is not utf-8 .byte 7.; save it as UTF-8, or name what it is"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(tmp_path, text, problem):
    with pytest.raises(DataError, match=problem):
        read(put(tmp_path, text))


def test_a_tag_outside_the_scheme_does_not_make_a_file_plain(tmp_path):
    text = "\n".join(SENTENCES * 10) + "\na O\nb I-PER\nc Z-FOO\n"
    with pytest.raises(DataError, match=r"my\.conll, row 153: 'Z-FOO' is no tag of iob2.*data\.scheme says what"):
        read(put(tmp_path, text.replace("b I-PER", "b B-PER")))
    assert "Z-FOO" in read(put(tmp_path, text), scheme="plain").spec.outputs.names
    assert read(put(tmp_path, "he PRP\nB B-X\nspoke VBD\n")).spec.outputs.names == ("B-X", "PRP", "VBD")


def test_broken_tags_are_repaired_where_asked(tmp_path):
    source = read(put(tmp_path, "a B-X\nb M-X\nc E-X\n\nd B-X\ne O\nf M-X\n"), broken="repair")
    assert tags_of(source) == ["B-X I-X E-X", "S-X O S-X"]
    with pytest.raises(DataError, match="row 2: 'I-X' is no tag of bmes"):
        read(put(tmp_path, "a B-X\nb I-X\n"), scheme="bmes", broken="repair")


def test_encodings_and_tags_of_other_splits(tmp_path):
    text = "北 B-LOC\n京 I-LOC\n"
    assert tags_of(read(put(tmp_path, text.encode("gb18030")), encoding="gb18030")) == ["B-LOC E-LOC"]
    put(tmp_path, text, "data/train.txt")
    put(tmp_path, "张 B-PER\n", "data/test.txt")
    with pytest.raises(DataError, match=r"test.txt, row 1: 'S-PER' is no tag of training: B-LOC, E-LOC"):
        read(tmp_path / "data")
    put(tmp_path, text, "data/training.txt")
    with pytest.raises(DataError, match="are both the split 'train'"):
        read(tmp_path / "data")
    with pytest.raises(DataError, match=r"expected train.conll"):
        read(put(tmp_path, "a O\n", "empty/one.txt").parent)
    with pytest.raises(DataError, match="does not cut this sentence into its 4 tokens"):
        read(put(tmp_path, TEXT), pattern=r"\w")
    with pytest.raises(ConfigError, match="path is empty"):
        Conll.Config().build()
    with pytest.raises(DataError, match="too few to draw a dev split"):
        read(put(tmp_path, "a O\n"), dev=0.1)


FOUR = (
    "EU NNP B-NP B-ORG\nrejects VBZ B-VP O\nGerman JJ B-NP B-MISC\ncall NN I-NP O\n\nhe PRP B-NP O\nspoke VBD B-VP O\n"
)


def test_columns_between_are_read_where_they_are_asked_for(tmp_path):
    path = put(tmp_path, FOUR, "train.conll")
    (tmp_path / "test.conll").write_text("she PRP B-ADVP O\n\nUN NNPS B-NP B-ORG\n")
    source = read(tmp_path, features=(3, 2), max_length=5)
    inputs = source.spec.inputs
    assert [(f.name, f.values, f.column) for f in inputs.features] == [
        ("column-3", ("B-NP", "B-VP", "I-NP"), 3),
        ("column-2", ("JJ", "NN", "NNP", "PRP", "VBD", "VBZ"), 2),
    ]
    assert inputs.shape == (5, 3)
    rows = source.load("train", torch.arange(2)).inputs
    plain = read(tmp_path, max_length=5)
    assert torch.equal(rows[..., 0], plain.load("train", torch.arange(2)).inputs)
    assert plain.spec.inputs.shape == (5,)
    assert rows[0, :, 1:].tolist() == [[1, 3], [2, 6], [1, 1], [3, 2], [0, 0]]
    assert source.load("test", torch.arange(2)).inputs[:, 0].tolist() == [[1, 0, 4], [1, 1, 0]]  # never seen: 0
    assert source.texts("train", torch.tensor([1])) == ["he\uffe8B-NP\uffe8PRP spoke\uffe8B-VP\uffe8VBD"]
    assert source.known == 1.0
    assert path.exists()


@pytest.mark.parametrize(
    ("text", "columns", "wanted"),
    [
        (FOUR, (4,), r"train.conll, row 1: has 4 column.*expected 5, the column 4 of data.features before the tag"),
        (FOUR.replace("he PRP", "he"), (2,), r"train.conll, row 6: has 3 column.*expected 4, as in the first line"),
        (TEXT, (2,), r"train.conll, row 1: has 2 column.*expected 3"),
    ],
)
def test_a_column_that_is_not_there_is_refused_with_its_line(tmp_path, text, columns, wanted):
    put(tmp_path, text, "train.conll")
    with pytest.raises(DataError, match=wanted):
        read(tmp_path, features=columns)


@pytest.mark.parametrize("columns", [(1,), (2, 2), (0, 3)])
def test_columns_are_different_ones_behind_the_first(tmp_path, columns):
    with pytest.raises(ConfigError, match="expected different numbers of columns from 2"):
        read(tmp_path, features=columns)
