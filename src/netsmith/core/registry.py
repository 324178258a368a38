"""The file system is the registry: a kind is a file in its room, a recipe is a file under ``recipes/``.

Nothing is imported to list a catalogue: literals (``CARD``, ``VARIANTS``, ``SIZES``) are read from the syntax tree, so
``netsmith list`` needs no torch.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from netsmith.core.config import Config
from netsmith.core.errors import ConfigError, UnknownNameError, did_you_mean

__all__ = [
    "Entry",
    "config_in",
    "find_kind",
    "find_lab",
    "find_recipe",
    "kinds",
    "labs",
    "literals",
    "models",
    "recipes",
    "sizes",
]

_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Entry:
    """One file of a catalogue.

    Attributes:
        name: The file's name without ``.py``; unique in its catalogue.
        path: Where the file lies.
        module: Its import path.
        doc: The first line of its docstring.
        literals: The module-level literals in capitals (``CARD``, ``VARIANTS``, ``SIZES``).
    """

    name: str
    path: Path
    module: str
    doc: str = ""
    literals: dict[str, Any] = field(default_factory=dict[str, Any])


def literals(path: Path) -> tuple[str, dict[str, Any]]:
    """Read a file's docstring and its module-level literals in capitals, executing nothing.

    Raises:
        ConfigError: The file does not parse, or ``CARD``, ``VARIANTS`` or ``SIZES`` is not a pure literal.
    """
    doc, found, _ = _read(path)
    return doc, found


def _read(path: Path) -> tuple[str, dict[str, Any], bool]:
    """Return docstring, literals, and whether a class has a ``Config`` to build from; parse a file once as it is."""
    path = path.absolute()
    told = path.stat()
    return _read_once(path, (told.st_ino, told.st_mtime_ns, told.st_size))


@functools.lru_cache(maxsize=4096)
def _read_once(path: Path, stamp: tuple[int, ...]) -> tuple[str, dict[str, Any], bool]:  # noqa: ARG001
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (SyntaxError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"{path.name} is not a Python file: {error}") from None
    found: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            target, value = node.target, node.value
        else:
            continue
        if isinstance(target, ast.Name) and target.id in ("CARD", "VARIANTS", "SIZES"):
            try:
                found[target.id] = ast.literal_eval(value)
            except ValueError:
                raise ConfigError(f"{path.name}, line {node.lineno}: {target.id} must be a pure literal") from None
    return (ast.get_docstring(tree) or "").partition("\n")[0], found, _builds(tree)


def _files(room: str) -> Iterator[tuple[str, Path, str]]:
    base = _PACKAGE.joinpath(*room.split("."))
    for path in sorted(base.rglob("*.py")):
        if path.stem.startswith("_"):
            continue
        parts = path.relative_to(_PACKAGE).with_suffix("").parts
        yield path.stem, path, ".".join(("netsmith", *parts))


def _places(room: str) -> dict[str, tuple[Path, str]]:
    places: dict[str, tuple[Path, str]] = {}
    for name, path, module in _files(room):
        if name in places:
            raise ConfigError(f"two files are named {name!r}: {places[name][0]} and {path}; rename one")
        places[name] = path, module
    return places


def _catalogue(room: str, *, built: bool = False) -> dict[str, Entry]:
    """Return the files of a room, or those alone that have a ``Config`` to build from."""
    entries: dict[str, Entry] = {}
    for name, (path, module) in _places(room).items():
        doc, found, builds = _read(path)
        if builds or not built:
            entries[name] = Entry(name=name, path=path, module=module, doc=doc, literals=found)
    return entries


def recipes() -> dict[str, Entry]:
    """Every recipe of the catalogue by name, read without importing one."""
    return {name: entry for name, entry in _catalogue("recipes").items() if "CARD" in entry.literals}


def labs() -> dict[str, Entry]:
    """Every lab of the catalogue by name, read without importing one."""
    return {name: entry for name, entry in _catalogue("labs").items() if "CARD" in entry.literals}


def find_lab(name: str) -> Entry:
    """Find a lab by name, in which a hyphen is as good as an underscore.

    Raises:
        UnknownNameError: No such lab.
    """
    known, name = labs(), name.replace("-", "_")
    if name not in known:
        raise UnknownNameError("lab", name, known)
    return known[name]


def models() -> dict[str, Entry]:
    """Every model file of the catalogue by name, read without importing one: those with a ``Config`` to build from."""
    return _catalogue("models", built=True)


def _builds(tree: ast.Module) -> bool:
    classes = (node for node in tree.body if isinstance(node, ast.ClassDef))
    return any(isinstance(inner, ast.ClassDef) and inner.name == "Config" for node in classes for inner in node.body)


def sizes() -> dict[str, tuple[Entry, dict[str, Any]]]:
    """Every named size (``resnet50``) with the model file it belongs to and the fields it sets."""
    found: dict[str, tuple[Entry, dict[str, Any]]] = {}
    for name, entry in models().items():
        found.setdefault(name, (entry, {}))
        for size, fields in cast("dict[str, dict[str, Any]]", entry.literals.get("SIZES", {})).items():
            found[size] = (entry, fields)
    return found


def find_recipe(name: str) -> tuple[Entry, str]:
    """Find a recipe by ``name`` or ``name:variant``.

    Returns:
        The entry and the variant (``""`` for none).

    Raises:
        UnknownNameError: No such recipe or variant.
    """
    base, _, variant = name.partition(":")
    known = recipes()
    if base not in known:
        raise UnknownNameError("recipe", base, known)
    variants = cast("dict[str, Any]", known[base].literals.get("VARIANTS", {}))
    if variant and variant not in variants:
        raise UnknownNameError(f"variant of {base}", variant, variants)
    return known[base], variant


def find_kind(base: type[Config], kind: str) -> type[Config]:
    """Import the file ``kind`` of the room of ``base`` and return its config class.

    Raises:
        ConfigError: No file of that name plays that role.
    """
    places = _places(base.room)
    found = config_in(places[kind][1], base) if kind.isidentifier() and kind in places else None
    if found is None:
        raise ConfigError(f"no {base.role} of kind {kind!r}{did_you_mean(kind, places.keys() - {kind})}")
    return found


def kinds(base: type[Config]) -> dict[str, type[Config]]:
    """Import every file of the room of ``base`` and return the configs of that role by kind."""
    found = {name: config_in(module, base) for name, (_, module) in _places(base.room).items()}
    return {name: config for name, config in found.items() if config is not None}


def config_in(module: str, base: type[Config]) -> type[Config] | None:
    """Return the one config of role ``base`` that a module defines, or None."""
    loaded = importlib.import_module(module)
    for _, owner in inspect.getmembers(loaded, inspect.isclass):
        if owner.__module__ != module:
            continue
        config = owner.__dict__.get("Config")
        if isinstance(config, type) and issubclass(config, base):
            return config
    return None
