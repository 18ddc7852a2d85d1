"""`python -m fsm_egress` and `fsm-egress`: the command line, or what to install for it."""

from __future__ import annotations

import sys

from .values.errors import MissingExtra

__all__ = ["main"]

INTERRUPTED = 130


def main() -> None:
    """Run the command line and leave with its exit code: 0 done, 1 problems found, 2 usage."""
    try:
        sys.exit(_run())
    except MissingExtra as error:
        sys.exit(_say(error, 2))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _run() -> int:
    try:
        from .cli.app import run  # noqa: PLC0415  # because click and rich are an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"click", "rich"}:
            raise
        raise MissingExtra("fsm-egress", "cli") from None
    return run()


def _say(error: MissingExtra, code: int) -> int:
    sys.stderr.write(f"{error}\n")
    return code


if __name__ == "__main__":
    main()
