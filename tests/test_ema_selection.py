"""A run that ships averaged weights of its best step reads the figures it later gives."""

from __future__ import annotations

from pathlib import Path

import pytest

import netsmith
from netsmith.engine.hooks.ema import Ema
from netsmith.optim.sgd import SGD


def test_the_figures_of_the_run_are_those_of_its_product(tmp_path: Path) -> None:
    sets = {
        "data.twin": True,
        "epochs": 0,
        "steps": 24,
        "evaluate_every": 4,
        "select": "dev/loss",
        "select_mode": "min",
    }
    rate = SGD.Config(lr=1.0, momentum=0.9)  # unsteady on purpose: the best step is not the last
    sets |= {"hooks": [Ema.Config(decay=0.8).dump()], "optimizers": {"model": rate.dump()}, "checkpoint_every": 4}
    run = netsmith.train("mlp_digits", sets=sets, root=tmp_path, notice=print)
    figures = run.figures()
    again = netsmith.load(run.path).evaluate("test")
    assert again["test/loss"] == pytest.approx(figures["test/loss"], rel=1e-6)
