import json
from collections import Counter

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from netsmith.compress.quantize_dynamic import quantize_dynamic
from netsmith.core.errors import DataError, UnsupportedError
from netsmith.export.onnx import export_onnx
from netsmith.measure.session import open_session, run_session

WORDS, LENGTH = 300, 18


class Reader(nn.Module):
    """Words, a recurrent layer, the largest state over time, classes."""

    def __init__(self, cell, *, both=True, layers=1):
        super().__init__()
        self.words = nn.Embedding(WORDS, 64)
        self.reader = cell(64, 96, num_layers=layers, batch_first=True, bidirectional=both)
        self.head = nn.Linear(96 * (1 + both), 8)

    def forward(self, words):
        states, _ = self.reader(self.words(words))
        return self.head(states.max(1).values)


def exported(net, example, path):
    export_onnx(net, example, path, exporter="torchscript")
    return path


def seeded(build, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def words(count=256, seed=1):
    return torch.randint(0, WORDS, (count, LENGTH), generator=torch.Generator().manual_seed(seed))


def kinds(path, optimized):
    """The operators that ONNX Runtime itself runs, after its own fusions."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimized)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(str(optimized)).graph.node)


def test_a_bidirectional_lstm_computes_in_int8(tmp_path):
    net = seeded(lambda: Reader(nn.LSTM).eval())
    path = exported(net, words(4), tmp_path / "net.onnx")
    report = quantize_dynamic(path, tmp_path / "q.onnx", np.split(words().numpy(), 4))
    assert report.quantized == {"Gather": 1, "LSTM": 1, "MatMul": 1}
    assert "LSTM" not in report.kept
    assert report.kept["ReduceMax"] == 1
    assert report.bytes < 0.3 * report.bytes_before
    assert (report.method, report.per_channel, report.examples) == ("dynamic", True, 256)
    assert report.agreement >= 0.97
    assert report.error <= 0.02
    found = kinds(tmp_path / "q.onnx", tmp_path / "fused.onnx")
    assert found["DynamicQuantizeLSTM"] == 1
    assert found["LSTM"] == 0
    same = []
    for batch in np.split(words().numpy(), 4):  # a batch has one range
        a, b = (run_session(open_session(p), batch)[0] for p in (path, tmp_path / "q.onnx"))
        same.append(a.argmax(-1) == b.argmax(-1))
    assert np.mean(same) == report.agreement
    assert json.loads(json.dumps(report.to_json()))["quantized"]["LSTM"] == 1


def test_stacked_lstms_are_quantized_each(tmp_path):
    net = seeded(lambda: Reader(nn.LSTM, both=False, layers=2).eval())
    path = exported(net, words(4), tmp_path / "net.onnx")
    report = quantize_dynamic(path, tmp_path / "q.onnx", [words().numpy()])
    assert report.quantized["LSTM"] == 2
    assert report.agreement >= 0.97


def test_a_gru_stays_in_fp32_and_the_report_says_so(tmp_path):
    net = seeded(lambda: Reader(nn.GRU).eval())
    path = exported(net, words(4), tmp_path / "net.onnx")
    report = quantize_dynamic(path, tmp_path / "q.onnx", [words().numpy()])
    assert report.quantized == {"Gather": 1, "MatMul": 1}
    assert report.kept["GRU"] == 1
    recurrent = sum(p.numel() for p in net.reader.parameters())
    assert report.bytes > 4 * recurrent  # its weights are whole
    assert report.agreement >= 0.97
    assert kinds(tmp_path / "q.onnx", tmp_path / "fused.onnx")["GRU"] == 1


def test_a_linear_network_shrinks_to_a_quarter(tmp_path):
    net = seeded(lambda: nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10)).eval())
    x = torch.randn(200, 64, generator=torch.Generator().manual_seed(2))
    path = exported(net, x[:4], tmp_path / "net.onnx")
    report = quantize_dynamic(path, tmp_path / "q.onnx", [x.numpy()])
    assert report.quantized == {"MatMul": 2}
    assert report.kept == {"Add": 2, "Relu": 1}
    assert report.bytes < 0.33 * report.bytes_before
    assert report.agreement >= 0.95
    assert report.error <= 0.03
    first = next(node.name for node in onnx.load(str(path)).graph.node if node.op_type == "Gemm")
    kept = quantize_dynamic(path, tmp_path / "k.onnx", [x.numpy()], keep=[first])
    assert kept.quantized == {"MatMul": 1}
    assert kept.kept == {"Add": 2, "MatMul": 1, "Relu": 1}
    assert kept.error < report.error


def test_weights_have_a_scale_for_each_output(tmp_path):
    """Rows a thousandfold apart: one scale for all would leave nothing of the small ones."""
    net = seeded(lambda: nn.Sequential(nn.Linear(64, 64)).eval())
    with torch.no_grad():
        net[0].weight *= torch.logspace(-3, 0, 64)[:, None]
        net[0].bias.zero_()
    x = torch.randn(200, 64, generator=torch.Generator().manual_seed(2))
    path = exported(net, x[:4], tmp_path / "net.onnx")
    quantize_dynamic(path, tmp_path / "q.onnx", [x.numpy()])
    a, b = (run_session(open_session(p), x.numpy())[0].astype(np.float64) for p in (path, tmp_path / "q.onnx"))
    assert (np.square(a - b).sum(0) / np.square(a).sum(0)).max() ** 0.5 < 0.02


class Tied(nn.Module):
    """A language model whose last layer is its embedding; the quantizer of ONNX Runtime transposes the shared table."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(64, 64)

    def forward(self, words):
        return nn.functional.linear(self.words(words).mean(1), self.words.weight, torch.zeros(64))


def test_tied_weights_are_not_confused(tmp_path):
    net = seeded(lambda: Tied().eval())
    given = torch.randint(0, 64, (128, 6), generator=torch.Generator().manual_seed(3))
    path = exported(net, given[:4], tmp_path / "net.onnx")
    assert "Gemm" in Counter(node.op_type for node in onnx.load(str(path)).graph.node)
    report = quantize_dynamic(path, tmp_path / "q.onnx", [given.numpy()])
    assert report.quantized["Gather"] == 1
    assert report.quantized["MatMul"] == 1
    assert report.error <= 0.03
    assert report.agreement >= 0.97


def test_the_noted_shape_of_a_weight_does_not_matter(tmp_path):
    """torch.export's exporter notes the shapes of weights, which ONNX Runtime's quantizer then transposes."""
    weight = np.random.default_rng(0).standard_normal((16, 64)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w"], ["y"], transB=1)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 16])],
        [numpy_helper.from_array(weight, "w")],
        value_info=[helper.make_tensor_value_info("w", TensorProto.FLOAT, [16, 64])],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "g.onnx")
    x = np.random.default_rng(1).standard_normal((50, 64)).astype(np.float32)
    report = quantize_dynamic(tmp_path / "g.onnx", tmp_path / "q.onnx", [x])
    assert report.quantized == {"MatMul": 1}
    assert report.error < 0.02


def test_bad_calls_are_refused(tmp_path):
    net = seeded(lambda: nn.Sequential(nn.Linear(8, 8)).eval())
    path = exported(net, torch.zeros(2, 8), tmp_path / "net.onnx")
    with pytest.raises(UnsupportedError, match="on examples, got none"):
        quantize_dynamic(path, tmp_path / "q.onnx", [])
    with pytest.raises(UnsupportedError, match="no node 'nothing' after preparation"):
        quantize_dynamic(path, tmp_path / "q.onnx", [np.zeros((2, 8), np.float32)], keep=["nothing"])
    with pytest.raises(DataError, match="does not exist"):
        quantize_dynamic(tmp_path / "none.onnx", tmp_path / "q.onnx", [np.zeros((2, 8), np.float32)])
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]
