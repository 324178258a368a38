"""word2vec's loop over words, written for numba; a plain function until it compiles it.

It does what :mod:`.word2vec` does with tensors, block by block, on the same draws, so both agree to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

__all__ = ["compiled"]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def compiled(numba: ModuleType) -> Callable[..., Any]:
    """Compile the loop; it takes its time at its first call.

    Returns:
        A function that changes both tables in place and returns the summed loss and the number of predictions.
    """
    # Sums of products may be reordered, as BLAS does: without, they are not vectorized.
    jit = numba.njit(nogil=True, fastmath={"reassoc", "contract"})

    @numba.njit(inline="always")
    def mix(x):
        """Hash as :mod:`netsmith.engine.random` does."""
        x = (x ^ (x >> np.uint64(30))) * _MIX_1
        x = (x ^ (x >> np.uint64(27))) * _MIX_2
        return x ^ (x >> np.uint64(31))

    @jit
    def dot(a, b):
        total = a[0] * b[0]
        for d in range(1, len(a)):
            total += a[d] * b[d]
        return total

    @jit
    def aim(word, path, hashed, first, drawn, stream, chances, others, targets):
        """Write what is predicted: numbers from 1, those that are not to be negative; return how many."""
        if len(path):
            count = 0
            while count < len(path) and path[count]:
                targets[count] = path[count]
                count += 1
            return count
        targets[0] = word + 1
        count = 1
        for draw in range(first, first + drawn):
            bits = mix(hashed + np.uint64(draw + 1) * _GAMMA + stream) >> np.uint64(12)
            place = (np.float64(bits) + 0.5) * 2.0**-52 * len(chances)
            other = np.int64(place)
            if place - other >= chances[other]:
                other = others[other]
            other += 2  # before the words stand padding and the unknown one
            if other != word:
                targets[count] = -(other + 1)
                count += 1
        return count

    @jit
    def learn(
        centers, contexts, keys, inputs, outputs, rate, one, mean, whole, drawn, stream, chances, others, paths, block
    ):
        width, size = contexts.shape[1], inputs.shape[1]
        many = 1 if mean else width
        most = max(paths.shape[1], drawn + 1)
        errors = np.zeros((block * many, size), inputs.dtype)
        means = np.zeros((block, size), inputs.dtype)
        rates = np.zeros((block * many, most), inputs.dtype)
        targets = np.zeros((block * many, most), np.int64)
        counts = np.zeros(block * many, np.int64)
        loss, chance, predictions = 0.0, 1.0, 0
        for start in range(0, len(centers), block):
            stop = min(start + block, len(centers))
            pair = 0
            for at in range(start, stop):
                word = centers[at]
                hashed = mix(np.uint64(keys[at]))
                path = paths[word] if len(paths) else paths.ravel()
                if mean:
                    row = means[at - start]
                    row[:] = 0
                    found = 0
                    for c in contexts[at]:
                        if c:
                            found += 1
                            row += inputs[c]
                    row /= one * found
                for place in range(many):
                    if not mean and not contexts[at, place]:
                        continue
                    x = means[at - start] if mean else inputs[contexts[at, place]]
                    goals = targets[pair]
                    count = aim(word, path, hashed, place * drawn, drawn, stream, chances, others, goals)
                    counts[pair] = count
                    error = errors[pair]
                    error[:] = 0
                    for k in range(count):
                        goal = goals[k]
                        y = outputs[abs(goal) - 1]
                        score = dot(x, y)
                        small = np.exp(-abs(score))
                        likely, unlikely = one / (one + small), small / (one + small)
                        if (score >= 0) == (goal > 0):
                            chance *= likely
                            wrong = unlikely
                        else:
                            chance *= max(np.float64(unlikely), 1e-37)
                            wrong = likely
                        if chance < 1e-200:
                            loss -= np.log(chance)
                            chance = 1.0
                        g = rate * wrong if goal > 0 else -rate * wrong
                        rates[pair, k] = g
                        for d in range(size):
                            error[d] += g * y[d]
                    predictions += 1
                    pair += 1
            pair = 0
            for at in range(start, stop):
                for place in range(many):
                    if not mean and not contexts[at, place]:
                        continue
                    x = means[at - start] if mean else inputs[contexts[at, place]]
                    for k in range(counts[pair]):
                        g = rates[pair, k]
                        y = outputs[abs(targets[pair, k]) - 1]
                        for d in range(size):
                            y[d] += g * x[d]
                    pair += 1
            pair = 0
            for at in range(start, stop):
                if mean:
                    error = errors[at - start]
                    found = 0
                    for c in contexts[at]:
                        found += c > 0
                    share = one if whole else one / (one * found)
                    for c in contexts[at]:
                        if c:
                            x = inputs[c]
                            for d in range(size):
                                x[d] += share * error[d]
                    continue
                for place in range(width):
                    c = contexts[at, place]
                    if c:
                        x, error = inputs[c], errors[pair]
                        for d in range(size):
                            x[d] += error[d]
                        pair += 1
        return loss - np.log(chance), predictions

    return learn
