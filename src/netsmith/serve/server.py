"""Serve a network over HTTP until interrupted."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import shlex
import socket
import sys
from collections.abc import Sequence
from typing import Any

from netsmith.api.network import Network
from netsmith.core.errors import UserError
from netsmith.core.extras import require
from netsmith.serve._requests import Limits, Requests
from netsmith.serve.app import LOOPBACK, make_app

__all__ = ["curl_example", "serve"]

_CURL_LIMIT = 2_000


def curl_example(network: Network, url: str) -> str:
    """Return a line for a shell that asks for a prediction; it fits the network's schema."""
    example = Requests(network, Limits()).example
    body = json.dumps(example)
    start = f"curl -s {url}predict -H 'Content-Type: application/json'"
    if len(body) > _CURL_LIMIT:  # too long for a line: many equal numbers, better made where they are needed
        value: Any = example["inputs"]
        sizes: list[int] = []
        while isinstance(value, list):
            sizes.insert(0, len(value))
            value = value[0]
        made = f"functools.reduce(lambda row, size: [row] * size, {sizes}, {value})"
        code = f"import functools; print('{{\"inputs\":', {made}, '}}')"
        return f"python -c {shlex.quote(code)} | {start} -d @-"
    return f"{start} -d {shlex.quote(body)}"


def serve(network: Network, *, host: str = "127.0.0.1", port: int = 8000, allowed_hosts: Sequence[str] = ()) -> None:
    """Serve a network until interrupted; print its address and one request to try.

    Args:
        network: What is served.
        host: Address to listen on; only this machine reaches the default.
        port: Port; 0 takes a free one.
        allowed_hosts: More names clients may know this server by; ``host`` and those of this machine's loopback
            are always known, for an address such as 0.0.0.0 also the machine's own name.

    Raises:
        UserError: The address is not of this machine, or the port is taken.
        MissingExtraError: The extra ``serve`` is not installed.
    """
    if not host:
        raise UserError("--host is empty; expected an address of this machine, for example 127.0.0.1")
    uvicorn = require("uvicorn", extra="serve")
    names = [*LOOPBACK, *allowed_hosts, *_names(host)]
    app = make_app(network, allowed_hosts=tuple(dict.fromkeys(names)))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UserError(f"cannot listen on {host} port {port}: {error}; choose another with --host or --port") from None
    with listener:
        shown = _names(host)[0]
        url = f"http://{shown}:{listener.getsockname()[1]}/"
        print(f"serving {network.name} on {url} (Ctrl-C stops it)\n\n  {curl_example(network, url)}\n", flush=True)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            limit_concurrency=64,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
        )
        with contextlib.suppress(KeyboardInterrupt):  # comes or not, by when the signal falls
            uvicorn.Server(config).run(sockets=[listener])
        print("stopped", file=sys.stderr)


def _names(host: str) -> list[str]:
    """Return how a client names an address in its Host header."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return [host]
    if address.is_unspecified:
        return [socket.gethostname()]
    return [f"[{host}]" if address.version == 6 else host]
