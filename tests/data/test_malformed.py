"""Each malformed file is answered with one line that names it, and with no other error."""

import importlib
import re
import sys
from pathlib import Path

import pytest

from netsmith.core.errors import DataError

sys.path.insert(0, str(Path(__file__).parent))
CASES = importlib.import_module("malformed_datasets").CASES
sys.path.pop(0)


def test_there_are_enough_and_each_is_another():
    names = [case.name for case in CASES]
    assert len(names) >= 60
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answered_with_one_line(case, tmp_path):
    go = case.make(tmp_path)
    before = sorted(tmp_path.rglob("*")) if "contains itself" not in case.name else []
    with pytest.raises(case.error or DataError) as caught:
        go()
    message = str(caught.value)
    assert len(message) <= 240, message
    assert "\n" not in message, message
    assert re.search(case.says, message), message
    assert str(tmp_path) not in message
    assert caught.value.exit_code == 2
    if before:
        assert sorted(tmp_path.rglob("*")) == before  # nothing was written
