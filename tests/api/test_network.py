"""Any module as a network: predict, export, measure; and what values it takes."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

import netsmith
from netsmith.api.encode import encode
from netsmith.api.network import Network
from netsmith.core.errors import ConfigError, DataError, NetsmithError, UnsupportedError
from netsmith.core.spec import Inputs, Outputs, Spec, Step


def picture_network():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 6 * 6, 2))


def test_a_module_on_images(tmp_path):
    module = picture_network().train()
    network = netsmith.from_module(module, torch.zeros(2, 3, 8, 8), classes=("cat", "dog"), name="mine")
    assert (network.spec.inputs.kind, network.spec.inputs.shape) == ("image", (3, 8, 8))
    assert not module.training
    image = torch.randn(3, 8, 8)
    expected = module(image[None]).softmax(1)[0].tolist()
    for values in ([image.tolist()], image, image.numpy(), image[None], [image.tolist()] * 2):
        found = network.predict(values)[-1]
        assert found["label"] == ("cat", "dog")[int(np.argmax(expected))]
        assert found["probabilities"]["cat"] == pytest.approx(expected[0], abs=1e-6)
    report = network.export(tmp_path / "model.onnx")
    assert report.error < 1e-5
    assert (tmp_path / "model.onnx").is_file()
    measured = network.measure()
    assert measured["parameters"] == sum(p.numel() for p in module.parameters())
    assert measured["macs"] == 4 * 6 * 6 * 27 + 4 * 6 * 6 * 2
    assert measured["latency_ms"] > 0


def test_a_module_on_a_table():
    module = nn.Linear(4, 3)
    network = netsmith.from_module(module, torch.zeros(1, 4))
    assert (network.spec.inputs.kind, network.spec.outputs.kind, network.name) == ("table", "values", "Linear")
    rows = [[0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]]
    found = network.predict(rows)
    expected = module(torch.tensor(rows)).tolist()
    assert [row["values"] for row in found] == [pytest.approx(row, abs=1e-6) for row in expected]
    assert network.measure()["macs"] == 12


def test_a_module_on_tokens():
    module = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 2))
    network = netsmith.from_module(module, torch.zeros(1, 5, dtype=torch.int64), classes=("no", "yes"))
    assert network.spec.inputs.kind == "tokens"
    assert network.predict([[1, 2, 3, 4, 5]])[0]["label"] in ("no", "yes")


class Fails(nn.Module):
    """Fails as someone's module may, from a batch of so many on."""

    def __init__(self, most=0):
        super().__init__()
        self.most = most

    def forward(self, x):
        if len(x) > self.most:
            raise KeyError("weights")
        return x


@pytest.mark.parametrize(
    ("module", "example", "named", "error", "message"),
    [
        (nn.Linear(4, 2), torch.zeros(1, 5), {}, DataError, "does not take an example of shape (1, 5)"),
        (nn.Linear(4, 2).double(), torch.zeros(1, 4).double(), {}, UnsupportedError, "module.float().cpu()"),
        (nn.Linear(4, 2), torch.zeros(1, 4).half(), {}, UnsupportedError, "got torch.float16 on cpu"),
        (nn.LSTM(4, 2), torch.zeros(1, 3, 4), {}, UnsupportedError, "one tensor with the batch first, got tuple"),
        (nn.Flatten(0), torch.zeros(2, 4), {}, UnsupportedError, "with the batch first, got (8,)"),
        (nn.Linear(4, 2), torch.zeros(1, 4), {"classes": "abc"}, ConfigError, "size 2 contradicts 3 names"),
        (nn.Linear(4, 2), torch.zeros(1, 4), {"classes": "aa"}, ConfigError, "names must differ"),
        (nn.Flatten(0), torch.zeros(2, 1), {"classes": ["x"]}, UnsupportedError, "got (2,); leave classes out"),
        (nn.Conv2d(3, 2, 1), torch.zeros(1, 3, 4, 1), {"classes": [*"abcdefgh"]}, UnsupportedError, "got (1, 2, 4, 1)"),
        (nn.Linear(4, 2), torch.tensor(1.0), {}, DataError, "at least one example, got the shape ()"),
        (nn.Linear(4, 2), torch.zeros(0, 4), {}, DataError, "at least one example, got the shape (0, 4)"),
        (nn.Linear(4, 2), (torch.zeros(1, 4),), {}, DataError, "expected one tensor as the example, got tuple"),
        (abs, torch.zeros(1, 4), {}, UnsupportedError, "expected an nn.Module, got <built-in function abs>"),
        (Fails(), torch.zeros(1, 4), {}, DataError, "of shape (1, 4): KeyError: 'weights'"),
        (nn.Linear(4, 2), torch.zeros(1, 4), {"kind": "picture"}, ConfigError, "Inputs.kind"),
    ],
)  # fmt: skip
def test_modules_that_do_not_fit(module, example, named, error, message):
    with pytest.raises(error) as caught:
        netsmith.from_module(module, example, **named)
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@dataclasses.dataclass
class Answer:
    logits: torch.Tensor
    hidden: torch.Tensor


@dataclasses.dataclass
class Scores:
    scores: torch.Tensor


class Telling(nn.Module):
    """Returns its answer in an object, a dict or a tuple, as public libraries do."""

    def __init__(self, form):
        super().__init__()
        self.body, self.head, self.form = nn.Linear(4, 8), nn.Linear(8, 2), form

    def forward(self, values, scale=None):
        hidden = self.body(values).relu()
        return self.form(self.head(hidden if scale is None else hidden * scale), hidden)


@pytest.mark.parametrize(
    "form",
    [
        Answer,
        lambda a, _: Scores(a),
        lambda a, h: {"hidden": h, "logits": a},
        lambda a, _: {"answer": a},
        lambda a, _: (a, None),
    ],
)
def test_the_answer_in_what_a_module_returns_is_found(form, tmp_path):
    module, batch = Telling(form), torch.randn(3, 4)
    network = netsmith.from_module(module, {"values": batch}, classes=("no", "yes"))
    assert network.name == "Telling"
    assert torch.equal(network(batch), module.head(module.body(batch).relu()))
    smaller = network.compress(prune=0.5)
    assert smaller.module.network.body.out_features == 4
    assert smaller.export(tmp_path / "small.onnx").error <= 1e-5
    assert repr(smaller) == "Network(Telling-pruned: table 4 -> 2 classes, 30 parameters)"


def test_several_inputs_are_refused_by_name():
    with pytest.raises(UnsupportedError, match="a module of one input, got values, scale; wrap it"):
        netsmith.from_module(Telling(Answer), {"values": torch.zeros(1, 4), "scale": torch.ones(1, 1)})
    with pytest.raises(DataError, match=r"expected one tensor as the example, .* got \['pixels'\]"):
        netsmith.from_module(Telling(Answer), {"pixels": torch.zeros(1, 4)})
    with pytest.raises(UnsupportedError, match="one tensor with the batch first, got tuple"):
        netsmith.from_module(Telling(lambda a, h: (a, h)), torch.zeros(1, 4))
    with pytest.raises(UnsupportedError, match="got dict of first, second, none of them named logits"):
        netsmith.from_module(Telling(lambda a, h: {"first": a, "second": h}), torch.zeros(1, 4))


def test_a_module_that_fails_later_is_one_line_too():
    network = netsmith.from_module(Fails(1), torch.zeros(1, 4))
    with pytest.raises(NetsmithError) as caught:
        network.predict([[0.0] * 4] * 2)
    assert str(caught.value) == "Fails fails on inputs of shape (2, 4): KeyError: 'weights'"
    assert isinstance(caught.value.__cause__, KeyError)
    for empty in (torch.zeros(0, 4), torch.tensor(1.0)):
        with pytest.raises(DataError, match="nothing to predict: the batch is empty"):
            network(empty)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_a_scripted_module_predicts_and_says_that_it_cannot_be_counted():
    module = torch.jit.trace(nn.Linear(4, 2), torch.zeros(1, 4))
    for given in (module, nn.Sequential(module)):
        network = netsmith.from_module(given, torch.zeros(1, 4))
        assert len(network.predict([[0.0] * 4])[0]["values"]) == 2
        with pytest.raises(UnsupportedError, match=r"holds a scripted module .*cannot be counted"):
            network.measure()


# -- what values a network takes --------------------------------------------------------------------------------------

TABLE = Inputs(kind="table", shape=(3,), columns=("age", "sex"), categories=((), ("f", "m")))
IMAGE = Inputs(kind="image", shape=(1, 2, 2), dtype="uint8", low=0.0, high=16.0)
TOKENS = Inputs(kind="tokens", shape=(-1,), dtype="int64", vocabulary=("<pad>", "<unk>", "a", "b"))
STATE = Inputs(kind="state", shape=(4,))


def test_values_of_every_form():
    assert encode([[[1, 2], [3, 4]]], IMAGE).tolist() == [[[[1, 2], [3, 4]]]]
    assert encode([[[[1, 2], [3, 4]]]] * 2, IMAGE).shape == (2, 1, 2, 2)
    assert encode(np.ones((5, 1, 2, 2)), IMAGE).shape == (5, 1, 2, 2)
    assert encode(torch.ones(1, 2, 2, dtype=torch.uint8), IMAGE).dtype == torch.float32
    assert encode({"age": "3", "sex": "m"}, TABLE).tolist() == [[3.0, 1.0]]
    assert encode([{"age": 3, "sex": "x"}], TABLE).tolist() == [[3.0, -1.0]]
    assert encode([[3, 1], [4, -1]], TABLE).tolist() == [[3.0, 1.0], [4.0, -1.0]]
    assert encode([2, 3, 1], TOKENS).tolist() == [[2, 3, 1]]
    assert encode((0.1, 0.2, 0.3, 0.4), STATE).shape == (1, 4)
    missing = encode([{"age": None, "sex": "f"}], TABLE, missing="mean")
    assert bool(missing[0, 0].isnan())
    assert bool(encode([[float("nan"), 0]], TABLE, missing="mean")[0, 0].isnan())


@pytest.mark.parametrize(
    ("values", "inputs", "message"),
    [
        ([], STATE, "nothing to predict: the list of inputs is empty"),
        (3, STATE, "expected a list of examples or an array with a batch axis, got int"),
        (np.array(3.0), STATE, "with a batch axis"),
        (None, STATE, "got NoneType"),
        ([[1, 2, 3]], STATE, "expected inputs of shape (batch, 4), got (1, 3)"),
        ([[1, 2, 3, "x"]], STATE, "expected state inputs as numbers of one shape, got [1, 2, 3, 'x']"),
        ([[1, 2, 3, 4], [1]], STATE, "numbers of one shape"),
        ([[1, 2, 3, float("nan")]], STATE, "input 1 holds NaN or infinity"),
        ([[1, 2, 3, 1e39]], STATE, "does not fit into 32 bits"),
        ([[1, 2, 3, 10**400]], STATE, "numbers of one shape"),
        ([[1, 2, 3, True]], STATE, None),
        ([[[[1, 2], [3, 17]]]], IMAGE, "expected values in 0..16, got 1..17"),
        ([[2, 4]], TOKENS, "expected values in 0..3"),
        ([[2, 1.5]], TOKENS, "a token is not a whole number"),
        ([{"age": 1}], TABLE, "row 1: has no column 'sex'"),
        ([{"age": 1, "sex": "m", "sxe": 1}], TABLE, "row 1: has a column 'sxe' unknown to training"),
        ([{"age": None, "sex": "m"}], TABLE, "row 1: column 'age' holds None, which is empty"),
        ([{"age": 1, "sex": "m"}, 3], TABLE, "row 2: expected values by column name, got int"),
        ([[None, 1]], TABLE, "input 1 holds NaN or infinity"),
        ([[1, 2]], TABLE, "column 'sex' holds texts; expected a position from 0 to 1, or its text"),
        ([[1, 0.5]], TABLE, "column 'sex' holds texts"),
        (["no such file.png"], IMAGE, "no such file.png: does not exist"),
        ([b"no picture"], IMAGE, "picture 1: is not a picture"),
    ],
)
def test_values_that_do_not_fit(values, inputs, message):
    if message is None:
        assert encode(values, inputs).shape == (1, 4)
        return
    with pytest.raises(DataError) as caught:
        encode(values, inputs)
    assert message in str(caught.value)


def test_many_pictures_are_decoded_a_few_at_a_time(tmp_path, monkeypatch):
    from netsmith.api import network as module
    from own import picture

    for number in range(5):
        picture((200, 40 * number, 40), seed=number).save(tmp_path / f"{number}.png")
    step = Step(name="scale", high=255.0)
    inputs = Inputs(kind="image", shape=(3, 8, 8), dtype="uint8", low=0.0, high=255.0, preprocessing=(step,))
    spec = Spec(dataset="d", inputs=inputs, outputs=Outputs(kind="values", size=2))
    network = Network(picture_network(), spec)
    paths = [str(tmp_path / f"{number}.png") for number in range(5)]
    whole = network.predict(paths)
    monkeypatch.setattr(module, "_PICTURES", 2)
    sizes = []
    call = network.encode
    monkeypatch.setattr(network, "encode", lambda values: sizes.append(len(values)) or call(values))
    parts = network.predict(paths)
    assert sizes == [2, 2, 1]
    for one, other in zip(whole, parts, strict=True):
        assert one["values"] == pytest.approx(other["values"], abs=1e-6)


def test_samples_come_from_a_seed():
    inputs = Inputs(kind="none", shape=(3,), preprocessing=(Step(name="standard_normal"),))
    spec = Spec(dataset="d", inputs=inputs, outputs=Outputs(kind="samples", names=("x", "y"), size=2))
    network = Network(nn.Linear(3, 2), spec)
    assert network.sample(3, seed=1)[:2] == network.sample(2, seed=1)
    assert network.sample(1, seed=1) != network.sample(1, seed=2)
    with pytest.raises(UnsupportedError, match="only a generator draws samples"):
        netsmith.from_module(nn.Linear(4, 2), torch.zeros(1, 4)).sample()


def test_a_module_of_ones_own_is_cut_with_proof_and_served(monkeypatch):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 3))
    network = netsmith.from_module(module, torch.randn(2, 6), classes=("a", "b", "c"))
    smaller = network.compress(prune=0.5)
    assert smaller.measure()["parameters"] == 6 * 16 + 16 + 16 * 3 + 3
    assert network.measure()["parameters"] == 6 * 32 + 32 + 32 * 3 + 3
    assert smaller.predict([[0.0] * 6])[0]["label"] in ("a", "b", "c")
    asked = {}
    monkeypatch.setattr("netsmith.serve.server.serve", lambda served, **settings: asked.update({served.name: settings}))
    smaller.serve(port=0, allowed_hosts=("model.example",))
    assert asked == {smaller.name: {"host": "127.0.0.1", "port": 0, "allowed_hosts": ("model.example",)}}


class OneChannelMore(nn.Module):
    """A module with four input channels: no picture can show them all."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 6, 3, padding=1)
        self.head = nn.Linear(6, 3)

    def forward(self, inputs):
        return self.head(self.conv(inputs).relu().mean((2, 3)))


@pytest.mark.parametrize("method", ["", "occlusion"])
def test_a_module_on_images_is_explained(tmp_path, method):
    network = netsmith.from_module(OneChannelMore(), torch.randn(1, 4, 9, 9), classes=("a", "b", "c"))
    found = network.explain(torch.randn(2, 4, 9, 9) * 3 + 5, tmp_path / "why", method=method)
    assert found.page == tmp_path / "why" / "explain.html"
    assert found.page.is_file()
    rows = found.groups[0].columns
    assert rows == (2 if method else 6)  # the input, then one map per method that makes maps
    assert len(found.groups[0].pictures) == 2 * rows
    assert [group.title for group in found.groups] == ["Single decisions", *([] if method else ["Class prototypes"])]


def test_a_linear_module_on_a_table_is_explained_exactly(tmp_path):
    """Integrated gradients of a linear network from zero are weight times input."""
    module = nn.Linear(3, 2, bias=False)
    module.weight.data = torch.tensor([[1.0, -2.0, 4.0], [0.0, 0.0, 0.0]])
    network = netsmith.from_module(module, torch.zeros(1, 3), classes=("no", "yes"))
    found = network.explain([[1.0, 1.0, 2.0]], tmp_path)
    assert found.notes[-1] == "1: no (100%): column 3 +8.00, column 2 -2.00, column 1 +1.00"
    assert found.page.is_file()


def test_a_module_on_tokens_is_explained_at_its_embedding(tmp_path):
    module = nn.Sequential(nn.Embedding(9, 4), nn.Flatten(), nn.Linear(20, 2))
    network = netsmith.from_module(module, torch.zeros(1, 5, dtype=torch.int64), classes=("no", "yes"))
    found = network.explain([[1, 2, 3, 4, 5]], tmp_path)
    assert float(found.notes[0].partition("adds up within ")[2].split(":")[0]) < 1e-5  # a network linear in it


def test_what_cannot_be_explained_is_said_before_anything_is_written(tmp_path):
    plain = netsmith.from_module(nn.Linear(3, 2), torch.zeros(1, 3))
    with pytest.raises(UnsupportedError, match="explain works on classes for now; Linear answers values"):
        plain.explain([[0.0, 0.0, 0.0]], tmp_path / "why")
    network = netsmith.from_module(nn.Linear(3, 2), torch.zeros(1, 3), classes=("no", "yes"))
    with pytest.raises(ConfigError, match="saliency"):
        network.explain([[0.0, 0.0, 0.0]], tmp_path / "why", method="salience")
    with pytest.raises(UnsupportedError, match="'grad_cam' does not apply to table inputs; these do: integrated_gr"):
        network.explain([[0.0, 0.0, 0.0]], tmp_path / "why", method="grad_cam")
    with pytest.raises(DataError):
        network.explain([[0.0, 0.0]], tmp_path / "why")
    flat = netsmith.from_module(OneChannelMore(), torch.randn(1, 4, 9, 9), classes=("a", "b", "c"))
    flat.module.conv = nn.Conv2d(4, 6, 9)  # one place is left: no map
    with pytest.raises(
        UnsupportedError, match=r"grad_cam: Grad-CAM needs a feature map .*; these fit .*: saliency, .*shap"
    ):
        flat.explain(torch.randn(1, 4, 9, 9), tmp_path / "why", method="grad_cam")
    lookup = netsmith.from_module(OneHot(), torch.zeros(1, 5, dtype=torch.int64), classes=("no", "yes"))
    with pytest.raises(
        UnsupportedError, match=r"there is no embedding layer.*, occlusion, lime, kernel_shap, shapley need"
    ):
        lookup.explain([[1, 0, 1, 0, 1]], tmp_path / "why", method="integrated_gradients")
    assert not (tmp_path / "why").exists()


class OneHot(nn.Module):
    """Tokens without an embedding."""

    def forward(self, tokens):
        return nn.functional.one_hot(tokens % 2, 2).float().mean(1)
