"""What waits in temporary files: numbers and counts of texts longer than memory."""

from __future__ import annotations

import contextlib
import errno
import tempfile
from collections.abc import Iterator

from netsmith.core.errors import DataError

__all__ = ["room_to_wait"]

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def room_to_wait() -> Iterator[None]:
    """Say which folder is full where a temporary file cannot be written on.

    Raises:
        DataError: There is no room.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DataError(
            "has no room left for the numbers of a long text; free some, or name another folder in TMPDIR",
            tempfile.gettempdir(),
        ) from None
