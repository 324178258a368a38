"""Huffman codes: the shortest prefix code of words whose frequencies are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netsmith.core.errors import DataError

__all__ = ["huffman_paths"]


def huffman_paths(counts: Sequence[int] | np.ndarray) -> np.ndarray:
    r"""Return the way from the root to each word in the tree that makes the mean way shortest.

    Huffman 1952, doi:10.1109/JRPROC.1952.273898: the two rarest subtrees become one, until one is left. Of equally rare
    ones a word goes before a subtree, and the later word before the earlier. With V words there are V - 1 inner nodes,
    numbered as they are made, so the root is V - 2.

    Args:
        counts: How often each of V words comes, at least 0.

    Returns:
        ``(V, L)`` int32, L the longest way: inner nodes from the root on, counted from 1, positive where the way takes
        the rarer subtree, negative where it takes the other; 0 behind the word.

    Raises:
        DataError: Fewer than two words.

    Example:
        >>> huffman_paths([4, 2, 1]).tolist()
        [[-2, 0], [2, -1], [2, 1]]
    """
    words = len(counts)
    if words < 2:
        raise DataError(f"a tree needs at least two words, got {words}")
    order = np.argsort(-np.asarray(counts), kind="stable")[::-1]  # the rarest first
    weight = [int(counts[word]) for word in order]
    made: list[int] = []  # weights of inner nodes, never falling, so two queues are enough
    parent = np.zeros(2 * words - 1, dtype=np.int64)
    heavy = np.zeros(2 * words - 1, dtype=bool)
    leaf = node = 0
    for inner in range(words - 1):
        pair = []
        for _ in range(2):
            if leaf < words and (node == len(made) or weight[leaf] <= made[node]):
                pair.append((leaf, weight[leaf]))
                leaf += 1
            else:
                pair.append((words + node, made[node]))
                node += 1
        made.append(pair[0][1] + pair[1][1])
        for child, _ in pair:
            parent[child] = words + inner
        heavy[pair[1][0]] = True
    depth = np.zeros(2 * words - 1, dtype=np.int64)
    for child in range(2 * words - 3, -1, -1):
        depth[child] = depth[parent[child]] + 1
    paths = np.zeros((words, int(depth[:words].max())), dtype=np.int32)
    at = np.arange(words)
    for _ in range(paths.shape[1]):  # all words climb one step at a time
        climbing = np.flatnonzero(at != 2 * words - 2)
        child = at[climbing]
        above = parent[child]
        paths[order[climbing], depth[child] - 1] = np.where(heavy[child], -1, 1) * (above - words + 1)
        at[climbing] = above
    return paths
