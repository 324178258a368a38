"""Named keys: all randomness flows from one seed, and a key says what it is for.

``key(seed, "order", epoch)`` is a pure function: the same names give the same key on every machine, so nothing about
random state has to be stored in a checkpoint.
"""

from __future__ import annotations

import hashlib

__all__ = ["key"]


def key(seed: int, *names: str | int) -> int:
    """Return a 63-bit key derived from ``seed`` and ``names``.

    Args:
        seed: The seed of the experiment, or another key.
        names: What the key is for: words and counters, for example ``"order", 3``.

    Example:
        >>> key(0, "order", 1) == key(0, "order", 1)
        True
        >>> key(0, "order", 1) == key(0, "order", 2)
        False
    """
    text = "/".join((str(seed), *map(repr, names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1
