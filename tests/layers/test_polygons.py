"""Convex hulls against scipy's, areas and crossings against hand-made polygons."""

import numpy as np
import pytest

from netsmith.layers.polygons import area, convex_hull, coverage, is_simple, same_cycle


@pytest.mark.parametrize("count", [3, 4, 5, 10, 50, 300])
def test_hull_is_scipys(count: int) -> None:
    spatial = pytest.importorskip("scipy.spatial")
    rng = np.random.default_rng(count)
    for _ in range(40):
        points = rng.random((count, 2))
        reference = spatial.ConvexHull(points)  # in the plane its corners are counterclockwise
        corners = reference.vertices.tolist()
        first = corners.index(min(corners))
        assert convex_hull(points.tolist()) == corners[first:] + corners[:first]
        assert area([points[place] for place in corners]) == pytest.approx(reference.volume, rel=1e-12)


def test_points_between_corners_and_equal_points_are_no_corners() -> None:
    grid = [(x, y) for x in range(4) for y in range(3)]
    assert [grid[place] for place in convex_hull(grid)] == [(0, 0), (3, 0), (3, 2), (0, 2)]
    assert convex_hull([(0, 0), (1, 0), (0, 0), (1, 1), (1, 0)]) == [0, 1, 3]
    assert convex_hull([(0, 0), (1, 1), (2, 2)]) == [0, 2]
    assert convex_hull([(1, 1), (1, 1)]) == [0]


@pytest.mark.parametrize(
    ("corners", "simple"),
    [
        ([(0, 0), (4, 0), (4, 4), (2, 1), (0, 4)], True),  # a dent
        ([(0, 0), (4, 0), (0, 4), (4, 4)], False),  # crosses
        ([(0, 0), (4, 0), (4, 4), (2, 0), (0, 4)], False),  # touches an edge
        ([(0, 0), (4, 0), (2, 0), (2, 4)], False),  # goes back on itself
        ([(0, 0), (2, 0), (4, 0), (2, 4)], True),  # straight on
        ([(0, 0), (4, 0), (0, 0), (2, 4)], False),  # comes by twice
        ([(0, 0), (4, 0)], False),
    ],
)
def test_a_way_that_touches_itself_is_not_simple(corners: list[tuple[float, float]], *, simple: bool) -> None:
    for start in range(len(corners)):
        turned = corners[start:] + corners[:start]
        assert is_simple(turned) is simple
        assert is_simple(turned[::-1]) is simple


def test_a_polygon_is_the_same_wherever_it_begins() -> None:
    way = [3, 1, 4, 0]
    for start in range(4):
        turned = way[start:] + way[:start]
        assert same_cycle(way, turned)
        assert same_cycle(turned[::-1], way)
    assert not same_cycle(way, [3, 4, 1, 0])
    assert not same_cycle(way, [3, 1, 4])
    assert not same_cycle([1, 2, 1], [1, 2, 1])


def test_coverage_is_the_share_of_the_hulls_area() -> None:
    points = [(0.0, 0.0), (2.0, 0.0), (2.0, 2.0), (0.0, 2.0), (1.0, 1.5)]
    assert coverage(points, [3, 2, 1, 0]) == 1
    assert coverage(points, [0, 1, 2, 4, 3]) == pytest.approx(1 - 0.5 / 4)  # the triangle above the dent is missing
    assert coverage(points, [0, 2, 1, 3]) is None
