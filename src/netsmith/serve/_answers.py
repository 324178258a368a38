"""A network as a function from the bytes of a request to the bytes of an answer; one thread runs it."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from netsmith.api.network import Network
from netsmith.api.raw import Raw
from netsmith.core.errors import MissingExtraError, NetsmithError, UserError, shorten
from netsmith.serve._body import Refused, read_json
from netsmith.serve._requests import Limits, Requests

__all__ = ["Answers"]


class Answers:
    """Answer requests for predictions.

    Args:
        network: The network.
        limits: How much one request may hold.

    Attributes:
        requests: What may be asked.
    """

    def __init__(self, network: Network, limits: Limits) -> None:
        self.network = network
        self.requests = Requests(network, limits)

    def __call__(self, body: bytes) -> bytes:
        """Return the JSON of the predictions for the JSON of a request.

        Raises:
            Refused: The request does not fit the schema.
        """
        value = read_json(body)
        begin = time.perf_counter()
        try:
            raw = self.requests.encode(value)
            predictions = self.network.named(self._predictions(raw), value.get("inputs"))
        except Refused:
            raise
        except MissingExtraError as error:
            raise Refused(501, str(error)) from None
        except UserError as error:  # a value that only the schema's encoding or the decoding can judge
            raise Refused(422, str(error)) from None
        answer: dict[str, Any] = {
            "predictions": predictions,
            "model": self.network.name,
            "milliseconds": round(1000 * (time.perf_counter() - begin), 3),
        }
        try:
            return json.dumps(answer, allow_nan=False).encode() + b"\n"
        except ValueError:
            raise Refused(422, "the network's answer is not finite; check the range of the inputs") from None

    def rehearse(self) -> None:
        """Answer the example once: a network that fails is found at the start, and no client waits for first imports.

        Raises:
            Exception: Whatever the network raises on an input that fits its schema.
        """
        with contextlib.suppress(Refused):
            self(json.dumps(self.requests.example).encode())

    def _predictions(self, raw: Raw) -> list[dict[str, Any]]:
        try:
            return self.network.answers(raw)
        except (UserError, MissingExtraError):
            raise
        except NetsmithError as error:
            if not self.requests.open_ended:  # whatever fits the schema must work: our bug, or the network's
                raise
            first = shorten(str(error.__cause__ or error).strip().partition("\n")[0], 120)
            raise Refused(422, f"the network cannot take inputs of this size or these tokens: {first}") from None
