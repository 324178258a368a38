"""The application: a page to try a network, its schema, and its predictions.

Annotations are evaluated here (no ``from __future__ import annotations``): FastAPI reads those of the routes, whose
types come from an optional package.
"""

import asyncio
import concurrent.futures
import functools
import re
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any

from netsmith.api.network import Network
from netsmith.core.extras import require
from netsmith.serve._answers import Answers
from netsmith.serve._body import Refused
from netsmith.serve._guard import Guard, error_line
from netsmith.serve._page import page_policy, render_page
from netsmith.serve._requests import Limits

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["LOOPBACK", "make_app"]

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_JSON = re.compile(r'application/json\s*(?:;\s*charset="?utf-8"?\s*)?', re.IGNORECASE)
_DRAIN = 4  # times the limit: a client sees the answer only after its body is taken
_ANSWER = {
    "type": "object",
    "required": ["predictions", "model", "milliseconds"],
    "properties": {
        "predictions": {"type": "array", "items": {"type": "object"}, "description": "One per input, in order."},
        "model": {"type": "string"},
        "milliseconds": {"type": "number", "description": "Encoding, network and decoding."},
    },
}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


def make_app(
    network: Network,
    *,
    allowed_hosts: Sequence[str] = LOOPBACK,
    body_limit: int = 8 * 2**20,
    pixel_limit: int = 25_000_000,
    batch_limit: int = 256,
    length_limit: int = 4096,
    text_limit: int = 20_000,
    body_seconds: float = 30.0,
) -> "FastAPI":
    """Return the application that serves a network.

    ``POST /predict`` takes ``{"inputs": [...]}`` (a generator also ``{"seed": 0, "count": 4}``) and answers
    ``{"predictions": [...], "model": ..., "milliseconds": ...}``, the same predictions as ``network.predict``.
    ``GET /schema`` describes both sides, ``GET /health`` says that it runs, ``GET /`` is a page to try it. Whatever
    does not fit is answered by a status 4xx and ``{"error": "one line"}``. No text in a request is ever taken for a
    path.

    Predictions run one after another in a thread of their own, so that the other routes always answer.

    Args:
        network: What is served.
        allowed_hosts: Names of this server that a Host header may carry, without the port.
        body_limit: Most bytes of a request's body.
        pixel_limit: Most pixels of all pictures of a request together.
        batch_limit: Most examples of a request.
        length_limit: Longest free axis (a series, an image of any size).
        text_limit: Most characters of one text.
        body_seconds: Longest time a body may take to arrive, in seconds.

    Raises:
        UnsupportedError: Inputs of a kind that has no JSON form (set).
        MissingExtraError: The extra ``serve`` is not installed.
    """
    fastapi = require("fastapi", extra="serve")
    responses = require("fastapi.responses", extra="serve")
    limits = Limits(body=body_limit, batch=batch_limit, pixels=pixel_limit, length=length_limit, text=text_limit)
    answers = Answers(network, limits)
    answers.rehearse()
    worker = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="predict")
    described = _described(answers, limits)
    page = render_page(described)
    app = fastapi.FastAPI(
        title=network.name, docs_url=None, redoc_url=None, redirect_slashes=False, openapi_url="/openapi.json"
    )
    app.add_middleware(Guard, allowed_hosts=allowed_hosts)

    def refuse(status: int, problem: str, headers: dict[str, str] | None = None) -> fastapi.Response:
        return fastapi.Response(error_line(problem), status, headers, media_type="application/json")

    async def on_http_error(request: fastapi.Request, error: Exception) -> fastapi.Response:
        status = getattr(error, "status_code", 500)
        known = "expected GET / /health /schema /openapi.json or POST /predict"
        text = {404: f"no such address; {known}", 405: f"{request.method} does not apply here; {known}"}
        return refuse(status, text.get(status, str(getattr(error, "detail", error))), getattr(error, "headers", None))

    app.add_exception_handler(require("starlette.exceptions", extra="serve").HTTPException, on_http_error)

    @app.get("/", include_in_schema=False)
    async def home() -> fastapi.Response:
        return responses.HTMLResponse(page, headers={"Content-Security-Policy": page_policy()})

    @app.get("/health")
    async def health() -> dict[str, str]:
        """Say that the server runs."""
        return {"status": "ok", "model": network.name}

    @app.get("/schema")
    async def schema() -> dict[str, Any]:
        """Describe what goes in and what comes out, with an example and the limits of a request."""
        return described

    @app.post("/predict", openapi_extra=_openapi(answers))
    async def predict(request: fastapi.Request) -> fastapi.Response:
        """Answer one prediction per input."""
        try:
            _check_headers(request.headers)
            body = await _read_body(request.headers, request.stream(), limit=limits.body, seconds=body_seconds)
            found = await asyncio.get_running_loop().run_in_executor(worker, answers, body)
        except Refused as error:
            return refuse(error.status, str(error))
        return fastapi.Response(found, media_type="application/json")

    generate = app.openapi

    @functools.cache
    def openapi() -> dict[str, Any]:
        whole = generate()
        shared = answers.requests.schema(ref_template="#/components/schemas/{model}").get("$defs", {})
        whole.setdefault("components", {}).setdefault("schemas", {}).update(shared)
        return whole

    app.openapi = openapi
    return app


def _described(answers: Answers, limits: Limits) -> dict[str, Any]:
    network = answers.network
    return {
        "model": network.name,
        "dataset": network.spec.dataset,
        "inputs": network.spec.inputs.dump(),
        "outputs": network.spec.outputs.dump(),
        "request": answers.requests.schema(),
        "example": answers.requests.example,
        "limits": {name: value for name, value in limits.dump().items() if name != "kind"},
    }


def _openapi(answers: Answers) -> dict[str, Any]:
    form = answers.requests.schema(ref_template="#/components/schemas/{model}")
    form.pop("$defs", None)
    texts = {
        "200": ("The predictions.", _ANSWER),
        "400": ("Not JSON, or not for this server.", _ERROR),
        "413": ("Too large.", _ERROR),
        "415": ("Not of type application/json.", _ERROR),
        "422": ("The inputs do not fit the schema.", _ERROR),
    }
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": form, "example": answers.requests.example}},
        },
        "responses": {
            status: {"description": text, "content": {"application/json": {"schema": schema}}}
            for status, (text, schema) in texts.items()
        },
    }


def _check_headers(headers: Any) -> None:
    """Refuse what is not plain JSON; other types a page of another site may send without asking first."""
    kind = headers.get("content-type", "")
    if not _JSON.fullmatch(kind.strip()):
        raise Refused(415, f"the content type is {kind[:60]!r}; expected application/json")
    if headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "the body is compressed; expected it as it is")


async def _read_body(headers: Any, stream: AsyncIterator[bytes], *, limit: int, seconds: float) -> bytes:
    """Read a body without ever holding more than ``limit`` bytes of it.

    Raises:
        Refused: It is too large, too slow, or not sent to its end.
    """
    too_large = Refused(413, f"the body is too large; expected at most {limit} bytes")
    declared = headers.get("content-length", "0")
    if not re.fullmatch("[0-9]{1,18}", declared):
        raise Refused(400, f"the content length is {declared[:40]!r}; expected a number of bytes")
    if int(declared) > limit and (int(declared) > _DRAIN * limit or "expect" in headers):
        raise too_large
    chunks: list[bytes] = []
    taken = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in stream:
                taken += len(chunk)
                if taken > _DRAIN * limit:
                    break
                if taken <= limit:
                    chunks.append(chunk)
    except TimeoutError:
        raise Refused(408, f"the body took more than {seconds:g} seconds to arrive") from None
    except require("starlette.requests", extra="serve").ClientDisconnect:
        raise Refused(400, "the connection was closed before the body ended") from None
    if taken > limit:
        raise too_large
    return b"".join(chunks)
