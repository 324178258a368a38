"""Drawings of graphs: who is drawn, where, and how large."""

import itertools
import math
import re
import xml.etree.ElementTree as ET

import pytest

from netsmith.core.errors import UserError
from netsmith.report.graph_figure import Dot, Link, graph_chart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(text):
    """Return by name (as told under the pointer) the place and radius of each node, and the lines."""
    root = ET.fromstring(text)
    tags = [element for element in root.iter() if element is not root]
    circles = {}
    for one in tags:
        if one.tag.rpartition("}")[2] == "circle":
            told = next(iter(one)).text
            circles[told.split(" (")[0]] = tuple(float(one.get(name)) for name in ("cx", "cy", "r"))
    lines = [one for one in tags if one.tag.rpartition("}")[2] == "line"]
    return circles, lines


def test_rings_are_steps_from_the_middle():
    dots = [Dot("a", 1.0), Dot("b", 0.5), Dot("c", -0.5), Dot("d", 0.25)]
    text = graph_chart(dots, [Link(0, 1, 0.4), Link(1, 0, -0.9), Link(1, 2), Link(2, 3)], title="T", middle=0, size=520)
    circles, lines = drawn(text)
    away = [math.dist(circles[name][:2], circles["a"][:2]) for name in "abcd"]
    assert away == pytest.approx([0, 236 / 3, 2 * 236 / 3, 236], abs=0.02)
    assert [circles[name][2] for name in "abcd"] == pytest.approx([11, 7.5, 7.5, 5.75])
    assert len(lines) == 3  # an edge in both directions is one
    widths = sorted(float(re.search(r"stroke-width:([\d.]+)", line.get("style"))[1]) for line in lines)
    assert widths == [1, 1, 5]
    assert "var(--series-1" in lines[-1].get("style")  # the stronger direction, -0.9, speaks against


def test_those_that_gave_little_are_drawn_only_on_the_way():
    dots = [Dot("root", 1.0), Dot("bridge", 0.0), Dot("far", 0.9), *(Dot(f"small {n}", 0.01) for n in range(5))]
    links = [Link(0, 1), Link(1, 2), *(Link(0, n) for n in range(3, 8))]
    text = graph_chart(dots, links, title="T", middle=0)
    assert set(drawn(text)[0]) == {"root", "bridge", "far"}
    assert "5 more nodes not drawn" in text
    many = [Dot(f"n{n}", 1.0 - n / 200) for n in range(100)]
    circles, _ = drawn(graph_chart(many, [Link(0, n) for n in range(1, 100)], title="T", middle=0, most=20))
    assert set(circles) == {f"n{n}" for n in range(20)}


def test_without_a_middle_the_node_of_most_edges_is_it():
    dots = [Dot(name, 1.0) for name in ("a", "<b>", "c", "alone")]
    text = graph_chart(dots, [Link(0, 1), Link(1, 2)], title="T & U", size=300)
    circles, _ = drawn(text)
    assert circles["<b>"][:2] == (150, 168)
    assert math.dist(circles["alone"][:2], (150, 168)) == pytest.approx(126, abs=0.02)  # outside of all others
    assert "T &amp; U" in text


def test_the_middle_is_named_and_a_way_that_is_too_long_is_left_out():
    dots = [Dot("middle", 0.0), *(Dot(f"n{n}", 1.0) for n in range(9)), *(Dot(f"way {n}", 0.0) for n in range(70))]
    chain = [0, *range(10, 80), 80]
    links = [*(Link(0, n) for n in range(1, 10)), *(Link(a, b) for a, b in itertools.pairwise(chain))]
    text = graph_chart([*dots, Dot("far", 9.0)], links, title="T", middle=0)
    assert ">middle</text>" in text
    assert set(drawn(text)[0]) == {"middle", *(f"n{n}" for n in range(9))}
    assert "71 more nodes not drawn" in text


def test_what_is_no_graph_is_refused():
    with pytest.raises(UserError, match="has no finite value"):
        graph_chart([Dot("a", math.nan), Dot("b", 1.0)], [], title="T")
    with pytest.raises(UserError, match="without nodes"):
        graph_chart([], [], title="T")
    with pytest.raises(UserError, match=r"an edge joins 0 and 4; expected nodes 0\.\.1"):
        graph_chart([Dot("a", 1.0), Dot("b", 1.0)], [Link(0, 4)], title="T")
