"""How commands end: their exit codes, and what decides between them."""

from __future__ import annotations

from contextlib import contextmanager
from enum import IntEnum
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn

import click

from ..values.errors import Severity
from .output import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Ending", "end", "fail_on_option", "stop", "stopping_without_workers"]


class Ending(IntEnum):
    """The exit codes of every command.

    What was found is certain, whatever else could not be answered: then it is `FOUND`.
    """

    DONE = 0
    FOUND = 1
    USAGE = 2
    NO_ANSWER = 3


def end(*, found: object, unknown: object = False) -> None:
    """End the command, unless all is well.

    Args:
        found: whether there is what the command looks for: problems, changes, a refutation.
        unknown: whether something could not be answered.
    """
    if found:
        raise click.exceptions.Exit(Ending.FOUND)
    if unknown:
        raise click.exceptions.Exit(Ending.NO_ANSWER)


def stop(message: str) -> NoReturn:
    """End the command, which cannot answer."""
    say(message.splitlines(), err=True)
    raise click.exceptions.Exit(Ending.NO_ANSWER)


@contextmanager
def stopping_without_workers() -> Iterator[None]:
    """End the command where a process that shares its work has ended."""
    try:
        yield
    except Exception as error:
        from concurrent.futures import BrokenExecutor  # noqa: PLC0415  # because few commands share work

        if not isinstance(error, BrokenExecutor):
            raise
        stop("a worker process has ended before its work was done")


def fail_on_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option that says how bad what makes it fail is, as its argument `fail_on`."""

    @wraps(command)
    def with_severity(*, fail_on: str, **others: Any) -> None:
        command(fail_on=Severity(fail_on), **others)

    return click.option(
        "--fail-on",
        type=click.Choice([severity.value for severity in Severity]),
        default=Severity.WARNING.value,
        show_default=True,
        help="Exit with 1 if something found is at least this severe.",
    )(with_severity)
