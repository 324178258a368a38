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
    draws: int | None,
    codes: list[str],
    as_json: bool,
) -> None:
    """Compare the layers of a run with those of another, or with given dissimilarity matrices."""
    from netsmith.api.run import with_code
    from netsmith.workflows.given_similarity import compare_with_matrices
    from netsmith.workflows.similarity import compare_representations

    if bool(other) == bool(matrices):
        raise UserError(
            "expected one thing to compare with: another run, or --matrix FILE (or FOLDER, one per subject); "
            f"got {'both' if other else 'neither'}"
        )
    if other and draws is not None:
        raise UserError("--draws is for given matrices: two runs are compared without a test; leave it out")
    run, shown = with_code(path, codes, notice), source or None
    if other:
        second = with_code(other, codes, notice)
        found = compare_representations(run, second, source=shown, method=method or "spearman", metric=metric)
    else:
        found = compare_with_matrices(
            run,
            matrices,
            source=shown,
            method=method or "tau_a",
            metric=metric,
            draws=draws,
        )
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
