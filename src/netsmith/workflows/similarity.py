"""How alike what two networks (or a network and a brain) make of the same examples: a table and a page.

Two runs are compared layer by layer, by the rank correlation of dissimilarity matrices and by CKA; a run is compared
with matrices from CSV files by the former, with a permutation test, and with folders of them over time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netsmith.api.encode import read_file, text_column
from netsmith.core.errors import DataError, UnsupportedError, UserError, shorten
from netsmith.core.files import write_atomic
from netsmith.engine.source import Source
from netsmith.explain.cka import cka_table
from netsmith.explain.dissimilarity import (
    Metric,
    Similarity,
    condition_means,
    permutation_test,
    similarity_table,
)
from netsmith.explain.given_matrices import GivenMatrix, moment_files, read_matrices, read_subjects
from netsmith.explain.time_resolved import time_course
from netsmith.report.figures import Curve, line_chart
from netsmith.report.page import Page, Picture
from netsmith.report.plots import heat_map_png
from netsmith.workflows.judging import judge
from netsmith.workflows.representations import layer_answers, layer_matrices, spread

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = ["LayerSimilarity", "compare_representations", "compare_with_matrices"]

_NAMES = {"spearman": "Spearman", "tau_a": "Kendall tau_A"}
_SHARED = ("kind", "shape", "dtype", "low", "high", "columns", "categories", "vocabulary", "rate")
_CURVES = 3  # layers drawn over time, besides the ceiling


@dataclass(frozen=True)
class LayerSimilarity:
    """What was found.

    Attributes:
        page: The page.
        rows: Layers of the run.
        columns: Layers of the other run, or names of the given matrices (moments, for a time course).
        rsa: ``(rows, columns)`` rank correlations of dissimilarity matrices.
        cka: ``(rows, columns)``, unbiased linear CKA; None where matrices were given.
        p_values: ``(rows, columns)`` of a permutation of the conditions; None where runs or moments were compared.
        notes: Lines for the terminal.
    """

    page: Path
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    rsa: Tensor
    cka: Tensor | None
    p_values: Tensor | None
    notes: tuple[str, ...]


def compare_representations(
    first: Run,
    second: Run,
    *,
    folder: str | Path | None = None,
    method: Similarity = "spearman",
    metric: Metric = "correlation",
    count: int = 200,
) -> LayerSimilarity:
    """Compare every layer of two runs on examples of the first run's test split; write ``similarity.html``.

    Args:
        first: Its data is shown to both.
        second: A run of inputs of the same kind and shape, other classes or none alike.
        folder: Where the page goes; the first run's ``similarity`` by default.
        method: How dissimilarity matrices are compared.
        metric: How dissimilarity is taken.
        count: Examples, the same of each class.

    Raises:
        UnsupportedError: Inputs that differ, or no examples with one class each.
    """
    mine, other = first.network.spec.inputs, second.network.spec.inputs
    for field in _SHARED:
        a, b = getattr(mine, field), getattr(other, field)
        if a != b:
            raise UnsupportedError(
                f"{first.path.name} takes inputs of {field} {shorten(repr(a), 60)}, {second.path.name} of "
                f"{shorten(repr(b), 60)}; expected the same inputs: both are shown the same examples"
            )
    raw, _, _ = _examples(first, count)
    a, b = (layer_answers(network, raw)[0] for network in (first.network, second.network))
    mine_by_layer, other_by_layer = (layer_matrices(features, metric=metric)[0] for features in (a, b))
    a, b = {name: a[name] for name in mine_by_layer}, {name: b[name] for name in other_by_layer}
    rsa = similarity_table(mine_by_layer, other_by_layer, method=method)
    cka = cka_table(a, b, unbiased=True)
    rows, columns = tuple(a), tuple(b)
    names = first.path.name, second.path.name
    page = Page(
        f"{names[0]} and {names[1]}, layer by layer",
        subtitle=f"What their layers make of the same {len(raw)} examples of {first.network.spec.dataset}.",
        kicker="netsmith similarity",
    )
    notes = []
    for table, title, text, legend in (
        (rsa, "Dissimilarity matrices", f"{_NAMES[method]} of dissimilarity matrices ({metric}).", _NAMES[method]),
        (cka, "Centered kernel alignment", "Linear CKA, unbiased: alike up to a rotation and a scale.", "CKA"),
    ):
        page.section(title, f"{text} Rows are layers of {names[0]}, columns of {names[1]}.")
        page.pictures([_heat(table, rows, columns, title=f"{legend} of layers", legend=legend)])
        best = [columns[int(at)] for at in table.argmax(1)]
        body = [
            [name, other_name, f"{float(table[k].max()):.3f}"]
            for k, (name, other_name) in enumerate(zip(rows, best, strict=True))
        ]
        page.table([names[0], f"most alike in {names[1]}", legend], body, align="llr")
        notes += [f"{legend}: {name} is most like {other_name} ({value})" for name, other_name, value in body]
    file = _write(page, first, folder)
    return LayerSimilarity(file, rows, columns, rsa, cka, None, tuple(notes))


def compare_with_matrices(
    run: Run,
    paths: Sequence[str | Path],
    *,
    source: Any = None,
    folder: str | Path | None = None,
    method: Similarity = "tau_a",
    metric: Metric = "correlation",
    permutations: int = 1000,
    samples: int = 200,
) -> LayerSimilarity:
    """Compare every layer of a run with given dissimilarity matrices; write ``similarity.html``.

    Args:
        run: Its layers are compared.
        paths: CSV files, a matrix each (a region, a person, a model); or folders, one per subject, of CSV files in the
            order of their names, one per moment: a time course.
        source: What the conditions are: a file or folder of examples, or values, in the order of the matrices' rows;
            the files of a folder by name (with or without ending) where the matrices name their conditions.
            None takes the classes of the run's test split (their mean features): in the order of the schema, or
            by name where the files name their conditions.
        folder: Where the page goes; the run's ``similarity`` by default.
        method: How dissimilarity matrices are compared.
        metric: How the network's are taken.
        permutations: Of the test of each cell.
        samples: Bootstrap samples of a time course.

    Raises:
        DataError: A file that is no dissimilarity matrix, or of other conditions than there are.
        UserError: Files and folders mixed, or none.
    """
    places = [Path(path) for path in paths]
    moving = bool(places) and all(place.is_dir() for place in places)
    if not places or (not moving and any(place.is_dir() for place in places)):
        raise UserError(f"got {len(places)} paths; expected CSV files, or folders of them (one per subject), not both")
    given = read_subjects(places) if moving else read_matrices(places)
    matrices, what = _own_matrices(run, given, source, metric)
    page = Page(
        f"{run.path.name} and given matrices",
        subtitle=f"Dissimilarities of {what}: the network's layers against what was measured elsewhere.",
        kicker="netsmith similarity",
    )
    if moving:
        moments = [file.stem for file in moment_files(places[0])]
        found = _over_time(page, matrices, given, moments, method, samples)
    else:
        found = _each(page, matrices, given, [place.stem for place in places], method, permutations)
    rsa, p_values, columns, notes = found
    file = _write(page, run, folder)
    return LayerSimilarity(file, tuple(matrices), columns, rsa, None, p_values, tuple(notes))


def _each(
    page: Page,
    matrices: dict[str, Tensor],
    given: GivenMatrix,
    columns: list[str],
    method: Similarity,
    permutations: int,
) -> tuple[Tensor, Tensor, tuple[str, ...], list[str]]:
    generator = torch.Generator().manual_seed(0)
    tests = [
        [
            permutation_test(own, other, method=method, permutations=permutations, generator=generator)
            for other in given.values
        ]
        for own in matrices.values()
    ]
    rsa = torch.tensor([[test.similarity for test in row] for row in tests], dtype=torch.float64)
    p_values = torch.tensor([[test.p_value for test in row] for row in tests], dtype=torch.float64)
    page.section(
        "Layers and matrices",
        f"{_NAMES[method]} of the upper triangles; p: {permutations} permutations of the conditions, one-sided, not "
        "corrected for the number of cells.",
    )
    title = f"{_NAMES[method]} with given matrices"
    page.pictures([_heat(rsa, tuple(matrices), columns, title=title, legend=_NAMES[method])])
    body = [
        [name, *(f"{float(rsa[k, c]):.3f} (p {float(p_values[k, c]):.2g})" for c in range(len(columns)))]
        for k, name in enumerate(matrices)
    ]
    page.table(["layer", *columns], body, align="l" + "r" * len(columns))
    layers, notes = list(matrices), []
    for c, column in enumerate(columns):
        best = int(rsa[:, c].argmax())
        value = f"{_NAMES[method]} {float(rsa[best, c]):.3f}, p {float(p_values[best, c]):.2g}"
        notes.append(f"{column}: most like {layers[best]} ({value})")
    return rsa, p_values, tuple(columns), notes


def _over_time(
    page: Page, matrices: dict[str, Tensor], given: GivenMatrix, names: list[str], method: Similarity, samples: int
) -> tuple[Tensor, None, tuple[str, ...], list[str]]:
    subjects, moments = given.values.shape[:2]
    generator = torch.Generator().manual_seed(0)
    courses = {
        name: time_course(given.values, own, method=method, samples=samples, generator=generator)
        for name, own in matrices.items()
    }
    rsa = torch.stack([course.similarity for course in courses.values()])
    ceiling = next(iter(courses.values())).ceiling
    times = _times(names)
    shown = sorted(rsa.amax(1).argsort(descending=True)[:_CURVES].tolist())
    layers = list(matrices)
    curves = [Curve(layers[at], times, rsa[at].tolist()) for at in shown]
    caption = "The layers that come highest."
    if subjects > 1:
        curves += [
            Curve("ceiling, lower", times, ceiling.lower.tolist()),
            Curve("ceiling, upper", times, ceiling.upper.tolist()),
        ]
        caption += " Between the two ceilings a perfect model would fall: people differ."
    people = f"{subjects} subjects" if subjects > 1 else "one subject, so there is no noise ceiling"
    page.section("Over time", f"{moments} moments of {people}; {_NAMES[method]} at each.")
    page.figure(
        line_chart(curves, title="Similarity over time", x_label="moment", y_label=_NAMES[method], width=760),
        caption=caption,
    )
    page.pictures([_heat(rsa, layers, names, title="All layers", legend=_NAMES[method])])
    body, notes = [], []
    for name, course in courses.items():
        at = int(course.similarity.argmax())
        value = f"{float(course.similarity[at]):.3f}"
        interval = f"{float(course.low[at]):.3f} to {float(course.high[at]):.3f}" if samples else ""
        told = f", 95 %: {interval}" if interval else ""
        body.append([name, names[at], value, interval])
        notes.append(f"{name}: highest at moment {names[at]} ({_NAMES[method]} {value}{told})")
    page.table(["layer", "highest at moment", _NAMES[method], "95 % of bootstrapped conditions"], body, align="lrrr")
    return rsa, None, tuple(names), notes


def _times(names: Sequence[str]) -> list[float]:
    """Return the times that all the names are, or else 1, 2, 3 and so on."""
    try:
        times = [float(name) for name in names]
    except ValueError:
        times = []
    rising = bool(times) and all(a < b for a, b in pairwise(times)) and all(map(math.isfinite, times))
    return times if rising else [float(at) for at in range(1, len(names) + 1)]


def _own_matrices(run: Run, given: GivenMatrix, source: Any, metric: Metric) -> tuple[dict[str, Tensor], str]:
    """Return the network's matrix at each layer, its conditions in the order of the given ones."""
    network, wanted = run.network, given.values.shape[-1]
    if source is not None:
        files: list[str] = []
        folder = isinstance(source, (str, Path)) and Path(source).is_dir()
        if isinstance(source, (str, Path)):
            files, source = read_file(Path(source), network.spec.inputs, text=text_column(run.found.config.data))
        raw = network.encode(source)
        if len(raw) != wanted:
            raise DataError(f"the matrices have {wanted} conditions, and {len(raw)} examples were given")
        if given.names and folder:
            raw = raw[_places(given.names, files)]
        return layer_matrices(layer_answers(network, raw)[0], metric=metric)[0], f"{wanted} examples"
    raw, labels, names = _examples(run, max(500, 2 * len(run.network.spec.outputs.names)))
    if len(names) != wanted:
        raise DataError(
            f"the matrices have {wanted} conditions, {run.path.name} has {len(names)} classes; give the examples that "
            "the rows stand for"
        )
    order = list(range(wanted))
    if given.names:
        if set(given.names) != set(names):
            missing = sorted(set(given.names) - set(names))[:3]
            raise DataError(f"the matrices name the conditions {missing}; {run.path.name} has no such classes")
        order = [names.index(name) for name in given.names]
    features = {
        name: condition_means(values, labels, num_conditions=wanted)[order]
        for name, values in layer_answers(network, raw)[0].items()
    }
    return layer_matrices(features, metric=metric)[0], f"{wanted} classes"


def _places(wanted: Sequence[str], files: Sequence[str]) -> list[int]:
    """Return where the conditions are among files: by path, by path without ending, or by name alone."""
    for names in (
        list(files),
        [str(Path(file).with_suffix("")) for file in files],
        [Path(file).stem for file in files],
    ):
        if set(names) == set(wanted) and len(set(names)) == len(names):
            return [names.index(name) for name in wanted]
    stems = {Path(file).stem for file in files}
    missing = next((name for name in wanted if name not in stems and name not in files), wanted[0])
    raise DataError(
        f"the matrices name the condition {shorten(missing, 40)!r}, and no file of its own is called so "
        f"({shorten(', '.join(files), 60)}); expected a file per condition"
    )


def _examples(run: Run, count: int) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    source = run.engine.source
    if not isinstance(source, Source):
        raise UnsupportedError("a live source has no fixed examples")
    judged = judge(run.network, source, next(name for name in ("test", "dev", "train") if name in source.splits()))
    if judged.labeled is not None or not isinstance(judged.raw, Tensor):
        raise UnsupportedError(f"{run.path.name} does not answer with one class per example")
    chosen = spread(judged.targets, most=count)
    return judged.raw[chosen], judged.targets[chosen], tuple(run.network.spec.outputs.names)


def _heat(table: Tensor, rows: Sequence[str], columns: Sequence[str], *, title: str, legend: str) -> Picture:
    low, high = min(0.0, float(table.min())), max(float(table.max()), 1e-3)
    image = heat_map_png(table, rows, columns, title=title, low=low, high=high, legend=legend)
    return Picture(image, "", f"{title}: see the table", large=True)


def _write(page: Page, run: Run, folder: str | Path | None) -> Path:
    place = run.path / "similarity" if folder is None else Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    file = place / "similarity.html"
    write_atomic(file, page.render().encode(), sync=False)
    return file
