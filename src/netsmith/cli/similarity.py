"""The verb that compares what the layers of runs make of examples."""

from __future__ import annotations

from typing import Any

from netsmith.cli.output import notice, print_json, say
from netsmith.core.errors import UserError

__all__ = ["similarity"]


def similarity(
    path: str,
    other: str,
    *,
    matrices: list[str],
    source: str,
    method: Any,
    metric: Any,
    codes: list[str],
    as_json: bool,
) -> None:
    """Compare the layers of a run with those of another, or with given dissimilarity matrices."""
    from netsmith.api.run import with_code
    from netsmith.workflows.similarity import compare_representations, compare_with_matrices

    if bool(other) == bool(matrices):
        raise UserError(
            "expected one thing to compare with: another run, or --matrix FILE (or FOLDER, one per subject); "
            f"got {'both' if other else 'neither'}"
        )
    if other and source:
        raise UserError("--input says what the rows of given matrices are; leave it out where two runs are compared")
    run = with_code(path, codes, notice)
    if other:
        second = with_code(other, codes, notice)
        found = compare_representations(run, second, method=method or "spearman", metric=metric)
    else:
        found = compare_with_matrices(run, matrices, source=source or None, method=method or "tau_a", metric=metric)
    if as_json:
        tables = {"rsa": found.rsa, "cka": found.cka, "p_values": found.p_values}
        print_json(
            {
                "rows": found.rows,
                "columns": found.columns,
                **{name: None if values is None else values.tolist() for name, values in tables.items()},
                "page": str(found.page),
            }
        )
        return
    for line in found.notes:
        say(line)
    say("")
    say(f"page: {found.page}")
