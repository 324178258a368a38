"""Evidence level 2: a short run on the synthetic twin reaches what the card promises."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from netsmith.core.registry import recipes
from netsmith.verify import evidence
from netsmith.verify.evidence import golden_losses, learns, matches_golden
from netsmith.verify.subject import Subject

# The cheap ones run here; the rest by `netsmith verify --all --level 2`.
QUICK = (
    "mlp_digits",
    "naive_bayes_digits",
    "cnn_digits",
    "lenet5_mnist",
    "table_classifier",
    "text_classifier",
    "bilstm_mr",
)


@pytest.mark.parametrize("name", QUICK)
def test_learns_on_its_twin(name: str) -> None:
    found = learns(name)
    assert found["measured"] >= found["promised"]


def test_golden_losses_repeat_and_differ_between_recipes() -> None:
    first = golden_losses("mlp_digits")
    assert len(first) == 20
    assert matches_golden(golden_losses("mlp_digits"), first)
    assert not matches_golden([loss * 1.01 for loss in first], first)


def test_a_learner_without_losses_answers_for_what_it_learned() -> None:
    """Equal to the mean cross entropy of the model's answers, part of the dev split by part."""
    name = "naive_bayes_digits"
    subject = Subject.of(name, steps=20)
    engine = subject.engine(precision="fp64")
    engine.fit()
    split = engine.source.load("dev", torch.arange(engine.source.spec.split("dev").size))
    with torch.no_grad():
        chances = engine.method.product()(split.inputs.double()).softmax(1)
    each = -chances[torch.arange(len(chances)), split.targets].log().numpy()
    wanted = [part.mean() for part in np.array_split(each, 20)]
    golden = golden_losses(name)
    assert golden == pytest.approx(wanted, rel=1e-6)
    other = subject.losses(20, precision="fp64", **{"method.model.alpha": 0.5})
    assert not matches_golden(other, golden)


def test_every_committed_golden_curve_could_be_wrong() -> None:
    for entry in recipes().values():
        file = entry.path.with_name(f"{entry.name}.evidence.json")
        for found in json.loads(file.read_text())["variants"].values() if file.is_file() else ():
            assert any(found["golden_losses"]), file.name


@pytest.mark.parametrize(
    ("found", "nudged", "fresh"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], [], True),  # equal: the second run is not made
        ([1.0, 2.0, 3.0, 4.0, 6.0], [1.0, 2.0, 3.0, 4.0, 5.5], True),  # parted where rounding parts them too
        ([1.0, 2.0, 3.0, 4.0, 6.0], [1.0, 2.0, 3.0, 4.0, 6.0], False),  # a steady run
        ([1.0, 2.1, 3.0, 4.0, 6.0], [1.0, 2.1, 3.0, 4.0, 5.5], False),  # parted before
        ([1.0, 2.0, 4.0, 4.0, 6.0], [1.0, 2.0, 4.5, 4.0, 5.5], False),  # two steady losses are too few
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 5.0], False),  # fewer losses
    ],
)
def test_losses_that_rounding_alone_moves_decide_nothing(monkeypatch, found, nudged, fresh) -> None:
    def losses(name, *, nudge=0.0):
        assert name == "any"
        assert nudged or not nudge
        return nudged if nudge else found

    monkeypatch.setattr(evidence, "golden_losses", losses)
    assert (evidence.is_golden("any", [1.0, 2.0, 3.0, 4.0, 5.0]) == "") is fresh


def test_a_nudge_moves_every_weight_by_its_last_digits() -> None:
    plain, nudged = golden_losses("mlp_digits"), golden_losses("mlp_digits", nudge=1e-6)
    apart = [abs(a - b) / a for a, b in zip(plain, nudged, strict=True)]
    assert 0 < max(apart) < 1e-4
    assert golden_losses("mlp_digits", nudge=1e-14) == pytest.approx(plain, rel=1e-9)
