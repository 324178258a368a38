"""Labs of recurrent networks: what they find follows from what they compute."""

import math

import numpy as np
import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.labs.recurrent._memory import Curve, findings_of
from netsmith.labs.recurrent.adding_problem import AddingLab
from netsmith.labs.recurrent.copy_memory import CopyLab
from netsmith.labs.recurrent.vanishing_gradient import VanishingGradient, scaled_to_radius


def test_the_linear_cells_gradient_is_the_power_of_its_weights() -> None:
    found = VanishingGradient.Config(steps=60, units=12, batch=3).build().run()
    for radius in (0.8, 1.0, 1.2):
        assert found.numbers[f"error/linear/{radius:g}"] < 1e-12
        norms = found.numbers[f"gradient/linear/{radius:g}"]
        assert norms[0] == pytest.approx(1.0, abs=1e-12)
        per_step = (norms[-1] / norms[30]) ** (1 / 29)
        assert per_step == pytest.approx(radius, rel=0.05)  # Gelfand: it tends to the radius
        assert f"multiplies it by {per_step:.3f} on average" in " ".join(found.remarks)
        assert found.numbers[f"gradient/tanh/{radius:g}"][-1] < norms[-1]


def test_clipping_saves_the_step_that_an_exploded_gradient_throws_away() -> None:
    found = VanishingGradient.Config(radii=(1.3,), steps=100, units=12, batch=3).build().run()
    cell, radius, whole, before, raw, clipped = found.tables[1].rows[0]
    assert (cell, radius) == ("linear", 1.3)
    assert whole > 1e6
    assert raw.startswith("no number") or float(raw) > float(before)
    assert math.isfinite(float(clipped))
    assert any(f"as it is takes the loss from {before} to {raw}" in remark for remark in found.remarks)


def test_a_matrix_is_scaled_to_its_radius() -> None:
    weight = torch.randn(9, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert np.abs(np.linalg.eigvals(scaled_to_radius(weight, 1.7).numpy())).max() == pytest.approx(1.7, abs=1e-12)


def test_sentences_of_memory_change_with_the_numbers() -> None:
    config = AddingLab.Config(cells=("gru", "elman"))
    curves = [
        Curve("gru", 10, (5.0, 10.0, 15.0), (0.2, 0.005, 0.004)),
        Curve("elman", 20, (5.0, 10.0, 15.0), (0.3, 0.2, 0.1)),
    ]
    found = findings_of(curves, config, title="t", loss="error", blind=0.2, solved=0.01)
    assert found.remarks == (
        "gru: after 15 steps it loses 0.004, 0.02 times the 0.2 of remembering nothing; first at step 10 below 0.01.",
        "elman: after 15 steps it loses 0.1, 0.5 times the 0.2 of remembering nothing; never below 0.01.",
        "From the least loss at the end to the most: gru, elman.",
    )
    assert [row[3] for row in found.tables[0].rows] == [10, "not reached"]


@pytest.mark.parametrize(
    ("config", "blind"),
    [
        (AddingLab.Config(cells=("gru",), length=6, steps=150, points=3, hidden_size=12, judged=100), 1 / 6),
        (
            CopyLab.Config(cells=("gru",), count=1, delay=2, steps=150, points=3, hidden_size=12, judged=100),
            math.log(4),
        ),
    ],
)
def test_a_gated_cell_learns_what_needs_a_short_memory(config, blind) -> None:
    found = config.build().run()
    assert found.numbers["blind"] == pytest.approx(blind)
    assert found.numbers["loss/gru"][-1] < 0.3 * blind


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: VanishingGradient.Config(radii=(0.0,)), "radii: expected one to five"),
        (lambda: AddingLab.Config(cells=("gru", "gru")), "cells: expected one to five different"),
        (lambda: CopyLab.Config(steps=5), "points=20: expected at most steps=5"),
    ],
)
def test_settings_that_mean_nothing_are_refused(make, says) -> None:
    with pytest.raises(ConfigError, match=says):
        make()
