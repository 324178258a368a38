"""Talking with a network that learned to answer in dialogues."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netsmith.api.addressing import unread
from netsmith.api.network import Network
from netsmith.core.errors import DataError, UnknownNameError, UnsupportedError
from netsmith.layers.dialogue_text import FIRST_EMOTION, TURN, TURN_NUMBER, dialogue_text
from netsmith.layers.tokenize import tokenize
from netsmith.layers.writing import Writing

__all__ = ["Chat", "emotions_of"]

_MARK = re.compile(r"<(\w+)>")
_MOST = 100  # turns that are kept: no network reads more


def emotions_of(network: Network) -> tuple[str, ...]:
    """Return the emotions that a network was told in training; none where it was told none.

    Raises:
        UnsupportedError: The network does not answer in dialogues.
    """
    words = network.spec.inputs.vocabulary
    if not isinstance(network.module, Writing) or words[TURN_NUMBER : TURN_NUMBER + 1] != (TURN,):
        raise UnsupportedError(
            f"{network.name} does not answer in dialogues; train one that does (data of kind dialogues)"
        )
    found: list[str] = []
    for word in words[FIRST_EMOTION:]:
        mark = _MARK.fullmatch(word)
        if mark is None:
            break
        found.append(mark[1])
    return tuple(found)


class Chat:
    """A dialogue between somebody and a network, which remembers what both said.

    Args:
        network: Of a run on dialogues.
        emotion: The mood of its answers; empty for ``neutral`` where it knows that, else for its first one.

    Attributes:
        emotion: The mood of the next answer; empty where the network knows none.
        emotions: Those it knows.
        turns: What was said, oldest first.

    Raises:
        UnsupportedError: The network does not answer in dialogues, or was told no emotion and one is asked for.
        UnknownNameError: An emotion it does not know.
    """

    def __init__(self, network: Network, *, emotion: str = "") -> None:
        self.network = network
        self.emotions = emotions_of(network)
        self.turns: list[str] = []
        self.emotion = ""
        self.change(emotion or ("neutral" if "neutral" in self.emotions else next(iter(self.emotions), "")))

    def change(self, emotion: str) -> None:
        """Answer in another mood from now on.

        Raises:
            UnsupportedError: The network was told no emotion.
            UnknownNameError: An emotion it does not know.
        """
        if emotion and not self.emotions:
            raise UnsupportedError(f"{self.network.name} was told no emotion in training; leave emotion out")
        if emotion and emotion not in self.emotions:
            raise UnknownNameError("emotion", emotion, self.emotions)
        self.emotion = emotion

    def knows(self, text: str) -> bool:
        """Say whether the network knows any word of what is said."""
        lost, _ = unread([text], self.network.spec.inputs)
        return not any(lost)

    def say(self, text: str) -> str:
        """Say something and return the answer; both are remembered.

        Raises:
            DataError: Nothing is said.
        """
        answer = self.answer([*self.turns, text])
        self.turns = [*self.turns, text, answer][-_MOST:]
        return answer

    def answer(self, turns: Sequence[str]) -> str:
        """Return the answer to what was said, oldest turn first; nothing is remembered.

        Raises:
            DataError: Nothing was said, or more than the network reads.
        """
        if not turns or not turns[-1].strip():
            raise DataError("nothing is said; expected a line of text")
        inputs = self.network.spec.inputs
        for first in range(max(0, len(turns) - _MOST), len(turns)):  # of a long dialogue the beginning is left out
            text = dialogue_text(turns[first:], emotion=self.emotion)
            if len(tokenize(text, inputs.preprocessing[0])) <= inputs.max_length:
                return str(self.network.predict([text])[0]["text"])
        raise DataError(f"the last turn has more than {inputs.max_length} tokens, all that {self.network.name} reads")
