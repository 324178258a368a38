"""The verb that lets a language model write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netsmith.cli.output import notice, print_json

__all__ = ["generate"]

_LENGTH = 100
_PENALTY = 0.6


def generate(
    path: str,
    *,
    choices: Mapping[str, Any],
    free: Mapping[str, Any],
    verse: Mapping[str, str],
    code: str,
    as_json: bool,
) -> None:
    """Print texts that go on from a prompt, or poems.

    Args:
        path: The run.
        choices: Settings of both.
        free: Those of texts that go on from a prompt.
        verse: Those of poems; a ``form`` asks for one.
        code: Kinds of the user's own.
        as_json: Print JSON.
    """
    from netsmith.api.run import load
    from netsmith.core.errors import ConfigError

    if not verse["form"] and any(verse.values()):
        raise ConfigError("--first-line and --hidden are for poems: give --form quatrain5 or quatrain7, too")
    if verse["form"]:
        if free["prompt"] or free["length"] or free["beam"] or free["penalty"] != _PENALTY:
            raise ConfigError("--form decides how a poem goes: leave out --prompt, --length, --beam and its penalty")
        poems = load(path, code=code, notice=notice).write_poems(**verse, **choices)
        _print(poems, [poem["text"] for poem in poems], as_json)
        return
    prompt, length = free["prompt"], free["length"] or _LENGTH
    settings = {**free, **choices, "length": length}
    found = load(path, code=code, notice=notice).generate(**settings)
    _print([{"prompt": prompt, **text} for text in found], [_shown(prompt, text) for text in found], as_json)


def _print(told: list[dict[str, Any]], shown: list[str], as_json: bool) -> None:
    if as_json:
        print_json(told)
        return
    print(f"\n{'-' * 8}\n".join(shown))


def _shown(prompt: str, text: Mapping[str, Any]) -> str:
    """Return prompt and text as one, without signs that a terminal would obey."""
    words = len(text["tokens"]) and len("".join(text["tokens"])) != len(text["text"])
    between = " " if words and prompt and not prompt[-1].isspace() else ""
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else sign.encode("unicode_escape").decode()
        for sign in prompt + between + text["text"]
    )
