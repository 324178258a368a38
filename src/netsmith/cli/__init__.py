"""The command line: one verb per function, thin; nothing but the standard library and typer before a verb is known."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 ok, 1 our bug, 2 bad input, 3 missing extra, 4 diverged,
    5 proof or verification failed, 130 interrupted.
    """
    from netsmith.cli.app import app

    try:
        result = app(args=arguments, standalone_mode=False)
    except KeyboardInterrupt:
        _say("interrupted")
        return 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the reader went away; nothing is left to be said
        return 0
    except Exception as error:
        return _explain(error)
    return result if isinstance(result, int) else 0


def _explain(error: Exception) -> int:
    usage = getattr(error, "format_message", None)
    if callable(usage):  # a usage error of the command-line library
        _say(str(usage()))
        return 2
    if type(error).__name__ in ("Exit", "Abort"):
        return int(getattr(error, "exit_code", 130))
    from netsmith.core.errors import NetsmithError

    if isinstance(error, NetsmithError):
        _say(str(error))
        return error.exit_code
    import traceback

    traceback.print_exception(error)
    _say(f"this is a bug of netsmith ({type(error).__name__}); please report it with the lines above")
    return 1


def _say(text: str) -> None:
    print(f"netsmith: {text}", file=sys.stderr)
