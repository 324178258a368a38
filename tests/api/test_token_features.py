"""From a CoNLL file with parts of speech to predictions: what a request must bring, and what is refused by name."""

import asyncio
import json

import httpx
import numpy as np
import pytest
import torch

import netsmith as package
from netsmith.api.encode import read_file
from netsmith.cli import main
from netsmith.core.errors import ConfigError, DataError
from netsmith.core.spec import Inputs, Step, TokenFeature
from netsmith.layers.token_features import encode_with_features, factored, parted
from netsmith.serve._requests import Limits, Requests
from netsmith.serve.app import make_app
from netsmith.verify.checks import run_check

SETS = {
    "data.max_length": 6,
    "data.dev": 0.2,
    "data.batch": 8,
    "method.model.hidden_size": 8,
    "method.model.embedding_size": 6,
    "method.model.embedding_dropout": 0.0,
    "method.model.dropout": 0.0,
    "optimizers.model.lr": 0.03,
    "epochs": 8,
    "device": "cpu",
}
WORDS = [f"w{number}" for number in range(12)]


def lines(count, *, seed, tags=True):
    """Words are drawn; a name is what is a noun, which the second column alone says."""
    draw = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(count):
        for word, noun in zip(
            torch.randint(12, (5,), generator=draw).tolist(),
            torch.rand(5, generator=draw).lt(0.4).tolist(),
            strict=True,
        ):
            row = [WORDS[word], "NN" if noun else "VB", "x"] + (["S-NAME" if noun else "O"] if tags else [])
            found.append("\t".join(row))
        found.append("")
    return "\n".join(found)


def asked(network, method, path, **named):
    async def ask():
        transport = httpx.ASGITransport(app=make_app(network))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.request(method, path, **named)

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    (folder / "mine.conll").write_text(lines(120, seed=0))
    return package.train(
        "tagger:features", data=folder / "mine.conll", sets=SETS, root=folder, name="run", notice=lambda _: None
    )


def test_names_are_told_by_the_column(run):
    assert run.evaluate("test")["test/f1"] == 1.0


def test_a_file_with_the_columns_is_predicted_sentence_by_sentence(run, tmp_path, capsys):
    for tags in (True, False):
        path = tmp_path / f"{tags}.conll"
        path.write_text(lines(3, seed=1, tags=tags))
        names, texts = read_file(path, run.network.spec.inputs)
        assert names == ["row 1", "row 7", "row 13"]
        found = run.predict(texts)
        wanted = [row.split("\t")[1] == "NN" for row in lines(3, seed=1).split("\n") if row]
        assert [label != "O" for one in found for label in one["labels"]] == wanted
        assert found[0]["tokens"] == [row.split("\t")[0] for row in lines(1, seed=1).split("\n") if row]
    capsys.readouterr()
    assert main(["predict", str(run.path), str(path), "--json"]) == 0
    assert [row["labels"] for row in json.loads(capsys.readouterr().out)] == [one["labels"] for one in found]


def test_long_texts_are_cut_with_their_features(run):
    text = factored(["w1", "w2", "w3", "w4", "w5", "w6", "w7"], [("NN",), ("VB",), ("VB",), *[("NN",)] * 4])
    (one,) = run.predict(text)
    assert [label == "O" for label in one["labels"]] == [False, True, True, False, False, False, False]
    assert [span["text"] for span in one["spans"]] == ["w1", "w4", "w5", "w6", "w7"]


@pytest.mark.parametrize("text", ["w1 w2", "w1\uffe8NN w2", "w1\uffe8NN\uffe8x", "\uffe8NN"])
def test_a_text_without_its_features_is_refused_by_name(run, text):
    with pytest.raises(DataError, match=r"text 1, token .* the network was trained with column-2"):
        run.predict([text])
    answer = asked(run.network, "POST", "/predict", json={"inputs": [text]})
    assert answer.status_code == 422
    assert "column-2" in answer.text


def test_a_file_without_the_column_is_refused_with_its_line(run, tmp_path):
    (tmp_path / "few.conll").write_text("\nw1\nw2\n")
    with pytest.raises(DataError, match=r"few.conll, row 2: has 1 column.*expected 2, since the network"):
        read_file(tmp_path / "few.conll", run.network.spec.inputs)


def test_numbers_of_features_are_checked(run):
    rows = torch.tensor([[[2, 1], [3, 0], [4, 2], [0, 0], [0, 0], [0, 0]]])
    assert len(run.predict(rows.tolist())[0]["labels"]) == 3
    rows[0, 0, 1] = 3
    with pytest.raises(DataError, match=r"column-2: expected numbers from 0 .* to 2, got 0..3"):
        run.predict(rows.tolist())
    with pytest.raises(DataError, match="has no token"):
        run.predict([[[0, 1]] * 6])


def test_the_server_shows_a_request_that_fits(run):
    assert "TOKEN\uffe8column-2" in asked(run.network, "GET", "/openapi.json").text
    for text in Requests(run.network, Limits()).example["inputs"]:
        assert run.predict([text])
    text = factored(["w1", "w2"], [("NN",), ("VB",)])
    (one,) = asked(run.network, "POST", "/predict", json={"inputs": [text]}).json()["predictions"]
    assert [label == "O" for label in one["labels"]] == [False, True]


def test_the_exported_file_takes_the_columns(run, tmp_path):
    import onnxruntime

    run.network.export(tmp_path / "run.onnx", exporter="torchscript")
    session = onnxruntime.InferenceSession(str(tmp_path / "run.onnx"))
    raw = run.network.encode(["w1\uffe8NN w2\uffe8VB"])
    (found,) = session.run(None, {session.get_inputs()[0].name: raw.numpy()})
    np.testing.assert_allclose(found, run.network(raw).numpy(), atol=1e-5)


def test_a_network_of_tokens_alone_is_refused(run, tmp_path):
    (tmp_path / "mine.conll").write_text(lines(40, seed=0))
    with pytest.raises(ConfigError, match="the model bilstm_crf takes tokens alone"):
        package.train("tagger", data=tmp_path / "mine.conll", sets={"data.features": [2]}, root=tmp_path, name="no")


def test_what_is_looked_up_and_what_is_given_stand_side_by_side():
    step = Step(name="tokenize", pattern=r"\S+", lowercase=True)
    known = TokenFeature(name="entity", values=("city", "day"), tokens=(("rome", "bonn"), ("today",)))
    given = TokenFeature(name="column 2", values=("NN", "VB"), column=2)
    inputs = Inputs(
        kind="text", shape=(3, 3), dtype="int64", preprocessing=(step,), vocabulary=("<pad>", "<unk>", "rome"),
        max_length=3, features=(known, given),
    )  # fmt: skip
    found = encode_with_features(["Rome\uffe8NN Bonn\uffe8JJ", "a\uffe8VB b\uffe8VB today\uffe8NN c\uffe8NN"], inputs)
    assert found.tolist() == [[[2, 1, 1], [1, 1, 0], [0, 0, 0]], [[1, 0, 2], [1, 0, 2], [1, 2, 1]]]
    assert parted("Rome", [known]) == ("Rome", [])
    cut = inputs.derive(preprocessing=(step.derive(pattern=r"\w"),))
    with pytest.raises(DataError, match="cuts the text into 3"):
        encode_with_features(["ab\uffe8NN c\uffe8VB"], cut)
    with pytest.raises(ConfigError, match="expected a column from 2, or the tokens of each of 1 values"):
        TokenFeature(name="x", values=("a",))


@pytest.mark.parametrize("check", ["exact_resume", "batch_independence", "config_round_trip"])
def test_the_recipe_with_columns_conforms(check, tmp_path):
    assert run_check("tagger:features", check, tmp_path) == "passed"
