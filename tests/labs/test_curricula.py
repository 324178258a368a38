"""Labs of curricula, transfer and memory: their numbers, and sentences that follow from them."""

import pytest

from netsmith.labs.curricula.curriculum import Curriculum
from netsmith.labs.curricula.fine_tuning_ways import FineTuningWays
from netsmith.labs.curricula.forgetting_curve import ForgettingCurve
from netsmith.labs.curricula.pseudo_labels import PseudoLabels
from netsmith.labs.curricula.self_paced import SelfPaced
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


def test_self_pace_leaves_wrong_labels_out():
    numbers = (found := SelfPaced.Config(epochs=25, seeds=2).build().run()).numbers
    right, wrong = numbers["chosen/right"], numbers["chosen/wrong"]
    assert len(right) == 25
    assert right[:3] == wrong[:3] == (1.0, 1.0, 1.0)  # the warm-up
    assert right[9] > 0.8
    assert wrong[9] < 0.2
    assert numbers["mean/paced"] > numbers["mean/plain"] + 0.1
    ahead = sum(a > b for a, b in zip(numbers["test/paced"], numbers["test/plain"], strict=True))
    assert found.remarks[-1].endswith(f"ahead in {ahead} of 2 seeds.")


def test_what_few_labels_give_is_said_as_it_is():
    small = {"kind": "digits", "batch": 40, "test": 0.2}
    found = PseudoLabels.Config().derive(data=small, per_class=[20, 2], steps=120, hidden=[30]).build().run()
    numbers = found.numbers
    assert numbers["labels"] == (20.0, 200.0)
    assert numbers["accuracy/supervised"][1] > numbers["accuracy/supervised"][0] + 0.1
    for at, count in enumerate((20, 200)):
        pair = list(zip(numbers[f"each/supervised/{count}"], numbers[f"each/pseudo/{count}"], strict=True))
        assert found.tables[0].rows[at][4] == pytest.approx(100 * min(b - a for a, b in pair))
        assert f"better in {sum(b > a for a, b in pair)} of 2 draws" in found.remarks[at]


def test_a_curriculum_is_compared_seed_by_seed():
    sets = {"data": {"kind": "shapes", "twin": True}, "model": {"kind": "mlp", "hidden": [16]}, "epochs": 4, "seeds": 3}
    found = Curriculum.Config().derive(full_epoch=2, **sets).build().run()
    numbers = found.numbers
    apart = [100 * (a - b) for a, b in zip(numbers["test/easy"], numbers["test/random"], strict=True)]
    assert f"{sum(apart) / 3:+.2f} points" in found.remarks[1]
    assert f"ahead in {sum(value > 0 for value in apart)} of 3 seeds" in found.remarks[1]
    for key in ("all", "easy", "random", "hard"):
        halves = numbers[f"easy_half/{key}"] * 0.5 + numbers[f"hard_half/{key}"] * 0.5
        assert halves == pytest.approx(numbers[f"mean/{key}"], abs=0.02)
    assert len(found.figures[0].pictures) == 15


def test_what_each_way_of_tuning_gives_is_said_as_it_is():
    small = {"kind": "digits", "batch": 20, "test": 0.3, "dev": 0.0}
    sizes = {"channels": [6, 8], "source_per_class": 80, "source_steps": 100, "per_class": 5, "steps": 30, "repeats": 3}
    found = FineTuningWays.Config().derive(data=small, **sizes).build().run()
    numbers = found.numbers
    assert numbers["mean/all"] == pytest.approx(sum(numbers["each/all"]) / 3)
    assert numbers["mean/head"] < numbers["mean/all"] - 0.05  # two convolutions of other digits do not tell these
    assert len({numbers[f"each/{way}"] for way in ("fresh", "all", "head", "gradual", "decay")}) == 5
    for remark, way in zip(found.remarks[1:], ("head", "gradual", "decay"), strict=True):
        apart = [100 * (a - b) for a, b in zip(numbers[f"each/{way}"], numbers["each/all"], strict=True)]
        assert f"{100 * numbers[f'mean/{way}']:.1f} %, {sum(apart) / 3:+.1f} points against" in remark
        assert f"(from {min(apart):+.1f} to {max(apart):+.1f}), ahead in {sum(x > 0 for x in apart)} of 3" in remark
    assert found.figures[0].series[0].values[2] == 100 * numbers["mean/head"]
