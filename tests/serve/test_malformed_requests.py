"""Everything a client can get wrong is answered by 4xx and one line; nothing is a 5xx, no path is opened."""

from __future__ import annotations

import asyncio
import base64
import json
import pathlib
import random
import struct
import zlib
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from netsmith.api.from_module import from_module

PLANE = [[1.0] * 8] * 8


def bare_png(height: int, width: int) -> str:
    """Return a PNG whose picture is gray all over; a header may promise more than there is memory."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress(bytes(min(height * (width + 1), 2**26)), 9)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


GOOD_PNG = bare_png(8, 8)

# name: network, body, status, what the one line says
MALFORMED: dict[str, tuple[str, Any, int, str]] = {
    "not JSON": ("state", b"inputs=1", 400, "not JSON"),
    "nothing": ("state", b"", 400, "not JSON"),
    "cut off": ("state", b'{"inputs": [[1, 2', 400, "brackets"),
    "an open text": ("state", b'{"inputs": "\\"\\"\\"', 400, "brackets"),
    "more after the end": ("state", b'{"inputs": []} {}', 400, "not JSON: Extra data"),
    "not UTF-8": ("text", b'{"inputs": ["\xff"]}', 400, "not UTF-8 (byte 13)"),
    "UTF-16": ("text", '{"inputs": ["a"]}'.encode("utf-16"), 400, "not UTF-8"),
    "a byte order mark": ("text", b'\xef\xbb\xbf{"inputs": ["good"]}', 400, "not JSON"),
    "NaN": ("state", b'{"inputs": [[1, 2, 3, NaN]]}', 400, "NaN"),
    "infinity": ("state", b'{"inputs": [[1, 2, 3, -Infinity]]}', 400, "-Infinity"),
    "1e400": ("state", b'{"inputs": [[1, 2, 3, 1e400]]}', 422, "inputs[0][3]: expected a finite number"),
    "a number over 32 bits": ("state", b'{"inputs": [[1, 2, 3, 1e39]]}', 422, "32 bits"),
    "an integer of 400 digits": ("state", b'{"inputs": [[1, 2, 3, ' + b"9" * 400 + b"]]}", 422, "inputs[0][3]"),
    "an integer of 5,000 digits": ("state", b'{"inputs": [[1, 2, 3, ' + b"9" * 5000 + b"]]}", 400, "not JSON"),
    "a key twice": ("state", b'{"inputs": [[1,2,3,4]], "inputs": [[1,2,3,4]]}', 400, "'inputs' stands twice"),
    "deep lists": ("state", b"[" * 100_000 + b"]" * 100_000, 400, "nested more than 16 deep"),
    "deep objects": ("state", b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400, "nested more than 16 deep"),
    "a list as body": ("state", [[1, 2, 3, 4]], 422, 'expected an object such as {"inputs": [...]}'),
    "null as body": ("state", None, 422, "got null"),
    "no inputs": ("state", {}, 422, "'inputs' is missing"),
    "an unknown key": ("state", {"inputs": [[1, 2, 3, 4]], "temperature": 1}, 422, "unknown key 'temperature'"),
    "a misspelt key": ("state", {"input": [[1, 2, 3, 4]]}, 422, "did you mean 'inputs'"),
    "inputs is a text": ("state", {"inputs": "abc"}, 422, 'inputs: expected a list, got the text "abc"'),
    "inputs is an object": ("state", {"inputs": {"0": [1, 2, 3, 4]}}, 422, "inputs: expected a list"),
    "an empty list": ("state", {"inputs": []}, 422, "inputs: expected at least 1 items, got 0"),
    "too large a batch": ("state", {"inputs": [[1, 2, 3, 4]] * 6}, 422, "inputs: expected at most 5 items, got 6"),
    "one number short": ("state", {"inputs": [[1, 2, 3, 4], [1, 2, 3]]}, 422, "inputs[1]: expected 4 items, got 3"),
    "one number more": ("state", {"inputs": [[1, 2, 3, 4, 5]]}, 422, "inputs[0]: expected 4 items, got 5"),
    "one level short": ("state", {"inputs": [1, 2, 3, 4]}, 422, "inputs[0]: expected a list, got 1"),
    "one level more": ("state", {"inputs": [[[1, 2, 3, 4]]]}, 422, "inputs[0][0]: expected a number, got a list of 4"),
    "a text for a number": (
        "state",
        {"inputs": [[1, 2, 3, "4"]]},
        422,
        "inputs[0][3]: expected a number, got the text",
    ),
    "true for a number": ("state", {"inputs": [[1, 2, 3, True]]}, 422, "inputs[0][3]: expected a number, got true"),
    "null for a number": ("state", {"inputs": [[1, 2, 3, None]]}, 422, "inputs[0][3]: expected a number, got null"),
    "a path for a picture": ("image", {"inputs": ["/etc/passwd"]}, 422, "no file is opened"),
    "a path that is base64": ("image", {"inputs": ["/etc/hosts/a"]}, 422, "no file is opened"),
    "a file URL": ("image", {"inputs": ["file:///etc/passwd"]}, 422, "no file is opened"),
    "not base64": ("image", {"inputs": ["%%%%"]}, 422, "PNG or JPEG file in base64"),
    "base64 of something else": ("image", {"inputs": ["R0lGODlhAQABAAAAACw="]}, 422, "PNG or JPEG"),
    "base64 with a line break": ("image", {"inputs": [GOOD_PNG[:40] + "\n" + GOOD_PNG[40:]]}, 422, "PNG or JPEG"),
    "not ASCII in base64": ("image", {"inputs": ["ü" * 8]}, 422, "PNG or JPEG"),
    "an empty picture": ("image", {"inputs": [""]}, 422, "inputs[0]"),
    "a PNG cut off": ("image", {"inputs": [GOOD_PNG[: len(GOOD_PNG) // 4 * 2 // 4 * 4]]}, 422, "picture"),
    "a PNG of its signature": ("image", {"inputs": ["iVBORw0KGgo="]}, 422, "not a readable picture"),
    "an image bomb": ("image", {"inputs": [bare_png(50_000, 50_000)]}, 422, "picture"),
    "a milder image bomb": ("image", {"inputs": [bare_png(5_001, 5_000)]}, 422, "at most 25000000 pixels"),
    "many large pictures": ("image", {"inputs": [bare_png(3_000, 3_000)] * 3}, 422, "inputs[2]: a picture of 3000 x"),
    "a picture out of range": ("image", {"inputs": [[[17.0] * 8] * 8]}, 422, "less than or equal to 16"),
    "a picture below range": ("image", {"inputs": [[[-1.0] * 8] * 8]}, 422, "greater than or equal to 0"),
    "seven rows": ("image", {"inputs": [PLANE[:7]]}, 422, "inputs[0]: expected 8 items, got 7"),
    "a short row": ("image", {"inputs": [[*PLANE[:7], [1.0]]]}, 422, "inputs[0][7]: expected 8 items, got 1"),
    "two channels": ("image", {"inputs": [[PLANE, PLANE]]}, 422, "inputs[0]: expected 1 items, got 2"),
    "a number for a picture": ("image", {"inputs": [3]}, 422, "inputs[0]: expected numbers of shape (1, 8, 8)"),
    "an object for a picture": ("image", {"inputs": [{"path": "/etc/passwd"}]}, 422, "got an object of 1 keys"),
    "a plane for three channels": ("color", {"inputs": [PLANE]}, 422, "inputs[0][0][0]: expected a list, got 1.0"),
    "pictures of two sizes": ("any_size", {"inputs": [bare_png(8, 8), bare_png(9, 8)]}, 422, "one size in a request"),
    "a picture of 5,000 rows": ("any_size", {"inputs": [bare_png(5_000, 10)]}, 422, "at most 4096 a side"),
    "ragged planes": ("any_size", {"inputs": [[[[1.0], [1.0, 1.0]]] * 3]}, 422, "numbers of one shape"),
    "a number for a text": ("text", {"inputs": [5]}, 422, "inputs[0]: expected a text, got 5"),
    "an empty text": ("text", {"inputs": [""]}, 422, "inputs[0]"),
    "a text without a token": ("text", {"inputs": ["good", "?!"]}, 422, "text 2 has no token"),
    "too long a text": ("text", {"inputs": ["a" * 20_001]}, 422, "at most 20000 characters"),
    "half a surrogate pair": ("text", b'{"inputs": ["\\ud800"]}', 422, "inputs[0]: expected Unicode text"),
    "half a surrogate in a key": ("text", b'{"\\ud800": 1}', 422, "Unicode"),
    "a list for a row": ("table", {"inputs": [[1, 2, 3]]}, 422, "inputs[0]: expected an object, got a list of 3"),
    "a row without a column": ("table", {"inputs": [{"age": 1}]}, 422, "inputs[0]: the key 'model_config' is missing"),
    "a misspelt column": (
        "table",
        {"inputs": [{"agee": 1, "model_config": "red", "__class__ \n'": 1}]},
        422,
        "unknown key 'agee'; did you mean 'age'?",
    ),
    "the name of a field for its column": (
        "table",
        {"inputs": [{"column_0": 1, "model_config": "red", "__class__ \n'": 1}]},
        422,
        "unknown key 'column_0'",
    ),
    "a text in a column of numbers": (
        "table",
        {"inputs": [{"age": "31", "model_config": "red", "__class__ \n'": 1}]},
        422,
        "inputs[0]['age']: expected a number",
    ),
    "a number in a column of texts": (
        "table",
        {"inputs": [{"age": 31, "model_config": 1, "__class__ \n'": 1}]},
        422,
        "inputs[0]['model_config']: expected a text, got 1",
    ),
    "a fraction for a token": ("tokens", {"inputs": [[1, 1.5]]}, 422, "inputs[0][1]: expected a whole number"),
    "a negative token": ("tokens", {"inputs": [[-1]]}, 422, "greater than or equal to 0"),
    "an unknown token": ("tokens", {"inputs": [[3]]}, 422, "less than or equal to 2"),
    "a token nobody declared": ("loose_tokens", {"inputs": [[3]]}, 422, "the network cannot take"),
    "texts of two lengths": ("tokens", {"inputs": [[1], [1, 2]]}, 422, "numbers of one shape"),
    "no token at all": ("tokens", {"inputs": [[]]}, 422, "inputs[0]: expected at least 1 items, got 0"),
    "too long a series": ("series", {"inputs": [[[0, 0]] * 4097]}, 422, "inputs[0]: expected at most 4096 items"),
    "too short for the network": ("series", {"inputs": [[[0, 0]]]}, 422, "the network cannot take inputs of this size"),
    "a negative seed": ("none", {"seed": -1, "count": 2}, 422, "seed: expected greater than or equal to 0, got -1"),
    "a huge seed": ("none", {"seed": 2**64, "count": 2}, 422, "seed"),
    "a count too large": ("none", {"seed": 1, "count": 6}, 422, "count: expected less than or equal to 5, got 6"),
    "a count of zero": ("none", {"seed": 1, "count": 0}, 422, "count"),
    "a fraction for a seed": ("none", {"seed": 1.5}, 422, "seed: expected a whole number, got 1.5"),
    "true for a seed": ("none", {"seed": True}, 422, "seed: expected a whole number, got true"),
    "no seed": ("none", {"count": 2}, 422, "the key 'seed' is missing"),
    "a seed and inputs": ("none", {"seed": 1, "inputs": [[0, 0, 0]]}, 422, "unknown key 'seed'"),
}


def refused(response: Any, status: int) -> str:
    """Check the form of an answer that refuses, and return its line."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.text.count("\n") == 1
    assert list(response.json()) == ["error"]
    line = response.json()["error"]
    assert 10 < len(line) <= 240
    assert "\n" not in line
    assert "Traceback" not in line
    return line


def test_malformed_bodies_are_answered_in_one_line(clients, monkeypatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(pathlib.Path, "read_bytes", lambda self: opened.append(str(self)))
    failed = []
    for name, (kind, body, status, text) in MALFORMED.items():
        line = refused(clients[kind].predict(body), status)
        if text not in line:
            failed.append(f"{name}: {line}")
    assert not failed, "\n".join(failed)
    assert not opened


@pytest.mark.parametrize("kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json; charset=x"])
def test_another_content_type_is_refused(clients, kind) -> None:
    body = b'{"inputs": [[1, 2, 3, 4]]}'
    assert "expected application/json" in refused(clients["state"].predict(body, **{"content-type": kind}), 415)


def test_the_charset_may_be_named_and_a_compressed_body_is_refused(clients) -> None:
    body = b'{"inputs": [[1, 2, 3, 4]]}'
    assert clients["state"].predict(body, **{"content-type": "application/json; charset=UTF-8"}).status_code == 200
    assert "compressed" in refused(clients["state"].predict(body, **{"content-encoding": "gzip"}), 415)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost:80:80", "", "127.0.0.1@evil", "127.0.0.1:x", "[::2]"]
)
@pytest.mark.parametrize("path", ["/", "/schema", "/predict", "/nothing"])
def test_another_host_is_refused_on_every_address(clients, host, path) -> None:
    line = refused(clients["state"].get(path, headers={"host": host}), 400)
    assert "127.0.0.1 or [::1] or localhost" in line
    assert "evil" not in line


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST:8000", "[::1]:65535"])
def test_the_names_of_this_machine_are_answered(clients, host) -> None:
    assert clients["state"].get("/health", headers={"host": host}).status_code == 200


def test_two_hosts_are_refused(clients) -> None:
    hosts = [("host", "localhost"), ("host", "evil.example")]
    refused(clients["state"].get("/health", headers=hosts), 400)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/predict", 405),
        ("PUT", "/predict", 405),
        ("OPTIONS", "/predict", 405),
        ("POST", "/", 405),
        ("DELETE", "/schema", 405),
        ("GET", "/predict/", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/favicon.ico", 404),
        ("POST", "/nothing%00", 404),
    ],
)
def test_other_methods_and_addresses_are_refused(clients, method, path, status) -> None:
    response = clients["state"].request(method, path)
    assert "POST /predict" in refused(response, status)
    assert ("allow" in response.headers) == (status == 405)


def test_a_body_over_the_limit_is_refused_declared_or_not(networks, client_of) -> None:
    client = client_of(networks["state"], body_limit=1000)
    body = b'{"inputs": [[1, 2, 3, 4]]}'
    assert client.predict(body + b" " * (1000 - len(body))).status_code == 200
    assert "at most 1000 bytes" in refused(client.predict(body + b" " * (1001 - len(body))), 413)
    refused(client.predict(body, **{"content-length": "10000000000"}), 413)
    refused(client.predict(body, **{"content-length": "-1"}), 400)
    taken = 0

    async def endless() -> Any:
        nonlocal taken
        while True:
            taken += 100
            yield b" " * 100

    headers = {"content-type": "application/json"}
    refused(client.request("POST", "/predict", content=endless(), headers=headers), 413)
    assert taken <= 5000


def test_a_body_that_never_comes_is_given_up(networks, client_of) -> None:
    async def slow() -> Any:
        yield b"{"
        await asyncio.sleep(5)

    client = client_of(networks["state"], body_seconds=0.05)
    headers = {"content-type": "application/json"}
    # httpx's transport collects the body as it is asked for it, so the wait is the application's
    assert "0.05 seconds" in refused(client.request("POST", "/predict", content=slow(), headers=headers), 408)


class Undefined(nn.Module):
    """Divides by its first number, and has a bug where that is 7."""

    def forward(self, x: Tensor) -> Tensor:
        if bool((x[:, 0] == 7).any()):
            raise RuntimeError("a secret of the inside")
        return x / x[:, :1]


def test_an_answer_that_is_not_finite_is_no_json_and_refused(client_of) -> None:
    client = client_of(from_module(Undefined(), torch.ones(1, 2)))
    assert client.predict({"inputs": [[2, 4]]}).json()["predictions"] == [{"values": [1.0, 2.0]}]
    assert "not finite" in refused(client.predict({"inputs": [[0, 4]]}), 422)


def test_a_bug_of_the_network_is_a_500_that_tells_nothing(client_of, caplog) -> None:
    client = client_of(from_module(Undefined(), torch.ones(1, 2)))
    response = client.predict({"inputs": [[7, 4]]})
    assert response.json() == {"error": "the server failed on this request; its log says why"}
    assert response.status_code == 500
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "a secret of the inside" in caplog.text
    assert client.predict({"inputs": [[2, 4]]}).status_code == 200


@pytest.mark.parametrize("kind", ["image", "table", "text", "tokens", "state", "none", "any_size"])
def test_no_mutation_of_a_good_body_is_a_5xx(clients, kind) -> None:
    client = clients[kind]
    draw = random.Random(kind)
    good = json.dumps(client.get("/schema").json()["example"]).encode()
    spare = [b"NaN", b"null", b"true", b"-1", b"1e999", b"[]", b"{}", b'"', b",", b"\\u0000", b"\xff", b"\x00", b"[[["]
    bodies = []
    for _ in range(100):
        body = bytearray(good)
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(body) + 1)
            if draw.random() < 0.5:
                body[at : at + draw.randint(0, 6)] = draw.choice(spare)
            else:
                body[at : at + 1] = bytes([draw.randrange(256)])
        bodies.append(bytes(body))
    headers = {"content-type": "application/json"}
    found = client.many([("POST", "/predict", {"content": body, "headers": headers}) for body in bodies])
    for body, response in zip(bodies, found, strict=True):
        assert response.status_code in (200, 400, 422), body
        if response.status_code != 200:
            refused(response, response.status_code)
    assert sum(response.status_code != 200 for response in found) > 30
