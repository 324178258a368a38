"""The lab on captions: shares of boxes by another road, remarks from the numbers."""

import pytest
import torch

from netsmith.core.errors import ConfigError
from netsmith.data.shape_captions import ShapeCaptions
from netsmith.labs.captioning.attention_maps import AttentionMaps, inside_boxes
from netsmith.layers.shape_scenes import named


def test_shares_are_sums_over_pixels():
    draw = torch.Generator().manual_seed(0)
    attention = torch.rand(3, 5, 64, generator=draw, dtype=torch.float64).softmax(2)
    corners = torch.randint(0, 33, (3, 2, 4), generator=draw).double().sort(2).values
    boxes = torch.stack([corners[..., 0], corners[..., 1], corners[..., 2], corners[..., 3]], 2)
    found = inside_boxes(attention, boxes, side=32)
    for row in range(3):
        for box in range(2):
            top, left, bottom, right = (int(x) for x in boxes[row, box])
            pixels = attention[row].view(5, 8, 8).repeat_interleave(4, 1).repeat_interleave(4, 2) / 16
            expected = pixels[:, top:bottom, left:right].sum((1, 2))
            torch.testing.assert_close(found[row, :, box], expected)
    nobody = inside_boxes(attention, torch.full((3, 1, 4), -1.0).double(), side=32)
    assert not nobody.any()


def test_names_are_found_where_they_stand():
    text = "three shapes , a big red circle and two small blue crosses"
    assert [(one.at, one.number) for one in named(text.split())] == [(3, 1), (8, 2)]
    assert named(["two", "big", "red"]) == []


def test_the_lab_says_what_its_numbers_say():
    quick = AttentionMaps.Config(data=ShapeCaptions.Config(twin=True), epochs=2, pictures=60)
    findings = quick.build().run()
    assert 0 <= findings.numbers["true"] <= 1
    assert f"{round(60 * findings.numbers['true'])} of 60 captions" in findings.remarks[0]
    for word in ("size", "color", "shape"):
        share = findings.numbers[f"inside/{word}"]
        assert (share is not None) == any(f"the word of the {word}" in line for line in findings.remarks)
    with pytest.raises(ConfigError, match="shuffled"):
        AttentionMaps.Config(data=ShapeCaptions.Config(twin=True, shuffled=True)).build()
