"""netsmith: train, explain, compress, ship and verify neural networks of every classic family.

The verbs are few: :func:`train`, :func:`load` and :func:`from_module`; what they return has the others as methods.
:func:`systems` lists the catalogue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsmith.api.network import from_module
    from netsmith.api.run import load, systems, train

__all__ = ["from_module", "load", "systems", "train"]
__version__ = "0.1.0"

_HOMES = {"from_module": "network", "load": "run", "systems": "run", "train": "run"}


def __getattr__(name: str) -> Any:
    # torch takes over a second to import: a command that only lists or explains itself must not pay for it.
    if name not in _HOMES:
        raise AttributeError(f"module 'netsmith' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"netsmith.api.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
