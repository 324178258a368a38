"""``verify``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from netsmith.cli.output import notice, print_json
from netsmith.cli.progress import Bars

__all__ = ["verify"]


def verify(names: list[str], *, everything: bool, level: int, full: bool, seeds: str, root: str, as_json: bool) -> None:
    """Check recipes at a level; the exit code is 5 if one fails."""
    from netsmith.core.cards import variants_of
    from netsmith.core.errors import ConfigError, NetsmithError, ProofError
    from netsmith.core.registry import find_recipe, recipes

    if everything == bool(names):
        raise ConfigError("verify: give recipe names, or --all for every recipe")
    if everything:
        for name, entry in recipes().items():
            names += [name, *(f"{name}:{variant}" for variant in variants_of(entry))]
    for name in names:
        find_recipe(name)
    if seeds and not all(part.strip().isdigit() for part in seeds.split(",")):
        raise ConfigError(f"--seeds: expected numbers such as 0,1,2, got {seeds!r}")
    results: list[dict[str, Any]] = []
    failed = 0
    for name in names:
        try:
            if level == 0:
                results += _conforms(name, full=full)
            elif level == 2:
                results.append(_learns(name))
            elif level == 3:
                results.append(_reproduces(name, seeds=seeds, root=root))
            else:
                raise ConfigError("level 1 is shown by the system's own test; run: make test")
        except ConfigError:
            raise
        except (NetsmithError, ArithmeticError, AssertionError) as error:
            failed += 1
            results.append({"name": name, "level": level, "result": f"FAILED: {error}"})
            notice(f"{name}: FAILED: {error}")
    failed += sum(str(row.get("result", "")).startswith("FAILED") for row in results if "check" in row)
    if as_json:
        print_json(results)
    else:
        print(f"\n{len(names)} recipes, level {level}: {failed} failed")
    if failed:
        raise ProofError(f"{failed} of {len(results)} verifications failed")


def _conforms(name: str, *, full: bool) -> list[dict[str, Any]]:
    from netsmith.verify.checks import CHECKS, run_check
    from netsmith.verify.matrix import resume_matrix

    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for check in CHECKS:
            try:
                result = run_check(name, check, Path(folder) / check)
            except Exception as error:
                result = f"FAILED: {error}"
            notice(f"{name}: {check}: {result}")
            rows.append({"name": name, "level": 0, "check": check, "result": result})
        if full:
            for case, result in resume_matrix(name, Path(folder) / "matrix"):
                notice(f"{name}: resume {case}: {result}")
                rows.append({"name": name, "level": 0, "check": f"resume {case}", "result": result})
    return rows


def _learns(name: str) -> dict[str, Any]:
    from netsmith.verify.evidence import learns

    row = learns(name)
    notice(f"{name}: {row.get('result') or row['metric'] + ' ' + format(row['measured'], '.4f')}")
    return row


def _reproduces(name: str, *, seeds: str, root: str) -> dict[str, Any]:
    from netsmith.verify.evidence import reproduce, write_evidence
    from netsmith.verify.shipped import beside_teachers

    chosen = tuple(int(part) for part in seeds.split(",")) if seeds else ()
    with Bars() as bars:
        runs = reproduce(name, root=root, seeds=chosen, hooks=bars, notice=notice)
    numbers = f" --seeds {seeds}" if seeds else ""
    shipped = beside_teachers(runs, root=root, notice=notice)
    file = write_evidence(name, runs, command=f"netsmith verify {name} --level 3{numbers}", shipped=shipped)
    notice(f"{name}: evidence written to {file.name}")
    return {"name": name, "level": 3, "figures": {run.path.name: run.figures() for run in runs}}
