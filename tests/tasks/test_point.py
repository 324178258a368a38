"""Figures of places: polygons up to rotation and direction, area, whole orders; the loss is the written text's."""

import pytest
import torch

from netsmith.core.spec import Outputs
from netsmith.layers.sets import pad_sets
from netsmith.layers.writing import Judged
from netsmith.tasks.point import Point
from netsmith.tasks.write import Write

_SQUARE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.75]])
_TARGET = {"items": pad_sets([_SQUARE] * 4), "written": torch.tensor([[3, 4, 5, 6, 2, -100]] * 4)}
_FOUND = torch.tensor(
    [
        [5, 6, 3, 4, 2, 0],  # the same from another corner
        [6, 5, 4, 3, 2, 0],  # clockwise
        [3, 4, 5, 7, 6, 2],  # with a dent: less its triangle of 1/8
        [3, 5, 4, 6, 2, 0],  # crosses
    ]
)
_OUTPUTS = Outputs(kind="tokens")


def test_a_polygon_is_judged_by_its_corners_and_its_area() -> None:
    metrics = Point.Config(figures="polygon").build().metrics()
    assert list(metrics) == ["polygon", "area", "simple", "perplexity"]
    logits = torch.zeros(4, 6, 8)
    for rows in (slice(0, 1), slice(1, 4)):
        target = {name: part[rows] for name, part in _TARGET.items()}
        for metric in metrics.values():
            metric.update(Judged(logits[rows], _FOUND[rows], _OUTPUTS), target)
    found = {name: metric.compute() for name, metric in metrics.items()}
    assert found == pytest.approx({"polygon": 2 / 4, "area": (1 + 1 + 7 / 8 + 0) / 4, "simple": 3 / 4, "perplexity": 8})


def test_an_order_is_right_as_a_whole_or_not() -> None:
    metrics, other = Point.Config().build().metrics(), Point.Config().build().metrics()
    written = torch.tensor([[3, 4, 5, 6, 2, 0], [3, 4, 6, 5, 2, 0], [3, 4, 5, 6, 7, 2], [3, 4, 5, 6, 2, 0]])
    for metric in other.values():
        metric.update(Judged(torch.zeros(4, 6, 8), written, _OUTPUTS), _TARGET)
    for name, metric in metrics.items():
        metric.merge(other[name])
    assert metrics["exact"].compute() == 0.5


def test_the_loss_is_that_of_a_text() -> None:
    logits = torch.randn(4, 6, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = torch.tensor([1.0, 0.5, 2.0, 0.0], dtype=torch.float64)
    point, write = Point.Config().build(), Write.Config(figures=()).build()
    for given in (None, weights):
        ours, theirs = point.loss(logits, _TARGET, given), write.loss(logits, _TARGET["written"], given)
        assert (float(ours.total), float(ours.weight)) == (float(theirs.total), float(theirs.weight))
    assert torch.equal(point.weights(_TARGET, weights), 5 * weights)


def test_places_are_counted_from_zero() -> None:
    shown = Point.Config().build().decode(_FOUND, _OUTPUTS)
    assert shown[0] == {"places": [2, 3, 0, 1]}
    assert shown[2] == {"places": [0, 1, 2, 4, 3]}
