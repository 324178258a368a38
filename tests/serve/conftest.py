"""Small networks of every kind of input, and a client that needs no socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx
import pytest
import torch
from torch import Tensor, nn

from netsmith.api.network import Network
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.serve.app import make_app
from netsmith.tasks.classify import Classify
from netsmith.tasks.control import Control
from netsmith.tasks.generate import Generate


def image_network(shape: tuple[int, ...] = (1, 8, 8), *, high: float = 16.0) -> Network:
    steps = (Step(name="scale", high=high), Step(name="normalize", mean=(0.5,) * shape[0], std=(0.25,) * shape[0]))
    dtype = "uint8" if -1 not in shape else "float32"
    inputs = Inputs(kind="image", shape=shape, dtype=dtype, low=0.0, high=high, preprocessing=steps)
    pool = [nn.AdaptiveAvgPool2d(8)] if -1 in shape else []
    module = nn.Sequential(*pool, nn.Flatten(), nn.Linear(shape[0] * 64, 3))
    outputs = Outputs(kind="classes", names=("zero", "one", "<b>two</b>"), size=3)
    return Network(module, Spec(dataset="digits", inputs=inputs, outputs=outputs), task=classify(), name="<i>digits")


def table_network() -> Network:
    step = Step(name="normalize", mean=(40.0, 0.0, 0.0, 0.0, 2.5), std=(10.0, 1.0, 1.0, 1.0, 0.5))
    inputs = Inputs(
        kind="table",
        shape=(5,),
        columns=("age", "model_config", "__class__ \n'"),
        categories=((), ("", "red", "blue"), ()),
        preprocessing=(step,),
    )
    outputs = Outputs(kind="classes", names=("no", "yes"), size=2)
    return Network(
        nn.Linear(5, 2),
        Spec(dataset="rows", inputs=inputs, outputs=outputs),
        task=classify(),
        name="rows",
        missing="mean",
    )


class MeanOfWords(nn.Module):
    """The mean of the words' vectors, then a linear layer."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, 4)
        self.head = nn.Linear(4, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.words(tokens).mean(1))


def text_network() -> Network:
    words = ("<pad>", "<unk>", "good", "bad", "film")
    inputs = Inputs(
        kind="text",
        shape=(6,),
        dtype="int64",
        preprocessing=(Step(name="tokenize", pattern=r"\w+", lowercase=True),),
        vocabulary=words,
        max_length=6,
    )
    outputs = Outputs(kind="classes", names=("negative", "positive"), size=2)
    spec = Spec(dataset="texts", inputs=inputs, outputs=outputs)
    return Network(MeanOfWords(len(words)), spec, task=classify(), name="texts")


def tokens_network(*, known: bool) -> Network:
    inputs = Inputs(kind="tokens", shape=(-1,), dtype="int64", vocabulary=("<pad>", "a", "b") if known else ())
    spec = Spec(dataset="tokens", inputs=inputs, outputs=Outputs(kind="values", size=2))
    return Network(MeanOfWords(3), spec, name="tokens")


def state_network() -> Network:
    inputs = Inputs(kind="state", shape=(4,), columns=("x", "v", "angle", "turn"))
    spec = Spec(dataset="cartpole", inputs=inputs, outputs=Outputs(kind="policy", names=("left", "right")))
    return Network(nn.Linear(4, 2), spec, task=Control.Config().build(), name="pole")


def noise_network() -> Network:
    inputs = Inputs(kind="none", shape=(3,), preprocessing=(Step(name="standard_normal"),))
    spec = Spec(dataset="ring", inputs=inputs, outputs=Outputs(kind="samples", names=("x", "y")))
    task = Generate.Config(centers=((0.0, 0.0),), sd=1.0).build()
    return Network(nn.Linear(3, 2), spec, task=task, name="ring")


def series_network() -> Network:
    spec = Spec(
        dataset="waves",
        inputs=Inputs(kind="series", shape=(-1, 2)),
        outputs=Outputs(kind="values", size=3),
    )

    class Convolved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv1d(2, 3, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x.transpose(1, 2)).mean(2)  # (B, L, 2) to (B, 3)

    return Network(Convolved(), spec, name="waves")


def classify() -> Any:
    return Classify.Config().build()


NETWORKS: dict[str, Callable[[], Network]] = {
    "image": image_network,
    "color": lambda: image_network((3, 8, 8), high=255.0),
    "any_size": lambda: image_network((3, -1, -1), high=1.0),
    "table": table_network,
    "text": text_network,
    "tokens": lambda: tokens_network(known=True),
    "loose_tokens": lambda: tokens_network(known=False),
    "state": state_network,
    "none": noise_network,
    "series": series_network,
}


@pytest.fixture(scope="session")
def networks() -> dict[str, Network]:
    torch.manual_seed(0)
    return {name: make() for name, make in NETWORKS.items()}


class Client:
    """Ask an application without a socket."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def request(self, method: str, path: str, **named: Any) -> httpx.Response:
        return self.many([(method, path, named)])[0]

    def many(self, asked: Sequence[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        async def ask() -> list[httpx.Response]:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                return [await client.request(method, path, **named) for method, path, named in asked]

        return asyncio.run(ask())

    def get(self, path: str, **named: Any) -> httpx.Response:
        return self.request("GET", path, **named)

    def predict(self, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.request("POST", "/predict", content=content, headers={"content-type": "application/json"} | headers)


@pytest.fixture(scope="session")
def clients(networks: dict[str, Network]) -> dict[str, Client]:
    return {name: Client(make_app(network, batch_limit=5)) for name, network in networks.items()}


@pytest.fixture(scope="session")
def client_of() -> Callable[..., Client]:
    def make(network: Network, **limits: Any) -> Client:
        return Client(make_app(network, **limits))

    return make
