"""The page of a run: what its folder holds, shown for a reader."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from netsmith.api.commands import on_run, train_again
from netsmith.core.errors import NetsmithError, UserError
from netsmith.core.files import read_json, write_atomic
from netsmith.engine.run_folder import RunFolder
from netsmith.engine.source import Source
from netsmith.report.figures import Curve
from netsmith.report.run_page import Chart, Fact, ModelRow, RunReport, run_page
from netsmith.report.tables import count_text, percent_text
from netsmith.workflows.judging import Judged, judge
from netsmith.workflows.pictures import mistakes_group, picture_groups

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = [
    "charts_of",
    "data_text",
    "environment_facts",
    "html_file",
    "measured_text",
    "report_run",
    "write_compressed",
]


def charts_of(journal: list[dict[str, Any]], *, name: str = "") -> list[Chart]:
    """Return the learning curves of a journal: losses on a logarithmic axis, proportions in percent."""
    names = list(dict.fromkeys(key for line in journal for key in line if key not in ("step", "seconds")))
    curves = {
        key: Curve(
            f"{name} {key}".strip(),
            [line["step"] for line in journal if line.get(key) is not None],
            [line[key] for line in journal if line.get(key) is not None],
            mark="max" if key.endswith("accuracy") else "",
        )
        for key in names
    }
    losses = [curve for key, curve in curves.items() if key.rpartition("/")[2] == "loss" and curve.xs]
    shares = [curve for key, curve in curves.items() if key.endswith("accuracy") and curve.xs]
    others = [curve for key, curve in curves.items() if curve not in losses and curve not in shares and curve.xs]
    charts = []
    if losses:
        positive = all(value > 0 for curve in losses for value in curve.ys)
        charts.append(Chart("Loss", losses, log_y=positive))
    if shares:
        charts.append(Chart("Accuracy", shares, percent=True))
    charts += [Chart(curve.name, [curve]) for curve in others[:4]]
    return charts


def html_file(file: str | Path) -> Path:
    """Return where a page of one's own choosing goes, and make its folder.

    Raises:
        UserError: Its name does not end with ``.html``.
    """
    target = Path(file)
    if target.suffix != ".html":
        raise UserError(f"{target}: expected a name that ends with .html")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def measured_text(run: Run) -> str:
    """Return the line under the title of a compression: on what data, and how latency was taken."""
    return f"{data_text(run)}. Latency: ONNX Runtime, batch 1, one thread, all files in turns, this machine."


def write_compressed(run: Run, report: RunReport, *, name: Literal["compress", "front"]) -> Path:
    """Write the page of a compression (``front``: of one to a budget) into the original's folder; return its path."""
    file = run.path / f"{name}.html"
    write_atomic(file, run_page(report).encode(), sync=False)
    return file


def environment_facts(environment: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines of an environment for a page; of one that is damaged, what can be read."""
    environment = environment if isinstance(environment, dict) else {}
    versions = environment.get("versions")
    versions = versions if isinstance(versions, dict) else {}
    facts = [
        (key, environment.get(key)) for key in ("seed", "processor", "cores", "threads", "gpu", "system", "python")
    ]
    facts += [(key, versions.get(key)) for key in ("netsmith", "torch", "onnxruntime")]
    facts += [("commit", environment.get("git"))]
    return [(key, str(value)) for key, value in facts if value is not None]


def report_run(run: Run) -> Path:
    """Write ``report.html`` of a run; what needs the data is left out where the data is not at hand."""
    network, figures = run.network, run.figures()
    facts = [
        Fact(name, percent_text(v) if name.endswith("accuracy") and v is not None else f"{v:.4g}", "")
        for name, v in figures.items()
        if v is not None
    ][:4]
    measured = network.measure()
    facts.append(Fact("parameters", count_text(measured["parameters"]), f"{measured['parameters']:,}"))
    judged, groups, notes = _judged(run)
    spec = network.spec
    card = run.found.card
    title = card.title if card and card.title else run.found.name
    twin = ", on a synthetic twin" if run.found.config.data.twin else ""
    report = RunReport(
        title=f"{title}{twin}",
        subtitle=f"{data_text(run)}: {spec.inputs.kind} in, {spec.outputs.kind} out. Run {run.path.name}.",
        facts=facts,
        commands=[train_again(run.path, run.found, RunFolder(run.path).spec()), on_run("report", run.path)],
        charts=charts_of(run.journal()),
        confusion=judged.matrix().tolist() if judged else (),
        class_names=spec.outputs.names if judged else (),
        confused=_confused(judged, spec.outputs.names) if judged else (),
        pictures=groups,
        models=[ModelRow(run.path.name, figures.get("test/accuracy"), measured["parameters"], None, measured["macs"])],
        notes=[*(card.deviations if card else ()), *notes],
        environment=environment_facts(read_json(run.path / "environment.json")),
    )
    file = run.path / "report.html"
    write_atomic(file, run_page(report).encode(), sync=False)
    return file


def _confused(judged: Judged, names: tuple[str, ...]) -> list[tuple[str, str, int, float]]:
    return [(names[pair.truth], names[pair.prediction], pair.count, pair.rate) for pair in judged.pairs()]


def _judged(run: Run) -> tuple[Judged | None, list[Any], list[str]]:
    """Return the test split with answers, pictures and notes, as far as the data is at hand and the kinds fit."""
    spec = run.network.spec
    if spec.outputs.kind != "classes" or spec.inputs.kind != "image":
        return None, [], []
    try:
        source = run.engine.source
    except NetsmithError as error:
        return None, [], [f"the data is not at hand, so mistakes and pictures are left out: {error}"]
    assert isinstance(source, Source)
    judged = judge(run.network, source, "test" if "test" in source.splits() else "dev")
    chosen = list(range(0, len(judged.raw), max(1, len(judged.raw) // 4)))[:4]
    groups, notes, _ = picture_groups(run.network, [f"test {i}" for i in chosen], judged.raw[chosen], judged=judged)
    mistakes = mistakes_group(run.network, judged)
    return judged, [*groups, *([mistakes] if mistakes else [])], notes


def data_text(run: Run) -> str:
    """Return the name of a run's data set, and that it was its synthetic twin where it was."""
    name = run.network.spec.dataset
    return f"The synthetic twin of {name} (made-up data, not the real)" if run.found.config.data.twin else name
