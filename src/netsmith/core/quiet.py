"""Keep what other people's libraries print, log and warn off the screen."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Generator

__all__ = ["silence"]


@contextlib.contextmanager
def silence() -> Generator[None]:
    """Hold back what exporters and quantizers print, log and warn; errors still come through."""
    level = logging.root.manager.disable
    sink = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink):
        warnings.simplefilter("ignore")
        logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(level)
