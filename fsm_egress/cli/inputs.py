"""The files of a command, and its standard input, which can be read once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..documents import MAX_TEXT
from .endings import stop
from .output import why

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["STDIN", "STDIN_NAME", "known_stdin", "read_input", "read_stdin", "take_stdin"]

STDIN = "-"
STDIN_NAME = "<stdin>"
_TAKEN = "fsm_egress.stdin"
_TEXT = "fsm_egress.stdin.text"


def take_stdin() -> BinaryIO:
    """Standard input as a stream of bytes.

    Raises:
        click.UsageError: something else has taken it.
    """
    meta = click.get_current_context().meta
    if meta.setdefault(_TAKEN, False):
        raise click.UsageError("standard input can be read only once")
    meta[_TAKEN] = True
    return sys.stdin.buffer


def read_stdin() -> bytes:
    """The bytes of standard input, up to just more than a text may have.

    Raises:
        click.UsageError: something else has taken it.
    """
    text = take_stdin().read(MAX_TEXT + 1)
    click.get_current_context().meta[_TEXT] = text
    return text


def known_stdin() -> bytes:
    """What was read of standard input."""
    text: bytes = click.get_current_context().meta.get(_TEXT, b"")
    return text


def read_input(name: str) -> tuple[bytes, str]:
    """The bytes of a file, or of standard input for `-`, and what problems call it.

    There are no more of them than just more than a text may have.
    """
    if name == STDIN:
        return read_stdin(), STDIN_NAME
    try:
        with Path(name).open("rb") as file:
            return file.read(MAX_TEXT + 1), name
    except OSError as error:
        stop(f"{name}: cannot be read: {why(error)}")
