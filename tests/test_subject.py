"""A recipe made small: a run is as long as a sequence of tasks asks for, and stages counted in steps lie inside it."""

from __future__ import annotations

import pytest

from netsmith.data.digits import Digits
from netsmith.data.permuted_tasks import PermutedTasks
from netsmith.methods.consolidation import Consolidation
from netsmith.methods.pseudo_labels import PseudoLabels, ramp
from netsmith.methods.self_paced import SelfPaced
from netsmith.models.tabular.mlp import MLP
from netsmith.tasks.classify import Classify
from netsmith.verify.subject import Subject

NETWORK = {"model": MLP.Config(hidden=(8,)), "task": Classify.Config()}


@pytest.mark.parametrize("asked", [2, 20, 46])
def test_a_run_over_a_sequence_of_tasks_is_all_of_them(asked):
    subject = Subject.of("consolidation_permuted_mnist", steps=asked)
    assert subject.whole == 5 * 9  # five tasks of 576 images of the twin, 64 in a batch
    assert subject.config.steps == 45
    again = subject.engine(steps=3)
    assert again.config.steps == 45
    assert again.method.config.fisher_steps < 9
    assert subject.engine(steps=150).config.steps == 180


def test_the_small_run_of_a_sequence_meets_every_task_and_holds_the_earlier_ones():
    engine = Subject.of("consolidation_permuted_mnist").engine()
    engine.fit()
    assert engine.step == 45
    assert engine.method.firmness
    assert all(float(held.sum()) > 0 for held in engine.method.firmness.values())


def test_other_data_leave_the_length_alone():
    subject = Subject.of("mlp_digits")
    assert (subject.whole, subject.config.steps, subject.engine(steps=3).config.steps) == (1, 6, 3)
    assert Digits.Config().whole_run == 0
    assert PermutedTasks.Config(data=Digits.Config(), tasks=3, epochs_each=4).whole_run == 12


@pytest.mark.parametrize("steps", [6, 20, 150])
def test_stages_counted_in_steps_come_inside_a_short_run(steps):
    pseudo = PseudoLabels.Config(**NETWORK, ramp_start=100, ramp_end=600).within(steps)
    assert pseudo.ramp_end == steps // 2
    assert pseudo.ramp_start == steps // 2 // 6
    assert ramp(1 if steps == 6 else steps - 1, start=pseudo.ramp_start, end=pseudo.ramp_end, alpha=3.0) > 0
    paced = SelfPaced.Config(**NETWORK, warm_up=200, every=25).within(steps)
    assert paced.warm_up == steps // 6
    assert paced.every == min(25, steps // 6)
    held = Consolidation.Config(**NETWORK, tasks=2, fisher_steps=100).within(steps)
    assert held.fisher_steps == steps // 4


def test_stages_that_lie_inside_a_run_stay():
    for config in (
        PseudoLabels.Config(**NETWORK, ramp_start=100, ramp_end=600),
        SelfPaced.Config(**NETWORK, warm_up=200, every=25),
        Consolidation.Config(**NETWORK, tasks=2, fisher_steps=100),
    ):
        assert config.within(1000) is config
