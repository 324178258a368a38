"""How well a network of several languages translates in each direction, and in those that it was never shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch

from netsmith.api.network import Network
from netsmith.api.run import Run
from netsmith.core.errors import UnsupportedError
from netsmith.data.multi30k_multilingual import Multi30kMultilingual
from netsmith.layers.bleu import bleu
from netsmith.layers.target_language import LanguageWords

__all__ = ["Direction", "judge_directions"]

_TEXTS = 100  # at once


class Direction(NamedTuple):
    """How one direction fares; shares are of its texts, in 0..1.

    Attributes:
        name: As ``de-fr``.
        trained: Whether training showed it.
        texts: How many were translated.
        bleu: Of the direct way; see :mod:`netsmith.layers.bleu` for the signature.
        in_target: What was written in the language asked for, by its words.
        pivot: BLEU by way of English, written and then read by the same network; None where a side is English.
        pivot_in_target: As ``in_target``, of that way; None likewise.
        untranslated: BLEU of the source itself: what names and numbers alone are worth.
        told: References whose language is told rightly by their words: how far the shares can be trusted.
    """

    name: str
    trained: bool
    texts: int
    bleu: float
    in_target: float
    pivot: float | None
    pivot_in_target: float | None
    untranslated: float
    told: float


def judge_directions(
    run: Run, *, split: str = "test", directions: Sequence[str] = (), most: int = 0
) -> list[Direction]:
    """Translate a split in every direction, and in those never trained by way of English, too.

    Whether a text is in the language asked for is told by :class:`~netsmith.layers.target_language.LanguageWords` from
    the training texts of all languages.

    Args:
        run: Of :class:`~netsmith.data.multi30k_multilingual.Multi30kMultilingual`.
        split: ``dev`` or ``test``.
        directions: Which ones; empty for all.
        most: Of each direction so many texts from the first on; 0 for all.

    Raises:
        UnsupportedError: A run on other data.
    """
    source = run.engine.source
    if not isinstance(source, Multi30kMultilingual):
        raise UnsupportedError(
            f"{run.path.name} was trained on {source.spec.dataset}; expected a run on multi30k_multilingual"
        )
    judge = LanguageWords({**source.training_texts})
    english = "en" in {name.split("-")[1] for name in source.directions}
    found = []
    for name in directions or (*source.directions, *source.zero_shot):
        size = next(one.size for one in source.spec.splits if one.name == f"{split}-{name}")
        pairs = source.texts(f"{split}-{name}", torch.arange(min(size, most) if most else size))
        texts, wanted = [text for text, _ in pairs], [text for _, text in pairs]
        target = name.split("-")[1]
        bare = [text.split(maxsplit=1)[1] for text in texts]
        direct = _written(run.network, texts)
        pivot = None
        if english and "en" not in name.split("-"):
            between = _written(run.network, [f"<2en> {text}" for text in bare])
            pivot = _written(run.network, [f"<2{target}> {text}" for text in between])
        found.append(
            Direction(
                name=name,
                trained=name in source.directions,
                texts=len(pairs),
                bleu=bleu(zip(direct, wanted, strict=True)),
                in_target=_share(direct, target, judge),
                pivot=None if pivot is None else bleu(zip(pivot, wanted, strict=True)),
                pivot_in_target=None if pivot is None else _share(pivot, target, judge),
                untranslated=bleu(zip(bare, wanted, strict=True)),
                told=_share(wanted, target, judge),
            )
        )
    return found


def _written(network: Network, texts: Sequence[str]) -> list[str]:
    """Return what the network writes for each text, those of like length together."""
    order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
    found = [""] * len(texts)
    for start in range(0, len(order), _TEXTS):
        some = order[start : start + _TEXTS]
        for at, one in zip(some, network.predict([texts[at] for at in some]), strict=True):
            found[at] = str(one["text"])
    return found


def _share(texts: Sequence[str], language: str, judge: LanguageWords) -> float:
    return sum(judge.guess(text) == language for text in texts) / len(texts)
