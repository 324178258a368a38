"""Evidence level 2: a short run on the synthetic twin reaches what the card promises."""

from __future__ import annotations

import pytest

from netsmith.verify.evidence import golden_losses, learns, matches_golden

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
