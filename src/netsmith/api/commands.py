"""Command lines as a person would type them: how to go on with a run, and how to make it again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netsmith.api.experiments import find, parse_sets
from netsmith.core.config import AUTO
from netsmith.core.errors import NetsmithError
from netsmith.data.published import Published
from netsmith.methods._taught import TaughtConfig
from netsmith.methods.fine_tuning import FineTuning

if TYPE_CHECKING:
    from netsmith.api.experiments import Found
    from netsmith.core.spec import Spec
    from netsmith.engine.experiment import Experiment

__all__ = ["import_again", "on_run", "train_again"]

_LONGEST = 200  # characters of a command that a person still reads
_TIMES = ("steps", "evaluate_every", "checkpoint_every")


def on_run(verb: str, path: Path) -> str:
    """Return the command of a verb on a run; one made from the user's own file names the copy in its folder.

    Example:
        >>> on_run("resume", Path("runs/my digits"))
        "netsmith resume 'runs/my digits'"
    """
    return " ".join(["netsmith", verb, shlex.quote(str(path)), *_code(path)])


def _code(path: Path) -> list[str]:
    file = path / "code.py"
    return ["--code", shlex.quote(str(file))] if file.is_file() else []


def train_again(path: Path, found: Found, spec: Spec) -> str:
    """Return the command that makes a run anew: its recipe with what was set, or the import of published weights.

    Where that would be long, or is not exactly this experiment, the run's ``experiment.json`` is named instead.

    Args:
        path: The run folder.
        found: The run's experiment, resolved.
        spec: The schema of the run's data (its ``schema.json``).
    """
    if isinstance(found.config.data, Published.Config):
        return found.config.data.command
    method = found.config.method
    taught = isinstance(method, TaughtConfig) and method.needs_teacher and not method.teacher_steps
    tuned = isinstance(method, FineTuning.Config)  # begun with another run's weights, which the recipe does not name
    teacher = ["--teacher", "RUN"] if taught else ["--from", "RUN"] if tuned else []
    target = str(path / "code.py") if found.code else found.recipe
    texts = _sets(found, spec) if target and not tuned else None
    if texts is not None:
        sets = [word for text in texts for word in ("--set", shlex.quote(text))]
        short = " ".join(["netsmith train", shlex.quote(target), *sets, *teacher])
        if len(short) <= _LONGEST:
            return short
    return " ".join(["netsmith train", shlex.quote(str(path / "experiment.json")), *_code(path), *teacher])


def import_again(
    network: str,
    weights: str,
    *,
    classes: Sequence[str] | str | Path,
    image_size: int,
    mean: Sequence[float],
    std: Sequence[float],
    crop: float,
    sets: Mapping[str, Any],
) -> str:
    """Return the command that imports published weights anew; names given one by one want a FILE of them.

    Example:
        >>> more = {"classes": (), "image_size": 64, "mean": (0.5,), "std": (0.2,), "crop": 1.0, "sets": {"width": 8}}
        >>> import_again("resnet18", "my weights.pth", **more)
        "netsmith import resnet18 'my weights.pth' --image-size 64 --mean 0.5 --std 0.2 --crop 1.0 --set width=8"
    """
    words = ["netsmith import", shlex.quote(network), shlex.quote(weights)]
    if classes:
        words += ["--classes", shlex.quote(str(classes)) if isinstance(classes, (str, Path)) else "FILE"]
    if image_size:
        words.append(f"--image-size {image_size}")
    words += [f"--{name} {value!r}" for name, values in (("mean", mean), ("std", std)) for value in values]
    words.append(f"--crop {crop!r}")
    words += ["--set " + shlex.quote(f"{name}={_text(value)}") for name, value in sets.items()]
    return " ".join(words)


def _sets(found: Found, spec: Spec) -> list[str] | None:
    """Return the ``a.b=value`` texts that make the recipe this run's experiment, or None where none do."""
    try:
        base = found.code.module.experiment if found.code else find(found.recipe).config
        texts = [f"{name}={_text(value)}" for name, value in _changes(base, found.config, spec).items()]
        return texts if not _changes(base.derive(**parse_sets(texts)), found.config, spec) else None
    except NetsmithError:  # the catalogue's recipe is gone, or is another one by now
        return None


def _changes(base: Experiment.Config, saved: Experiment.Config, spec: Spec) -> dict[str, Any]:
    """Return where a resolved experiment differs from one before it was resolved; what follows is left out."""
    times = {name: getattr(saved, name) for name in _TIMES if getattr(base, name) == AUTO}
    filled = base.derive(epochs=0, **times).resolve(spec, batches=None).derive(epochs=base.epochs)
    changes: dict[str, Any] = {}
    _compare(filled.dump(whole=True), saved.dump(whole=True), "", changes)
    steps = int(saved.steps)
    batches = steps // saved.epochs if saved.epochs else _batches(saved, spec) or steps
    follows = {
        "steps": steps if saved.epochs else None,
        "evaluate_every": min(batches, steps),
        "checkpoint_every": saved.evaluate_every,
    }
    return changes | {name: value for name, value in times.items() if value != follows[name]}


def _batches(config: Experiment.Config, spec: Spec) -> int:
    train, batch = spec.split("train"), config.data.dump().get("batch")
    return -(-train.size // batch) if train is not None and batch else 0


def _compare(old: Any, new: Any, path: str, changes: dict[str, Any]) -> None:
    alike = isinstance(old, dict) and isinstance(new, dict) and old.keys() == new.keys()
    if alike and old.get("kind") == new.get("kind"):
        for name in new:
            _compare(old[name], new[name], f"{path}.{name}" if path else name, changes)
    elif json.dumps(old) != json.dumps(new):
        changes[path] = new


def _text(value: Any) -> str:
    """Return a value as ``--set`` reads it back: text as it is unless it would be read as JSON."""
    if not isinstance(value, str):
        return json.dumps(value)
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return value
    return json.dumps(value)
