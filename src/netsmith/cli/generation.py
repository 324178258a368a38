"""The verb that lets a language model write."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netsmith.cli.output import notice, print_json

__all__ = ["generate"]


def generate(path: str, *, prompt: str, choices: Mapping[str, Any], code: str, as_json: bool) -> None:
    """Print texts that go on from a prompt."""
    from netsmith.api.run import load

    found = load(path, code=code, notice=notice).generate(prompt, **choices)
    if as_json:
        print_json([{"prompt": prompt, **text} for text in found])
        return
    for number, text in enumerate(found):
        if number:
            print("-" * 8)
        print(_shown(prompt, text))


def _shown(prompt: str, text: Mapping[str, Any]) -> str:
    """Return prompt and text as one, without signs that a terminal would obey."""
    words = len(text["tokens"]) and len("".join(text["tokens"])) != len(text["text"])
    between = " " if words and prompt and not prompt[-1].isspace() else ""
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else sign.encode("unicode_escape").decode()
        for sign in prompt + between + text["text"]
    )
