"""Texts longer than memory: counts and numbers that wait in files are the same as those held."""

import collections
import copy
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from netsmith.core.errors import DataError, UnsupportedError
from netsmith.data import _streams
from netsmith.data._frequency import most_frequent
from netsmith.data._numbers import Numbers
from netsmith.data.text_file import TextFile
from netsmith.engine.feed import evaluation_batches
from netsmith.layers.frequency import by_frequency


@pytest.mark.parametrize("held", [1, 50, 10_000])
def test_counts_that_wait_in_files_are_exact(held):
    draw = random.Random(0)
    signs = ["a", "\n", " ", "é", "字", "\udc80", "0"]  # what a file of rows could take for its own
    tokens = ["".join(draw.choices(signs, k=draw.choice([1, 2, 3]))) for _ in range(50_000)]
    wanted = [token for token, _ in by_frequency(collections.Counter(tokens)) if token not in ("a", "字")]
    assert most_frequent(iter(tokens), 100, but=("a", "字"), held=held) == wanted[:100]
    assert most_frequent(iter(tokens), 10**6, but=("a", "字"), held=held) == wanted


@pytest.mark.parametrize(("code", "most"), [("B", 256), ("h", 2**15), ("i", 2**31)])
def test_numbers_in_a_file_are_read_as_those_in_memory(code, most):
    draw = random.Random(1)
    values = [draw.randrange(most) for _ in range(1_200_000)]
    file, memory = Numbers(iter(values), code, held=1000), Numbers(iter(values), code)
    assert (file._file is None, memory._file is None) == (False, True)
    for start, stop in [(0, 10), (1_199_990, 1_200_005), (999_990, 1_100_000), (7, 7), (1_200_000, 1_200_009)]:
        assert file.read(start, stop).tolist() == memory.read(start, stop).tolist() == values[start:stop]
    starts = torch.tensor([-1, 0, 600_000, 1_199_995, 1_200_000])
    for held in (file, memory):
        wanted = [[values[at] if 0 <= at < len(values) else -1 for at in range(s, s + 9)] for s in starts.tolist()]
        assert held.windows(starts, 9).tolist() == wanted
    assert torch.cat(list(file.pieces())).tolist() == values
    assert len(file) == len(memory) == len(values)


@pytest.mark.skipif(sys.platform == "win32", reason="loader processes are not forked there")
def test_forked_processes_read_a_file_side_by_side():
    numbers = Numbers(range(200_000), "i", held=1000)
    readers = []
    for _ in range(3):
        readers.append(os.fork())
        if not readers[-1]:
            wrong = 1  # a child that fails must end here, and not go on with the tests
            try:
                starts = list(range(0, 200_000 - 50, 97)) * 3
                wrong = sum(int(numbers.read(at, at + 50).sum()) != 50 * at + 1225 for at in starts)
            finally:
                os._exit(wrong > 0)
    assert [os.waitpid(reader, 0)[1] for reader in readers] == [0, 0, 0]


def test_numbers_in_memory_travel_to_processes_that_are_not_forked_and_a_file_says_that_it_cannot():
    # a deep copy goes by the same two methods as what is sent to another process
    memory, file = Numbers(range(5), "B"), Numbers(range(5), "B", held=2)
    assert copy.deepcopy(memory).windows(torch.tensor([3]), 3).tolist() == [[3, 4, -1]]
    with pytest.raises(UnsupportedError, match="expected workers=0"):
        copy.deepcopy(file)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    "wait", [lambda: Numbers(range(10**5), "i", held=1000), lambda: most_frequent(map(str, range(10**5)), 5, held=10)]
)
def test_a_full_folder_of_temporary_files_is_named(monkeypatch, wait):
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda mode: open("/dev/full", mode, buffering=0))  # noqa: SIM115
    with pytest.raises(DataError, match=r"no room left .* TMPDIR"):
        wait()


def test_what_is_no_word_is_unknown(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(f"a b {'x' * 256} {'y' * 257} a\n" * 30)
    source = TextFile.Config(path=str(path), batch=1).build()
    assert sorted(source.spec.inputs.vocabulary[3:]) == ["a", "b", "x" * 256]
    assert source.stream("dev")[:6].tolist()[3] == 1


def test_ranks_leave_a_text_whose_batches_go_on_to_the_first(tmp_path, monkeypatch):
    monkeypatch.setattr(_streams, "_JUDGED", 100)
    path = tmp_path / "text.txt"
    path.write_text("".join(f"line {n % 17} of {n % 5}\n" for n in range(4000)))
    source = TextFile.Config(path=str(path)).build()
    seen = [
        len(list(evaluation_batches(source, None, split="dev", seed=0, ranks=_Rank(rank), move=lambda batch: batch)))  # type: ignore[arg-type]
        for rank in (0, 1)
    ]
    assert seen == [len(source.order("dev", seed=0, epoch=0)), 0]


class _Rank(NamedTuple):
    rank: int
    world: int = 2


def test_dev_in_several_batches_is_dev_in_one(tmp_path, monkeypatch):
    path = tmp_path / "text.txt"
    path.write_text("".join(f"line {n % 17} of {n % 5}\n" for n in range(4000)))
    source = TextFile.Config(path=str(path), evaluation_batch=3).build()
    (whole,) = (source.load("dev", at) for at in source.order("dev", seed=0, epoch=0))
    monkeypatch.setattr(_streams, "_JUDGED", 100)
    parts = [source.load("dev", at) for at in source.order("dev", seed=0, epoch=0)]
    assert len(parts) > 2
    ends = None
    for part in parts:
        assert ends is None or part.indices.equal(ends)
        ends = part.indices + part.targets.shape[1]
    for name in ("inputs", "targets"):
        rows = [[n for part in parts for n in getattr(part, name)[row].tolist()] for row in range(3)]
        assert rows == getattr(whole, name).tolist()
