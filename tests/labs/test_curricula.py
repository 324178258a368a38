"""Labs of curricula, transfer and memory: their numbers, and sentences that follow from them."""

import pytest

from netsmith.labs.curricula.forgetting_curve import ForgettingCurve
from netsmith.labs.curricula.transfer_layers import TransferLayers


def test_consolidation_keeps_what_plain_training_forgets():
    small = {"kind": "digits", "batch": 64, "test": 0.2}
    found = ForgettingCurve.Config().derive(data=small, tasks=3, epochs_each=10, hidden=[60]).build().run()
    numbers = found.numbers
    left = numbers["left/plain"], numbers["left/consolidation"]
    assert numbers["mean/consolidation"] == pytest.approx(sum(left[1]) / 3)
    assert left[0][0] < left[1][0] - 0.2  # the first task
    assert numbers["mean/consolidation"] > numbers["mean/plain"] + 0.1
    first = numbers["first_task/plain"]
    assert first[-1] < numbers["when_learned/plain"][0] - 0.2
    assert f"no pull: from {100 * numbers['when_learned/plain'][0]:.1f} to {100 * first[-1]:.1f} %" in found.remarks[1]
    bars = found.figures[2]
    assert bars.series[0].values == tuple(100 * value for value in left[0])
    assert found.tables[0].rows[2][-1] == pytest.approx(100 * numbers["mean/consolidation"])


def test_frozen_layers_of_the_other_half_cost_more_the_higher_they_are():
    small = {"kind": "digits", "batch": 25, "test": 0.3, "dev": 0.0}
    config = TransferLayers.Config().derive(data=small, channels=[8, 8, 6], per_class=60, epochs=6, repeats=1)
    numbers = (found := config.build().run()).numbers
    frozen, own = numbers["accuracy/AnB"], numbers["accuracy/BnB"]
    assert frozen[2] < frozen[0] - 0.03
    assert frozen[2] < min(own[2], numbers["accuracy/AnB+"][2]) - 0.03
    assert numbers["each/base"] == (numbers["accuracy/base"],)
    ahead = ", ".join(f"{100 * (b - a):+.1f}" for a, b in zip(frozen, own, strict=True))
    assert found.remarks[-1].endswith(f"by {ahead} points at k = 1 to 3.")
    assert found.figures[0].series[3].ys == tuple(100 * value for value in frozen)
