"""`python -m fsm_egress` and `fsm-egress`: the command line, or what to install for it."""

from __future__ import annotations

import sys

__all__ = ["main"]

INTERRUPTED = 130
CLI = {"click", "rich"}  # what the extra `cli` installs


def main() -> None:
    """Run the command line and leave with its exit code: 0 done, 1 problems found, 2 usage."""
    try:
        from .cli.app import run  # noqa: PLC0415  # because click is an extra

        run()
    except ImportError as error:
        sys.exit(_say_what_is_missing(error, 2))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _say_what_is_missing(error: ImportError, code: int) -> int:
    from .values.errors import MissingExtra  # noqa: PLC0415  # because `--help` does without attrs

    if (error.name or "").partition(".")[0] in CLI:
        error = MissingExtra("fsm-egress", "cli")
    if not isinstance(error, MissingExtra):
        raise error
    sys.stderr.write(f"{error}\n")
    return code


if __name__ == "__main__":
    main()
