"""The exception tree; every error says what happened, what was expected and how to fix it.

::

    NetsmithError                      exit code 1: a bug of ours
    ├── UserError (ValueError)         exit code 2: bad input
    │   ├── ConfigError                a wrong key or value, an unresolved AUTO, a contradiction with the data
    │   ├── UnknownNameError           a name that is not in the catalogue ("did you mean ...?")
    │   ├── DataError                  a malformed file; names the file and, where there is one, the row
    │   │   └── NotAtHandError     an official file that is not there and could not be downloaded
    │   ├── RunError                   a run folder that is missing, incomplete or owned by another process
    │   ├── CheckpointError            a checkpoint that is damaged or does not fit
    │   └── UnsupportedError           a setting or verb that does not apply here, refused by name
    ├── MissingExtraError (ImportError) exit code 3: an optional dependency is not installed
    ├── DivergedError                  exit code 4: a loss that is NaN or infinite
    ├── ProofError                     exit code 5: a proof or verification failed
    └── InterruptedRun                 exit code 130: stopped by the user, state saved
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "CheckpointError",
    "ConfigError",
    "DataError",
    "DivergedError",
    "InterruptedRun",
    "MissingExtraError",
    "NetsmithError",
    "NotAtHandError",
    "ProofError",
    "RunError",
    "UnknownNameError",
    "UnsupportedError",
    "UserError",
    "did_you_mean",
    "first_line",
    "shorten",
]


class NetsmithError(Exception):
    """The root of every error netsmith raises on purpose."""

    exit_code = 1


class UserError(NetsmithError, ValueError):
    """Bad input: the message alone must be enough to mend it."""

    exit_code = 2


class ConfigError(UserError):
    """A configuration key or value is wrong."""


class UnknownNameError(UserError):
    """A name is not in the catalogue.

    Args:
        what: What kind of thing was looked for, for example ``"recipe"``.
        name: The name that was given.
        known: The names that exist; the nearest ones are suggested.
    """

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no {what} named {name!r}{did_you_mean(name, known)}")


class DataError(UserError):
    """A file of the user's is malformed; the message is one line of at most 240 characters.

    Args:
        problem: What is wrong and what was expected.
        path: The file, shown by its name.
        row: The row (1-based, as an editor counts), where there is one.
    """

    def __init__(self, problem: str, path: str | Path | None = None, row: int | None = None) -> None:
        place = "" if path is None else shorten(Path(path).name, 60)
        if row is not None:
            place += f", row {row}" if place else f"row {row}"
        text = f"{place}: {problem}" if place else problem
        super().__init__(shorten(" ".join(text.split()), 240))


class NotAtHandError(DataError):
    """An official file is in no folder, and could not be, or must not be, downloaded."""


class RunError(UserError):
    """A run folder is missing, incomplete, or owned by another process."""


class CheckpointError(UserError):
    """A checkpoint is damaged or does not fit the experiment."""


class UnsupportedError(UserError):
    """A setting or a verb does not apply here; it is refused, never silently ignored."""


class MissingExtraError(NetsmithError, ImportError):
    """An optional dependency is not installed.

    Args:
        module: The module that could not be imported.
        extra: The extra of netsmith that brings it.
    """

    exit_code = 3

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"{module} is not installed; mend it with: pip install 'netsmith[{extra}]'")


class DivergedError(NetsmithError, ArithmeticError):
    """A loss became NaN or infinite; training stopped before the update."""

    exit_code = 4


class ProofError(NetsmithError):
    """A proof (surgery, export parity) or a verification failed."""

    exit_code = 5


class InterruptedRun(NetsmithError):
    """The user stopped the run; its state is saved."""

    exit_code = 130


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'a' or 'b'?"`` for the nearest known names, else what is known (a few of them)."""
    names = sorted(set(known))
    written = {n.lower(): n for n in reversed(names)}  # VGG16 is near vgg16
    near = [written[n] for n in difflib.get_close_matches(name.lower(), written, n=2, cutoff=0.6)]
    near = near or [n for n in names if n.lower().startswith(name[:3].lower())][:2]
    near = near or [n for n in names if len(name) > 3 and name.lower() in n.lower()][:2]
    if near:
        return "; did you mean " + " or ".join(repr(n) for n in near) + "?"
    if not names:
        return ""
    return "; known: " + ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")


def first_line(error: Exception) -> str:
    """Return an error of someone else's code in one line, with its kind where the text alone would say little."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))  # colors for a terminal
    first = shorten(text.strip().partition("\n")[0], 160)
    plain = isinstance(error, (NetsmithError, RuntimeError, ValueError, TypeError)) and first
    return first if plain else f"{type(error).__name__}{': ' if first else ''}{first}"


def shorten(text: str, limit: int) -> str:
    """Return ``text`` cut in its middle to at most ``limit`` characters."""
    if len(text) <= limit:
        return text
    head = (limit - 3) * 2 // 3
    return text[:head] + "..." + text[len(text) - (limit - 3 - head) :]
