import time

import numpy as np
import pytest
import torch
from torch import nn

from netsmith.core.errors import DataError, UnsupportedError
from netsmith.measure.latency import latency_ms, onnx_latency, paired_latency, paired_onnx_latency
from netsmith.measure.session import open_session, run_session


@pytest.fixture
def model(tmp_path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weight = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 64])],
        [numpy_helper.from_array(weight, "w")],
    )
    path = tmp_path / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path, weight


def test_a_latency_is_what_a_call_takes():
    found = latency_ms(lambda: time.sleep(0.002), warmup=1, repeats=7)
    assert 2 <= found.p10 <= found.median <= found.p90 < 200
    assert found.n == 7
    assert set(found.to_json()) == {"median", "p10", "p90", "n"}


def test_identical_functions_have_a_ratio_near_one_and_slower_ones_do_not():
    layer, x = nn.Linear(256, 256), torch.zeros(64, 256)
    calls = {"a": lambda: layer(x), "b": lambda: layer(x), "slow": lambda: [layer(x) for _ in range(8)]}
    found = paired_latency(calls, rounds=15, inner=5)
    assert 0.5 <= found.ratio("a", "b") <= 2
    assert found.ratio("slow", "a") > 3
    assert found.ratio("a", "slow") == pytest.approx(1 / found.ratio("slow", "a"))
    assert found.latencies["a"].n == 75
    with pytest.raises(UnsupportedError, match="did you mean 'slow'"):
        found.ratio("slo", "a")


def test_onnx_files_are_timed_and_compared(model):
    path, weight = model
    one = np.ones((1, 64), np.float32)
    assert onnx_latency(path, [one], repeats=20).median > 0
    many = np.ones((4096, 64), np.float32)
    found = paired_onnx_latency({"one": (path, [one]), "many": (path, {"x": many})}, rounds=5, inner=3)
    assert found.ratio("many", "one") > 3
    np.testing.assert_allclose(run_session(open_session(path), one)[0], one @ weight, rtol=1e-4, atol=1e-4)


def test_wrong_files_and_feeds_are_named(model, tmp_path):
    path, _ = model
    session = open_session(path.read_bytes())
    with pytest.raises(UnsupportedError, match="takes 1 inputs"):
        run_session(session, [np.ones(1), np.ones(1)])
    with pytest.raises(UnsupportedError, match=r"takes \['x'\], got \['z'\]"):
        run_session(session, {"z": np.ones(1)})
    with pytest.raises(UnsupportedError, match="does not run on"):
        run_session(session, np.ones((1, 3), np.float32))
    with pytest.raises(DataError, match="does not exist"):
        open_session(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(DataError, match=r"bad\.onnx: ONNX Runtime cannot run it"):
        open_session(tmp_path / "bad.onnx")
    with pytest.raises(UnsupportedError, match="threads"):
        open_session(path, threads=0)
    with pytest.raises(UnsupportedError, match="at least one function"):
        paired_latency({})
