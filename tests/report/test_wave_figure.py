"""The drawing of a sound: which window is where, and in which color."""

import re
import xml.etree.ElementTree as ET

import pytest

from netsmith.core.errors import UserError
from netsmith.report.wave_figure import wave_chart


def test_windows_stand_below_their_part_of_the_wave():
    samples = [0.0, 0.5, -0.5, 0.25, 0.0, 0.1, 0.2]
    root = ET.fromstring(wave_chart(samples, [2.0, -1.0], size=4, rate=4, title="T"))
    boxes = [one for one in root.iter() if one.tag.rpartition("}")[2] == "rect"]
    assert [next(iter(one)).text for one in boxes[::2]] == ["0 to 1 seconds: +2.0000", "1 to 1.75 seconds: -1.0000"]
    (first, _), (second, low) = ((one, other) for one, other in zip(boxes[::2], boxes[1::2], strict=True))
    assert float(first.get("width")) * 3 / 4 == pytest.approx(float(second.get("width")), abs=0.02)
    assert float(second.get("x")) == pytest.approx(float(first.get("x")) + float(first.get("width")), abs=0.02)
    assert [re.search(r"series-(\d).*opacity:([\d.]+)", one.get("style")).groups() for one in (first, second)] == [
        ("2", "0.750"),
        ("1", "0.375"),
    ]
    (wave,) = (one for one in root.iter() if one.tag.rpartition("}")[2] == "polygon")
    heights = [float(pair.split(",")[1]) for pair in wave.get("points").split()]
    assert (min(heights), max(heights)) == (30.0, 132.0)  # as high as there is room
    assert float(low.get("y")) > float(boxes[1].get("y"))
    plain = wave_chart(samples, [0.0, 0.0], size=4, rate=0, title="T")
    assert "4 to 7 samples: +0.0000" in plain
    for wrong in ([], [1.0], [1.0, 2.0, 3.0]):
        with pytest.raises(UserError, match="7 samples, "):
            wave_chart(samples, wrong, size=4, rate=4, title="T")
