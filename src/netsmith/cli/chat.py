"""The verb that talks: a line in, a line out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netsmith.cli.output import notice, say
from netsmith.core.errors import DataError, UserError

if TYPE_CHECKING:
    from netsmith.api.chat import Chat

__all__ = ["chat"]


def chat(path: str, *, emotion: str, once: bool, code: str) -> None:
    """Print the answer to each line of stdin, or with ``once`` that to the last of several turns."""
    from netsmith.api.chat import Chat
    from netsmith.api.run import load

    if sys.stdin is None:
        raise DataError("stdin is closed; say something there, a turn a line")
    talk = Chat(load(path, code=code, notice=notice).network, emotion=emotion)
    live = sys.stdin.isatty() and not once
    if talk.emotions:
        notice(f"emotion: {talk.emotion}; it knows {', '.join(talk.emotions)}")
    if once:
        for number, line in _lines(prompt=False):
            try:
                if not _commanded(talk, line):
                    talk.turns = [*talk.turns, line]
            except UserError as error:
                raise DataError(str(error), "stdin", number) from None
        _heard(talk, talk.turns[-1:])
        say(talk.answer(talk.turns))
        return
    for number, line in _lines(prompt=live):
        try:
            if not _commanded(talk, line):
                _heard(talk, [line])
                say(talk.say(line))
        except UserError as error:
            if not live:
                raise DataError(str(error), "stdin", number) from None
            notice(str(error))


def _heard(talk: Chat, said: Sequence[str]) -> None:
    """Tell what the network knows no word of."""
    for line in said:
        if not talk.knows(line):
            notice(f"{talk.network.name} knows no word of that")


def _commanded(talk: Chat, line: str) -> bool:
    """Return whether a line is a command, and do it."""
    word, _, rest = line.partition(" ")
    if word == "/emotion":
        talk.change(rest.strip())
    elif word == "/new" and not rest:
        talk.turns = []
    elif word.startswith("/"):
        raise DataError(f"{line[:40]!r} is no command; there are /emotion NAME and /new")
    return word.startswith("/")


def _lines(*, prompt: bool) -> Iterator[tuple[int, str]]:
    """Yield the lines of stdin that are not empty, with their numbers."""
    number = 0
    while True:
        if prompt:
            print("> ", end="", file=sys.stderr, flush=True)
        data = sys.stdin.buffer.readline()
        number += 1
        if not data:
            return
        try:
            line = data.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise DataError("is not UTF-8 text", "stdin", number) from None
        if line:
            yield number, line
