"""``demo``, and the table of models that compress prints too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netsmith.cli.output import notice, print_json, say, table
from netsmith.cli.progress import Bars

if TYPE_CHECKING:
    from netsmith.workflows.compression import Compressed

__all__ = ["demo", "print_compressed"]


def demo(*, root: str, seed: int) -> None:
    """Run the journey and print its table."""
    from netsmith.workflows.demo import run_demo

    with Bars() as bars:
        found = run_demo(root=root, seed=seed, hooks=bars, stage=notice, notice=notice)
    _print_models(found.compressed.rows)
    say("")
    say(f"{found.seconds:.0f} s; page: {found.page}")


def print_compressed(found: Compressed, *, as_json: bool) -> None:
    """Print what came out of a compression, and where its page is."""
    if as_json:
        print_json([row.to_json() for row in found.rows])
        return
    _print_models(found.rows)
    say("")
    say(f"page: {found.page}")


def _print_models(rows: Sequence[Any]) -> None:
    """Print accuracy, size and speed of exported models, with ratios to the first."""
    from netsmith.report.run_page import model_table
    from netsmith.workflows.compression import model_rows

    found = model_table(model_rows(rows))
    print(table(found.headers, found.rows))
