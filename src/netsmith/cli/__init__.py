"""The command line: one verb per function, thin; nothing but the standard library and typer before a verb is known."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code.

    0 ok, 1 our bug, 2 bad input, 3 missing extra, 4 diverged, 5 proof or verification failed, 130 interrupted.
    """
    try:
        from netsmith.cli.app import app

        result = app(args=arguments, prog_name="netsmith", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        result = 130
    except SystemExit as error:  # typer's own end for a reader that went away
        return error.code if isinstance(error.code, int) else 1
    except BrokenPipeError:
        # The reader went away; nothing is left to be said, also not when the interpreter flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        return _explain(error)
    if result == 130:  # typer, too, makes this of Ctrl-C; a run that was stopped has said more itself
        _say("interrupted")
    return result if isinstance(result, int) else 0


def _explain(error: Exception) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help
        print(error, file=sys.stderr)
        return 2
    usage = getattr(error, "format_message", None)
    if callable(usage):  # a usage error of the command-line library
        context = getattr(error, "ctx", None)
        hint = f"; see: {context.command_path} --help" if context is not None else ""
        _say(f"{str(usage()).rstrip('.')}{hint}")
        return 2
    if type(error).__name__ in ("Exit", "Abort"):
        return int(getattr(error, "exit_code", 1))
    from netsmith.core.errors import NetsmithError

    if isinstance(error, NetsmithError):
        _say(str(error))
        return error.exit_code
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):
        _say("not enough memory; take a smaller network or fewer examples at once (to train: --set data.batch=...)")
        return 2
    if isinstance(error, OSError) and error.filename is not None:
        _say(f"{error.filename}: {error.strerror or error}")
        return 2
    import traceback

    traceback.print_exception(error)
    _say(f"this is a bug of netsmith ({type(error).__name__}); please report it with the lines above")
    return 1


def _say(text: str) -> None:
    from netsmith.cli.output import plain

    print(f"netsmith: {plain(' '.join(text.split()))}", file=sys.stderr)
