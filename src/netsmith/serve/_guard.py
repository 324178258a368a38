"""What stands in front of every route: the Host header is checked, every answer carries its policy, nothing escapes."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

__all__ = ["Guard", "error_line"]

_Message = MutableMapping[str, Any]
_App = Callable[[_Message, Callable[[], Awaitable[_Message]], Callable[[_Message], Awaitable[None]]], Awaitable[None]]

_HOST = re.compile(rb"(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,253})(?::[0-9]{1,5})?", re.IGNORECASE)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


def error_line(problem: str) -> bytes:
    """Return the body of an answer that refuses: one line of JSON."""
    return json.dumps({"error": problem}).encode() + b"\n"


class Guard:
    """An ASGI layer: Host header, headers of every answer, one line for what nobody foresaw.

    A page of another site can make a browser send requests to 127.0.0.1, and by changing its own name's address (DNS
    rebinding) also read the answers; its requests then carry that site's name as their Host, so only known names are
    answered.

    Args:
        app: What stands behind.
        allowed_hosts: Names of this server, without a port; IPv6 addresses in brackets.
    """

    def __init__(self, app: _App, *, allowed_hosts: Iterable[str]) -> None:
        self._app = app
        self._hosts = frozenset(name.lower().encode() for name in allowed_hosts)

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def send_with_headers(message: _Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                given = list(message.get("headers", []))
                names = {name.lower() for name, _ in given}
                message = {**message, "headers": given + [pair for pair in _HEADERS if pair[0] not in names]}
            await send(message)

        if not self._knows(scope["headers"]):
            problem = "the Host header is not a name of this server; open it as " + _list(self._hosts)
            await _refuse(send_with_headers, 400, problem)
            return
        try:
            await self._app(scope, receive, send_with_headers)
        except Exception:
            logging.getLogger("netsmith.serve").exception("a request failed")
            if started:
                raise
            await _refuse(send_with_headers, 500, "the server failed on this request; its log says why")

    def _knows(self, headers: Iterable[tuple[bytes, bytes]]) -> bool:
        hosts = [value for name, value in headers if name.lower() == b"host"]
        if len(hosts) != 1:
            return False
        match = _HOST.fullmatch(hosts[0])
        return match is not None and match[1].lower() in self._hosts


def _list(names: Iterable[bytes]) -> str:
    return " or ".join(sorted(name.decode() for name in names))


async def _refuse(send: Callable[[_Message], Awaitable[None]], status: int, problem: str) -> None:
    body = error_line(problem)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
