"""Symmetrization, phrase extraction and the phrase table: each against its definition, written out."""

import collections
import itertools
import math
import random

import numpy as np
import pytest

from netsmith.core.errors import ConfigError, DataError
from netsmith.models.translation.phrase_extraction import Points, extract_phrases
from netsmith.models.translation.phrase_table import lexical_weights, phrase_table
from netsmith.models.translation.symmetrization import grow_diag_final_and, symmetrize
from netsmith.models.translation.word_links import Sentences, sentences


def as_in_the_papers_loops(forward, backward, rows, columns):
    """Grow-diag-final-and on two matrices, by loops over all cells."""
    cells = [(i, j) for j in range(columns) for i in range(rows)]
    union = {cell for cell in cells if cell in forward or cell in backward}
    points = {cell for cell in cells if cell in forward and cell in backward}
    neighbors = [(-1, 0), (0, -1), (1, 0), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    while True:
        before = len(points)
        for i, j in cells:
            for a, b in neighbors if (i, j) in points else ():
                x, y = i + a, j + b
                row, column = any(p[0] == x for p in points), any(p[1] == y for p in points)
                if (not row or not column) and (x, y) in union:
                    points.add((x, y))
        if len(points) == before:
            break
    for side in (backward, forward):
        for x, y in cells:
            if (x, y) in side and not any(p[0] == x or p[1] == y for p in points):
                points.add((x, y))
    return points


def test_growing_is_that_of_loops_over_all_cells():
    draw = random.Random(0)
    grown = 0
    for _ in range(300):
        rows, columns = draw.randint(1, 8), draw.randint(1, 8)
        forward = {(i, draw.randrange(columns)) for i in range(rows) if draw.random() < 0.8}
        backward = {(draw.randrange(rows), j) for j in range(columns) if draw.random() < 0.8}
        points = grow_diag_final_and(forward, backward)
        assert points == as_in_the_papers_loops(forward, backward, rows, columns)
        both, either = (symmetrize(forward, backward, rule) for rule in ("intersection", "union"))
        assert both == forward & backward
        assert either == forward | backward
        assert both <= points <= either
        grown += both < points < either
    assert grown > 100
    with pytest.raises(ConfigError, match="expected intersection, union"):
        symmetrize(set(), set(), "grow")


def test_the_textbooks_phrases():
    """Koehn 2010, section 5.2: all phrase pairs of a sentence; the comma is not aligned."""
    german = ["michael", "geht", "davon", "aus", ",", "dass", "er", "im", "haus", "bleibt"]
    english = ["michael", "assumes", "that", "he", "will", "stay", "in", "the", "house"]
    points = [(0, 0), (1, 1), (2, 1), (3, 1), (5, 2), (6, 3), (9, 4), (9, 5), (7, 6), (7, 7), (8, 8)]
    spans = extract_phrases(
        sentences([range(1, 11)]), sentences([range(1, 10)]), Points(*np.array(points).T), longest=10
    )
    found = {(" ".join(german[i : i + m]), " ".join(english[j : j + n])) for i, m, j, n in zip(*spans, strict=True)}
    house, stays = "er im haus bleibt", "he will stay in the house"
    assert found == {
        ("michael", "michael"),
        ("michael geht davon aus", "michael assumes"),
        ("michael geht davon aus ,", "michael assumes"),
        ("michael geht davon aus , dass", "michael assumes that"),
        ("michael geht davon aus , dass er", "michael assumes that he"),
        (f"michael geht davon aus , dass {house}", f"michael assumes that {stays}"),
        ("geht davon aus", "assumes"),
        ("geht davon aus ,", "assumes"),
        ("geht davon aus , dass", "assumes that"),
        ("geht davon aus , dass er", "assumes that he"),
        (f"geht davon aus , dass {house}", f"assumes that {stays}"),
        ("dass", "that"),
        (", dass", "that"),
        ("dass er", "that he"),
        (", dass er", "that he"),
        (f"dass {house}", f"that {stays}"),
        (f", dass {house}", f"that {stays}"),
        ("er", "he"),
        (house, stays),
        ("bleibt", "will stay"),
        ("im haus bleibt", "will stay in the house"),
        ("im", "in the"),
        ("im haus", "in the house"),
        ("haus", "house"),
    }


def drawn(draw, pairs=3, most=7):
    """Return sentence pairs of words that are seldom, and an alignment of each."""
    shapes = [(draw.randint(1, most), draw.randint(1, most)) for _ in range(pairs)]
    sides = [[[draw.choice((1, 2, 3, 4, 5)) for _ in range(shape[side])] for shape in shapes] for side in (0, 1)]
    cells = [[(i, j) for i in range(m) for j in range(n) if draw.random() < 0.2] for m, n in shapes]
    source, target = map(sentences, sides)
    points = [(source.starts[row] + i, target.starts[row] + j) for row, each in enumerate(cells) for i, j in each]
    return sides, cells, source, target, Points(*np.array(points, dtype=np.int64).reshape(-1, 2).T)


def consistent(cells, rows, columns, longest):
    """Every pair of spans that holds a point and of which no word has a point outside, by trying all."""
    for i, j in itertools.product(range(rows), range(columns)):
        for m, n in itertools.product(range(1, min(longest, rows - i) + 1), range(1, min(longest, columns - j) + 1)):
            inside = [(a, b) for a, b in cells if i <= a < i + m and j <= b < j + n]
            touched = [(a, b) for a, b in cells if i <= a < i + m or j <= b < j + n]
            if inside and inside == touched:
                yield i, m, j, n


def test_phrases_are_all_consistent_pairs_of_spans():
    draw = random.Random(1)
    for _ in range(150):
        longest = draw.randint(1, 7)
        sides, cells, source, target, points = drawn(draw)
        expected = {
            (i + source.starts[row], m, j + target.starts[row], n)
            for row, each in enumerate(cells)
            for i, m, j, n in consistent(each, len(sides[0][row]), len(sides[1][row]), longest)
        }
        found = list(
            zip(*(side.tolist() for side in extract_phrases(source, target, points, longest=longest)), strict=True)
        )
        assert len(found) == len(expected)
        assert set(found) == expected


def words_of(side, row, begin, length):
    return tuple(side[row][begin : begin + length])


def test_the_table_holds_relative_frequencies_and_lexical_weights():
    draw = random.Random(2)
    for _ in range(30):
        sides, cells, source, target, points = drawn(draw, pairs=6, most=5)
        sides = [[list(row) for row in side] for side in sides]
        counts, lexical, words = collections.Counter(), {}, ({}, {})
        for way in (0, 1):  # w(f | e), w(e | f): shares of the points of each given word
            total = collections.Counter()
            for row, each in enumerate(cells):
                for place in range(len(sides[way][row])):
                    for cell in [cell for cell in each if cell[way] == place] or [None]:
                        other = sides[1 - way][row][cell[1 - way]] if cell else 0
                        total[sides[way][row][place], other] += 1
            given = collections.Counter()
            for (_, other), count in total.items():
                given[other] += count
            words[way].update({pair: count / given[pair[1]] for pair, count in total.items()})
        for row, each in enumerate(cells):
            for i, m, j, n in consistent(each, len(sides[0][row]), len(sides[1][row]), 3):
                pair = words_of(sides[0], row, i, m), words_of(sides[1], row, j, n)
                counts[pair] += 1
                weights = []
                for way, (begin, length) in enumerate(((i, m), (j, n))):
                    product = 1.0
                    for place in range(begin, begin + length):
                        own = sides[way][row][place]
                        linked = [sides[1 - way][row][cell[1 - way]] for cell in each if cell[way] == place] or [0]
                        product *= sum(words[way][own, other] for other in linked) / len(linked)
                    weights.append(product)
                lexical[pair] = [max(*both) for both in zip(weights, lexical.get(pair, weights), strict=True)]
        f, e = collections.Counter(), collections.Counter()
        for (one, other), count in counts.items():
            f[one] += count
            e[other] += count
        if not counts:
            continue
        table = phrase_table(source, target, points, size=6, longest=3, most=1000, skip=-1)
        found = {}
        for phrase in {one for one, _ in counts}:
            options = table.options(np.array(phrase))
            for row in options.row[options.length == len(phrase)]:
                found[phrase, tuple(table.words[row][table.words[row] > 0].tolist())] = np.exp(table.features[row])
        assert set(found) == set(counts)
        assert len(table.words) == len(counts)
        for pair, count in counts.items():
            one, other = pair
            p, q = lexical[pair]
            assert found[pair] == pytest.approx([count / e[other], p, count / f[one], q], rel=1e-9)


def test_a_phrase_keeps_its_most_frequent_translations_and_none_with_an_unknown_word():
    pairs = [([3], [4])] * 3 + [([3], [5])] * 2 + [([3], [6])] + [([3], [1])] * 4 + [([1], [4])]
    source, target = (sentences([pair[side] for pair in pairs]) for side in (0, 1))
    points = Points(*(np.arange(len(pairs)),) * 2)
    table = phrase_table(source, target, points, size=7, most=2)
    options = table.options(np.array([3, 1, 2]))
    assert table.words[options.row, 0].tolist() == [4, 5]
    assert np.exp(table.features[options.row, 2]) == pytest.approx([0.3, 0.2])  # of all ten, as before they went
    assert options.start.tolist() == [0, 0]


def test_lexical_weights_by_hand():
    """Koehn, Och & Marcu 2003, section 4.3, with one word aligned to two and one to none."""
    source, target = sentences([[1, 2, 3], [1]]), sentences([[5, 6], [6]])
    points = Points(np.array([0, 0, 1, 3]), np.array([0, 1, 0, 2]))
    # w(1|5) = 1/2, w(2|5) = 1/2, w(1|6) = 2/2, w(3|NULL) = 1
    expected = [(0.5 + 1.0) / 2, 0.5, 1.0, 1.0]
    assert np.exp(lexical_weights(source, target, points)) == pytest.approx(expected)


def test_bad_alignments_and_lengths_are_refused():
    pair = sentences([[1], [2]])
    with pytest.raises(DataError, match="different sentence pairs"):
        extract_phrases(pair, pair, Points(np.array([0]), np.array([1])))
    with pytest.raises(ConfigError, match="longest=0"):
        extract_phrases(pair, pair, Points(np.array([0]), np.array([0])), longest=0)
    with pytest.raises(ConfigError, match="most=0"):
        phrase_table(pair, pair, Points(np.array([0]), np.array([0])), size=3, most=0)
    assert math.isclose(len(Sentences(*pair).words), 2)
