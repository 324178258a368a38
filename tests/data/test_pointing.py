"""Sets whose answer is a list of places: right, keyed, padded."""

import pytest
import torch

from netsmith.data.convex_hull import ConvexHull
from netsmith.data.sorting import Sorting
from netsmith.engine.task import UNLABELED
from netsmith.layers.sets import pad_sets, split_set


def test_sorted_places_put_the_numbers_in_order() -> None:
    source = Sorting.Config(least=1, most=12).build()
    batch = source.load("train", torch.arange(200), key=5)
    items, there = split_set(batch.inputs["source"])
    assert set(there.sum(1).tolist()) == set(range(1, 13))
    for numbers, count, target in zip(items[..., 0], there.sum(1).tolist(), batch.targets["written"], strict=True):
        assert (target[:count] - 3).sort().values.tolist() == list(range(count))
        assert numbers[target[:count] - 3].tolist() == sorted(numbers[:count].tolist())
        assert target[count:].tolist() == [2] + [UNLABELED] * (len(target) - count - 1)


def test_hulls_are_scipys_from_the_lowest_place() -> None:
    spatial = pytest.importorskip("scipy.spatial")
    batch = ConvexHull.Config(least=3, most=20).build().load("test", torch.arange(100))
    items, there = split_set(batch.targets["items"])
    for points, count, target in zip(items, there.sum(1).tolist(), batch.targets["written"], strict=True):
        places = [number - 3 for number in target.tolist() if number > 2]
        corners = spatial.ConvexHull(points[:count].double().numpy()).vertices.tolist()
        first = corners.index(min(corners))
        assert places == corners[first:] + corners[:first]


def test_what_stands_before_a_target_is_the_target_before() -> None:
    batch = ConvexHull.Config().build().load("train", torch.arange(50), key=1)
    written, targets = batch.inputs["written"], batch.targets["written"]
    assert (written[:, 0] == 2).all()
    inside = targets[:, 1:] != UNLABELED
    assert torch.equal(written[:, 1:][inside], targets[:, :-1][inside])
    assert (written[:, 1:][~inside] == 0).all()


def test_an_example_is_a_function_of_its_key() -> None:
    source = ConvexHull.Config().build()
    whole = source.load("train", torch.arange(20), key=7)
    for at in (0, 7, 19):
        one = source.load("train", torch.tensor([at]), key=7)
        rows, corners = one.inputs["source"].shape[1], one.targets["written"].shape[1]
        assert torch.equal(one.inputs["source"][0], whole.inputs["source"][at, :rows])
        assert torch.equal(one.targets["written"][0], whole.targets["written"][at, :corners])
        assert not whole.inputs["source"][at, rows:].any()
    assert not torch.equal(source.load("train", torch.arange(20), key=8).inputs["source"][:, :5],
                           whole.inputs["source"][:, :5])  # fmt: skip
    assert torch.equal(source.load("dev", torch.arange(3), key=8).inputs["source"],
                       source.load("dev", torch.arange(3)).inputs["source"])  # fmt: skip


def test_a_row_of_zeros_may_be_there() -> None:
    items, there = split_set(pad_sets([torch.zeros(2, 3), torch.ones(1, 3)]))
    assert there.tolist() == [[True, True], [True, False]]
    assert items.sum(2).tolist() == [[0, 0], [3, 0]]


def test_ranges_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match=r"most=4 is below least=5"):
        Sorting.Config(least=5, most=4)
    with pytest.raises(ValueError, match=r"least"):
        ConvexHull.Config(least=2)
