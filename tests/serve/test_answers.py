"""What is served equals what predict says, for every kind of input."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import re
import threading
from html.parser import HTMLParser
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from netsmith.api.encode import encode
from netsmith.api.from_module import from_module
from netsmith.api.network import Network
from netsmith.core.errors import DataError
from netsmith.core.spec import Inputs, Outputs, Spec, Step
from netsmith.layers.writing import Writing
from netsmith.models.graph.gcn import GCN
from netsmith.models.sequence.pointer_network import PointerNetwork
from netsmith.models.translation.pointer_generator import PointerGenerator
from netsmith.serve._examples import example_body
from netsmith.tasks.point import Point
from netsmith.tasks.tag import Tag
from netsmith.tasks.write import Write

KINDS = ("image", "color", "any_size", "table", "text", "tokens", "loose_tokens", "state", "none", "series")


def picture(height: int, width: int, *, channels: int = 1, kind: str = "PNG", turned: int = 0) -> bytes:
    shape = (height, width) if channels == 1 else (height, width, channels)
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    exif = Image.Exif()
    if turned:
        exif[0x0112] = turned
    stream = io.BytesIO()
    image.save(stream, kind, exif=exif)
    return stream.getvalue()


def numbers(*shape: int, high: float = 16.0) -> list[Any]:
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(1)) * high).tolist()


VALUES: dict[str, list[Any]] = {
    "image": numbers(3, 1, 8, 8),
    "color": numbers(2, 3, 8, 8, high=255),
    "any_size": numbers(2, 3, 9, 14, high=1.0),
    "table": [
        {"age": 31, "model_config": "blue", "__class__ \n'": -1.5},
        {"age": None, "model_config": "green", "__class__ \n'": 3},
        {"age": 1e3, "model_config": None, "__class__ \n'": 0},
    ],
    "text": ["A good film", "bad, bad, BAD", "unheard of"],
    "tokens": [[1, 2, 2], [0, 1, 2]],
    "loose_tokens": [[2, 2], [0, 1]],
    "state": [[0.1, -2, 0.3, 1e-3]],
    "series": numbers(2, 7, 2),
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "none"])
def test_the_answers_are_those_of_predict(networks, clients, kind) -> None:
    response = clients[kind].predict({"inputs": VALUES[kind]})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["predictions"] == networks[kind].predict(VALUES[kind])
    assert len(answer["predictions"]) == len(VALUES[kind])
    assert answer["model"] == networks[kind].name
    assert 0 < answer["milliseconds"] < 10_000
    assert list(answer) == ["predictions", "model", "milliseconds"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_the_schema_is_answered(networks, clients, kind) -> None:
    described = clients[kind].get("/schema").json()
    assert Inputs.load(described["inputs"]) == networks[kind].spec.inputs
    assert Outputs.load(described["outputs"]) == networks[kind].spec.outputs
    response = clients[kind].predict(described["example"])
    assert response.status_code == 200, response.text


def test_a_class_comes_with_its_probabilities(clients) -> None:
    found = clients["image"].predict({"inputs": VALUES["image"]}).json()["predictions"][0]
    chances = found["probabilities"]
    assert set(chances) == {"zero", "one", "<b>two</b>"}
    assert sum(chances.values()) == pytest.approx(1, abs=1e-12)
    assert found["label"] == max(chances, key=chances.get)


def test_noise_by_seed_and_noise_by_hand_are_the_same(networks, clients) -> None:
    network = networks["none"]
    drawn = clients["none"].predict({"seed": 7, "count": 3}).json()["predictions"]
    assert drawn == network.decode(network(network.noise(3, seed=7)))
    by_hand = clients["none"].predict({"inputs": network.noise(3, seed=7).tolist()}).json()["predictions"]
    assert drawn == by_hand
    assert drawn != clients["none"].predict({"seed": 8, "count": 3}).json()["predictions"]
    alone = clients["none"].predict({"seed": 7}).json()["predictions"]  # another batch size: the last bits may differ
    assert alone == [pytest.approx(drawn[0], abs=1e-6)]


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("image", picture(8, 8)),
        ("image", picture(30, 20, channels=3)),
        ("color", picture(9, 5, channels=4)),
        ("color", picture(40, 40, channels=3, kind="JPEG")),
        ("any_size", picture(12, 10, channels=3, kind="JPEG", turned=6)),
    ],
)
def test_a_picture_in_base64_is_answered_as_its_file(networks, clients, tmp_path, kind, data) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(data)
    response = clients[kind].predict({"inputs": [base64.b64encode(data).decode()]})
    assert response.status_code == 200, response.text
    assert response.json()["predictions"] == networks[kind].predict([str(file)])
    if kind == "any_size":  # EXIF 6: the picture stands on its side
        assert networks[kind].encode([str(file)]).shape == (1, 3, 10, 12)


def test_a_gray_picture_is_its_pixels_in_the_range_of_the_schema(networks, clients) -> None:
    data = picture(8, 8)
    pixels = np.asarray(Image.open(io.BytesIO(data)), dtype=np.float64)
    plane = np.round(pixels / 255 * 16).tolist()  # the schema's raw values are whole numbers in 0..16
    by_numbers = clients["image"].predict({"inputs": [plane, [plane]]}).json()["predictions"]
    by_bytes = clients["image"].predict({"inputs": [base64.b64encode(data).decode(), plane]}).json()["predictions"]
    assert by_numbers == by_bytes == networks["image"].predict([plane, plane])


@pytest.mark.parametrize(
    ("inputs", "values", "text"),
    [
        (Inputs(kind="tokens", shape=(2,), vocabulary=("", "a", "b")), [[1, 1.5]], "not a whole number"),
        (
            Inputs(kind="tokens", shape=(2,), vocabulary=("", "a", "b")),
            [[1, 3]],
            r"expected values in 0\.\.2, got 1\.\.3",
        ),
        (Inputs(kind="tokens", shape=(2,)), [[-1, 3]], r"expected values in 0\.\.inf, got -1\.\.3"),
        (Inputs(kind="image", shape=(1, 1, 2), high=1.0), [[[0, 3]]], r"expected values in -inf\.\.1, got 0\.\.3"),
    ],
)
def test_encoding_refuses_what_a_network_would_read_wrongly(inputs, values, text) -> None:
    with pytest.raises(DataError, match=text):
        encode(values, inputs)


def test_a_picture_takes_the_range_of_the_schema(tmp_path) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(np.array([[0, 51, 255]], dtype=np.uint8)).save(file)
    inputs = Inputs(kind="image", shape=(1, 1, 3), low=-1.0, high=1.0)
    assert encode([str(file)], inputs).flatten().tolist() == pytest.approx([-1.0, -0.6, 1.0])


def test_a_module_of_ones_own_is_served(client_of) -> None:
    network = from_module(nn.Linear(4, 2), torch.zeros(1, 4), classes=("no", "yes"))
    response = client_of(network).predict({"inputs": [[0, 1, 2, 3.5]]})
    assert response.json()["predictions"] == network.predict([[0, 1, 2, 3.5]])


def test_a_set_is_served(client_of) -> None:
    inputs = Inputs(kind="set", shape=(-1, 1), low=0.0, high=1.0)
    spec = Spec(dataset="s", inputs=inputs, outputs=Outputs(kind="tokens"))
    model = PointerNetwork.Config(hidden_size=8, in_features=1, repeats=False).build()
    network = Network(Writing(model, beams=1, longest=9), spec, task=Point.Config().build())
    client = client_of(network)
    given = [[0.5], [0.25], [0.75]]
    response = client.predict({"inputs": [given]})
    assert response.status_code == 200
    assert response.json()["predictions"] == network.predict([given]) == network.predict(given)
    assert network.predict([given, given[:2]]) == network.predict([given]) + network.predict([given[:2]])
    assert client.predict({"inputs": [[[0.5, 1]]]}).status_code == 422


def test_of_padding_a_tagger_says_nothing(client_of) -> None:
    inputs = Inputs(
        kind="text", shape=(6,), dtype="int64", preprocessing=(Step(name="tokenize", pattern=r"\S+"),),
        vocabulary=("<pad>", "<unk>", "to", "Rome"), max_length=6,
    )  # fmt: skip
    spec = Spec(dataset="t", inputs=inputs, outputs=Outputs(kind="tags", names=("O", "B"), size=2))
    network = Network(nn.Embedding(4, 2), spec, task=Tag.Config().build())
    found = client_of(network).predict({"inputs": ["to Rome", "Rome Rome by Rome"]}).json()["predictions"]
    assert [len(one["labels"]) for one in found] == [len(one["probabilities"]) for one in found] == [2, 4]
    assert found[0]["labels"] == network.predict("to Rome")[0]["labels"]


def test_what_is_served_names_the_words_it_copies(client_of) -> None:
    step = Step(name="tokenize", pattern=r"\S+", copies=True)
    words = ("<pad>", "<unk>", "<eos>", "to")
    inputs = Inputs(kind="text", shape=(-1,), dtype="int64", preprocessing=(step,), vocabulary=words, max_length=9)
    outputs = Outputs(kind="tokens", names=words, size=4, steps=(step,))
    model = PointerGenerator.Config(embedding_size=4, hidden_size=4, vocab_size=4).build()
    torch.nn.init.constant_(model.generates.bias, -1e4)  # it copies, and nothing else
    network = Network(
        Writing(model, beams=1, longest=2),
        Spec(dataset="c", inputs=inputs, outputs=outputs),
        task=Write.Config(figures=()).build(),
    )
    response = client_of(network).predict({"inputs": ["omsk", "tomsk"]})
    assert [one["text"] for one in response.json()["predictions"]] == ["omsk omsk", "tomsk tomsk"]


def test_a_graph_is_served_by_itself(client_of) -> None:
    inputs = Inputs(kind="graph", shape=(-1, 3), preprocessing=(Step(name="unit_sum"),))
    spec = Spec(dataset="g", inputs=inputs, outputs=Outputs(kind="tags", names=("a", "b"), size=2))
    network = Network(GCN.Config(in_features=3, num_classes=2).build(), spec, task=Tag.Config().build())
    client = client_of(network)
    graph = {"nodes": [[1, 2, 3.5], [0, 1, 0], [0, 0, 0]], "edges": [[0, 1], [1, 0]]}
    response = client.predict({"inputs": [graph]})
    assert response.status_code == 200
    assert response.json()["predictions"] == network.predict([graph])
    assert len(response.json()["predictions"][0]["labels"]) == 3
    for wrong, problem in (
        ({"inputs": [graph, graph]}, "at most 1"),
        ({"inputs": [{"nodes": graph["nodes"]}]}, "edges"),
        ({"inputs": [{**graph, "nodes": [[1, 2]]}]}, "nodes"),
        ({"inputs": [{**graph, "edges": [[0, 3]]}]}, "an edge names a node that is not there; expected 0 to 2"),
        ({"inputs": [{**graph, "edges": [[0, 1, 2]]}]}, "edges"),
        ({"inputs": [{**graph, "edges": [[0, -1]]}]}, "edges"),
        ({"inputs": [{**graph, "edges": [[0, 10**9]]}]}, "edges"),
    ):
        response = client.predict(wrong)
        assert response.status_code == 422
        assert problem in response.json()["error"], response.json()


class Waiting(nn.Module):
    """Answers only when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go = threading.Event(), threading.Event()
        self.go.set()

    def forward(self, x: Tensor) -> Tensor:
        self.begun.set()
        assert self.go.wait(10)
        return x


def test_other_routes_answer_while_a_prediction_runs(client_of) -> None:
    module = Waiting()
    client = client_of(from_module(module, torch.zeros(1, 2)))
    module.begun.clear()
    module.go.clear()

    async def ask() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(app=client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as session:
            slow = asyncio.create_task(session.post("/predict", json={"inputs": [[1, 2]]}))
            while not module.begun.is_set():
                await asyncio.sleep(0.001)
            health = await session.get("/health")  # would wait for ever if the network held the event loop
            assert not slow.done()
            module.go.set()
            return health, await slow

    health, answer = asyncio.run(ask())
    assert health.json() == {"status": "ok", "model": "Waiting"}
    assert answer.json()["predictions"] == [{"values": [1.0, 2.0]}]


def test_requests_at_once_each_get_their_own_answer(networks, clients) -> None:
    rows = [[[float(number), 0.5, -1.0, 2.0]] for number in range(20)]

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=clients["state"].app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as session:
            return await asyncio.gather(*(session.post("/predict", json={"inputs": row}) for row in rows))

    found = [response.json()["predictions"] for response in asyncio.run(ask())]
    assert found == [networks["state"].predict(row) for row in rows]


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._open, []).append(data)


@pytest.mark.parametrize("kind", ["image", "table"])
def test_the_page_escapes_everything_and_runs_its_own_script_only(networks, clients, kind) -> None:
    response = clients[kind].get("/")
    page = _Tags()
    page.feed(response.text)
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        (text,) = page.texts[tag]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert policy[directive] == f"'sha256-{digest}'"
    names = [tag for tag, _ in page.tags]
    assert names.count("script") == names.count("style") == 1
    assert not {"i", "b"} & set(names)  # the model is named <i>digits, a class <b>two</b>
    attributes = [(name, value) for _, given in page.tags for name, value in given.items()]
    assert not [name for name, _ in attributes if name.startswith("on") or name == "style"]
    assert {value for name, value in attributes if name in ("src", "href")} == {"data:,", "schema"}
    assert page.texts["h1"] == [networks[kind].name]
    assert json.loads(page.texts["textarea"][0]) == clients[kind].get("/schema").json()["example"]
    assert ("type", "file") in attributes if kind == "image" else ("type", "file") not in attributes


def test_every_answer_carries_its_policy_and_no_other_site_may_read_it(clients) -> None:
    client = clients["state"]
    asked = [("GET", "/"), ("GET", "/health"), ("GET", "/schema"), ("GET", "/openapi.json"), ("GET", "/nothing")]
    foreign = {"headers": {"origin": "https://evil.example"}}
    for response in [*client.many([(method, path, foreign) for method, path in asked]), client.predict(b"{")]:
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in response.headers["content-security-policy"]
        assert response.headers["cache-control"] == "no-store"
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_documentation_pages_that_load_from_elsewhere_are_off(clients) -> None:
    assert [clients["state"].get(path).status_code for path in ("/docs", "/redoc")] == [404, 404]


@pytest.mark.parametrize("kind", KINDS)
def test_openapi_holds_the_form_of_a_request_and_resolves(clients, kind) -> None:
    whole = clients[kind].get("/openapi.json").json()
    content = whole["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert content["example"] == clients[kind].get("/schema").json()["example"]
    for pointer in re.findall(r'"\$ref": "#/([^"]*)"', json.dumps(whole)):
        place: Any = whole
        for part in pointer.split("/"):
            place = place[part]
        assert place["additionalProperties"] is False
    if kind == "table":
        assert list(whole["components"]["schemas"]["Row"]["properties"]) == ["age", "model_config", "__class__ \n'"]


def test_an_example_is_whole_words_not_marks_or_pieces():
    words = Step(name="tokenize", pattern=r"\w+")
    pieces = Step(name="tokenize", pattern=r"▁?\w+", merges=("o w",))

    def example(step, *vocabulary):
        inputs = Inputs(
            kind="text", shape=(-1,), dtype="int64", preprocessing=(step,), vocabulary=vocabulary, max_length=9
        )
        return example_body(inputs, texts=True, files=False)["inputs"]

    assert example(words, "<pad>", "<unk>", "<eos>", "the", ".", "N", "flight") == ["the N flight"]
    assert example(pieces, "<pad>", "<unk>", "<eos>", "▁a", "ow", "▁", ".", "▁dog") == ["a dog"]
    assert example(words, "<pad>", "<unk>", "0", "!") == ["an example"]
    assert example(words.derive(letters=3), "<pad>", "<unk>", "the", "ing") == ["an example"]
    assert example(words.derive(digits="DIGIT"), "<pad>", "<unk>", "to", "DIGITDIGIT") == ["to"]
