"""`python -m fsm_egress` and `fsm-egress`: the command line, or what to install for it."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from contextlib import suppress
from io import UnsupportedOperation

__all__ = ["main"]

INTERRUPTED = 130
COULD_NOT_ANSWER = 3  # as `cli.endings` has it, which needs an extra
FEW = 100_000  # objects that come before garbage is looked for: of what is loaded first, nothing is
CLI = {"click", "rich"}  # what the extra `cli` installs


def main() -> None:
    """Run the command line and leave with its exit code.

    It is 0 done and nothing found, 1 found, 2 usage, 3 where there was no answer, as when a disk is full,
    or by a fault of the program itself.
    """
    _fill_closed_streams()
    gc.set_threshold(FEW)
    try:
        from .cli.app import run  # noqa: PLC0415  # because click is an extra

        run()
    except ImportError as error:
        sys.exit(_say_what_is_missing(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except OSError as error:
        with suppress(OSError):
            sys.stdout.close()  # else the interpreter would flush it on its way out, and complain
        with suppress(OSError):
            _say(f"cannot read or write: {_why(error)}", COULD_NOT_ANSWER)
        sys.exit(COULD_NOT_ANSWER)
    except Exception as error:  # noqa: BLE001  # because no fault may end as if it had found something
        sys.exit(_show_fault(error))


def _say_what_is_missing(error: ImportError) -> int:
    from .values.errors import MissingExtra  # noqa: PLC0415  # because `--help` does without attrs

    if (error.name or "").partition(".")[0] in CLI:
        error = MissingExtra("fsm-egress", "cli")
    if not isinstance(error, MissingExtra):
        return _show_fault(error)
    return _say(error, COULD_NOT_ANSWER)


def _show_fault(error: Exception) -> int:
    traceback.print_exception(type(error), error, error.__traceback__)
    return COULD_NOT_ANSWER


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
