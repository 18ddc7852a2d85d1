"""`python -m fsm_egress` and `fsm-egress`: the command line, or what to install for it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from io import UnsupportedOperation

__all__ = ["main"]

INTERRUPTED = 130
COULD_NOT_ANSWER = 3
CLI = {"click", "rich"}  # what the extra `cli` installs


def main() -> None:
    """Run the command line and leave with its exit code.

    It is 0 done, 1 problems found, 2 usage, 3 where there was no answer, as when a disk is full.
    """
    _fill_closed_streams()
    try:
        from .cli.app import run  # noqa: PLC0415  # because click is an extra

        run()
    except ImportError as error:
        sys.exit(_say_what_is_missing(error, 2))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        with suppress(OSError):
            sys.stdout.close()  # else the interpreter would flush it on its way out, and complain
        with suppress(OSError):
            _say(f"cannot read or write: {_why(error)}", COULD_NOT_ANSWER)
        sys.exit(COULD_NOT_ANSWER)


def _say_what_is_missing(error: ImportError, code: int) -> int:
    from .values.errors import MissingExtra  # noqa: PLC0415  # because `--help` does without attrs

    if (error.name or "").partition(".")[0] in CLI:
        error = MissingExtra("fsm-egress", "cli")
    if not isinstance(error, MissingExtra):
        raise error
    return _say(error, code)


def _fill_closed_streams() -> None:
    """Streams that were closed from the start fail when they are used, not when they are looked for."""
    for name, wrong_way in (("stdin", "w"), ("stdout", "r"), ("stderr", "r")):
        if getattr(sys, name) is None:
            # It stays open as long as the process: else a file would be opened under its number.
            setattr(sys, name, open(os.devnull, wrong_way, encoding="utf-8"))  # noqa: SIM115, PTH123  # because of that


def _why(error: OSError) -> str:
    if isinstance(error, UnsupportedOperation):
        return "a standard stream is closed"
    return (error.strerror or str(error)).lower()


def _say(error: object, code: int) -> int:
    sys.stderr.write(f"{error}\n")
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    main()
