"""Words whose vectors lie near others, and a run's word vectors as a text file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from netsmith.api.network import Network
from netsmith.core.errors import DataError, UnknownNameError, UnsupportedError
from netsmith.core.files import write_atomic
from netsmith.layers.tokenize import count_slots

__all__ = ["save_vectors", "similar_words", "word_vectors"]

_FIRST = 2  # before the words stand padding and the unknown one


def word_vectors(network: Network) -> tuple[tuple[str, ...], Tensor]:
    """Return the words of a network that has a vector for each, and the vectors.

    Args:
        network: word2vec, or any network that begins with word vectors (its landmark ``stem``).

    Returns:
        The words without padding and the unknown ones, and ``(V, D)``.

    Raises:
        UnsupportedError: The network has no vector for each word.
    """
    place = network.landmarks().get("stem", "")
    stem = dict(network.module.named_modules()).get(place)
    words = network.spec.inputs.vocabulary
    weight = None if isinstance(stem, nn.Linear) else getattr(stem, "weight", None)  # that of a layer is no table
    if not isinstance(weight, Tensor) or weight.dim() != 2 or len(weight) != len(words):
        raise UnsupportedError(f"{network.name} has no vector for each word; take one of word2vec, or of words")
    first = _FIRST + count_slots(words)
    return words[first:], weight.detach()[first:]


def similar_words(
    network: Network, words: Sequence[str], *, without: Sequence[str] = (), top: int = 10
) -> list[tuple[str, float]]:
    """Return the words of the largest cosine with the sum of some words' unit vectors, less that of others.

    Args:
        network: What :func:`word_vectors` takes.
        words: Words to be added; in lower case where the network knows no others.
        without: Words to be subtracted: ``["king", "woman"]`` without ``["man"]`` completes an analogy.
        top: How many.

    Returns:
        Words with their cosines, falling; none that was asked about.

    Raises:
        DataError: No word was given, or one is to be added and subtracted.
        UnknownNameError: A word that the network does not know; names near ones.
        UnsupportedError: As :func:`word_vectors`.
    """
    names, vectors = word_vectors(network)
    if not words:
        raise DataError("nothing to compare with: give a word")
    lower = any(step.name == "tokenize" and step.lowercase for step in network.spec.inputs.preprocessing)
    number = {name: place for place, name in enumerate(names)}

    def find(word: str) -> int:
        known = word.lower() if lower else word
        if known not in number:
            raise UnknownNameError(f"word of {network.name}", word, names)
        return number[known]

    unit = F.normalize(vectors.double(), dim=1)
    added, taken = [find(word) for word in words], [find(word) for word in without]
    if both := set(added) & set(taken):
        raise DataError(f"{names[min(both)]!r} is both added and subtracted; leave it out of one")
    cosines = unit @ F.normalize(unit[added].sum(0) - unit[taken].sum(0), dim=0)
    cosines[added + taken] = -torch.inf
    values, places = cosines.topk(min(top, len(names) - len({*added, *taken})))
    return [(names[place], value) for place, value in zip(places.tolist(), values.tolist(), strict=True)]


def save_vectors(network: Network, path: str | Path) -> int:
    """Write the vectors in word2vec's text format: a line ``words numbers``, then a word and its numbers a line.

    Blanks within a word become ``_``, as other programs expect.

    Args:
        network: What :func:`word_vectors` takes.
        path: The file.

    Returns:
        How many words were written.

    Raises:
        UnsupportedError: As :func:`word_vectors`.
        RunError: The file cannot be written.
    """
    names, vectors = word_vectors(network)
    lines = [f"{len(names)} {vectors.shape[1]}"]
    for name, row in zip(names, vectors.tolist(), strict=True):
        lines.append(" ".join(["_".join(name.split()) or "_", *(f"{value:.7g}" for value in row)]))
    write_atomic(Path(path), ("\n".join(lines) + "\n").encode())
    return len(names)
