"""What a student's exported files are worth beside its teacher's: the figures an ``onnx/...`` claim is about."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from netsmith.core.errors import UnsupportedError
from netsmith.engine.source import Source
from netsmith.verify.evidence import reproduce
from netsmith.workflows.int8 import calibration
from netsmith.workflows.judging import judge
from netsmith.workflows.shipping import ship_all

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = ["beside_teacher", "beside_teachers"]


def beside_teachers(
    runs: Sequence[Run], *, root: str | Path, notice: Callable[[str], None] = print
) -> dict[int, dict[str, float]]:
    """Return, by seed, what :func:`beside_teacher` finds for each run and its teacher's run of the same seed.

    Args:
        runs: Finished runs of one recipe; one whose card names no teacher finds nothing.
        root: Where the teachers' runs lie.
        notice: Where one-line notices go.
    """
    found: dict[int, dict[str, float]] = {}
    for run in runs:
        card = run.found.card
        if card and card.teacher:
            seed = run.found.config.seed
            (teacher,) = reproduce(card.teacher, root=root, seeds=(seed,), notice=notice)
            found[seed] = beside_teacher(run, teacher, notice=notice)
    return found


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
    batches = calibration(student.network, source)
    runs = {"teacher": teacher, "student": student}
    with tempfile.TemporaryDirectory() as folder:
        rows, timing = ship_all(
            runs, judged=judged, batches=batches, folders=lambda run: Path(folder) / run.path.name, notice=notice
        )
    by_name = {row.name: row for row in rows}
    base = by_name["teacher"]
    assert base.accuracy is not None
    found: dict[str, float] = {}
    for place, name in (("onnx", "student"), ("onnx_int8", "student int8")):
        shipment = by_name[name]
        assert shipment.accuracy is not None
        found[f"{place}/accuracy"] = shipment.accuracy
        found[f"{place}/lost"] = base.accuracy - shipment.accuracy
        found[f"{place}/smaller"] = base.bytes / shipment.bytes
        found[f"{place}/faster"] = timing.ratio("teacher", name)
    return found
