"""Ship a network: ONNX with its preprocessing in the graph, a parity proof, int8 where asked, measured here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch

from netsmith.api.raw import as_batches
from netsmith.core.errors import ConfigError, UnknownNameError, UnsupportedError
from netsmith.core.files import write_json
from netsmith.layers.reading import Reading
from netsmith.layers.writing import Writing
from netsmith.measure.latency import Comparison, paired_latency
from netsmith.measure.session import feeds_for, open_session, run_session
from netsmith.workflows.int8 import Calibration, as_fed, calibration, quantized
from netsmith.workflows.stepping import export_step

if TYPE_CHECKING:
    from netsmith.api.network import Network
    from netsmith.api.run import Run
    from netsmith.workflows.judging import Judged

__all__ = ["TRAINED_INT8", "Shipment", "accuracy_of", "export_run", "measure_together", "ship", "ship_all"]

TRAINED_INT8 = "trained int8"
"""The role of a run that was trained with fake quantization: its one file is int8."""

_INT8 = " int8"


@dataclass(frozen=True)
class Shipment:
    """One exported file and what was measured of it.

    Attributes:
        name: How it is called in tables.
        file: The ONNX file, relative to its run folder.
        accuracy: On the test split, under ONNX Runtime; None where the answers are not classes.
        parameters: Of the network.
        bytes: Of the file.
        macs: Multiply-adds per example.
        latency_ms: Median under ONNX Runtime, batch 1, one thread, this machine.
        proof: The exporter's or the quantizer's report.
    """

    name: str
    file: str
    accuracy: float | None
    parameters: int
    bytes: int
    macs: int
    latency_ms: float | None
    proof: dict[str, Any]

    @property
    def role(self) -> str:
        """The role of the run it comes from: its name, in int8 or not."""
        return self.name.removesuffix(_INT8) if self.name != TRAINED_INT8 else self.name

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def accuracy_of(path: Path, judged: Judged, *, batch: int = 256) -> float:
    """Return the accuracy of an ONNX file on examples with known classes."""
    session = open_session(path, threads=torch.get_num_threads())
    outputs = [run_session(session, as_fed(raw))[0] for raw in as_batches(judged.raw, batch)]
    return int(judged.right(torch.from_numpy(np.concatenate(outputs))).sum()) / len(judged.targets)


def ship(
    network: Network,
    folder: Path,
    *,
    name: str,
    batches: Sequence[np.ndarray] = (),
    judged: Judged | None = None,
    notice: Callable[[str], None] = print,
) -> list[Shipment]:
    """Export a network in full precision, and in int8 where calibration batches are given; prove and judge both.

    One that was trained in int8 has that form alone.

    Raises:
        ProofError: The exported graph answers otherwise.
    """
    from netsmith.compress.fake_quantize import is_fake
    from netsmith.measure.macs import count_macs
    from netsmith.measure.parameters import count_stored

    folder.mkdir(parents=True, exist_ok=True)
    plain = folder / "model.onnx"
    report = network.export(plain)
    parameters = count_stored(network.module)
    macs = count_macs(network.shipped, network.example(1))
    found = []

    def add(label: str, path: Path, proof: dict[str, Any]) -> None:
        accuracy = accuracy_of(path, judged) if judged is not None else None
        size = path.stat().st_size
        found.append(Shipment(label, f"{folder.name}/{path.name}", accuracy, parameters, size, macs, None, proof))

    add(name, plain, report.to_json())
    if batches and not is_fake(network.module):
        small = folder / "model.int8.onnx"
        result = quantized(network, plain, small, batches)
        if result["warning"]:
            notice(result["warning"])
        add(f"{name}{_INT8}", small, result)
    write_json(folder / "export.json", [shipment.to_json() for shipment in found], sync=False)
    return found


def measure_together(files: Mapping[str, Path], example: Any) -> Comparison:
    """Time ONNX files in turns, so that their ratios hold whatever else the machine does; batch 1, one thread."""
    calls = {}
    for name, path in files.items():
        session = open_session(path, threads=1)
        calls[name] = _call(session, feeds_for(session, example))
    return paired_latency(calls, rounds=25, inner=20)


def ship_all(
    runs: Mapping[str, Run],
    *,
    judged: Judged,
    batches: Sequence[np.ndarray],
    folders: Callable[[Run], Path],
    known: Sequence[Shipment] = (),
    notice: Callable[[str], None] = print,
) -> tuple[list[Shipment], Comparison]:
    """Ship several runs and time all their files together.

    Args:
        runs: By the role they have; it names the files' rows.
        judged: Examples that each file is judged on.
        batches: Raw examples for int8; none leaves it out.
        folders: Where a run's files go.
        known: Rows of an earlier call: their files are there, and are only timed again.
        notice: Where one-line notices go.

    Returns:
        One row per file with its latency, in the order of the runs, and the timing with its paired ratios.
    """
    rows: list[Shipment] = []
    files: dict[str, Path] = {}
    for role, run in runs.items():
        folder = folders(run)
        there = [row for row in known if row.role == role]
        for row in there or ship(run.network, folder, name=role, batches=batches, judged=judged, notice=notice):
            rows.append(row)
            files[row.name] = folder.parent / row.file
    timing = measure_together(files, as_fed(as_batches(judged.raw, 1)[0]))
    return [replace(row, latency_ms=timing.latencies[row.name].median) for row in rows], timing


def _call(session: Any, feed: dict[str, np.ndarray]) -> Callable[[], Any]:
    return lambda: session.run(None, feed)


def export_run(
    run: Run,
    output: str | Path | None = None,
    *,
    int8: bool = False,
    method: Calibration = "minmax",
    max_drop: float | None = None,
) -> dict[str, Any]:
    """Export a run's product; see :meth:`netsmith.api.run.Run.export`.

    Raises:
        ConfigError: The file's name does not end in ``.onnx``; a choice for int8 without int8.
        UnsupportedError: int8 of inputs that it cannot be calibrated on, or of a live source; a drop that cannot be
            kept to.
    """
    from netsmith.compress.fake_quantize import is_fake

    if not int8 and (method != "minmax" or max_drop is not None):
        raise ConfigError("--calibration and --max-drop are about int8; give --int8 too")
    if method not in get_args(Calibration):
        raise UnknownNameError("calibration", method, get_args(Calibration))
    if max_drop is not None and not 0 <= max_drop < 1:
        raise ConfigError(f"expected a drop of 0 to less than 100 points, got {100 * max_drop:g}")
    network = run.network
    if int8 and is_fake(network.module):
        raise ConfigError(f"--int8: {run.path.name} was trained in int8, and its file is int8 without it")
    batches = calibration(network, run.engine.source) if int8 else ()  # looked for first: exporting takes seconds
    path = Path(output) if output else run.path / "export" / "model.onnx"
    if path.suffix != ".onnx" or path.is_dir():
        raise ConfigError(f"--output {path}: expected a file that ends in .onnx")
    path.parent.mkdir(parents=True, exist_ok=True)
    judge = _judge_of(run) if max_drop is not None else None
    report = network.export(path)
    found = {"path": str(path), "export": report.to_json()}
    labels = {"inputs": network.spec.inputs.dump(), "outputs": network.spec.outputs.dump()}
    write_json(path.with_suffix(".onnx.json"), labels, sync=False)  # never the name of a file of somebody else's
    if isinstance(network.module, Reading):
        found |= {"step": export_step(network.module, path.with_suffix(".step.onnx"))}
    if isinstance(network.module, Writing) and (beams := network.module.beams) > 1:
        search = f"the run's figures are of a search with {beams} beams"
        found |= {"note": f"the file writes the likeliest token at each step; {search}"}
    if batches:
        target = path.with_suffix(".int8.onnx")
        result = quantized(network, path, target, batches, method=method, judge=judge, max_drop=max_drop)
        found |= {"int8_path": str(target), "int8": result}
    return found


def _judge_of(run: Run) -> Callable[[Path], float]:
    """Return what tells the accuracy of a file on dev: test is for the figure in the end."""
    from netsmith.workflows.judging import judge
    from netsmith.workflows.tuning import classes_of

    source = classes_of(run)
    if "dev" not in source.splits():
        raise UnsupportedError(f"--max-drop: {run.path.name} has no dev split to judge int8 on")
    judged = judge(run.network, source, "dev")
    return lambda path: accuracy_of(path, judged)
