"""How alike a network and a brain, people or other models are: its layers against given dissimilarity matrices.

Matrices come from CSV files and are compared by rank, with a permutation test; folders of them are compared over time,
with the ceiling that differences between subjects set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from netsmith.api.encode import text_column
from netsmith.core.errors import DataError, UserError, shorten
from netsmith.explain.dissimilarity import Metric, Similarity, condition_means, permutation_test, upper_triangle
from netsmith.explain.given_matrices import GivenMatrix, moment_files, read_matrices, read_subjects
from netsmith.explain.time_resolved import time_course
from netsmith.report.figures import Curve, line_chart
from netsmith.report.page import Page
from netsmith.workflows.representations import layer_answers, layer_matrices, read_examples
from netsmith.workflows.similarity import (
    NAMES,
    LayerSimilarity,
    class_examples,
    heat_map,
    write_page,
)

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = ["compare_with_matrices"]

_CURVES = 3  # layers drawn over time, besides the ceiling


def compare_with_matrices(
    run: Run,
    paths: Sequence[str | Path],
    *,
    source: Any = None,
    folder: str | Path | None = None,
    method: Similarity = "tau_a",
    metric: Metric = "correlation",
    draws: int | None = None,
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
        draws: Permutations of the test of each cell, 1000 by default; of a time course bootstrap samples, 200.

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
        found = _over_time(page, matrices, given, moments, method, 200 if draws is None else draws)
    else:
        found = _each(page, matrices, given, [place.stem for place in places], method, 1000 if draws is None else draws)
    rsa, p_values, columns, notes = found
    file = write_page(page, run, folder)
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
        f"{NAMES[method]} of the upper triangles; p: {permutations} permutations of the conditions, one-sided, not "
        "corrected for the number of cells.",
    )
    title = f"{NAMES[method]} with given matrices"
    page.pictures([heat_map(rsa, tuple(matrices), columns, title=title, legend=NAMES[method])])
    flat = [len(upper_triangle(other).unique()) == 1 for other in given.values]  # Spearman's has refused them
    body = [
        [
            name,
            *(
                "no order" if flat[c] else f"{float(rsa[k, c]):.3f} (p {float(p_values[k, c]):.2g})"
                for c in range(len(columns))
            ),
        ]
        for k, name in enumerate(matrices)
    ]
    page.table(["layer", *columns], body, align="l" + "r" * len(columns))
    layers, notes = list(matrices), []
    for c, column in enumerate(columns):
        if flat[c]:
            notes.append(f"{column}: all its dissimilarities are equal; they have no order that a layer could share")
            continue
        best = int(rsa[:, c].argmax())
        value = f"{NAMES[method]} {float(rsa[best, c]):.3f}, p {float(p_values[best, c]):.2g}"
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
    page.section("Over time", f"{moments} moments of {people}; {NAMES[method]} at each.")
    page.figure(
        line_chart(curves, title="Similarity over time", x_label="moment", y_label=NAMES[method], width=760),
        caption=caption,
    )
    page.pictures([heat_map(rsa, layers, names, title="All layers", legend=NAMES[method])])
    body, notes = [], []
    for name, course in courses.items():
        at = int(course.similarity.argmax())
        value = f"{float(course.similarity[at]):.3f}"
        interval = f"{float(course.low[at]):.3f} to {float(course.high[at]):.3f}" if samples else ""
        told = f", 95 %: {interval}" if interval else ""
        body.append([name, names[at], value, interval])
        notes.append(f"{name}: highest at moment {names[at]} ({NAMES[method]} {value}{told})")
    page.table(["layer", "highest at moment", NAMES[method], "95 % of bootstrapped conditions"], body, align="lrrr")
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
        folder = isinstance(source, (str, Path)) and Path(source).is_dir()
        files, raw = read_examples(network, source, text=text_column(run.found.config.data))
        if len(raw) != wanted:
            raise DataError(f"the matrices have {wanted} conditions, and {len(raw)} examples were given")
        if given.names and folder:
            raw = raw[_places(given.names, files)]
        return layer_matrices(layer_answers(network, raw)[0], metric=metric)[0], f"{wanted} examples"
    raw, labels, names = class_examples(run, max(500, 2 * len(run.network.spec.outputs.names)))
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
