"""Evidence files: figures on real data over seeds, golden losses on the twin, hashes that tell when they are stale."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from netsmith.api.catalogue import beside, source_sha256, summary
from netsmith.api.experiments import Found, find, read_experiment
from netsmith.api.run import Run, load, resume, train
from netsmith.api.training import teacher_into
from netsmith.core.errors import NetsmithError, ProofError, RunError
from netsmith.core.files import read_json, write_json
from netsmith.core.registry import find_recipe
from netsmith.core.spec import Spec
from netsmith.engine.checkpoint import tensors_sha256
from netsmith.engine.engine import Engine
from netsmith.engine.experiment import Experiment
from netsmith.engine.hook import Hook
from netsmith.engine.run_folder import environment
from netsmith.methods.fine_tuning import FineTuning, begin_with
from netsmith.verify.subject import Subject

__all__ = ["golden_losses", "is_golden", "learns", "matches_golden", "reproduce", "write_evidence"]

_GOLDEN = 20
_NUDGE = 1e-14  # some fifty times the last digit of a double


def golden_losses(name: str, *, nudge: float = 0.0) -> list[float]:
    """Return the first losses of a recipe on its twin; ``[]`` for one without losses.

    In double precision: high rates make single precision's rounding, which differs with processor and threads, as large
    as the loss within a few steps.

    Args:
        name: The recipe.
        nudge: Each first weight is moved by this share of itself.
    """
    subject = Subject.of(name, steps=_GOLDEN)
    return [round(value, 10) for value in subject.losses(_GOLDEN, nudge=nudge, precision="fp64")]


def matches_golden(found: Sequence[float], golden: Sequence[float]) -> bool:
    """Say whether two golden curves agree to a relative 1e-3."""
    return len(found) == len(golden) and _agreeing(found, golden, within=1e-3) == len(golden)


def is_golden(name: str, golden: Sequence[float]) -> str:
    """Return ``""`` if a recipe's first losses are still the golden ones, else what they are.

    In a deep network without shortcuts a difference in the last digit, which another processor makes, grows tenfold
    with each step. So where the curves part, the run is made once more from first weights moved by some of their last
    digits: losses that this alone moves by a relative 1e-5 decide nothing. At least three must be left.
    """
    found = golden_losses(name)
    if matches_golden(found, golden):
        return ""
    steady = _agreeing(golden_losses(name, nudge=_NUDGE), found, within=1e-5)
    if len(found) == len(golden) and 3 <= steady <= _agreeing(found, golden, within=1e-3):
        return ""
    return f"the first losses are {found[:3]}, the evidence says {list(golden[:3])}"


def _agreeing(found: Sequence[float], wanted: Sequence[float], *, within: float) -> int:
    """Return how many of the first losses agree."""
    pairs = zip(found, wanted, strict=False)
    apart = (abs(a - b) > within * max(abs(a), abs(b), 1e-6) for a, b in pairs)
    return next((at for at, one in enumerate(apart) if one), min(len(found), len(wanted)))


def learns(name: str) -> dict[str, Any]:
    """Train a recipe shortly on its twin, with its own settings, and hold it to what its card promises (level 2).

    A recipe whose card names a teacher is taught by that recipe, trained on its twin as it promises; one whose card
    names a start begins with that one's weights.

    Raises:
        ProofError: The figure is not reached.
    """
    card = find(name).card
    promise = card.learns if card else None
    if promise is None:
        return {"name": name, "level": 2, "result": "the card promises nothing"}
    split = promise.metric.partition("/")[0]
    value = _short_run(name).evaluate(split)[promise.metric]
    good = value >= promise.value if promise.direction == "at_least" else value <= promise.value
    if not good:
        wanted = promise.direction.replace("_", " ")
        raise ProofError(
            f"{name}: {promise.metric} on the twin is {value:.4f} after {promise.steps} steps, "
            f"expected {wanted} {promise.value:g}"
        )
    return {"name": name, "level": 2, "metric": promise.metric, "measured": value, "promised": promise.value}


def _short_run(name: str) -> Engine:
    """Train a recipe on its twin for as long as its card promises."""
    found = find(name)
    assert found.card
    assert found.card.learns
    steps = found.card.learns.steps
    method = found.config.method.within(steps)
    changes = {"method": method, "data.twin": True, "epochs": 0, "steps": steps, "evaluate_every": steps}
    experiment = Experiment(found.config.derive(**changes))
    if found.card.teacher:
        taught = _short_run(found.card.teacher)
        teacher_into(taught.method.product(), taught.experiment.spec.outputs)(experiment)
    if found.card.start:
        begun = _short_run(beside(found.card.start, name))
        same = begun.experiment.spec.outputs == experiment.spec.outputs
        begin_with(experiment, begun.method.product().state_dict(), same_answers=same)
    engine = Engine(experiment)
    engine.fit()
    return engine


def reproduce(
    name: str,
    *,
    root: str | Path,
    seeds: Sequence[int] = (),
    hooks: Callable[[str], Sequence[Hook]] | None = None,
    notice: Callable[[str], None] = print,
) -> list[Run]:
    """Train a recipe on its real data for every seed (level 3); a finished run of the same experiment is used again.

    A recipe whose card names a teacher is taught by that recipe's run of the same seed, one whose card names a start
    begins with that run's weights; trained first if need be.

    Args:
        name: The recipe.
        root: Where the runs lie.
        seeds: Seeds; the card's by default.
        hooks: Hooks for each run (a progress bar).
        notice: Where one-line notices go.
    """
    found = find(name)
    runs = []
    for seed in seeds or (found.card.seeds if found.card else (0,)):
        config = found.config.derive(seed=seed)
        label = f"{found.name}-seed{seed}"
        path = Path(root) / label
        bars = hooks(label) if hooks else ()
        start: str | Path = ""
        if found.card and found.card.start:
            first = beside(found.card.start, name)
            (begun,) = reproduce(first, root=root, seeds=(seed,), hooks=hooks, notice=notice)
            start = begun.path
            config = config.derive(**{"method.start": tensors_sha256(begun.network.module.state_dict())})
        if _is_of(path, config):
            if (path / "evaluation.json").is_file():
                notice(f"{label}: using the finished run")
                runs.append(load(path, notice=notice))
            else:
                notice(f"{label}: going on with the run that was cut")
                runs.append(resume(path, hooks=bars, notice=notice))
            continue
        sets = {"seed": seed}
        from_run: str | Path = ""
        if found.card and found.card.teacher:
            (taught,) = reproduce(found.card.teacher, root=root, seeds=(seed,), hooks=hooks, notice=notice)
            from_run = taught.path
        runs.append(
            train(name, sets=sets, root=root, name=label, teacher=from_run, start=start, hooks=bars, notice=notice)
        )
    return runs


def _is_of(path: Path, config: Experiment.Config) -> bool:
    """Say whether a folder holds a run of just this experiment, finished or not."""
    try:
        saved = read_experiment(read_json(path / "experiment.json")).config
        spec = Spec.load(read_json(path / "schema.json"))
        resolved = ("steps", "evaluate_every", "checkpoint_every")
        same = config.derive(**{field: getattr(saved, field) for field in resolved})
        if isinstance(saved.method, FineTuning.Config) and isinstance(config.method, FineTuning.Config):
            layers = config.method.layers or saved.method.layers  # all that fit, where the recipe does not say
            same = same.derive(**{"method.layers": layers})
        return same.derive(epochs=0).resolve(spec, batches=None).derive(epochs=config.epochs) == saved
    except NetsmithError:
        return False


def _of_any_start(config: Experiment.Config) -> Experiment.Config:
    """Return the config without the hash of the weights it began with, which differs from seed to seed."""
    return config.derive(**{"method.start": ""}) if isinstance(config.method, FineTuning.Config) else config


def write_evidence(
    name: str, runs: Sequence[Run], *, command: str, shipped: Mapping[int, Mapping[str, float]] | None = None
) -> Path:
    """Write what was measured beside the recipe; the only writer of evidence files.

    Args:
        name: The recipe.
        runs: A finished run per seed.
        command: The command that makes them.
        shipped: By seed, figures of the exported files (:func:`netsmith.verify.shipped.beside_teacher`).

    Raises:
        RunError: A run is of another experiment, or a seed occurs twice.
    """
    entry, variant = find_recipe(name)
    found: Found = find(name)
    values: dict[str, dict[str, float]] = {}
    config = _of_any_start(runs[0].found.config)
    environments: list[dict[str, Any]] = []
    code: dict[str, str] = {}
    for run in runs:
        if _of_any_start(run.found.config).derive(seed=config.seed) != config:
            raise RunError(f"{run.path.name} is of another experiment than {runs[0].path.name}")
        seed = str(run.found.config.seed)
        more = (shipped or {}).get(run.found.config.seed, {})
        for metric, value in {**run.figures(), **more}.items():
            if value is not None:
                if seed in values.setdefault(metric, {}):
                    raise RunError(f"seed {seed} occurs twice")
                values[metric][seed] = value
        environments.append(read_json(run.path / "environment.json"))
        code[seed] = environments[-1].get("git") or "not recorded"
    measured = {metric: {**summary(list(seeds.values())), "seeds": seeds} for metric, seeds in values.items()}
    card = found.card
    content = {
        "config_sha256": found.config.derive(seed=0).sha256(),
        "source_sha256": source_sha256(entry),
        "data_sha256": {split.name: split.sha256 for split in runs[0].network.spec.splits},
        "golden_losses": golden_losses(name),
        "measured": measured,
        "claims": [claim.dump() for claim in card.claims] if card else [],
        "command": command,
        "code": code,
        "date": time.strftime("%Y-%m-%d"),
        "environment": {
            key: environments[0][key] for key in ("versions", "system", "processor", "threads", "gpu", "python")
        },
        "written_by": environment()["versions"]["netsmith"],
    }
    file = entry.path.with_name(f"{entry.name}.evidence.json")
    whole = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {"format": 1, "variants": {}}
    whole["variants"][variant or "default"] = content
    whole["variants"] = dict(sorted(whole["variants"].items()))
    write_json(file, whole)
    return file
