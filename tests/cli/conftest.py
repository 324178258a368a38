"""The command line in this process: `netsmith(...)` returns exit code, stdout and stderr, in a folder of its own."""

from __future__ import annotations

import io
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from netsmith.cli import main
from own import write_own_data


class Result(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line an error consists of."""
        lines = [line for line in self.err.splitlines() if line.startswith("netsmith: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0].removeprefix("netsmith: ")


Netsmith = Callable[..., Result]


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture
def netsmith(monkeypatch, capsys) -> Netsmith:
    def call(command: str, *more: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = main([*shlex.split(command), *more])
        return Result(code, *capsys.readouterr())

    return call


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    """A folder with data of one's own, which is removed after the runs were trained: they must do without."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="session")
def runs(place) -> Path:
    """Finished runs on one's own data (image, text, table, values) and on a twin (mlp); their data is gone."""
    import shutil

    import netsmith

    data = write_own_data(place / "data")
    root = place / "runs"

    def train(target, name, **named):
        netsmith.train(target, name=name, root=root, notice=lambda _: None, **named)

    train("image_classifier", "image", data=data / "pictures", sets={"epochs": 1, "data.image_size": 16})
    train("text_classifier", "text", data=data / "texts.csv", sets={"epochs": 1})
    train("table_classifier", "table", data=data / "table.csv", sets={"epochs": 2})
    train("table_classifier", "mean", data=data / "table.csv", sets={"epochs": 1, "data.missing": "mean"})
    sets = {"epochs": 1, "method.task": "regress", "select": "dev/r2"}
    train("table_classifier", "values", data=data / "values.csv", sets=sets)
    train("mlp_digits", "twin", sets={"epochs": 1, "data.twin": True})
    shutil.rmtree(data)
    return root
