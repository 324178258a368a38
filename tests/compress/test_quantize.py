import json
from collections import OrderedDict

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from compress.probes import PROBES, build
from netsmith.compress.quantize import has_int8_products, quantize_onnx
from netsmith.core.errors import DataError, UnsupportedError
from netsmith.export.onnx import export_onnx
from netsmith.measure.example import random_like
from netsmith.measure.session import open_session, run_session


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A depthwise-separable net whose depthwise filters differ a hundredfold in scale."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(
            OrderedDict(
                stem=nn.Conv2d(1, 16, 3, padding=1),
                relu=nn.ReLU(),
                depthwise=nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False),
                norm=nn.BatchNorm2d(16),
                act=nn.ReLU6(),
                point=nn.Conv2d(16, 32, 1),
                act2=nn.ReLU(),
                pool=nn.AdaptiveAvgPool2d(1),
                flat=nn.Flatten(),
                head=nn.Linear(32, 10),
            )
        ).eval()
        with torch.no_grad():
            scale = torch.logspace(-1, 1, 16)
            net.depthwise.weight *= scale[:, None, None, None]
            net.norm.running_var.copy_((0.5 * scale) ** 2)
            net.head.weight *= 10
        images = torch.randn(64, 1, 12, 12)
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    with pytest.warns():  # the exporter's own deprecation
        torch.onnx.export(
            net,
            (images[:2],),
            str(path),
            dynamo=False,
            input_names=["x"],
            dynamic_axes={"x": {0: "n"}},
            opset_version=18,
        )
    return path, images.numpy()


@pytest.mark.parametrize("method", ["minmax", "entropy", "percentile"])
def test_int8_agrees_with_fp32(model, tmp_path, method, capfd):
    path, images = model
    batches = np.split(images, [16, 32, 54])  # of different sizes, as the last one usually is
    report = quantize_onnx(path, tmp_path / "q.onnx", batches, method=method)
    assert capfd.readouterr() == ("", "")
    assert report.examples == 64
    assert report.agreement >= 0.9
    assert report.error <= 0.1
    assert report.quantized["Conv"] == 3
    assert report.kept == {}
    assert report.bytes == (tmp_path / "q.onnx").stat().st_size
    assert [p.name for p in tmp_path.iterdir()] == ["q.onnx"]
    assert json.loads(json.dumps(report.to_json()))["method"] == method
    a, b = (run_session(open_session(p), images)[0] for p in (path, tmp_path / "q.onnx"))
    assert (a.argmax(-1) == b.argmax(-1)).mean() == report.agreement
    weights = [i for i in onnx.load(tmp_path / "q.onnx").graph.initializer if i.data_type == onnx.TensorProto.INT8]
    assert sum(int(np.prod(w.dims)) for w in weights if len(w.dims) > 1) == 144 + 144 + 512 + 320


def test_depthwise_filters_need_a_scale_per_channel(model, tmp_path):
    path, images = model
    each = quantize_onnx(path, tmp_path / "each.onnx", [images])
    one = quantize_onnx(path, tmp_path / "one.onnx", [images], per_channel=False)
    assert one.error > 1.05 * each.error


def test_a_large_model_shrinks_to_a_quarter(tmp_path):
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    weight = rng.standard_normal((256, 256)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], name="product")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 256])],
        [numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "g.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    x = rng.standard_normal((32, 256)).astype(np.float32)
    report = quantize_onnx(path, tmp_path / "q.onnx", [{"x": x}])
    assert report.bytes < 0.28 * report.bytes_before
    assert report.error < 0.02
    kept = quantize_onnx(path, tmp_path / "k.onnx", [{"x": x}], keep=["product"])
    assert (kept.quantized, kept.kept) == ({}, {"Gemm": 1})
    assert kept.agreement == 1
    assert kept.error < 1e-6
    with pytest.raises(UnsupportedError, match="did you mean 'product'"):
        quantize_onnx(path, tmp_path / "k.onnx", [{"x": x}], keep=["produkt"])


def test_bad_calls_are_refused(model, tmp_path):
    path, images = model
    with pytest.raises(UnsupportedError, match="got none"):
        quantize_onnx(path, tmp_path / "q.onnx", [])
    with pytest.raises(UnsupportedError, match="minmax, entropy or percentile"):
        quantize_onnx(path, tmp_path / "q.onnx", [images], method="mse")
    with pytest.raises(DataError, match="does not exist"):
        quantize_onnx(tmp_path / "none.onnx", tmp_path / "q.onnx", [images])
    assert not list(tmp_path.iterdir())


def test_the_machines_int8_instructions_are_read_from_its_flags():
    assert has_int8_products("processor: 0\nflags\t\t: fpu avx2 avx512_vnni\n") is True
    assert has_int8_products("flags : fpu avx2\n") is False
    assert has_int8_products("Features : fp asimd asimddp\n") is True
    assert has_int8_products("") is None


def test_a_report_warns_where_int8_may_not_pay(model, tmp_path, monkeypatch):
    path, images = model
    from netsmith.compress import quantize

    monkeypatch.setattr(quantize, "has_int8_products", lambda: False)
    report = quantize_onnx(path, tmp_path / "q.onnx", [images])
    assert "no int8 dot products" in report.warning
    assert report.agreement >= 0.9


def test_the_agreement_is_of_the_axis_that_holds_the_classes(tmp_path):
    torch.manual_seed(0)
    stack = nn.Sequential(nn.Conv1d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv1d(16, 5, 1))  # (B, 5 classes, 40 places)
    signals = torch.randn(32, 1, 40)
    path = tmp_path / "stack.onnx"
    with pytest.warns():
        torch.onnx.export(stack, (signals[:2],), str(path), dynamo=False, dynamic_axes={"input": {0: "n"}},
                          input_names=["input"], opset_version=18)  # fmt: skip
    found = {}
    for axis in (1, -1):
        report = quantize_onnx(path, tmp_path / "q.onnx", [signals.numpy()], class_axis=axis)
        a, b = (run_session(open_session(p), signals.numpy())[0] for p in (path, tmp_path / "q.onnx"))
        found[axis] = report.agreement
        assert (a.argmax(axis) == b.argmax(axis)).mean() == pytest.approx(report.agreement, abs=1e-12)
    assert found[1] != found[-1]


@pytest.mark.parametrize(
    "name", ["gpt", "position_buffer", "hand_unflatten"]
)  # hidden by -inf, by -1e9 added, by -1e30
def test_hidden_places_leave_the_others_scores_apart(tmp_path, name):
    """On a grid that spans a hidden score all others are one, and an attention is a mean: errors of 0.3 and more."""
    probe = PROBES[name]
    export_onnx(build(probe.make), probe.example, tmp_path / "m.onnx", exporter="torchscript")
    given = random_like(probe.example, 64, generator=torch.Generator().manual_seed(0)).numpy()
    report = quantize_onnx(tmp_path / "m.onnx", tmp_path / "q.onnx", [given])
    assert report.error < 0.03
    assert report.agreement >= 0.95
    assert "Softmax" not in report.quantized
    assert report.quantized["MatMul"] >= 6
