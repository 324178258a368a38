"""What a student's exported files are worth beside its teacher's: the figures an ``onnx/...`` claim is about."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from netsmith.core.errors import UnsupportedError
from netsmith.engine.source import Source
from netsmith.workflows.explanation import judge
from netsmith.workflows.shipping import as_fed, calibration, measure_together, ship

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = ["beside_teacher"]


def beside_teacher(student: Run, teacher: Run, *, notice: Callable[[str], None] = print) -> dict[str, float]:
    """Export both in full precision and int8, judge and time all files together under ONNX Runtime on this machine.

    Args:
        student: A finished run that classifies.
        teacher: The run it was taught by.
        notice: Where one-line notices go.

    Returns:
        For ``onnx`` (the student in full precision) and ``onnx_int8``: ``accuracy`` on the test split, ``lost`` (the
        teacher's accuracy in full precision less it), ``smaller`` (the teacher's bytes over its bytes) and ``faster``
        (the teacher's median latency in full precision over its, paired; batch 1, one thread).

    Raises:
        UnsupportedError: They have no fixed data.
        ProofError: An export cannot be proven.
    """
    source = student.engine.source
    if not isinstance(source, Source):
        raise UnsupportedError(f"{student.path.name}: files are compared on classes of a fixed source")
    judged = judge(student.network, source, "test")
    batches = calibration(source)
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for role, run in {"teacher": teacher, "student": student}.items():
            path = Path(folder) / role
            shipments = ship(run.network, path, name=role, batches=batches, judged=judged, notice=notice)
            files |= {shipment.name: (shipment, path.parent / shipment.file) for shipment in shipments}
        timing = measure_together({name: path for name, (_, path) in files.items()}, as_fed(judged.raw[:1]))
    base = files["teacher"][0]
    assert base.accuracy is not None
    found: dict[str, float] = {}
    for place, name in (("onnx", "student"), ("onnx_int8", "student int8")):
        shipment = files[name][0]
        assert shipment.accuracy is not None
        found[f"{place}/accuracy"] = shipment.accuracy
        found[f"{place}/lost"] = base.accuracy - shipment.accuracy
        found[f"{place}/smaller"] = base.bytes / shipment.bytes
        found[f"{place}/faster"] = timing.ratio("teacher", name)
    return found
