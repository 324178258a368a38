"""The full matrix of resumes, in really new processes, for one recipe of every kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsmith.verify.matrix import resume_matrix

KINDS = {
    "supervised": ("lenet5_mnist", 16),
    "distillation": ("distilled_mnist", 16),
    "adversarial": ("gan_gaussians", 16),
    "meta": ("maml_sine", 16),
    "reinforcement": ("a2c_cartpole", 4),
    "closed_form": ("naive_bayes_digits", 16),
    "learning_rule": ("rbm_digits", 16),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_ends_with_the_same_bits(kind: str, tmp_path: Path) -> None:
    name, count = KINDS[kind]
    found = dict(resume_matrix(name, tmp_path))
    assert len(found) == count, found
    assert set(found.values()) == {"passed"}, found
