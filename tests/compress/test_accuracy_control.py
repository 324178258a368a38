import json
from collections import Counter
from itertools import pairwise

import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from netsmith.compress.accuracy_control import quantize_best, quantize_within
from netsmith.compress.int8_sensitivity import rank_nodes
from netsmith.core.errors import UnsupportedError
from netsmith.export.onnx import export_onnx
from netsmith.measure.session import open_session, run_session


def network(*bad):
    """Five linear layers. The bad ones hold a weight of 1000 on an input that is always 0.

    In fp32 it changes nothing. In int8 it stretches the scale of every output channel a thousandfold, and all other
    weights of the layer round to 0.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes = [16, 32, 32, 32, 32, 10]
        layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        with torch.no_grad():
            for layer in layers:
                layer.weight *= 2
            for index in bad:
                layers[index - 1].weight[0], layers[index - 1].bias[0] = 0, 0
                layers[index].weight[:, 0] = 1000
        parts = [part for layer in layers for part in (layer, nn.ReLU())]
        return nn.Sequential(*parts[:-1]).eval()


def drawn(count, seed):
    return torch.randn(count, 16, generator=torch.Generator().manual_seed(seed)).numpy()


def kinds(path, optimized):
    """The operators that ONNX Runtime itself runs, after its own fusions."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(optimized)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(str(optimized)).graph.node)


class Agreement:
    """The part of new examples that a file answers as the network does."""

    def __init__(self, net, count=1000):
        self.x, self.calls = drawn(count, 7), 0
        with torch.no_grad():
            self.labels = net(torch.from_numpy(self.x)).argmax(1).numpy()

    def __call__(self, path):
        self.calls += 1
        return float((run_session(open_session(path), self.x)[0].argmax(1) == self.labels).mean())


def exported(net, path):
    export_onnx(net, torch.from_numpy(drawn(4, 1)), path, exporter="torchscript")
    return path, [node.name for node in onnx.load(str(path)).graph.node if node.op_type == "Gemm"]


def test_exactly_the_bad_layer_stays_in_fp32(tmp_path):
    net = network(2)
    judge = Agreement(net)
    path, layers = exported(net, tmp_path / "net.onnx")
    report = quantize_within(path, tmp_path / "q.onnx", [drawn(200, 2)], judge=judge, max_drop=0.05)
    assert report.kept_nodes == (layers[2],)
    assert report.accuracy_before == 1
    assert report.drop <= 0.05
    assert report.accuracy == judge(tmp_path / "q.onnx")
    everything, one = report.tries
    assert (everything.kept, one.kept) == (0, 1)
    assert everything.accuracy < 0.8
    assert report.ranking[0].name == layers[2]
    assert report.ranking[0].error > 10 * report.ranking[1].error
    assert report.quantization.quantized["Gemm"] == 4
    assert report.quantization.kept["Gemm"] == 1
    assert kinds(tmp_path / "q.onnx", tmp_path / "fused.onnx")["QGemm"] == 4  # a session does not quantize it either
    (tmp_path / "fused.onnx").unlink()
    assert one.bytes == report.quantization.bytes == (tmp_path / "q.onnx").stat().st_size
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx", "q.onnx"]
    assert json.loads(json.dumps(report.to_json()))["drop"] == report.drop


def test_of_several_bad_layers_the_fewest_are_kept(tmp_path):
    net = network(1, 2, 4)
    path, layers = exported(net, tmp_path / "net.onnx")
    report = quantize_within(path, tmp_path / "q.onnx", [drawn(200, 2)], judge=Agreement(net), max_drop=0.05)
    assert set(report.kept_nodes) == {layers[1], layers[2], layers[4]}
    judged = {found.kept: found.accuracy for found in report.tries}
    assert judged[3] >= 0.95
    assert judged[2] < 0.95  # one less does not hold
    assert list(judged) == [0, 1, 2, 4, 3]


def test_a_network_that_int8_suits_is_quantized_whole(tmp_path):
    net = network()
    judge = Agreement(net)
    path, _ = exported(net, tmp_path / "net.onnx")
    report = quantize_within(path, tmp_path / "q.onnx", [drawn(200, 2)], judge=judge, max_drop=0.05)
    assert report.kept_nodes == report.ranking == ()
    assert report.quantization.quantized["Gemm"] == 5
    assert judge.calls == 2  # the source and the one file


def test_what_cannot_be_reached_is_said(tmp_path):
    net = network(1, 2, 4)
    path, _ = exported(net, tmp_path / "net.onnx")
    given = {"judge": Agreement(net), "max_drop": 0.05}
    with pytest.raises(UnsupportedError, match=r"with 2 of \d+ nodes in fp32; the nearest is a drop of [\d.]+ points"):
        quantize_within(path, tmp_path / "q.onnx", [drawn(200, 2)], keep_at_most=2, **given)
    with pytest.raises(UnsupportedError, match="with 0 of"):
        quantize_within(path, tmp_path / "q.onnx", [drawn(200, 2)], keep_at_most=0, **given)
    with pytest.raises(UnsupportedError, match=r"max_drop must be at least 0, got -0.1"):
        quantize_within(path, tmp_path / "q.onnx", [drawn(200, 2)], judge=Agreement(net), max_drop=-0.1)
    with pytest.raises(UnsupportedError, match="keep_at_most must be at least 0, got -1"):
        quantize_within(path, tmp_path / "q.onnx", [drawn(200, 2)], keep_at_most=-1, **given)
    with pytest.raises(UnsupportedError, match="minmax, entropy or percentile"):
        quantize_within(path, tmp_path / "q.onnx", [drawn(200, 2)], method="mse", **given)
    with pytest.raises(UnsupportedError, match="got none"):
        quantize_within(path, tmp_path / "q.onnx", [], **given)
    assert [p.name for p in tmp_path.iterdir()] == ["net.onnx"]


def test_ranking_is_by_the_error_of_each_alone(tmp_path):
    net = network(3)
    path, layers = exported(net, tmp_path / "net.onnx")
    ranking = rank_nodes(path, [drawn(200, 2)])
    assert next(found.name for found in ranking if found.kind == "Gemm") == layers[3]
    assert {found.name for found in ranking if found.kind == "Gemm"} == set(layers)
    assert all(a.error >= b.error for a, b in pairwise(ranking))
    assert ranking[0].error > 0.5


def outlying(count, seed):
    """Examples of which one has a huge number, where the network does not look."""
    x = drawn(count, seed)
    x[0, 0] = 500
    return x


def test_the_best_calibration_is_found_and_all_are_told(tmp_path):
    net = network()
    with torch.no_grad():
        net[0].weight[:, 0] = 0
    judge = Agreement(net)
    path, _ = exported(net, tmp_path / "net.onnx")
    batches = [outlying(4000, 2)]
    report = quantize_best(path, tmp_path / "q.onnx", batches, judge=judge)
    tries = {found.method: found for found in report.tries}
    assert set(tries) == {"minmax", "entropy", "percentile"}
    best = max(tries.values(), key=lambda found: (found.accuracy, -found.error))
    assert report.quantization.method == best.method != "minmax"
    assert best.accuracy > tries["minmax"].accuracy + 0.15
    assert judge(tmp_path / "q.onnx") == best.accuracy
    unjudged = quantize_best(path, tmp_path / "u.onnx", batches)
    assert unjudged.quantization.error == min(found.error for found in unjudged.tries)
    assert unjudged.tries[0].accuracy is None
    within = quantize_within(path, tmp_path / "w.onnx", batches, judge=judge, max_drop=0.1, method="best")
    assert within.quantization.method == best.method
    assert len(within.tries) == 3
    assert json.loads(json.dumps(report.to_json()))["tries"][0]["method"] == "minmax"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx", "q.onnx", "u.onnx", "w.onnx"]
