"""One's own pairs of texts: columns, splits, rows in errors, long and strange texts."""

import json
import time

import pytest
import torch

from netsmith.api import own_data
from netsmith.api.experiments import Found
from netsmith.core.errors import ConfigError, DataError
from netsmith.data._sniff import describe, notes
from netsmith.data.multi30k import Multi30k
from netsmith.data.text_pairs import TextPairs
from netsmith.engine.experiment import Experiment
from netsmith.methods.supervised import Supervised
from netsmith.models.text.bilstm import BiLSTM
from netsmith.optim.sgd import SGD
from netsmith.tasks.classify import Classify

PAIRS = [(f'the house number {n} "is" red', f"das Haus Nummer {n} ist 'rot'") for n in range(40)]


def tsv(pairs=PAIRS, header="source\ttarget\n"):
    return header + "".join(f"{one}\t{other}\n" for one, other in pairs)


def quoted(text):
    return '"' + text.replace('"', '""') + '"'


def source_of(tmp_path, text, name="pairs.tsv", **fields):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return TextPairs.Config(path=str(path), **{"merges": 50, "batch": 8, **fields}).build()


def everything(source):
    return [pair for split in source.spec.splits for pair in source.texts(split.name, torch.arange(split.size))]


def test_a_tsv_whose_quotes_are_signs(tmp_path):
    source = source_of(tmp_path, tsv())
    assert [(split.name, split.size) for split in source.spec.splits] == [("train", 32), ("dev", 4), ("test", 4)]
    assert sorted(everything(source)) == sorted(PAIRS)
    assert describe(source).startswith("read as text pairs: ")
    assert "40 pairs, split 80/10/10, seed 0" in describe(source)


@pytest.mark.parametrize(
    ("name", "text", "fields"),
    [
        ("p.tsv", tsv(header=""), {"header": False}),
        ("p.tsv", b"\xef\xbb\xbf" + tsv(header="de\ten\n").replace("\n", "\r\n").encode(), {}),
        ("p.csv", "".join(f"{quoted(a)},{b}\n" for a, b in PAIRS), {"header": False}),
        ("p.csv", "n,en,de\n" + "".join(f"1,{quoted(a)},{b}\n" for a, b in PAIRS), {"source": "en", "target": "de"}),
        ("p.jsonl", "".join(json.dumps({"target": b, "id": 3, "source": a}) + "\n" for a, b in PAIRS), {}),
    ],
)  # fmt: skip
def test_files_of_every_form(tmp_path, name, text, fields):
    assert sorted(everything(source_of(tmp_path, text, name, **fields))) == sorted(PAIRS)


def test_columns_may_be_turned_and_splits_given(tmp_path):
    for split, part in (("train", PAIRS[:30]), ("val", PAIRS[30:35]), ("test", PAIRS[35:])):
        (tmp_path / f"{split}.tsv").write_text(tsv(part, header="en\tde\n"))
    source = TextPairs.Config(path=str(tmp_path), source="de", merges=0).build()
    assert source.columns == ("de", "en")
    assert [split.size for split in source.spec.splits] == [30, 5, 5]
    assert source.spec.split("dev").made == "given"
    assert source.texts("test", torch.tensor([0])) == [PAIRS[35][::-1]]


@pytest.mark.parametrize(
    ("text", "says", "fields"),
    [
        (tsv() + "only one\n", r"pairs\.tsv, row 42: has 1 columns; the first row has 2", {}),
        (tsv() + "a\t \n", r"pairs\.tsv, row 42: column 'target' holds ' ', no text", {}),
        (tsv() + "\n\tb\n", r"pairs\.tsv, row 43: column 'source' is empty", {}),
        (
            tsv().encode() + "gr\u00fcn\tx\n".encode("latin-1"),
            r"pairs\.tsv, row 42: holds the byte 0xfc, not UTF-8",
            {},
        ),
        (tsv().encode("utf-16"), r"pairs\.tsv, row 1: is encoded as UTF-16", {}),
        ("", r"pairs\.tsv: holds no pair", {}),
        ("a\tb\n", r"pairs\.tsv: holds no pair", {}),
        ("a\ta\n1\t2\n", r"names its columns 'a', 'a'; expected names that differ", {}),
        ("a\tb\n1\t2\n", r"pairs\.tsv: has 1 pairs, too few to draw a dev split", {}),
        (tsv(header="a\tb\n"), r"pairs\.tsv, row 1: has no column 'c'", {"source": "c"}),
        (tsv(header="a\tb\n"), r"read and written in the same column 'a'", {"source": "a", "target": "a"}),
        ("a\tb\tc\n1\t2\t3\n", r"has the columns 'a', 'b', 'c'; say which is read", {}),
    ],
)
def test_bad_input_names_file_and_row(tmp_path, text, says, fields):
    with pytest.raises(DataError, match=says):
        source_of(tmp_path, text, **fields)


def test_json_that_is_no_text_is_named(tmp_path):
    lines = "".join(json.dumps({"a": a, "b": b}) + "\n" for a, b in PAIRS)
    with pytest.raises(DataError, match=r"p\.jsonl, row 41: column 'b' holds 3, no text"):
        source_of(tmp_path, lines + '{"a": "x", "b": 3}\n', "p.jsonl")
    with pytest.raises(ConfigError, match=r"TextPairs\.Config\.path is empty"):
        TextPairs.Config().build()


def test_a_sentence_of_100_000_signs_is_left_out_of_training(tmp_path):
    long = "word " * 20_000
    pairs = [*PAIRS, (long, "kurz"), ("short", "x" * 100_000)]
    (tmp_path / "train.tsv").write_text(tsv(pairs))
    (tmp_path / "dev.tsv").write_text(tsv([(long, "y" * 100_000)]))
    start = time.process_time()
    source = TextPairs.Config(path=str(tmp_path), merges=100).build()
    assert time.process_time() - start < 10
    assert (source.left_out, source.spec.split("train").size) == (2, 36)
    batch = source.load("dev", torch.tensor([0]))
    assert (batch.inputs["source"].shape, batch.targets.shape) == ((1, 512), (1, 513))


def test_a_recipe_of_pairs_takes_ones_own_and_keeps_how_they_are_read(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text(tsv())
    method = Supervised.Config(model=BiLSTM.Config(), task=Classify.Config())
    config = Experiment.Config(
        method=method, data=Multi30k.Config(merges=30, batch=5, shared=True), optimizers={"model": SGD.Config(lr=1.0)},
        epochs=1,
    )  # fmt: skip
    found = own_data.with_data(Found(name="x", recipe="x", config=config), path)
    assert found.config.data == TextPairs.Config(path=str(path), merges=30, batch=5, shared=True)
    other = own_data.with_data(found, tmp_path)
    assert other.config.data == found.config.data.derive(path=str(tmp_path))
    assert own_data.reads_own_data(other.config.data)


@pytest.mark.parametrize(
    ("name", "header", "lost"),
    [
        ("p.tsv", "A dog runs.\tUn chien court.\n", "the first row, 'A dog runs.' and 'Un chien court.', was taken"),
        ("p.csv", "Go.,Va !\n", "--set data.header=false keeps it"),
        ("p.tsv", "source\ttarget\n", ""),
        ("p.tsv", "zh-CN\tde_DE\n", ""),
        ("p.csv", "id_1,text.fr\n", ""),
        ("p.tsv", "\u6e90\u6587\t\u8bd1\u6587\n", ""),
    ],
)
def test_a_first_row_that_is_no_names_is_told(tmp_path, name, header, lost):
    between = "\t" if name.endswith("tsv") else ","
    path = tmp_path / name
    path.write_text(header + "".join(f"a{n} b{between}c{n} d\n" for n in range(40)))
    found = notes(TextPairs.Config(path=str(path), merges=0).build())
    assert len(found) == bool(lost)
    assert lost in "".join(found)
    assert notes(TextPairs.Config(path=str(path), header=False, merges=0, source="1", target="2").build()) == []


def test_the_twin():
    source = TextPairs.Config(twin=True).build()
    assert [split.size for split in source.spec.splits] == [1920, 240, 240]


@pytest.mark.parametrize(
    ("contents", "first"),
    [
        ("OK,OK\n" + "".join(f"a{n} b,c{n} d\n" for n in range(40)), ("OK", "OK")),
        ("".join(f"red, {n}, you;rot, {n}, ja\n" for n in range(40)), ("red, 0, you", "rot, 0, ja")),
        ("".join(f'"red; {n}; you","rot {n}"\n' for n in range(40)), ("red; 0; you", "rot 0")),
    ],
)
def test_the_first_row_of_a_csv_without_header_is_a_pair(tmp_path, contents, first):
    path = tmp_path / "p.csv"
    path.write_text(contents)
    source = TextPairs.Config(path=str(path), header=False, merges=0).build()
    pairs = [pair for split in source.spec.splits for pair in source.texts(split.name, torch.arange(split.size))]
    assert first in pairs
    assert len(pairs) == contents.count("\n")


def test_a_nul_byte_is_refused_in_tsv_too(tmp_path):
    path = tmp_path / "p.tsv"
    path.write_text(tsv().replace("number 3 ", "number \0 "))
    with pytest.raises(DataError, match=r"p\.tsv, row 5: holds a NUL byte"):
        TextPairs.Config(path=str(path)).build()
