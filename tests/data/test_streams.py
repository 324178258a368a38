"""Running text: the windows of rows, official files and their counts, what is refused."""

import hashlib
import os
from pathlib import Path

import pytest
import torch

from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Step
from netsmith.data import ptb
from netsmith.data._arrays import digest
from netsmith.data._download import OfficialFile
from netsmith.data._streams import StreamSource, words_of
from netsmith.data.ptb import Ptb
from netsmith.data.tiny_shakespeare import TinyShakespeare
from netsmith.data.wikitext2 import Wikitext2
from netsmith.engine.experiment import Experiment
from netsmith.engine.task import UNLABELED
from netsmith.methods.supervised import Supervised
from netsmith.models.language.lstm_lm import LstmLm
from netsmith.optim.sgd import SGD
from netsmith.tasks.next_token import NextToken

STEP = Step(name="tokenize", pattern=r"\S+")


def source_of(count, **fields):
    tokens = [f"t{number:02}" for number in range(count)]  # each comes once: numbers go by the alphabet, from 3
    return StreamSource(Ptb.Config(**fields), dataset="counted", tokens={"train": tokens, "dev": tokens}, step=STEP)


def test_an_epoch_reads_every_row_once_in_order():
    source = source_of(23, batch=3, bptt=3)
    rows = [[], [], []]
    for at in source.order("train", seed=5, epoch=2):
        batch = source.load("train", at)
        for row, (inputs, targets) in enumerate(zip(batch.inputs.tolist(), batch.targets.tolist(), strict=True)):
            before = rows[row][-1] if rows[row] else (2, 9, 16)[row]
            assert inputs == [before, *targets[:-1]]
            rows[row] += targets
    assert rows == [list(range(3, 10)), list(range(10, 17)), list(range(17, 24))]  # 23 = 3 rows of 7, and 2 left over


def test_windows_say_where_they_go_on():
    source = source_of(23, batch=3, bptt=3)
    ends = None
    for at in source.order("train", seed=0, epoch=0):
        batch = source.load("train", at)
        assert ends is None or batch.indices.equal(ends)
        ends = batch.indices + batch.targets.shape[1]
    assert not source.order("train", seed=0, epoch=1)[0].equal(ends)


def test_dev_is_one_batch_of_whole_rows_with_every_token_once():
    source = source_of(23, evaluation_batch=4)
    (at,) = source.order("dev", seed=0, epoch=0)
    batch = source.load("dev", at)
    assert batch.targets.shape == (4, 6)
    assert batch.targets[batch.targets != UNLABELED].tolist() == list(range(3, 26))
    assert batch.inputs[:, 0].tolist() == [2, 8, 14, 20]
    assert (batch.targets[3, 5], batch.inputs[3, 5]) == (UNLABELED, 0)


def test_numbers_go_by_frequency_and_what_training_lacks_is_unknown():
    texts = {"train": ["b", "a", "b", "<eos>", "<unk>", "c"], "dev": ["c", "new", "b"]}
    source = StreamSource(Ptb.Config(batch=1), dataset="small", tokens=texts, step=STEP)
    assert source.spec.inputs.vocabulary == ("<pad>", "<unk>", "<eos>", "b", "a", "c")
    assert source.load("train", torch.tensor([0])).targets.tolist() == [[3, 4, 3, 2, 1, 5]]
    assert source.load("dev", torch.tensor([0])).targets.tolist() == [[5, 1, 3]]


def test_fewer_tokens_than_rows_are_refused():
    with pytest.raises(DataError, match="'train' of counted has 4 tokens; expected at least 20"):
        source_of(4)


def test_empty_lines_count_and_bytes_that_are_no_text_are_named_with_their_line():
    assert list(words_of(b" a b\n\nc", "x")) == ["a", "b", "<eos>", "<eos>", "c", "<eos>"]
    assert list(words_of(b"a\n", "x")) == ["a", "<eos>"]
    with pytest.raises(DataError, match=r"x, row 2: is not UTF-8 text \(byte 2 of the line\)"):
        list(words_of(b"a\nb\xff\n", "x"))


def test_a_method_for_single_examples_refuses_windows():
    config = Experiment.Config(
        method=Supervised.Config(model=LstmLm.Config(), task=NextToken.Config()),
        data=Ptb.Config(twin=True),
        optimizers={"model": SGD.Config(lr=1.0)},
        epochs=1,
    )
    with pytest.raises(ConfigError, match="learns from examples, and ptb gives windows"):
        Experiment(config)


def test_a_small_official_file(tmp_path, monkeypatch):
    monkeypatch.setenv("NETSMITH_DATA", str(tmp_path))
    folder = tmp_path / "ptb"
    folder.mkdir()
    files = {}
    for split, name in (("train", "ptb.train.txt"), ("dev", "ptb.valid.txt"), ("test", "ptb.test.txt")):
        data = f" the <unk> N \n {split} the \n".encode()
        (folder / name).write_bytes(data)
        files[split] = OfficialFile(name, len(data), hashlib.sha256(data).hexdigest())
    monkeypatch.setattr(ptb, "_FILES", files)
    source = Ptb.Config(batch=1, bptt=100).build()
    names = source.spec.inputs.vocabulary
    for split in ("train", "dev"):
        targets = source.load(split, torch.tensor([0])).targets[0].tolist()
        last = "train" if split == "train" else "<unk>"
        assert [names[one] for one in targets] == ["the", "<unk>", "N", "<eos>", last, "the", "<eos>"]


@pytest.mark.parametrize(
    ("kind", "folder", "sizes", "known"),
    [
        (Ptb, "ptb", [929_589, 73_760, 82_430], 10_000),
        (Wikitext2, "wikitext-2", [2_088_628, 217_646, 245_569], 33_278),
        (TinyShakespeare, "tinyshakespeare", [1_003_854, 55_770, 55_770], 66),
    ],
)
def test_official_counts(kind, folder, sizes, known):
    given = os.environ.get("NETSMITH_DATA")
    if not given or not (Path(given) / folder).is_dir():
        pytest.skip("the official files are not at hand")
    spec = kind.Config().build().spec
    assert [split.size for split in spec.splits] == sizes
    assert len(spec.inputs.vocabulary) == known + 1  # padding


def test_the_digest_is_that_of_whole_numbers_in_64_bits():
    split = source_of(30).spec.split("train")
    assert split.sha256 == digest(torch.arange(3, 33))
