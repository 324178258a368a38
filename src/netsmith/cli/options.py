"""Options that many verbs have."""

from __future__ import annotations

import typer

__all__ = ["CODE", "JSON", "ROOT", "RUN", "SET"]

RUN = typer.Argument(..., help="A run folder, for example runs/lenet5_mnist.", metavar="RUN")
JSON = typer.Option(False, "--json", help="Print JSON for programs.")
CODE = typer.Option("", "--code", help="Your recipe file the run was made from (it will be executed).", metavar="FILE")
SET = typer.Option([], "--set", help="Change a field: path=value (JSON or text). Repeatable.", metavar="PATH=VALUE")
ROOT = typer.Option("runs", "--root", help="Where run folders are made.", metavar="DIR")
