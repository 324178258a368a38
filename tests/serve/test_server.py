"""One real server on a socket: what only HTTP on the wire can show."""

from __future__ import annotations

import io
import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import ClassVar

import pytest
import torch
import uvicorn
from torch import nn

from netsmith.api.from_module import from_module
from netsmith.api.network import Network
from netsmith.core.errors import UserError
from netsmith.serve.server import curl_example, serve


def same(size: int = 2) -> Network:
    """Return a network that answers its inputs."""
    module = nn.Linear(size, size)
    with torch.no_grad():
        module.weight.copy_(torch.eye(size))
        module.bias.zero_()
    return from_module(module, torch.zeros(1, size), name="same")


class Started(uvicorn.Server):
    """Remembers itself, so that a test may end it."""

    made: ClassVar[list[Started]] = []

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.made.append(self)


def wait_until_started() -> Started:
    deadline = time.monotonic() + 60
    while not (Started.made and Started.made[-1].started):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return Started.made[-1]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[int, str]]:
    """Serve in a thread; return the port and the printed request."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uvicorn, "Server", Started)
        patch.setattr(sys, "stdout", said)
        thread = threading.Thread(target=serve, args=(same(),), kwargs={"port": 0})
        thread.start()
        running = wait_until_started()
    first, _, curl, *_ = said.getvalue().split("\n")
    port = int(re.fullmatch(r"serving same on http://127\.0\.0\.1:(\d+)/ \(Ctrl-C stops it\)", first)[1])
    yield port, curl.strip()
    running.should_exit = True
    thread.join(20)
    assert not thread.is_alive()
    Started.made.clear()


def exchange(port: int, request: bytes, *, rest: bytes = b"") -> tuple[int, dict[str, object]]:
    """Send bytes and return the status and the JSON of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        if rest:
            connection.sendall(rest)
        found = b""
        while piece := connection.recv(65536):
            found += piece
    head, _, body = found.partition(b"\r\n\r\n")
    return int(head.split(b" ", 2)[1]), json.loads(body)


def post(port: int, *headers: str, host: str = "localhost") -> bytes:
    lines = ["POST /predict HTTP/1.1", f"Host: {host}", "Content-Type: application/json", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_a_chunked_body_is_answered(server) -> None:
    pieces = b"".join(chunk(part) for part in (b'{"inputs"', b": [[1.5, ", b"-2]]}")) + chunk(b"")
    status, answer = exchange(server[0], post(server[0], "Transfer-Encoding: chunked"), rest=pieces)
    assert (status, answer["predictions"], answer["model"]) == (200, [{"values": [1.5, -2.0]}], "same")


def test_a_huge_chunked_body_is_cut(server) -> None:
    status, answer = exchange(
        server[0], post(server[0], "Transfer-Encoding: chunked"), rest=chunk(b" " * 2**20) * 9 + chunk(b"")
    )
    assert (status, answer) == (413, {"error": "the body is too large; expected at most 8388608 bytes"})


def test_a_huge_declared_body_is_refused_before_it_is_sent(server) -> None:
    status, answer = exchange(server[0], post(server[0], "Content-Length: 10000000000"))
    assert status == 413
    assert "too large" in answer["error"]
    status, _ = exchange(server[0], post(server[0], "Content-Length: 9000000", "Expect: 100-continue"))
    assert status == 413


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "localhost\r\nX-Forwarded-Host: evil"])
def test_the_host_header_is_checked_on_the_wire(server, host) -> None:
    body = b'{"inputs": [[1, 2]]}'
    # in one piece: the server refuses by the head alone and closes, and a body that comes later would be met by a reset
    status, answer = exchange(server[0], post(server[0], f"Content-Length: {len(body)}", host=host) + body)
    if "Forwarded" in host:  # nothing is taken from a proxy's headers
        assert status == 200
    else:
        assert status == 400
        assert "Host header" in answer["error"]


def test_a_request_of_http_1_0_without_a_host_is_refused(server) -> None:
    status, answer = exchange(server[0], b"GET /health HTTP/1.0\r\n\r\n")
    assert status == 400
    assert "Host header" in answer["error"]


def test_the_printed_line_works(server) -> None:
    port, curl = server
    words = shlex.split(curl)
    assert words[:3] == ["curl", "-s", f"http://127.0.0.1:{port}/predict"]
    if shutil.which("curl"):
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=True)
        answer = json.loads(done.stdout)
    else:
        body = words[words.index("-d") + 1].encode()
        _, answer = exchange(port, post(port, f"Content-Length: {len(body)}"), rest=body)
    assert answer["predictions"] == [{"values": [0.0, 0.0]}]


def test_a_port_that_is_taken_is_said_in_one_line(server) -> None:
    network = from_module(nn.Linear(2, 2), torch.zeros(1, 2))
    with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1 port {server[0]}: .*; choose another"):
        serve(network, port=server[0])


def test_a_long_example_is_made_by_a_line_that_fits_the_schema() -> None:
    network = from_module(nn.Sequential(nn.Flatten(), nn.Linear(2048, 2)), torch.zeros(1, 2, 32, 32))
    line = curl_example(network, "http://127.0.0.1:8000/")
    made, _, asked = line.partition(" | ")
    assert asked.endswith("-d @-")
    words = shlex.split(made)
    assert words[:2] == ["python", "-c"]
    done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, check=True, timeout=60)
    assert len(network.predict(json.loads(done.stdout)["inputs"])) == 1


def test_interrupting_ends_it_without_a_traceback(monkeypatch, capsys) -> None:
    monkeypatch.setattr(uvicorn, "Server", Started)
    Started.made.clear()
    answers = []

    def ask_and_interrupt() -> None:
        running = wait_until_started()
        port = running.servers[0].sockets[0].getsockname()[1]
        body = b'{"inputs": [[1, 2]]}'
        answers.append(exchange(port, post(port, f"Content-Length: {len(body)}"), rest=body))
        signal.raise_signal(signal.SIGINT)

    thread = threading.Thread(target=ask_and_interrupt)
    thread.start()
    serve(same(), port=0)
    thread.join(20)
    assert answers[0][1]["predictions"] == [{"values": [1.0, 2.0]}]
    assert capsys.readouterr().err == "stopped\n"
