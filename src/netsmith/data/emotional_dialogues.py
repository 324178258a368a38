"""Drawn dialogues in which the right answer depends on what was said three turns ago and on an emotion."""

from __future__ import annotations

import torch
from pydantic import Field

from netsmith.core.keys import key as named_key
from netsmith.data._dialogues import Dialogue, DialogueFields, DialogueSource, Turn

__all__ = ["EMOTIONS", "EmotionalDialogues", "drawn_dialogues"]

EMOTIONS = ("anger", "fear", "joy", "neutral", "sadness", "surprise")

_ANSWERS = {
    "anger": "{0} , as i told you !",
    "fear": "i am afraid it is {0} .",
    "joy": "{0} , how lovely !",
    "neutral": "it is {0} .",
    "sadness": "alas , it is {0} .",
    "surprise": "{0} ? oh , really {0} !",
}
_TOPICS = {
    "my cat is called {0}": ("what is my cat called ?", ("tom", "max", "luna", "kim", "otto", "lily", "rex", "bella")),
    "i live in {0}": ("where do i live ?", ("paris", "rome", "oslo", "cairo", "lima", "kyoto", "bonn", "delhi")),
    "i like {0}": ("what do i like ?", ("tea", "chess", "jazz", "snow", "maps", "plums", "bread", "rain")),
    "my car is {0}": ("which color is my car ?", ("red", "blue", "green", "white", "black", "gray", "pink", "brown")),
}
_SIZES = {"dev": 500, "test": 1000}


class EmotionalDialogues(DialogueSource):
    """Dialogues of a user, a friend and a bot, who must remember what the user said, not the friend, and in a mood.

    The user states two facts of four topics, the friend one or two of the same kind, the user asks, and the bot
    answers in one of six emotions, each with words of its own::

        user    my cat is called tom and i live in rome
        friend  my cat is called max and i like tea
        user    what is my cat called ?
        bot     tom , how lovely !                              (joy)

    Only the bot's turns are learned. Whoever reads the last turn alone guesses among eight values, and who does not
    know the emotion among six ways to say it. Nothing is read; the same for all time from ``seed``.
    """

    class Config(DialogueFields):
        """How many.

        Attributes:
            size: Training dialogues.
            seed: Of all of them.
            twin: 600 training dialogues.
        """

        size: int = Field(default=4000, ge=10, le=1_000_000)
        seed: int = Field(default=0, ge=0)
        answers: str = "bot"

    def __init__(self, config: Config) -> None:
        sizes = {"train": 600 if config.twin else config.size}
        sizes |= {split: 100 if config.twin else size for split, size in _SIZES.items()}
        super().__init__(
            config,
            dataset="emotional_dialogues",
            dialogues={split: drawn_dialogues(split, size, seed=config.seed) for split, size in sizes.items()},
            emotions=EMOTIONS,
            name="drawn",
            made=dict.fromkeys(sizes, "drawn"),
            seeds=dict.fromkeys(sizes, config.seed),
        )


def drawn_dialogues(split: str, count: int, *, seed: int) -> list[Dialogue]:
    """Draw dialogues; those of another split are others.

    Args:
        split: A name.
        count: How many.
        seed: Of them.
    """
    generator = torch.Generator().manual_seed(named_key(seed, "emotional_dialogues", split))
    return [_dialogue(torch.randint(0, 2**31, (12,), generator=generator).tolist(), row + 1) for row in range(count)]


def _dialogue(draws: list[int], row: int) -> Dialogue:
    topics = list(_TOPICS)
    first = draws[0] % 4
    second = (first + 1 + draws[1] % 3) % 4
    theirs = ((first, second)[draws[2] % 2], draws[3] % 4)
    said = [topics[topic].format(_value(topic, draw)) for topic, draw in ((first, draws[4]), (second, draws[5]))]
    other = [topics[topic].format(_value(topic, draw)) for topic, draw in zip(theirs, draws[6:8], strict=True)]
    asked = draws[8] % 2
    topic = (first, second)[asked]
    emotion = EMOTIONS[draws[9] % len(EMOTIONS)]
    answer = _ANSWERS[emotion].format(_value(topic, draws[4 + asked]))
    turns = (
        Turn(" and ".join(said), "user"),
        Turn(
            " and ".join(dict.fromkeys(other[: 1 + draws[10] % 2] if theirs[0] != theirs[1] else other[:1])), "friend"
        ),
        Turn(_TOPICS[topics[topic]][0], "user"),
        Turn(answer, "bot", emotion),
    )
    return Dialogue(turns, row)


def _value(topic: int, draw: int) -> str:
    values = list(_TOPICS.values())[topic][1]
    return values[draw % len(values)]
