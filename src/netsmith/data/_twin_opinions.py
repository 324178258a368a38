"""Synthetic twins of sentiment data: texts of opinions, some of them negated."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from netsmith.core.keys import key as named_key

__all__ = ["twin_opinions"]


def twin_opinions(
    name: str,
    *,
    count: int,
    classes: int,
    opinions: tuple[int, int],
    words: tuple[Sequence[str], Sequence[str], Sequence[str]],
    negation: str,
    end: str,
    space: str = " ",
) -> tuple[list[str], torch.Tensor]:
    """Make texts of opinions, each in a clause of its own: of which words, negated or not.

    An opinion is positive where a word of the first group stands plain or one of the second is negated. The class is
    the share of positive opinions, in equal steps from none to all. Groups are drawn evenly, so the words alone, the
    negations among them, are as frequent in every class: a sum over words tells nothing. A word with the one before
    it, or with the mark of its negation, tells all.

    Args:
        name: Which data set; other names give other texts.
        count: Number of texts.
        classes: Number of classes.
        opinions: The fewest and the most opinions of a text; a multiple of ``classes - 1`` is taken.
        words: Words of praise, of blame, and others.
        negation: The word that turns an opinion around.
        end: The sign that ends a clause.
        space: What stands between two words.
    """
    generator = torch.Generator().manual_seed(named_key(0, "twin", name))
    low, high = opinions
    texts: list[str] = []
    labels: list[int] = []
    for _ in range(count):
        label, length, *draws = torch.randint(0, 2**31, (2 + 6 * high,), generator=generator).tolist()
        label %= classes
        number = max(low + length % (high - low + 1) // (classes - 1) * (classes - 1), classes - 1)
        order = sorted(range(number), key=lambda at: draws[6 * at])
        positive = {at: rank < number * label // (classes - 1) for rank, at in enumerate(order)}
        clauses: list[str] = []
        for at in range(number):
            _, group, word, others, *more = draws[6 * at : 6 * at + 6]
            group %= 2
            around = [words[2][one % len(words[2])] for one in more[: others % 3]]
            negated = [negation] if positive[at] == bool(group) else []
            clauses += [*around, *negated, words[group][word % len(words[group])], end]
        texts.append(space.join(clauses))
        labels.append(label)
    return texts, torch.tensor(labels)
