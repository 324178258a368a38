"""How latency depends on the number of channels on this machine: a staircase, whose edges are the widths to prune to.

A runtime computes channels in blocks as wide as the processor's vectors, so 33 channels may take as long as 40. A width
in the middle of a step loses accuracy and wins no time.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netsmith.core.extras import require
from netsmith.core.files import write_json
from netsmith.measure.latency import paired_latency
from netsmith.measure.session import open_session

__all__ = ["Staircase", "measure_staircase"]

_COUNTS = (*range(4, 68, 4), *range(72, 136, 8))


@dataclass(frozen=True)
class Staircase:
    """Latency of one convolution by its channels.

    Attributes:
        counts: Channels in and out, increasing.
        latencies: Medians in milliseconds.
        key: What they were measured on: processor, runtime, threads, size.
    """

    counts: tuple[int, ...]
    latencies: tuple[float, ...]
    key: str

    def steps(self, *, slack: float = 0.03) -> tuple[int, ...]:
        """Return the counts that no larger count is as fast as: the edges of the steps.

        Args:
            slack: Latencies that differ by less than this part are taken as equal.
        """
        found = []
        for place, (count, latency) in enumerate(zip(self.counts, self.latencies, strict=True)):
            if all(later > latency * (1 + slack) for later in self.latencies[place + 1 :]):
                found.append(count)
        return tuple(found)

    def to_json(self) -> dict[str, Any]:
        """Return the measurement as JSON values."""
        return {"format": 1, "key": self.key, "counts": list(self.counts), "latencies": list(self.latencies)}


def measure_staircase(
    machine: str, *, side: int = 14, threads: int = 1, counts: Sequence[int] = _COUNTS, cache: Path | None = None
) -> Staircase:
    """Time 3 x 3 convolutions of growing width under ONNX Runtime, in turns; seconds, once per machine and runtime.

    Args:
        machine: The processor, as it is told apart in the cache.
        side: Height and width of the image.
        threads: Threads of ONNX Runtime.
        counts: Channels to try, increasing.
        cache: A folder where the result is kept and found again; None keeps nothing.
    """
    runtime = require("onnxruntime", extra="export")
    key = f"{machine}, ONNX Runtime {runtime.__version__}, {threads} threads, {side} x {side}, {tuple(counts)}"
    file = cache / f"staircase-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json" if cache is not None else None
    if file is not None and file.is_file():
        try:
            kept = json.loads(file.read_text(encoding="utf-8"))
            if kept["key"] == key and kept["counts"] == list(counts):
                return Staircase(tuple(kept["counts"]), tuple(float(value) for value in kept["latencies"]), key)
        except (ValueError, KeyError, TypeError):
            pass  # a damaged cache is measured again
    calls = {str(count): _convolution(count, side, threads) for count in counts}
    timing = paired_latency(calls, warmup=5, rounds=15, inner=5)
    found = Staircase(tuple(counts), tuple(timing.latencies[str(count)].p10 for count in counts), key)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, found.to_json(), sync=False)
    return found


def _convolution(channels: int, side: int, threads: int) -> Any:
    onnx = require("onnx", extra="export")
    helper, shape = onnx.helper, [1, channels, side, side]
    number = onnx.TensorProto.FLOAT
    weight = np.random.default_rng(0).standard_normal((channels, channels, 3, 3)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            helper.make_node("Conv", ["y", "w"], ["z"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        ],
        "staircase",
        [helper.make_tensor_value_info("x", number, shape)],
        [helper.make_tensor_value_info("z", number, shape)],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = open_session(model.SerializeToString(), threads=threads)
    feed = {"x": np.ones(shape, dtype=np.float32)}
    return lambda: session.run(None, feed)
