"""The segmenter's loops over arrays of code points, written for numba; plain functions until it compiles them.

They do what :mod:`._routes`, :mod:`._place_hmm` and :mod:`._segmenter` do, sum by sum, so that both agree to the last
bit. ``text`` is an int32 array of code points; ``kinds`` says of each below 65536 whether it belongs to a stretch that
is segmented (bit 1), is Chinese (2), a Latin letter or digit (4), a digit (8) or blank (16).
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

__all__ = ["Kernels", "compiled"]


class Kernels(NamedTuple):
    """The compiled loops.

    Attributes:
        route: Fills, for each place, where its word ends (0: a character alone).
        accurate: Writes where each word begins and ends; returns how many there are.
        full: The same for every word of the dictionary; -1 where places cannot say it, -2 where room is lacking.
        search: The same for the words with the shorter words in them; needs three places a character.
        spell: Writes the words, each with a separator behind it.
    """

    route: Callable[..., Any]
    accurate: Callable[..., Any]
    full: Callable[..., Any]
    search: Callable[..., Any]
    spell: Callable[..., Any]


def compiled(numba: ModuleType) -> Kernels:
    """Compile the loops; each takes its time at its first call."""
    jit = numba.njit(nogil=True)

    @jit
    def child(node, code, first, codes):
        low, high = first[node], first[node + 1]
        while low < high:
            middle = (low + high) >> 1
            if codes[middle] < code:
                low = middle + 1
            else:
                high = middle
        return low if low < first[node + 1] and codes[low] == code else -1

    @jit
    def find(text, begin, end, roots, first, codes):
        node = roots[text[begin]]
        at = begin + 1
        while node >= 0 and at < end:
            node = child(node, text[at], first, codes)
            at += 1
        return node

    @jit
    def kind_of(code, kinds):
        return kinds[code] if code < 65536 else 0

    @jit
    def route(text, kinds, roots, first, codes, weights, total, scores, ends):
        scores[len(text)] = 0.0
        for start in range(len(text) - 1, -1, -1):
            ends[start] = 0
            if not kind_of(text[start], kinds) & 1:
                scores[start] = 0.0
                continue
            node = roots[text[start]]
            best, end = -np.inf, start + 1
            at = start
            while node >= 0:
                at += 1
                if weights[node] > -np.inf:
                    score = weights[node] - total + scores[at]
                    if score >= best:
                        best, end = score, at
                if at == len(text) or not kind_of(text[at], kinds) & 1:
                    break
                node = child(node, text[at], first, codes)
            if best == -np.inf:
                best = 0.0 - total + scores[start + 1]
            scores[start] = best
            if end > start + 1:
                ends[start] = end

    @jit
    def place_words(text, begin, end, start, ways, emissions, came, starts, stops, count):
        """Viterbi over B, E, M, S; writes the words of a run of Chinese characters."""
        row = text[begin] - 0x4E00
        b = start[0] + emissions[row, 0]
        e = start[1] + emissions[row, 1]
        m = start[2] + emissions[row, 2]
        s = start[3] + emissions[row, 3]
        be, bm, me, mm, eb, es, sb, ss = ways
        for at in range(begin + 1, end):
            row = text[at] - 0x4E00
            to_b, to_e, to_m, to_s = emissions[row, 0], emissions[row, 1], emissions[row, 2], emissions[row, 3]
            b_e, b_s = e + eb + to_b, s + sb + to_b
            e_b, e_m = b + be + to_e, m + me + to_e
            m_b, m_m = b + bm + to_m, m + mm + to_m
            s_e, s_s = e + es + to_s, s + ss + to_s
            came[at] = (b_s >= b_e) * 1 + (e_m >= e_b) * 2 + (m_m >= m_b) * 4 + (s_s >= s_e) * 8
            b, e, m, s = max(b_s, b_e), max(e_m, e_b), max(m_m, m_b), max(s_s, s_e)
        state = 3 if s >= e else 1
        words = 1
        for at in range(end - 1, begin, -1):
            later = came[at] & (1 << state)
            came[at] = state == 0 or state == 3
            if came[at]:
                words += 1
                state = 3 if later else 1
            else:
                state = 2 if later else 0
        starts[count] = begin
        for at in range(begin + 1, end):
            if came[at]:
                stops[count] = at
                count += 1
                starts[count] = at
        stops[count] = end
        return count + 1

    @jit
    def unknown(text, begin, end, kinds, tree, model, came, starts, stops, count):
        """What the hidden Markov model makes of a run: Chinese by it, numbers and Latin words whole."""
        roots, first, codes, _, forced = tree
        at = begin
        while at < end:
            stop = at
            if kinds[text[at]] & 2:
                while stop < end and kinds[text[stop]] & 2:
                    stop += 1
                before = count
                count = place_words(text, at, stop, model[0], model[1], model[2], came, starts, stops, count)
                if len(forced):  # words that were deleted are taken apart, from the last one on
                    extra = 0
                    for word in range(before, count):
                        node = find(text, starts[word], stops[word], roots, first, codes)
                        if node >= 0 and forced[node]:
                            extra += stops[word] - starts[word] - 1
                    to = count + extra
                    for word in range(count - 1, before - 1, -1):
                        low, high = starts[word], stops[word]
                        node = find(text, low, high, roots, first, codes) if extra else -1
                        if node >= 0 and forced[node]:
                            for one in range(high - 1, low - 1, -1):
                                to -= 1
                                starts[to], stops[to] = one, one + 1
                        else:
                            to -= 1
                            starts[to], stops[to] = low, high
                    count += extra
            elif kinds[text[at]] & 4:
                while stop < end and kinds[text[stop]] & 4:
                    stop += 1
                if stop + 1 < end and text[stop] == 46 and kinds[text[stop + 1]] & 8:  # .
                    stop += 1
                    while stop < end and kinds[text[stop]] & 8:
                        stop += 1
                if stop < end and text[stop] == 37:  # %
                    stop += 1
                starts[count], stops[count] = at, stop
                count += 1
            else:
                while stop < end and not kinds[text[stop]] & 6:
                    stop += 1
                starts[count], stops[count] = at, stop
                count += 1
            at = stop
        return count

    @jit
    def accurate(text, kinds, tree, model, ends, came, hmm, starts, stops):
        roots, first, codes, weights, _ = tree
        count = start = 0
        while start < len(text):
            end = ends[start]
            if end == 0 and kind_of(text[start], kinds) & 1:  # a run of single characters
                end = start + 1
                while end < len(text) and ends[end] == 0 and kind_of(text[end], kinds) & 1:
                    end += 1
                if hmm and end - start > 1:
                    node = find(text, start, end, roots, first, codes)
                    if node < 0 or weights[node] == -np.inf:
                        count = unknown(text, start, end, kinds, tree, model, came, starts, stops, count)
                        start = end
                        continue
                at = start
                while at < end:
                    stop = at + 1
                    if not hmm and kinds[text[at]] & 4:
                        while stop < end and kinds[text[stop]] & 4:
                            stop += 1
                    starts[count], stops[count] = at, stop
                    count += 1
                    at = stop
                start = end
                continue
            if end == 0:
                end = start + 1
                if text[start] == 13 and end < len(text) and text[end] == 10:
                    end += 1
            starts[count], stops[count] = start, end
            count += 1
            start = end
        return count

    @jit
    def full(text, kinds, tree, starts, stops):
        roots, first, codes, weights, _ = tree
        room = len(starts) - 2
        count = at = 0
        while at < len(text):
            if not kind_of(text[at], kinds) & 1:  # what blanks separate, and the blanks
                begun = at
                while at < len(text) and not kind_of(text[at], kinds) & 1:
                    if kind_of(text[at], kinds) & 16:
                        stop = at + 1
                        if text[at] == 13 and stop < len(text) and text[stop] == 10:
                            stop += 1
                        if count >= room:
                            return -2
                        starts[count], stops[count] = begun, at
                        starts[count + 1], stops[count + 1] = at, stop
                        count += 2
                        at = begun = stop
                    else:
                        at += 1
                if count >= room:
                    return -2
                starts[count], stops[count] = begun, at
                count += 1
                continue
            covered, latin, latin_end = at - 1, -1, -1
            while at < len(text) and kind_of(text[at], kinds) & 1:
                letter = kinds[text[at]] & 4
                if latin >= 0 and not letter:
                    if count >= room:
                        return -2
                    starts[count], stops[count] = latin, latin_end
                    count += 1
                    latin = -1
                node = roots[text[at]]
                stop, found, only = at, 0, at + 1
                begun = count
                while node >= 0:
                    stop += 1
                    if weights[node] > -np.inf:
                        found += 1
                        only = stop
                        if stop > at + 1:
                            if count >= room:
                                return -2
                            starts[count], stops[count] = at, stop
                            count += 1
                    if stop == len(text) or not kind_of(text[stop], kinds) & 1:
                        break
                    node = child(node, text[stop], first, codes)
                if found <= 1 and at > covered:
                    count = begun
                    covered = only - 1
                    if letter:
                        if latin < 0:
                            latin = at
                        elif latin_end != at:
                            return -1
                        latin_end = only
                    else:
                        if count >= room:
                            return -2
                        starts[count], stops[count] = at, only
                        count += 1
                elif count > begun:
                    covered = stops[count - 1] - 1
                at += 1
            if latin >= 0:
                if count >= room:
                    return -2
                starts[count], stops[count] = latin, latin_end
                count += 1
        return count

    @jit
    def search(text, tree, starts, stops, words, new_starts, new_stops):
        roots, first, codes, weights, _ = tree
        count = 0
        for word in range(words):
            begin, end = starts[word], stops[word]
            for size in (2, 3):
                if end - begin > size:
                    for at in range(begin, end - size + 1):
                        node = find(text, at, at + size, roots, first, codes)
                        if node >= 0 and weights[node] > -np.inf:
                            new_starts[count], new_stops[count] = at, at + size
                            count += 1
            new_starts[count], new_stops[count] = begin, end
            count += 1
        return count

    @jit
    def spell(text, starts, stops, separator, out):
        to = 0
        for word in range(len(starts)):
            for at in range(starts[word], stops[word]):
                out[to] = text[at]
                to += 1
            out[to] = separator
            to += 1
        return to

    return Kernels(route, accurate, full, search, spell)
