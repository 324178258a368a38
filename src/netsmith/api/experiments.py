"""Find an experiment by a recipe's name, a recipe file, or the JSON a run wrote; and change it from the outside."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from netsmith.core.cards import Card, card_of, variants_of
from netsmith.core.config import Config
from netsmith.core.errors import ConfigError, RunError, shorten
from netsmith.core.files import read_json
from netsmith.core.registry import find_recipe, literals
from netsmith.engine.experiment import Experiment

__all__ = ["Code", "Found", "find", "load_code", "parse_sets", "read_experiment"]

FORMAT = 1


@dataclass(frozen=True)
class Code:
    """The user's own recipe file, when an experiment was made from one.

    Attributes:
        path: The file.
        sha256: Its hash; verbs load a run's code only from a file of the same hash.
        kinds: The configs it defines, by (role, kind).
        module: The imported module.
    """

    path: Path
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


def find(target: str, *, sets: Mapping[str, Any] | None = None, code: str | Path | None = None) -> Found:
    """Find an experiment and apply changes.

    Args:
        target: ``resnet20_cifar10``, ``resnet20_cifar10:56``, ``./mine.py``, or ``runs/x/experiment.json``.
        sets: Changes by dotted path.
        code: The user's recipe file a JSON experiment was made from.

    Raises:
        UnknownNameError: No such recipe; the nearest name is suggested.
        ConfigError: The file holds no experiment, or a change does not fit.
        RunError: The JSON file is missing or malformed.
    """
    path = Path(target)
    if path.suffix == ".py":
        found = _from_file(path)
    elif path.suffix == ".json" or path.is_dir():
        file = path / "experiment.json" if path.is_dir() else path
        found = read_experiment(read_json(file), code=load_code(Path(code)) if code else None)
    else:
        found = _from_catalogue(target)
    if sets:
        found = Found(found.name, found.recipe, found.config.derive(**sets), found.card, found.code)
    return found


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


def load_code(path: Path) -> Code:
    """Import the user's own recipe file (this runs it: it is the user's).

    Raises:
        ConfigError: It does not exist or fails to import.
    """
    if not path.is_file():
        raise ConfigError(f"no recipe file {path}; expected a Python file that defines experiment")
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    name = f"netsmith_code_{sha[:12]}"
    module = sys.modules.get(name)
    if module is None:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[name]
            raise ConfigError(
                f"{path.name} failed to import: {type(error).__name__}: {shorten(str(error), 300)}"
            ) from error
    kinds: dict[tuple[str, str], type[Config]] = {}
    for _, owner in inspect.getmembers(module, inspect.isclass):
        config = owner.__dict__.get("Config") if owner.__module__ == name else None
        if isinstance(config, type) and issubclass(config, Config) and config.role:
            kinds[config.role, config.kind_name()] = config
    return Code(path, sha, kinds, module)


def read_experiment(value: Any, *, code: Code | None = None) -> Found:
    """Read the JSON form a run wrote.

    Raises:
        RunError: Not of the documented form, or it needs the user's own code (``code``) of a certain hash.
        ConfigError: A kind or a value is unknown; nothing in it is ever imported by path.
    """
    expected = "expected {'format': 1, 'name': ..., 'experiment': {...}}"
    if not isinstance(value, dict) or value.get("format") != FORMAT or not isinstance(value.get("experiment"), dict):
        raise RunError(f"not an experiment file: {expected}, got {shorten(json.dumps(value), 80)}")
    wanted = value.get("code")
    if wanted is not None:
        if not isinstance(wanted, dict) or not isinstance(wanted.get("sha256"), str):
            raise RunError(f"not an experiment file: code must name a sha256, got {shorten(json.dumps(wanted), 80)}")
        if code is None:
            raise RunError(
                f"this run was made from the user's own file {shorten(str(wanted.get('file')), 60)!r}; "
                "say that it may be run: --code FILE"
            )
        if code.sha256 != wanted["sha256"]:
            has, made = code.sha256[:12], wanted["sha256"][:12]
            raise RunError(
                f"{code.path.name} has SHA-256 {has}..., the run was made from {made}...; "
                "give the same file (the run folder keeps a copy)"
            )
    config = Experiment.Config.load(value["experiment"], kinds=code.kinds if code else None)
    name, recipe = value.get("name"), value.get("recipe", "")
    if not isinstance(name, str) or not isinstance(recipe, str):
        raise RunError(f"not an experiment file: {expected}, got name {shorten(repr(name), 60)}")
    card = None
    if recipe:
        try:
            card = card_of(recipe)
        except ConfigError:
            raise
        except ValueError:
            card = None  # the catalogue no longer has this recipe; the run is whole without it
    return Found(name, recipe, config, card, code)


def write_form(found: Found, config: Experiment.Config) -> dict[str, Any]:
    """Return the JSON form of a resolved experiment."""
    code = {"file": found.code.path.name, "sha256": found.code.sha256} if found.code else None
    return {"format": FORMAT, "name": found.name, "recipe": found.recipe, "code": code, "experiment": config.dump()}


def parse_sets(texts: list[str]) -> dict[str, Any]:
    """Read ``a.b=value`` texts; a value is JSON where it parses as JSON, else a string.

    Example:
        >>> parse_sets(["steps=10", "data.augment=[]", "select=dev/accuracy"])
        {'steps': 10, 'data.augment': [], 'select': 'dev/accuracy'}
    """
    found: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals or not path.strip():
            raise ConfigError(f"--set {shorten(text, 60)!r}: expected path=value, for example --set seed=1")
        try:
            found[path.strip()] = json.loads(value)
        except ValueError:
            found[path.strip()] = value
    return found
