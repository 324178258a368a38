"""What labs are told with ``--set`` and cannot do is refused in a sentence that names the field."""

import pytest

from netsmith.core.errors import ConfigError
from netsmith.workflows.lab import run_lab

DIGITS = {"kind": "digits", "twin": True, "batch": 20}
NO_DEV = DIGITS | {"dev": 0.0}
TABLE = {"kind": "diabetes"}

WRONG = (
    ("dropout_is_l2", {"shares": [1.0]}, r"shares\.0: input should be less than 1 \(got 1\.0\)"),
    ("dropout_is_l2", {"shares": [0.0]}, r"shares\.0: input should be greater than 0 \(got 0\.0\)"),
    ("dropout_is_l2", {"shares": []}, "shares: tuple should have at least 1 item"),
    ("penalties", {"strengths": []}, "strengths: tuple should have at least 1 item"),
    ("penalties", {"strengths": [0.0]}, r"strengths\.0: input should be greater than 0"),
    ("penalties", {"rate": 5.0}, r"rate=5: the descent runs away from 0\.497 on"),
    ("smoothing_conventions", {"shares": [0.0]}, r"shares\.0: input should be greater than 0"),
    ("smoothing_conventions", {"shares": []}, "shares: tuple should have at least 1 item"),
    ("smoothing_conventions", {"shares": [0.5, 0.9]}, r"shares must be below .* = 0\.9, got 0\.9"),
    ("noise_is_a_penalty", {"copies": []}, "copies: tuple should have at least 1 item"),
    ("noise_is_a_penalty", {"copies": [0, 10]}, r"copies\.0: input should be greater than or equal to 1"),
    ("forgetting_curve", {"data": NO_DEV, "tasks": 2}, r"data=.*expected a dev split.*data\.dev above 0"),
    ("forgetting_curve", {"data": TABLE, "tasks": 2}, "pixels of images"),
    ("virtual_adversarial", {"data": TABLE}, r"data=Diabetes.*expected data with classes, got values"),
    ("self_paced", {"data": NO_DEV}, r"data=.*expected a dev split.*data\.dev above 0"),
    ("self_paced", {"data": TABLE}, "label_noise"),
    ("fine_tuning_ways", {"data": TABLE}, r"data=Diabetes.*expected data with classes, got values"),
    ("transfer_layers", {"data": TABLE}, r"data=Diabetes.*expected data with classes, got values"),
    ("batch_and_group_norm", {"channels": [8, 6], "groups": 4}, r"groups=4 does not divide channels=\(8, 6\)"),
    ("batch_and_group_norm", {"batches": [2, 1]}, "a batch of 1 has a single value in each channel"),
    ("batch_and_group_norm", {"channels": [8, 8, 8, 2]}, "groups=2: a group of the last stage is a single value"),
    ("batch_and_group_norm", {"channels": [4] * 5}, "images of 8 x 8 pixels are halved to nothing before stage 5"),
    ("batch_and_group_norm", {"batches": [4096]}, "expected at most the 989 training images"),
    ("batch_and_group_norm", {"data": TABLE}, r"data=Diabetes.*expected data with classes, got values"),
    ("batch_size", {"data": TABLE}, r"data=Diabetes.*expected data with classes, got values"),
    ("batch_size", {"data": NO_DEV}, r"data=.*expected a dev split.*data\.dev above 0"),
    ("batch_size", {"warmup": 2, "epochs": 2}, "warmup=2: expected less than the 2 epochs"),
    ("input_normalization", {"test": 0.999}, "test=0.999 leaves 1 rows to train on, which span 1 of the 31 directions"),
    ("input_normalization", {"test": 0.95}, "leaves 28 rows to train on, which span 28 of the 31"),
    ("pendulum", {"angle": 1e-9}, r"angle: input should be greater than or equal to 0\.001"),
    ("loss_landscape", {"data": DIGITS, "epochs": 1, "steps": 5, "span": 1e30}, r"span=1e\+30: .* take a smaller span"),
)


@pytest.mark.parametrize(("name", "sets", "message"), WRONG)
def test_it_is_refused_by_name(tmp_path, name, sets, message):
    with pytest.raises(ConfigError, match=message):
        run_lab(name, sets=sets, folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "sets"),
    [
        ("dropout_is_l2", {"shares": [0.5, 0.5]}),
        ("penalties", {"strengths": [1.0, 1.0], "steps": 20}),
        ("smoothing_conventions", {"shares": [0.1, 0.1], "examples": 10}),
        ("noise_is_a_penalty", {"copies": [5, 5], "draws": 10}),
    ],
)
def test_one_value_is_enough_and_the_same_twice_is_one(tmp_path, name, sets):
    field, values = next(iter(sets.items()))
    found = run_lab(name, sets=sets, folder=tmp_path / "twice").findings
    assert found == run_lab(name, sets=sets | {field: values[:1]}, folder=tmp_path / "once").findings
