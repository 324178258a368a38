"""Find an experiment by a recipe's name, a recipe file, or the JSON a run wrote; and change it from the outside."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import json
import os
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

from netsmith.core.cards import Card, card_of, variants_of
from netsmith.core.config import Config
from netsmith.core.errors import ConfigError, NetsmithError, RunError, shorten
from netsmith.core.files import read_json
from netsmith.core.registry import find_recipe, literals, recipes
from netsmith.engine.experiment import Experiment
from netsmith.engine.run_folder import RunFolder

__all__ = ["Code", "Found", "find", "load_code", "parse_sets", "read_experiment", "wanted_code", "write_form"]

FORMAT = 1
_EXPECTED = "expected {'format': 1, 'name': ..., 'experiment': {...}}"


@dataclass(frozen=True)
class Code:
    """The user's own recipe file, when an experiment was made from one.

    Attributes:
        path: The file.
        source: Its contents as they were executed.
        sha256: Their hash; verbs load a run's code only from a file of the same hash.
        kinds: The configs it defines, by (role, kind).
        module: The imported module.
    """

    path: Path
    source: bytes
    sha256: str
    kinds: Mapping[tuple[str, str], type[Config]]
    module: ModuleType


@dataclass(frozen=True)
class Found:
    """An experiment and where it came from.

    Attributes:
        name: A short name for its runs.
        recipe: The catalogue's name, ``name:variant``, or ``""``.
        config: The experiment's config.
        card: Its card, or None.
        code: The user's own file, or None.
    """

    name: str
    recipe: str
    config: Experiment.Config
    card: Card | None = None
    code: Code | None = None


def find(
    target: str | Path,
    *,
    sets: Mapping[str, Any] | None = None,
    code: str | Path | None = None,
    shared: bool = False,
) -> Found:
    """Find an experiment and apply changes.

    Args:
        target: ``resnet20_cifar10``, ``resnet20_cifar10:56``, ``./mine.py``, ``runs/x/experiment.json`` or ``runs/x``.
        sets: Changes by dotted path.
        code: The user's recipe file a JSON experiment was made from.
        shared: Whether the file may be that of another run alone, which a target made without one leaves aside.

    Raises:
        UnknownNameError: No such recipe; the nearest name is suggested.
        ConfigError: The file holds no experiment, or a change does not fit.
        RunError: The JSON file is missing or malformed.
    """
    path, text = Path(target), str(target)
    if not text.strip():
        raise ConfigError("no target is given; expected a recipe's name (netsmith list), a .py file or a run folder")
    known = isinstance(target, str) and target.partition(":")[0] in recipes()  # ./NAME means a folder of that name
    if path.suffix == ".json" or (path.is_dir() and not known):
        value = RunFolder.open(path).read("experiment.json") if path.is_dir() else read_json(path)
        found = read_experiment(value, code=None if shared and not wanted_code(value) else code)
    elif code and not shared:
        raise ConfigError("--code belongs to a run that was made from your own file; a recipe needs none")
    elif path.suffix == ".py":
        found = _from_file(path)
    elif os.sep in text:
        raise RunError(f"{shorten(text, 120)} does not exist; expected a recipe's name, a .py file or a run folder")
    else:
        found = _from_catalogue(text)
    return replace(found, config=found.config.derive(**sets)) if sets else found


def _from_catalogue(target: str) -> Found:
    entry, variant = find_recipe(target)
    config = _experiment_in(importlib.import_module(entry.module), entry.path)
    if variant:
        config = config.derive(**variants_of(entry)[variant].get("set", {}))
    return Found(target.replace(":", "-"), target, config, card_of(entry, variant))


def _from_file(path: Path) -> Found:
    code = load_code(path)
    config = _experiment_in(code.module, path)
    _, found = literals(path)
    card = Card.load(found["CARD"]) if "CARD" in found else None
    return Found(path.stem, "", config, card, code)


def _experiment_in(module: ModuleType, path: Path) -> Experiment.Config:
    config = getattr(module, "experiment", None)
    if not isinstance(config, Experiment.Config):
        raise ConfigError(f"{path.name} defines no experiment; expected: experiment = Experiment.Config(...)")
    return config


def load_code(path: str | Path, *, sha256: str = "") -> Code:
    """Run the user's own recipe file as a module; exactly the bytes that are hashed are executed.

    Args:
        path: The file.
        sha256: The hash it must have; nothing is executed where it has another. Empty for any.

    Raises:
        ConfigError: It does not exist or fails.
        RunError: It has another hash.
    """
    path = Path(path)
    try:
        source = path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"cannot read the recipe file {shorten(str(path), 120)}: {error.strerror}; expected a Python file that "
            "defines experiment"
        ) from None
    found = hashlib.sha256(source).hexdigest()
    if sha256 and found != sha256:
        raise RunError(
            f"{path.name} has SHA-256 {found[:12]}..., the run was made from {sha256[:12]}...; nothing was executed. "
            "Give the same file (the run folder keeps a copy, code.py)"
        )
    name = f"netsmith_code_{found[:12]}"
    module = sys.modules.get(name)
    if module is None:
        module = _execute(source, name, path)
    kinds: dict[tuple[str, str], type[Config]] = {}
    for _, owner in inspect.getmembers(module, inspect.isclass):
        config = owner.__dict__.get("Config") if owner.__module__ == name else None
        if isinstance(config, type) and issubclass(config, Config) and config.role:
            kinds[config.role, config.kind_name()] = config
    return Code(path, source, found, kinds, module)


def _execute(source: bytes, name: str, path: Path) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # classes find their config's owner through their module
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = lines[-1] if lines else getattr(error, "lineno", None)
        place = f"{path.name}, line {line}" if line else path.name
        what = str(error) if isinstance(error, NetsmithError) else f"{type(error).__name__}: {error}"
        raise ConfigError(f"{place}: {shorten(' '.join(what.split()), 300)}") from error
    return module


def wanted_code(value: Any) -> str:
    """Return the hash of the user's file that an experiment in JSON form was made from, ``""`` for none.

    Raises:
        RunError: Not of the documented form.
    """
    if not isinstance(value, dict) or value.get("format") != FORMAT or not isinstance(value.get("experiment"), dict):
        raise RunError(f"not an experiment file: {_EXPECTED}, got {_shown(value)}")
    wanted = value.get("code")
    if wanted is None:
        return ""
    if not isinstance(wanted, dict) or not isinstance(wanted.get("sha256"), str) or not wanted["sha256"]:
        raise RunError(f"not an experiment file: code must name a sha256, got {_shown(wanted)}")
    return wanted["sha256"]


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object with the keys " + shorten(", ".join(map(repr, list(value)[:8])), 80)
    return shorten(repr(value), 80) if not isinstance(value, list) else f"a list of {len(value)}"


def read_experiment(value: Any, *, code: str | Path | None = None) -> Found:
    """Read the JSON form a run wrote.

    Args:
        value: JSON values.
        code: The user's recipe file it was made from; executed only where its hash is the one the run names.

    Raises:
        RunError: Not of the documented form, or it needs the user's own code (``code``) of a certain hash.
        ConfigError: A kind or a value is unknown; nothing in it is ever imported by path.
    """
    sha256 = wanted_code(value)
    if sha256 and not code:
        file = value["code"].get("file")
        raise RunError(
            f"this run was made from your own file {shorten(str(file), 60)!r} and needs it: --code FILE (it will be "
            "executed; the run folder keeps a copy, code.py)"
        )
    if code and not sha256:
        raise ConfigError("--code belongs to a run that was made from your own file; this one was not")
    name, recipe = value.get("name"), value.get("recipe", "")
    if not isinstance(name, str) or not name or not isinstance(recipe, str):
        raise RunError(f"not an experiment file: {_EXPECTED}, got name {_shown(name)}")
    loaded = load_code(code, sha256=sha256) if code else None
    try:
        config = Experiment.Config.load(value["experiment"], kinds=loaded.kinds if loaded else None)
    except RecursionError:
        raise RunError("not an experiment file: its values are nested too deeply") from None
    card = None
    if recipe:
        try:
            card = card_of(recipe)
        except ConfigError:
            raise
        except ValueError:
            card = None  # the catalogue no longer has this recipe; the run is whole without it
    return Found(name, recipe, config, card, loaded)


def write_form(found: Found, config: Experiment.Config) -> dict[str, Any]:
    """Return the JSON form of a resolved experiment."""
    code = {"file": found.code.path.name, "sha256": found.code.sha256} if found.code else None
    return {"format": FORMAT, "name": found.name, "recipe": found.recipe, "code": code, "experiment": config.dump()}


def parse_sets(texts: list[str]) -> dict[str, Any]:
    """Read ``a.b=value`` texts; a value is JSON where it parses as JSON, else a string.

    Raises:
        ConfigError: No ``=``, the same path twice, or NaN or infinity.

    Example:
        >>> parse_sets(["steps=10", "data.augment=[]", "select=dev/accuracy"])
        {'steps': 10, 'data.augment': [], 'select': 'dev/accuracy'}
    """
    found: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        path = path.strip()
        if not equals or not path:
            raise ConfigError(f"--set {shorten(text, 60)!r}: expected path=value, for example --set seed=1")
        if path in found:
            raise ConfigError(f"--set {shorten(path, 60)} is given twice; give it once")
        try:
            found[path] = json.loads(value, parse_constant=_refuse)
        except ConfigError as error:
            raise ConfigError(f"--set {shorten(text, 60)!r}: {error}") from None
        except (ValueError, RecursionError):
            found[path] = value
    return found


def _refuse(text: str) -> Any:
    raise ConfigError(f"{text} is not a number that a setting can have")
