import json
import logging
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from netsmith.core.errors import DataError, ProofError, UnsupportedError
from netsmith.export.onnx import export_onnx
from netsmith.export.session import check_onnx, open_session, open_untrusted, run_session


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(4 * 36, 3)

    def forward(self, x):
        return self.head(self.drop(self.norm(self.conv(x)).relu()).flatten(1))


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = Net()
        net.norm.running_mean.uniform_(-1, 1)
    return net


@pytest.mark.parametrize("exporter", ["auto", "torchscript"])
def test_the_file_gives_the_same_answers_at_any_batch_size(net, tmp_path, exporter, capfd):
    net.train()
    net.drop.eval()
    net.conv.weight.requires_grad_(False)
    x = torch.randn(1, 1, 6, 6, generator=torch.Generator().manual_seed(3))
    level = logging.root.manager.disable
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = export_onnx(net, x, tmp_path / "net.onnx", exporter=exporter)
    assert not caught
    assert capfd.readouterr() == ("", "")
    assert logging.root.manager.disable == level
    assert (net.training, net.norm.training, net.drop.training) == (True, True, False)
    assert not net.conv.weight.requires_grad
    assert net.head.weight.requires_grad

    assert report.exporter == ("dynamo" if exporter == "auto" else exporter)
    assert report.fallback == ""
    assert {p.batch for p in report.parity} == {1, 2}
    assert 0 <= report.error < 1e-5
    assert report.bytes == (tmp_path / "net.onnx").stat().st_size
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
    assert json.loads(json.dumps(report.to_json()))["opset"] == 18

    many = torch.randn(7, 1, 6, 6, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        expected = net.eval()(many).numpy()
    got = run_session(open_untrusted(tmp_path / "net.onnx"), many.numpy())[0]
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)
    content = (tmp_path / "net.onnx").read_bytes()
    assert b"test_onnx.py" not in content
    assert b"site-packages" not in content


class Two(nn.Module):
    def forward(self, a, b):
        return a @ b.transpose(1, 2), {"sum": a + 1}


def test_several_inputs_and_outputs_have_names(tmp_path):
    example = (torch.randn(2, 3, 4), torch.randn(2, 5, 4))
    report = export_onnx(Two(), example, tmp_path / "two.onnx", exporter="torchscript")
    assert (report.inputs, report.outputs) == (("inputs_0", "inputs_1"), ("outputs_0", "outputs_1"))
    report = export_onnx(Two(), example, tmp_path / "two.onnx", names=("a", "b"), exporter="torchscript")
    assert report.inputs == ("a", "b")
    with pytest.raises(UnsupportedError, match="2 different input names"):
        export_onnx(Two(), example, tmp_path / "two.onnx", names=("a", "a"))


class Keyed(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 4)

    def forward(self, inputs):
        mask = inputs["mask"].to(torch.float32)[..., None]
        return (self.embedding(inputs["tokens"]) * mask).sum(1)


def test_a_dict_of_inputs_is_named_by_its_keys(tmp_path):
    example = {"tokens": torch.randint(0, 11, (2, 5)), "mask": torch.ones(2, 5, dtype=torch.bool)}
    report = export_onnx(Keyed(), example, tmp_path / "keyed.onnx", exporter="dynamo")
    assert set(report.inputs) == {"tokens", "mask"}


class Frozen(nn.Module):
    """Takes the batch size for a constant."""

    def forward(self, x):
        return x + torch.arange(int(x.shape[0].item() if isinstance(x.shape[0], torch.Tensor) else x.shape[0]))[:, None]


def test_a_frozen_batch_axis_is_never_let_through(tmp_path):
    with pytest.raises(ProofError, match=r"not right .*batch"):
        export_onnx(Frozen(), torch.randn(2, 3), tmp_path / "f.onnx", exporter="torchscript")
    assert not list(tmp_path.iterdir())
    report = export_onnx(Frozen(), torch.randn(2, 3), tmp_path / "f.onnx", exporter="torchscript", dynamic_batch=False)
    assert not report.dynamic_batch
    with pytest.raises(UnsupportedError, match="does not run on"):
        run_session(open_session(tmp_path / "f.onnx"), np.zeros((3, 3), np.float32))


class Branch(nn.Module):
    """The TorchScript tracer follows one branch; torch.export refuses."""

    def forward(self, x):
        return x * 2 if float(x.sum()) > 0 else x - 1


def test_a_branch_on_values_is_found_by_the_proof(tmp_path):
    with pytest.raises(ProofError, match=r"dynamo: .*torchscript: at batch"):
        export_onnx(Branch(), torch.full((2, 3), 1.0), tmp_path / "b.onnx")


class Dated(nn.Module):
    """torch.export cannot follow it, the TorchScript tracer can."""

    def forward(self, x):
        return x * 2 if float(x.abs().sum()) >= 0 else x - 1


def test_torchscript_steps_in_and_the_report_says_why(tmp_path):
    report = export_onnx(Dated(), torch.ones(2, 3), tmp_path / "d.onnx")
    assert report.exporter == "torchscript"
    assert report.fallback.startswith("dynamo: ")


class Opaque(nn.Module):
    def forward(self, x):
        return torch.linalg.svd(x)[0]


class Meeting(nn.Module):
    """What lies at one place is added up."""

    def __init__(self, axis=0):
        super().__init__()
        self.axis = axis

    def forward(self, values, places):
        return torch.zeros_like(values).index_add(self.axis, places, values)


def test_sums_at_one_place_are_sums_in_the_older_exporters_file_too(tmp_path):
    values, places = torch.randn(5, 3), torch.tensor([1, 1, 4, 1, 0])
    report = export_onnx(Meeting(), (values, places), tmp_path / "m.onnx", exporter="torchscript", dynamic_batch=False)
    assert report.error <= 1e-6
    (got,) = run_session(open_session(tmp_path / "m.onnx"), [values.numpy(), places.numpy()])
    expected = np.zeros((5, 3), np.float32)
    np.add.at(expected, places.numpy(), values.numpy())
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
    with pytest.raises(UnsupportedError, match="index_add of axis 1, alpha 1: this exporter has it of axis 0"):
        export_onnx(
            Meeting(1), (torch.randn(5, 5), places), tmp_path / "n.onnx", exporter="torchscript", dynamic_batch=False
        )


def test_what_no_exporter_takes_is_refused(tmp_path):
    with pytest.raises(UnsupportedError, match="Opaque cannot be exported"):
        export_onnx(Opaque(), torch.randn(2, 3, 3), tmp_path / "o.onnx", exporter="torchscript")
    with pytest.raises(UnsupportedError, match="auto, fast, dynamo or torchscript"):
        export_onnx(Opaque(), torch.randn(2, 3, 3), tmp_path / "o.onnx", exporter="onnx")


def test_large_weights_go_to_a_second_file_and_strangers_files_may_not_have_one(net, tmp_path):
    report = export_onnx(net, torch.randn(2, 1, 6, 6), tmp_path / "n.onnx", exporter="dynamo", largest_file=100)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["n.onnx", "n.onnx.data"]
    assert report.bytes == sum(p.stat().st_size for p in tmp_path.iterdir())
    with pytest.raises(DataError, match=r"n\.onnx: keeps the weights of .* in another file"):
        check_onnx(tmp_path / "n.onnx")


def test_hostile_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / "x.onnx"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(DataError, match="not an ONNX file"):
        check_onnx(path)
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Shell", ["x"], ["y"], domain="evil")
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [out])), path)
    with pytest.raises(DataError, match=r"evil\.Shell"):
        check_onnx(path)
    node = onnx.helper.make_node("Relu", ["z"], ["y"])
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([node], "g", [value], [out])), path)
    with pytest.raises(DataError, match="not a valid ONNX model") as caught:
        check_onnx(path)
    assert len(str(caught.value)) <= 240
    with pytest.raises(DataError, match="more than 10 bytes"):
        check_onnx(path, limit=10)
    with pytest.raises(DataError, match="cannot be read"):
        check_onnx(tmp_path / "none.onnx")


class Summed(nn.Module):
    """Takes texts of any length; one that is to freeze it divides by the length it was traced with."""

    def __init__(self, frozen):
        super().__init__()
        self.frozen = frozen

    def forward(self, x):
        length = int(x.shape[1]) if self.frozen else x.shape[1]
        return x.sum(1) / length


@pytest.mark.parametrize("exporter", ["auto", "fast"])
def test_a_free_axis_is_free_in_the_file_and_a_frozen_one_is_never_let_through(tmp_path, exporter):
    example = torch.randn(2, 5, 3)
    report = export_onnx(Summed(frozen=False), example, tmp_path / "s.onnx", exporter=exporter, free={"inputs": (1,)})
    assert report.free == {"inputs": (1,)}
    session = open_session(tmp_path / "s.onnx")
    for shape in ((1, 9, 3), (4, 2, 3)):
        x = torch.randn(shape)
        assert np.abs(run_session(session, x.numpy())[0] - x.mean(1).numpy()).max() < 1e-6
    with pytest.raises(ProofError, match="not right"):
        export_onnx(Summed(frozen=True), example, tmp_path / "f.onnx", exporter="torchscript", free={"inputs": (1,)})
    assert not (tmp_path / "f.onnx").exists()
    fixed = nn.Sequential(nn.Flatten(), nn.Linear(15, 2))
    with pytest.raises(UnsupportedError, match="does not take another length along its free axes: mat1 and mat2"):
        export_onnx(fixed, example, tmp_path / "s.onnx", free={"inputs": (1,)})
    for wrong in ({"outputs": (1,)}, {"inputs": (0,)}, {"inputs": (3,)}):
        with pytest.raises(UnsupportedError, match="no input or no axis behind the batch"):
            export_onnx(Summed(frozen=False), example, tmp_path / "s.onnx", free=wrong)
