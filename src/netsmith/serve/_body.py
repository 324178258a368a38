"""The body of a request as JSON, treated as hostile."""

from __future__ import annotations

import json
import re
from typing import Any

from netsmith.core.errors import UserError, shorten

__all__ = ["Refused", "read_json"]

_NEST_LIMIT = 16
_TEXTS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)  # a last one may be open: then no quote is tried twice
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class Refused(UserError):
    """A request that is not answered.

    Args:
        status: The HTTP status.
        problem: One line: what happened and what was expected.
    """

    def __init__(self, status: int, problem: str) -> None:
        super().__init__(shorten(" ".join(problem.split()), 240))
        self.status = status


def read_json(body: bytes) -> Any:
    """Parse a body as JSON: UTF-8, no NaN or infinity, no key twice, at most 16 levels deep.

    Raises:
        Refused: It is not.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(400, f"the body is not UTF-8 (byte {error.start}); expected JSON in UTF-8") from None
    brackets = _TEXTS.sub(b"", body).translate(None, _NOT_BRACKETS)
    for _ in range(_NEST_LIMIT):  # each pass takes off one level
        brackets = brackets.replace(b"[]", b"").replace(b"{}", b"")
    if brackets:
        raise Refused(400, f"the body is nested more than {_NEST_LIMIT} deep, or its brackets do not match")
    try:
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except Refused:
        raise
    except (ValueError, RecursionError) as error:
        raise Refused(400, f"the body is not JSON: {error}") from None


def _no_constant(name: str) -> Any:
    raise Refused(400, f"the body holds {name}, which is not JSON; expected finite numbers")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refused(400, f"the key {shorten(twice, 60)!r} stands twice in one object; expected it once")
    return found
