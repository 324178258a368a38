"""A run whose arrays have the size that the fit decided is loaded, exported and taken apart like any other."""

from __future__ import annotations

import pytest
import torch

import netsmith
from netsmith.core.errors import ConfigError, UnsupportedError
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


def test_compress_counts_what_is_stored_and_says_why_nothing_is_changed(tmp_path) -> None:
    said: list[str] = []
    run = netsmith.train(
        "rbm_digits", sets={"data.twin": True, "epochs": 1}, root=tmp_path, notice=lambda text: said.append(text)
    )
    model = run.network.module
    stored = sum(value.numel() for value in model.state_dict().values())
    found = run.compress()
    assert {row.parameters for row in found.rows} == {stored}
    assert stored > model.weight.numel() > 0
    assert run.network.measure()["parameters"] == stored
    why = "rbm_digits was learned without a gradient: no optimizer could tune what a changed copy has lost"
    assert f"pruning is left out: {why}" in said
    for option, settings in (
        ("--low-rank", {"low_rank": 0.5}),
        ("--train-int8", {"train_int8": True}),
        ("--size 10000B", {"size": "10kb"}),
    ):
        with pytest.raises(UnsupportedError) as caught:
            run.compress(**settings)
        assert str(caught.value) == f"{option}: {why}"


def test_a_rule_that_leaves_frozen_parameters_is_exported_and_not_cut(tmp_path) -> None:
    run = netsmith.train(
        "numpy_mlp_mnist", sets={"data.twin": True, "epochs": 1}, root=tmp_path, notice=lambda text: None
    )
    assert [row.name for row in run.compress().rows] == ["teacher", "teacher int8"]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"size": "10"}, "size '10': expected a number above 0 with a unit: b, kb, mb, kib, mib"),
        ({"size": "-1kB"}, "size '-1kB': expected a number above 0 with a unit: b, kb, mb, kib, mib"),
        ({"size": [1]}, "size [1]: expected a number above 0 with a unit: b, kb, mb, kib, mib"),
        ({"latency_ms": "1.5 days"}, "latency_ms '1.5 days': expected a number above 0 with a unit: ms, us, s"),
        ({"speedup": "2"}, "a budget of speedup '2': expected a number above 1"),
        ({"speedup": 1}, "a budget of speedup 1: expected a number above 1"),
        ({"size": 0}, "a budget of size 0.0: expected a number above 0"),
        ({"size": "1kB", "speedup": 2}, "give one budget: latency_ms, size or speedup"),
    ],
)
def test_a_budget_takes_the_grammar_of_the_command_line_or_is_refused(tmp_path, given, text) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "experiment.json").write_text("{}")
    with pytest.raises(ConfigError) as caught:
        netsmith.load(tmp_path / "run").compress(**given)
    assert str(caught.value) == text
