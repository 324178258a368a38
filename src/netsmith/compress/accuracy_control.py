"""int8 within an allowed loss of accuracy: the layers that int8 hurts most stay in fp32."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from netsmith.compress._int8_report import Calibrated, QuantizationReport
from netsmith.compress._onnx_files import replacing
from netsmith.compress._static_int8 import Method
from netsmith.compress.int8_sensitivity import Sensitive, rank_nodes
from netsmith.compress.quantize import quantize_onnx
from netsmith.core.errors import UnsupportedError

__all__ = ["Best", "Controlled", "Try", "quantize_best", "quantize_within"]

Judge = Callable[[Path], float]

_SLACK = 1e-9  # 0.90 - 0.89 is a little more than 0.01 in floating point


@dataclass(frozen=True)
class Try:
    """One int8 file that was made and looked at.

    Attributes:
        method: How its activations were calibrated.
        kept: How many nodes stayed in fp32 by choice.
        accuracy: What the judge said; None without one.
        error: ``rms(int8 - fp32) / rms(fp32)`` on the calibration examples.
        bytes: Its size.
    """

    method: str
    kept: int
    accuracy: float | None
    error: float
    bytes: int


@dataclass(frozen=True)
class Best:
    """Which calibration was best.

    Attributes:
        quantization: The report of the file that was kept; its ``method`` is the one chosen.
        tries: All that were tried.
    """

    quantization: QuantizationReport
    tries: tuple[Try, ...]

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Controlled:
    """An int8 model that keeps to an allowed drop, and how it was found.

    Attributes:
        quantization: The report of the file.
        accuracy_before: What the judge said of the fp32 model.
        accuracy: What it said of the file.
        max_drop: What was allowed.
        kept_nodes: Nodes that stayed in fp32 for it, the most sensitive first.
        ranking: All nodes, the most sensitive first; empty where everything could be quantized.
        tries: The files that were judged, in order.
    """

    quantization: QuantizationReport
    accuracy_before: float
    accuracy: float
    max_drop: float
    kept_nodes: tuple[str, ...]
    ranking: tuple[Sensitive, ...]
    tries: tuple[Try, ...]

    @property
    def drop(self) -> float:
        """Return how far the accuracy fell."""
        return self.accuracy_before - self.accuracy

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self) | {"drop": self.drop}


def quantize_best(
    source_path: str | Path,
    target_path: str | Path,
    calibration: Iterable[Calibrated],
    *,
    judge: Judge | None = None,
    per_channel: bool = True,
    keep: Sequence[str] = (),
    class_axis: int = -1,
) -> Best:
    """Quantize with min-max, entropy and percentile calibration and keep the best file.

    None of the three is best everywhere: clipping outliers helps where they are rare and carry nothing, and ruins a
    network whose outliers are its answer.

    Args:
        source_path: The fp32 model.
        target_path: The file to write.
        calibration: As in :func:`~netsmith.compress.quantize.quantize_onnx`.
        judge: Returns the accuracy of a file (the more the better), on examples that are not the test split. Without
            one, and where it says the same of several, the lowest error on the calibration examples decides.
        per_channel: One scale per output channel.
        keep: Names of nodes that stay in fp32.
        class_axis: Axis of the first output that holds the classes: where the agreement looks for the largest.

    Raises:
        UnsupportedError: No calibration data, or an unknown name.
        DataError: The source is not a model ONNX Runtime can run or quantize.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    target, batches = Path(target_path), list(calibration)
    tries: list[Try] = []
    reports: list[QuantizationReport] = []
    with replacing(target) as folder:
        for method in get_args(Method):
            (folder / method).mkdir()
            draft = folder / method / target.name
            report = quantize_onnx(
                source_path, draft, batches, method=method, per_channel=per_channel, keep=keep, class_axis=class_axis
            )
            reports.append(report)
            tries.append(_tried(report, len(keep), judge(draft) if judge is not None else None))
        best = max(range(len(tries)), key=lambda i: (tries[i].accuracy or 0.0, -tries[i].error))
        os.replace(folder / tries[best].method / target.name, target)
    return Best(reports[best], tuple(tries))


def quantize_within(
    source_path: str | Path,
    target_path: str | Path,
    calibration: Iterable[Calibrated],
    *,
    judge: Judge,
    max_drop: float,
    method: Method | Literal["best"] = "minmax",
    per_channel: bool = True,
    keep_at_most: int | None = None,
    class_axis: int = -1,
) -> Controlled:
    """Quantize as much of a model as an allowed drop of accuracy lets.

    Everything is quantized first. Where that loses too much, the nodes are ranked (by
    :func:`~netsmith.compress.int8_sensitivity.rank_nodes`) and the most sensitive stay in fp32: 1, 2, 4, 8... of them
    until the drop holds, then by bisection the fewest. The search takes for granted that a longer list does not lose
    more; the file that is written was itself judged and holds, and the one that keeps one node less was judged too and
    does not.

    Args:
        source_path: The fp32 model.
        target_path: The file to write.
        calibration: As in :func:`~netsmith.compress.quantize.quantize_onnx`.
        judge: Returns the accuracy of a file, 0..1, on examples that are not the test split; enough of
            them that ``max_drop`` is several examples.
        max_drop: How far the accuracy may fall below that of the source, in the judge's unit.
        method: How the ranges of activations are found; ``best`` tries all three and goes on with the best.
        per_channel: One scale per output channel.
        keep_at_most: How many nodes may stay in fp32; by default all but one.
        class_axis: Axis of the first output that holds the classes: where the agreement looks for the largest.

    Raises:
        UnsupportedError: The drop cannot be kept to (says what can be reached), no calibration data, or a bad argument.
        DataError: The source is not a model ONNX Runtime can run or quantize.
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    if not max_drop >= 0:
        raise UnsupportedError(f"max_drop must be at least 0, got {max_drop}")
    if keep_at_most is not None and keep_at_most < 0:
        raise UnsupportedError(f"keep_at_most must be at least 0, got {keep_at_most}")
    source, target, batches = Path(source_path), Path(target_path), list(calibration)
    whole = judge(source)
    tries: list[Try] = []
    made: dict[int, tuple[QuantizationReport, float]] = {}
    ranking: tuple[Sensitive, ...] = ()
    with replacing(target) as folder:

        def place(kept: int) -> Path:
            return folder / str(kept) / target.name

        def add(kept: int, report: QuantizationReport, accuracy: float) -> None:
            tries.append(_tried(report, kept, accuracy))
            made[kept] = report, accuracy

        def holds(kept: int) -> bool:
            if kept not in made:
                place(kept).parent.mkdir()
                names = [node.name for node in ranking[:kept]]
                report = quantize_onnx(
                    source,
                    place(kept),
                    batches,
                    method=chosen,
                    per_channel=per_channel,
                    keep=names,
                    class_axis=class_axis,
                )
                add(kept, report, judge(place(kept)))
            return whole - made[kept][1] <= max_drop + _SLACK

        chosen: Method = "minmax"
        if method == "best":
            place(0).parent.mkdir()
            best = quantize_best(source, place(0), batches, judge=judge, per_channel=per_channel, class_axis=class_axis)
            tries += [t for t in best.tries if t.method != best.quantization.method]
            chosen = next(m for m in get_args(Method) if m == best.quantization.method)
            accuracy = next(t.accuracy for t in best.tries if t.method == chosen)
            assert accuracy is not None  # there is a judge
            add(0, best.quantization, accuracy)
        else:
            chosen = method
        kept = 0
        if not holds(0):
            ranking = rank_nodes(source, batches, method=chosen, per_channel=per_channel)
            most = max(0, len(ranking) - 1)
            kept = _fewest(holds, most if keep_at_most is None else min(most, keep_at_most))
            if kept < 0:
                raise _unreachable(whole, max_drop, made, len(ranking))
        os.replace(place(kept), target)
    report, accuracy = made[kept]
    names = tuple(node.name for node in ranking[:kept])
    return Controlled(report, whole, accuracy, max_drop, names, ranking, tuple(tries))


def _fewest(holds: Callable[[int], bool], most: int) -> int:
    """Return the smallest number from 1 to ``most`` that holds, given that 0 does not; -1 where ``most`` does not."""
    fails, reach = 0, 1
    while not holds(min(reach, most)) if most else True:
        if reach >= most:
            return -1
        fails, reach = reach, 2 * reach
    works = min(reach, most)
    while works - fails > 1:
        middle = (fails + works) // 2
        fails, works = (fails, middle) if holds(middle) else (middle, works)
    return works


def _unreachable(
    whole: float, max_drop: float, made: dict[int, tuple[QuantizationReport, float]], nodes: int
) -> UnsupportedError:
    kept, (report, accuracy) = max(made.items(), key=lambda item: (item[1][1], -item[0]))
    return UnsupportedError(
        f"a drop of at most {100 * max_drop:g} points from {100 * whole:.2f} % cannot be kept to with {max(made)} of "
        f"{nodes} nodes in fp32; the nearest is a drop of {100 * (whole - accuracy):.3g} points with {kept} of them in "
        f"fp32 ({report.bytes} bytes). Allow that, choose another calibration, or train with fake quantization"
    )


def _tried(report: QuantizationReport, kept: int, accuracy: float | None) -> Try:
    return Try(report.method, kept, accuracy, report.error, report.bytes)
