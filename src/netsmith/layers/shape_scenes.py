"""Scenes of one to three colored shapes: what may be said of one, and whether what was said is true."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["COLORS", "PLACES", "SHAPES", "SIZES", "Named", "Thing", "is_true", "named", "true_captions"]

SHAPES = ("circle", "square", "triangle", "cross")
COLORS = ("red", "green", "blue", "yellow")
SIZES = ("small", "big")
PLACES = (("upper", "left"), ("upper", "right"), ("lower", "left"), ("lower", "right"))

_NUMBERS = ("a", "two", "three")
_COUNTS = (("one", "shape"), ("two", "shapes"), ("three", "shapes"))
_RELATIONS = (("left", "of"), ("right", "of"), ("above",), ("below",))


class Thing(NamedTuple):
    """One shape of a scene; each number is a position in the tuple of that name.

    Attributes:
        size: In :data:`SIZES`.
        color: In :data:`COLORS`.
        shape: In :data:`SHAPES`.
        place: In :data:`PLACES`; no two things of a scene have the same.
    """

    size: int
    color: int
    shape: int
    place: int


class Named(NamedTuple):
    """What a caption names.

    Attributes:
        at: The word, from 0, where it begins: ``a``, ``two`` or ``three``; size, color and shape follow.
        size: In :data:`SIZES`.
        color: In :data:`COLORS`.
        shape: In :data:`SHAPES`.
        number: How many of them.
    """

    at: int
    size: int
    color: int
    shape: int
    number: int


_Kind = tuple[int, int, int]


def true_captions(scene: Sequence[Thing]) -> list[str]:
    """Return every caption that our grammar has for a scene, in a fixed order.

    A caption names a thing and its place, how two things lie to each other, or all there are; it may begin with how
    many there are. Each of them holds for the scene, but for more than one thing none says all.

    Example:
        >>> for text in true_captions([Thing(1, 0, 0, 0)]):
        ...     print(text)
        a big red circle in the upper left
        a big red circle
        there is a big red circle in the upper left
        there is a big red circle
        one shape , a big red circle in the upper left
        one shape , a big red circle
        >>> len(true_captions([Thing(1, 0, 0, 0), Thing(0, 2, 1, 1)]))
        18
    """
    phrases = [[*_noun(_kind(thing), 1), "in", "the", *PLACES[thing.place]] for thing in scene]
    phrases += [
        [*_noun(_kind(one), 1), *relation, *_noun(_kind(other), 1)]
        for one, other in itertools.permutations(scene, 2)
        for relation in _RELATIONS
        if _holds(one, relation, other)
    ]
    kinds = dict.fromkeys(_kind(thing) for thing in scene)
    counted = {kind: sum(_kind(thing) == kind for thing in scene) for kind in kinds}
    phrases += [
        " and ".join(" ".join(_noun(kind, counted[kind])) for kind in order).split()
        for order in itertools.permutations(kinds)
    ]
    captions = []
    for prefix in ((), ("there",), (*_COUNTS[len(scene) - 1], ",")):
        for words in phrases:
            verb = (("is",) if words[0] == "a" else ("are",)) if prefix == ("there",) else ()
            captions.append(" ".join((*prefix, *verb, *words)))
    return list(dict.fromkeys(captions))


def is_true(caption: str, scene: Sequence[Thing]) -> bool:
    """Say whether every fact that a caption states holds for a scene; what is not of the grammar does not.

    ``a`` thing is at least one of its kind, ``two`` and ``three`` are exactly so many, and in a row of kinds each
    stands once.

    Example:
        >>> scene = [Thing(1, 0, 0, 0), Thing(0, 2, 1, 1)]
        >>> is_true("a big red circle left of a small blue square", scene)
        True
        >>> is_true("three shapes , a big red circle", scene)
        False
        >>> is_true("a red circle", scene)
        False
    """
    words = caption.split()
    for count, words_of_count in enumerate(_COUNTS, start=1):
        if tuple(words[:2]) == words_of_count and words[2:3] == [","]:
            return len(scene) == count and _phrase_holds(words[3:], scene)
    if words[:1] == ["there"]:
        return words[1:2] == (["is"] if words[2:3] == ["a"] else ["are"]) and _phrase_holds(words[2:], scene)
    return _phrase_holds(words, scene)


def named(words: Sequence[str]) -> list[Named]:
    """Return what the words of a caption name, in their order.

    Example:
        >>> named("there is a big red circle in the upper left".split())
        [Named(at=2, size=1, color=0, shape=0, number=1)]
    """
    found = ((at, _read_noun(list(words[at : at + 4]))) for at in range(len(words)))
    return [Named(at, *noun[0], noun[1]) for at, noun in found if noun is not None]


def _phrase_holds(words: list[str], scene: Sequence[Thing]) -> bool:
    first = _read_noun(words[:4])
    if first is None:
        return False
    kind, count = first
    things = [thing for thing in scene if _kind(thing) == kind]
    rest = words[4:]
    if rest[:2] == ["in", "the"]:
        return count == 1 and tuple(rest[2:]) in [PLACES[thing.place] for thing in things]
    for relation in _RELATIONS:
        if tuple(rest[: len(relation)]) == relation:
            other = _read_noun(rest[len(relation) :])
            if count != 1 or other is None or other[1] != 1:
                return False
            others = [thing for thing in scene if _kind(thing) == other[0]]
            return any(_holds(a, relation, b) for a in things for b in others)
    said = [(kind, count)]
    while rest:
        found = _read_noun(rest[1:5]) if rest[0] == "and" else None
        if found is None:
            return False
        said.append(found)
        rest = rest[5:]
    kinds = [_kind(thing) for thing in scene]
    once = len({kind for kind, _ in said}) == len(said)
    return once and all(kinds.count(kind) == count or (count == 1 and kind in kinds) for kind, count in said)


def _kind(thing: Thing) -> _Kind:
    return thing.size, thing.color, thing.shape


def _noun(kind: _Kind, count: int) -> list[str]:
    shape = SHAPES[kind[2]]
    plural = f"{shape}es" if shape.endswith("s") else f"{shape}s"
    return [_NUMBERS[count - 1], SIZES[kind[0]], COLORS[kind[1]], shape if count == 1 else plural]


def _read_noun(words: list[str]) -> tuple[_Kind, int] | None:
    for count in (1, 2, 3):
        if words[:1] == [_NUMBERS[count - 1]] and len(words) == 4 and words[1] in SIZES and words[2] in COLORS:
            for shape in range(len(SHAPES)):
                kind = SIZES.index(words[1]), COLORS.index(words[2]), shape
                if _noun(kind, count) == words:
                    return kind, count
    return None


def _holds(one: Thing, relation: tuple[str, ...], other: Thing) -> bool:
    rows, columns = (one.place // 2, other.place // 2), (one.place % 2, other.place % 2)
    if relation[-1] == "of":
        return columns[0] < columns[1] if relation[0] == "left" else columns[0] > columns[1]
    return rows[0] < rows[1] if relation[0] == "above" else rows[0] > rows[1]
