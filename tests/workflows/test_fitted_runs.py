"""A run whose arrays have the size that the fit decided is loaded, exported and taken apart like any other."""

from __future__ import annotations

import pytest
import torch

import netsmith
from netsmith.measure.session import open_session, run_session
from netsmith.workflows.tuning import parts_of

SETS = {"data.twin": True, "data.batch": 100}


def test_a_fitted_learner_comes_back_from_its_folder(tmp_path) -> None:
    name = "tree_digits"
    netsmith.train(name, sets=SETS, root=tmp_path, notice=pytest.fail)
    run = netsmith.load(tmp_path / name)
    sizes = {part: len(tensor) for part, tensor in run.network.module.state_dict().items()}
    assert min(sizes.values()) > 0
    raw = run.network.example(5)
    answer = run.network(raw)
    run.network.export(tmp_path / "fitted.onnx", exporter="fast")
    (found,) = run_session(open_session(tmp_path / "fitted.onnx"), [raw.numpy()])
    assert torch.from_numpy(found).numpy() == pytest.approx(answer.numpy(), abs=1e-9)
    model, _ = parts_of(run)
    assert model.kind_name() == run.found.config.method.model.kind_name()
