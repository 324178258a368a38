"""``export --int8``: the choices of calibration, what may be lost, and texts."""

from __future__ import annotations

import json
import re

import pytest

from own import write_own_data

SHORT = "--set data.twin=true --set epochs=0 --set steps=30"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--calibration entropy", "--calibration and --max-drop are about int8; give --int8 too"),
        ("--max-drop 1", "--calibration and --max-drop are about int8; give --int8 too"),
        ("--int8 --calibration entrop", "no calibration named 'entrop'"),
        ("--int8 --max-drop 100", "expected a drop of 0 to less than 100 points, got 100"),
    ],
)
def test_choices_are_honored_or_refused(netsmith, options, message):
    assert netsmith(f"train mlp_digits {SHORT}").code == 0
    refused = netsmith(f"export runs/mlp_digits {options}")
    assert refused.code == 2
    assert refused.line.startswith(message)


def test_int8_keeps_to_what_it_may_lose(netsmith):
    assert netsmith(f"train cnn_digits {SHORT}").code == 0
    code, out, err = netsmith("export runs/cnn_digits --int8 --calibration best --max-drop 0.5 --json")
    assert code == 0, err
    found = json.loads(out)["int8"]
    assert found["drop"] <= 0.005 + 1e-9
    assert {one["method"] for one in found["tries"]} == {"minmax", "entropy", "percentile"}
    assert found["quantization"]["bytes"] < 0.5 * found["quantization"]["bytes_before"]
    said = netsmith("export runs/cnn_digits --int8 --max-drop 0.5").out
    assert re.search(r"bytes\); minmax calibration; loses -?[\d.]+ points on dev; in full precision: ", said)


def test_texts_are_calibrated_on_tokens(netsmith, tmp_path):
    own = write_own_data(tmp_path / "data") / "texts.csv"
    assert netsmith(f"train text_classifier --data {own} --set epochs=0 --set steps=5 --name text").code == 0
    code, out, err = netsmith("export runs/text --int8 --json")
    assert code == 0, err
    found = json.loads(out)["int8"]
    assert found["method"] == "minmax"
    assert found["quantized"]["Conv"] == 3
    assert found["bytes"] < 0.5 * found["bytes_before"]
