"""One base for every configuration: frozen, strict, closed, and dumped without losing a subclass's fields.

A config is nested in the class it builds (``ResNet.Config``). It is a value: equal fields mean equal configs, it can be
hashed, it never changes. ``derive`` makes a changed copy and validates it again.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Self, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError, core_schema

from netsmith.core.errors import ConfigError, did_you_mean, shorten

__all__ = ["AUTO", "Auto", "Config", "FrozenMap", "later", "may_be_auto"]

Auto = Literal["auto"]
AUTO: Auto = "auto"

_FILLED = ("model", "task", "method", "hook")  # the roles whose AUTO fields an Experiment fills from the data

_LATER = {"later": True}  # marks a field of a config

_Value = TypeVar("_Value")


def later(default: Any, **limits: Any) -> Any:
    """Return a field that a config got after experiments with it were recorded.

    At its default, which must do what was done before, it is left out of dumps: what was hashed, or saved, before it
    was there is still the same experiment.

    Args:
        default: Its value where nothing is said.
        limits: As pydantic's ``Field`` takes them.

    Example:
        ``cache: bool = later(False)``
    """
    return Field(default=default, json_schema_extra={**_LATER}, **limits)


class FrozenMap(Mapping[str, _Value], Generic[_Value]):
    """An immutable, hashable mapping with string keys; the type of every mapping in a config."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, _Value] | None = None, /) -> None:
        self._items: dict[str, _Value] = dict(items or {})

    def __getitem__(self, name: str) -> _Value:
        return self._items[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> core_schema.CoreSchema:
        arguments = getattr(source, "__args__", ())
        value = handler(arguments[0]) if arguments else core_schema.any_schema()
        build = cast("Callable[[Any], FrozenMap[Any]]", FrozenMap)
        inner = core_schema.no_info_after_validator_function(
            build, core_schema.dict_schema(core_schema.str_schema(strict=True), value, strict=False)
        )
        return core_schema.no_info_before_validator_function(_to_dict, inner)


def _to_dict(value: Any) -> Any:
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value


class _ConfigMeta(type(BaseModel)):
    """Turns pydantic's error of a direct construction into one line of ours."""

    def __call__(cls, *args: Any, **fields: Any) -> Any:
        if args:
            raise ConfigError(f"{cls.__qualname__} takes keyword arguments only (got {shorten(repr(args), 80)})")
        try:
            return super().__call__(**fields)
        except ValidationError as error:
            raise _explain(cls, error) from None


class Config(BaseModel, metaclass=_ConfigMeta):
    """The base of every configuration.

    A field that holds another config is typed by its role (``ModelConfig``, ...), and accepts a config object, its
    dump, or just the name of a kind (``"lenet5"``: all defaults). Lists become tuples, mappings :class:`FrozenMap`.

    Example:
        >>> class Layer:
        ...     class Config(Config):
        ...         size: int
        >>> Layer.Config(size=3).derive(size=4)
        Layer.Config(size=4)
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, protected_namespaces=()
    )

    role: ClassVar[str] = ""
    room: ClassVar[str] = ""

    # -- validation -------------------------------------------------------------------------------------------------

    @model_validator(mode="wrap")
    @classmethod
    def _accept(cls, value: Any, handler: Callable[[Any], Self], info: ValidationInfo) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, Config):
            names = {"want": cls.role or cls.__qualname__, "got": repr(value)}
            raise PydanticCustomError("role", "expected a {want} config, got {got}", names)
        if isinstance(value, str) and cls.role:
            value = {"kind": value}
        if not isinstance(value, Mapping):
            return handler(value)
        fields = {str(name): _freeze(item) for name, item in cast("Mapping[Any, Any]", value).items()}
        if not cls.role:
            return handler(fields)
        if "kind" not in fields:
            if cls._is_role_base():  # the base alone describes nothing that could be built
                raise PydanticCustomError(
                    "kind",
                    "{article} {want} config needs its kind, a name",
                    {"want": cls.role, "article": "an" if cls.role[0] in "aeio" else "a"},
                )
            return handler(fields)
        kind = fields.pop("kind")
        if cls._is_role_base():
            try:
                target = _find_kind(cls, kind, info.context)
            except ConfigError as error:
                raise PydanticCustomError("kind", "{text}", {"text": str(error)}) from None
            return cast("Self", target.model_validate(fields, context=info.context))
        if kind != cls.kind_name():
            names = {"want": cls.kind_name(), "got": repr(kind)}
            raise PydanticCustomError("kind", "expected kind {want}, got {got}", names)
        return handler(fields)

    @classmethod
    def _is_role_base(cls) -> bool:
        return "." not in cls.__qualname__

    # -- identity ---------------------------------------------------------------------------------------------------

    @classmethod
    def kind_name(cls) -> str:
        """Return the name of what this config builds: its file's; outside netsmith its class's, in lower case."""
        if cls.__module__.startswith("netsmith."):
            return cls.__module__.rpartition(".")[2]
        return cls.__qualname__.rpartition(".")[0].rpartition(".")[2].lower() or cls.__name__.lower()

    @classmethod
    def builds(cls) -> type[Any]:
        """Return the class this config is nested in."""
        target: Any = sys.modules[cls.__module__]
        for part in cls.__qualname__.split(".")[:-1]:
            if part == "<locals>":
                raise ConfigError(f"{cls.__qualname__} is defined inside a function; move its class to the file's top")
            target = getattr(target, part)
        return cast("type[Any]", target)

    def build(self, *parts: Any, **named_parts: Any) -> Any:
        """Build the object this config describes; the config itself is its first argument.

        Raises:
            ConfigError: A field that the data decides is still AUTO; ``Experiment.resolve`` fills it.
        """
        if self.role in _FILLED:
            for name, field in type(self).model_fields.items():
                if getattr(self, name) == AUTO and may_be_auto(field.annotation):
                    raise ConfigError(
                        f"{type(self).__qualname__}.{name} is left to the data ({AUTO!r}); set it, or build it through "
                        "an Experiment, which fills it"
                    )
        return self.builds()(self, *parts, **named_parts)

    def __repr_name__(self) -> str:
        return type(self).__qualname__

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if field.is_required() or value != field.default:
                yield name, value

    def __str__(self) -> str:
        return repr(self)

    # -- copies and files -------------------------------------------------------------------------------------------

    def derive(self, **changes: Any) -> Self:
        """Return a validated copy with some fields changed.

        Args:
            changes: New values by dotted path, for example ``{"method.model.depth": 56}``. Where another
                ``kind`` is among those of one config, they describe a new one: fields not named are at their defaults.

        Raises:
            ConfigError: A path that does not exist (the nearest field is named) or a value that does not fit.
        """
        result: Any = self
        pending: list[_Change] = []
        for path, value in changes.items():
            if any(path.startswith(f"{earlier.whole}.") for earlier in pending):  # it reaches into a new value
                result, pending = _replace(result, pending), []
            pending.append(_Change(path.split("."), value, path))
        return cast("Self", _replace(result, pending)) if pending else result

    def dump(self, *, whole: bool = False) -> dict[str, Any]:
        """Return the config as JSON values; each config carries its ``kind``, no field of a subclass is lost.

        Args:
            whole: With the fields that came :func:`later` and are at their defaults.
        """
        return cast("dict[str, Any]", _dump(self, whole=whole))

    @classmethod
    def load(cls, data: Any, *, kinds: Mapping[tuple[str, str], type[Config]] | None = None) -> Self:
        """Read what :meth:`dump` wrote.

        Args:
            data: JSON values.
            kinds: Kinds outside the catalogue, by ``(role, kind)``: those of the user's own recipe file.

        Raises:
            ConfigError: Unknown keys, kinds, or values that do not fit.
        """
        try:
            return cls.model_validate(data, context={"kinds": dict(kinds or {})})
        except ValidationError as error:
            raise _explain(cls, error) from None

    def to_json(self) -> str:
        """Return the dump as canonical JSON: sorted keys, no spaces; the text that is hashed."""
        return json.dumps(self.dump(), sort_keys=True, separators=(",", ":"), allow_nan=False)


def may_be_auto(annotation: Any) -> bool:
    """Say whether a field of this type may be left to the data (``int | Auto``)."""
    return any(get_args(choice) == (AUTO,) for choice in get_args(annotation))


def _freeze(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_freeze(item) for item in cast("list[Any]", value))
    if isinstance(value, Mapping):
        return {name: _freeze(item) for name, item in cast("Mapping[Any, Any]", value).items()}
    return value


def _dump(value: Any, *, whole: bool) -> Any:
    if isinstance(value, Config):
        left_out = {name for name, field in type(value).model_fields.items() if _is_silent(value, name, field)}
        names = [name for name in type(value).model_fields if whole or name not in left_out]
        fields = {name: _dump(getattr(value, name), whole=whole) for name in names}
        return {"kind": value.kind_name(), **fields} if value.role else fields
    if isinstance(value, Mapping):
        return {name: _dump(item, whole=whole) for name, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, tuple):
        return [_dump(item, whole=whole) for item in cast("tuple[Any, ...]", value)]
    return value


def _is_silent(config: Config, name: str, field: FieldInfo) -> bool:
    return field.json_schema_extra == _LATER and getattr(config, name) == field.default


class _Change(NamedTuple):
    path: list[str]
    new: Any
    whole: str


def _replace(value: Any, changes: list[_Change]) -> Any:
    """Apply all changes below ``value`` and validate it once: fields that depend on each other change together."""
    inner: dict[str, list[_Change]] = {}
    for path, new, whole in changes:
        inner.setdefault(path[0], []).append(_Change(path[1:], new, whole))
    if isinstance(value, Config) and value.role and [c.new for c in inner.get("kind", ())] == [value.kind_name()]:
        inner.pop("kind")  # it is of that kind already: only what is named changes
    if value is None or (isinstance(value, Config) and value.role and "kind" in inner):
        return {head: _changed(None, below) for head, below in inner.items()}  # it describes the whole part
    if isinstance(value, Config):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        for head, below in inner.items():
            if head not in fields:
                near = did_you_mean(head, fields)
                raise ConfigError(f"{below[0].whole}: {type(value).__qualname__} has no field {head!r}{near}")
            fields[head] = _changed(fields[head], below)
        return type(value)(**fields)
    if isinstance(value, FrozenMap):
        items = dict(cast("FrozenMap[Any]", value))
        for head, below in inner.items():
            if below[0].path and head not in items:
                raise ConfigError(f"{below[0].whole}: no entry {head!r}{did_you_mean(head, items)}")
            items[head] = _changed(items.get(head), below)
        return FrozenMap(items)
    if isinstance(value, tuple):
        entries = list(cast("tuple[Any, ...]", value))
        for head, below in inner.items():
            if not head.isdecimal() or int(head) >= len(entries):
                raise ConfigError(f"{below[0].whole}: expected an index below {len(entries)}, got {head!r}")
            entries[int(head)] = _changed(entries[int(head)], below)
        return tuple(entries)
    head, below = next(iter(inner.items()))
    raise ConfigError(f"{below[0].whole}: {shorten(repr(value), 60)} has no field {head!r}; it is a plain value")


def _changed(old: Any, changes: list[_Change]) -> Any:
    replaced = [number for number, change in enumerate(changes) if not change.path]
    if replaced:  # the whole value; changes within the old one no longer matter
        return changes[replaced[-1]].new
    return _replace(old, changes)


def _find_kind(base: type[Config], kind: Any, context: Any) -> type[Config]:
    if not isinstance(kind, str):
        raise ConfigError(f"the kind of a {base.role} is a name, got {shorten(repr(kind), 60)}")
    extra = cast("dict[str, dict[tuple[str, str], type[Config]]]", context or {}).get("kinds", {})
    if (base.role, kind) in extra:
        return extra[base.role, kind]
    registry = importlib.import_module("netsmith.core.registry")
    return cast("type[Config]", registry.find_kind(base, kind))


def _explain(cls: type[Any], error: ValidationError) -> ConfigError:
    """One line for the first problem: where, what was expected, what came."""
    first = error.errors(include_url=False)[0]
    place = ".".join([cls.__qualname__, *_fields_of(first["loc"])])
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if first["type"] == "extra_forbidden":
        name = str(first["loc"][-1])
        owner = _owner_of(cls, first["loc"][:-1])
        place = ".".join([cls.__qualname__, *(str(part) for part in first["loc"][:-1])])
        return ConfigError(f"{place} has no field {name!r}{did_you_mean(name, owner)}{more}")
    if first["type"] == "missing":
        return ConfigError(f"{place} is required and was not given{more}")
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] in ("kind", "role") or message.startswith(place):
        return ConfigError(f"{place}: {message}{more}")
    message = message[:1].lower() + message[1:]
    return ConfigError(f"{place}: {message} (got {shorten(repr(first['input']), 80)}){more}")


def _fields_of(location: tuple[int | str, ...]) -> list[str]:
    """Return a place without pydantic's names for the choices of a union (``steps.int`` is ``steps``)."""
    parts = [str(part) for part in location]
    while len(parts) > 1 and (parts[-1] in ("int", "float", "str", "bool") or parts[-1].startswith("literal[")):
        parts.pop()
    return parts


def _owner_of(cls: type[Any], location: tuple[int | str, ...]) -> list[str]:
    fields = cls.model_fields
    for part in map(str, location):
        annotation = fields[part].annotation if part in fields else None
        if not isinstance(annotation, type) or not issubclass(annotation, Config):
            return []
        fields = annotation.model_fields
    return list(fields)
