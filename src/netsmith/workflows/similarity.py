"""How alike what two networks make of the same examples: layer by layer, by dissimilarity matrices and by CKA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from netsmith.api.encode import text_column
from netsmith.core.errors import DataError, UnsupportedError, shorten
from netsmith.core.files import write_atomic
from netsmith.engine.source import Source
from netsmith.explain.cka import cka_table
from netsmith.explain.dissimilarity import Metric, Similarity, similarity_table
from netsmith.report.page import Page, Picture
from netsmith.report.plots import heat_map_png
from netsmith.workflows.judging import judge
from netsmith.workflows.representations import evenly, layer_answers, layer_matrices, read_examples, spread

if TYPE_CHECKING:
    from netsmith.api.run import Run

__all__ = [
    "NAMES",
    "LayerSimilarity",
    "class_examples",
    "compare_representations",
    "heat_map",
    "write_page",
]

NAMES = {"spearman": "Spearman", "tau_a": "Kendall tau_A"}
_SHARED = ("kind", "shape", "dtype", "low", "high", "columns", "categories", "vocabulary", "rate")
_FEWEST = 4  # unbiased CKA wants them


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
    source: Any = None,
    folder: str | Path | None = None,
    method: Similarity = "spearman",
    metric: Metric = "correlation",
    count: int = 200,
) -> LayerSimilarity:
    """Compare every layer of two runs on the same examples; write ``similarity.html``.

    Args:
        first: Its page it is; its test split is shown where nothing else is given.
        second: A run of inputs of the same kind and shape, other classes or none alike.
        source: What both are shown: a file or folder of examples, or values (imported networks have no data of their
            own).
        folder: Where the page goes; the first run's ``similarity`` by default.
        method: How dissimilarity matrices are compared.
        metric: How dissimilarity is taken.
        count: Examples; of a run's split, as many of each class.

    Raises:
        UnsupportedError: Inputs that differ, or no examples with one class each.
        DataError: Fewer than four examples.
    """
    mine, other = first.network.spec.inputs, second.network.spec.inputs
    for field in _SHARED:
        a, b = getattr(mine, field), getattr(other, field)
        if a != b:
            raise UnsupportedError(
                f"{first.path.name} takes inputs of {field} {shorten(repr(a), 60)}, {second.path.name} of "
                f"{shorten(repr(b), 60)}; expected the same inputs: both are shown the same examples"
            )
    if source is None:
        raw, shown = class_examples(first, count)[0], f"examples of {first.network.spec.dataset}"
    else:
        _, raw = read_examples(first.network, source, text=text_column(first.found.config.data))
        shown = "examples given"
        if isinstance(raw, Tensor) and len(raw) > count:
            shown = f"examples, spread over {len(raw)} given"
            raw = raw[evenly(len(raw), most=count)]
    if isinstance(raw, Tensor) and len(raw) < _FEWEST:
        raise DataError(f"{len(raw)} examples are compared; expected at least {_FEWEST}, better dozens")
    a, b = (layer_answers(network, raw)[0] for network in (first.network, second.network))
    mine_by_layer, other_by_layer = (layer_matrices(features, metric=metric)[0] for features in (a, b))
    a, b = {name: a[name] for name in mine_by_layer}, {name: b[name] for name in other_by_layer}
    rsa = similarity_table(mine_by_layer, other_by_layer, method=method)
    cka = cka_table(a, b, unbiased=True)
    rows, columns = tuple(a), tuple(b)
    names = first.path.name, second.path.name
    page = Page(
        f"{names[0]} and {names[1]}, layer by layer",
        subtitle=f"What their layers make of the same {len(raw)} {shown}.",
        kicker="netsmith similarity",
    )
    notes = []
    for table, title, text, legend in (
        (rsa, "Dissimilarity matrices", f"{NAMES[method]} of dissimilarity matrices ({metric}).", NAMES[method]),
        (cka, "Centered kernel alignment", "Linear CKA, unbiased: alike up to a rotation and a scale.", "CKA"),
    ):
        page.section(title, f"{text} Rows are layers of {names[0]}, columns of {names[1]}.")
        page.pictures([heat_map(table, rows, columns, title=f"{legend} of layers", legend=legend)])
        best = [columns[int(at)] for at in table.argmax(1)]
        body = [
            [name, other_name, f"{float(table[k].max()):.3f}"]
            for k, (name, other_name) in enumerate(zip(rows, best, strict=True))
        ]
        page.table([names[0], f"most alike in {names[1]}", legend], body, align="llr")
        notes += [f"{legend}: {name} is most like {other_name} ({value})" for name, other_name, value in body]
    file = write_page(page, first, folder)
    return LayerSimilarity(file, rows, columns, rsa, cka, None, tuple(notes))


def class_examples(run: Run, count: int) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Return raw examples of a run's test split, as many of each class, their classes, and the names of these."""
    source = run.engine.source
    if not isinstance(source, Source):
        raise UnsupportedError(
            f"{run.path.name} has no examples of its own; say what to show: --input FILE, or source= from Python"
        )
    judged = judge(run.network, source, next(name for name in ("test", "dev", "train") if name in source.splits()))
    if judged.labeled is not None or not isinstance(judged.raw, Tensor):
        raise UnsupportedError(f"{run.path.name} does not answer with one class per example")
    chosen = spread(judged.targets, most=count)
    return judged.raw[chosen], judged.targets[chosen], tuple(run.network.spec.outputs.names)


def heat_map(table: Tensor, rows: Sequence[str], columns: Sequence[str], *, title: str, legend: str) -> Picture:
    """Return a table of similarities as a picture."""
    low, high = min(0.0, float(table.min())), max(float(table.max()), 1e-3)
    image = heat_map_png(table, rows, columns, title=title, low=low, high=high, legend=legend)
    return Picture(image, "", f"{title}: see the table", large=True)


def write_page(page: Page, run: Run, folder: str | Path | None) -> Path:
    """Write ``similarity.html`` into a folder, the run's own by default; return its path."""
    place = run.path / "similarity" if folder is None else Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    file = place / "similarity.html"
    write_atomic(file, page.render().encode(), sync=False)
    return file
