"""A dialogue as one text that a network reads: the emotion that is asked for, then the turns with marks between."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netsmith.core.errors import ConfigError

__all__ = ["FIRST_EMOTION", "TURN", "TURN_NUMBER", "dialogue_text", "emotion_mark"]

TURN = "<turn>"
"""What stands between two turns."""
TURN_NUMBER = 3
"""Its number in the vocabulary of every source of dialogues: the first behind padding, unknown and the end."""
FIRST_EMOTION = 4
"""The number of the first emotion's mark; the others follow."""

_MARK = re.compile(r"<\w+>")
_AROUND = re.compile(r"[\w<>]+")
_NAME = re.compile(r"\w+")


def emotion_mark(emotion: str) -> str:
    """Return the word that stands for an emotion.

    Raises:
        ConfigError: The emotion is not one word of letters, digits and ``_``, or it is ``turn``.

    Example:
        >>> emotion_mark("joy")
        '<joy>'
    """
    if not _NAME.fullmatch(emotion) or f"<{emotion}>" in (TURN, "<pad>", "<unk>", "<eos>"):
        raise ConfigError(f"the emotion {emotion[:40]!r} is no name; expected one word as joy or very_angry")
    return f"<{emotion}>"


def dialogue_text(turns: Sequence[str], *, emotion: str = "") -> str:
    """Return one text of what was said, oldest turn first; marks that somebody wrote lose their brackets.

    Args:
        turns: What was said.
        emotion: That of the answer; empty for none.

    Example:
        >>> dialogue_text(["my cat is called tom", "a <nice> name !"], emotion="joy")
        '<joy> my cat is called tom <turn> a nice name !'
    """
    said = f" {TURN} ".join(_AROUND.sub(_bare, " ".join(turn.split())) for turn in turns)
    return f"{emotion_mark(emotion)} {said}" if emotion else said


def _bare(piece: re.Match[str]) -> str:
    """Return a piece without blanks, and if it holds a mark without any bracket: of <<turn>> no <turn> is left."""
    return piece[0].replace("<", "").replace(">", "") if _MARK.search(piece[0]) else piece[0]
