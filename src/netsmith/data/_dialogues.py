"""What sources of dialogues share: which turns are answers, what is read before each, emotions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from netsmith.core.errors import ConfigError, did_you_mean
from netsmith.data._pairs import PairFields, Pairs, PairSource
from netsmith.layers.dialogue_text import TURN, dialogue_text, emotion_mark

__all__ = ["Dialogue", "DialogueFields", "DialogueSource", "Turn", "emotions_of"]

NEUTRAL = "neutral"


class Turn(NamedTuple):
    """What somebody said.

    Attributes:
        text: The words.
        speaker: Who.
        emotion: In which mood, one word; empty where that is not known.
    """

    text: str
    speaker: str = ""
    emotion: str = ""


class Dialogue(NamedTuple):
    """What was said, turn by turn.

    Attributes:
        turns: Oldest first.
        row: Its line in the file, 1-based.
    """

    turns: tuple[Turn, ...]
    row: int


class DialogueFields(PairFields):
    """The fields of every source of dialogues.

    Attributes:
        merges: The most byte-pair merges that tokens are made of; 0: tokens are words.
        lowercase: Lower the case first.
        turns: The most turns that are read before an answer.
        answers: The speaker whose turns are learned; empty for all turns that have one before them.
        emotion: Whether the emotion of the answer is read, too.
    """

    merges: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    lowercase: bool = True
    turns: Annotated[int, Field(ge=1, le=100)] = 3
    answers: str = ""
    emotion: bool = True


class DialogueSource(PairSource):
    """Abstract: what was said, and the answer; see :class:`~netsmith.data._pairs.PairSource`.

    A source text is the answer's emotion and the turns before it, oldest first
    (:func:`~netsmith.layers.dialogue_text.dialogue_text`). The marks have fixed numbers: that between two turns
    :data:`~netsmith.layers.dialogue_text.TURN_NUMBER`, then the emotions in the order of their names; an answer whose
    emotion is not known is ``neutral``.

    Args:
        config: The reader's config.
        dataset: Name of the data set.
        dialogues: The dialogues of each split, ``train`` first.
        emotions: All there are, ``neutral`` among them if an answer has none.
        name: What an error names.
        made: How each split was made.
        seeds: The seed of each split; 0 for one that is given.

    Attributes:
        emotions: Those that a text may begin with; none where the config leaves them out.

    Raises:
        ConfigError: ``answers`` is no speaker of the training part.
    """

    def __init__(
        self,
        config: DialogueFields,
        *,
        dataset: str,
        dialogues: Mapping[str, Sequence[Dialogue]],
        emotions: Sequence[str],
        name: str,
        made: Mapping[str, str],
        seeds: Mapping[str, int],
    ) -> None:
        speakers = {turn.speaker for dialogue in dialogues["train"] for turn in dialogue.turns}
        if config.answers and config.answers not in speakers:
            raise ConfigError(f"nobody is called {config.answers!r}{did_you_mean(config.answers, speakers)}")
        self.emotions = tuple(emotions) if config.emotion else ()
        pairs = {
            split: _pairs(found, config, name=name, made=made[split], seed=seeds[split])
            for split, found in dialogues.items()
        }
        super().__init__(
            config, dataset=dataset, pairs=pairs, marks=(TURN, *(emotion_mark(emotion) for emotion in self.emotions))
        )


def emotions_of(dialogues: Sequence[Dialogue]) -> tuple[str, ...]:
    """Return the emotions of some dialogues by name, ``neutral`` for turns without one."""
    return tuple(sorted({turn.emotion or NEUTRAL for dialogue in dialogues for turn in dialogue.turns}))


def _pairs(dialogues: Sequence[Dialogue], config: DialogueFields, *, name: str, made: str, seed: int) -> Pairs:
    sources, targets, rows = [], [], []
    for dialogue in dialogues:
        for at, turn in enumerate(dialogue.turns):
            if at and config.answers in ("", turn.speaker):
                before = [one.text for one in dialogue.turns[max(0, at - config.turns) : at]]
                emotion = (turn.emotion or NEUTRAL) if config.emotion else ""
                sources.append(dialogue_text(before, emotion=emotion))
                targets.append(turn.text)
                rows.append(dialogue.row)
    return Pairs(sources, targets, name, rows, made=made, seed=seed)
