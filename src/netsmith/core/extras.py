"""Optional dependencies: a missing one is answered with the one line that mends it."""

from __future__ import annotations

import importlib
from types import ModuleType

from netsmith.core.errors import MissingExtraError

__all__ = ["require"]


def require(module: str, *, extra: str) -> ModuleType:
    """Import ``module``, or say which extra of netsmith brings it.

    Raises:
        MissingExtraError: The module is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name is not None and error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtraError(module, extra) from None
