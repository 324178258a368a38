"""Files that are whole or absent: temporary name, sync, rename, sync of the folder; and their SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from netsmith.core.errors import RunError

__all__ = ["read_json", "sha256_of", "sync_folder", "write_atomic", "write_json"]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable (a no-op where folders cannot be synced)."""
    with contextlib.suppress(OSError, PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_atomic(path: Path, write: Callable[[BinaryIO], Any] | bytes, *, sync: bool = True) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part.

    Args:
        path: The file to write.
        write: The bytes, or a function that writes them to an open binary file.
        sync: Force the bytes to the disk before the rename (needed for checkpoints, not for pictures).

    Raises:
        RunError: The disk is full or not writable; the previous file is left as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            if callable(write):
                write(file)
            else:
                file.write(write)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(temporary, path)
        if sync:
            sync_folder(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise RunError(
            f"could not write {path.name}: {error.strerror or error}; what was saved before is intact. "
            "Free space or choose another folder, then resume"
        ) from None
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_json(path: Path, value: Any, *, sync: bool = True) -> None:
    """Write ``value`` as readable JSON, whole or not at all; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomic(path, text.encode(), sync=sync)


def read_json(path: Path, *, limit: int = 256 * 2**20) -> Any:
    """Read a JSON file.

    Raises:
        RunError: The file is missing, too large, or not JSON.
    """
    try:
        if path.stat().st_size > limit:
            raise RunError(f"{path.name} has {path.stat().st_size} bytes; expected at most {limit}")
        return json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except FileNotFoundError:
        raise RunError(f"{path.parent.name}/{path.name} does not exist") from None
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{path.parent.name}/{path.name} is not JSON: {error}") from None
    except OSError as error:
        raise RunError(f"could not read {path.parent.name}/{path.name}: {error.strerror or error}") from None


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")
