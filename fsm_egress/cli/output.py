"""What the command line prints: lines, JSON, a table; and on a terminal, how far it has come."""

from __future__ import annotations

import json
import os
import sys
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from ..connections.decision import Decision
    from ..replaying.tally import Ruling

__all__ = [
    "NOT_CERTAIN",
    "Row",
    "print_objects",
    "print_table",
    "printable",
    "progress",
    "progress_by_bytes",
    "progressing",
    "say",
    "terminal",
    "verdict_of",
    "why",
    "width_of",
]

T = TypeVar("T")

UNBROKEN = {"port", "effect", "verdict", "reason", "outcome", "status", "mtls", "findings"}
STYLES = {
    "IN_MESH": "cyan",
    "EGRESS_POLICY": "green",
    "PASSTHROUGH": "yellow",
    "DENIED": "red",
    "unknown": "magenta",
}
RICH = {"FORCE_COLOR", "TTY_COMPATIBLE"}  # what makes rich take another stream for a terminal
UTF_8 = "utf-8"
NOT_CERTAIN = "?"  # behind a verdict, and before what it hangs on
GAP = "  "
MANY = 2  # identities from which on a progress bar is worth its place

Row: TypeAlias = tuple[str, ...]


def say(lines: Iterable[object], *, err: bool = False) -> None:
    """Print lines at once, to standard output or standard error; what a terminal could obey is escaped."""
    stream = sys.stderr if err else sys.stdout
    stream.write("".join(f"{_printable(str(line), stream)}\n" for line in lines))
    stream.flush()


def verdict_of(decided: Decision | Ruling) -> str:
    """The verdict as tables show it: marked where it hangs on what could not be read."""
    return f"{decided.verdict}{NOT_CERTAIN if decided.without else ''}"


def why(error: OSError) -> str:
    """What the system says, as a phrase."""
    return (error.strerror or str(error)).lower()


def terminal(*, err: bool = False) -> Console | None:
    """The terminal that standard output is, or standard error; None for any other stream.

    Only what is printed to a terminal needs rich, which takes as long to load as a small mesh.
    """
    stream: TextIO | None = sys.stderr if err else sys.stdout
    if stream is None or stream.closed or not (stream.isatty() or RICH & os.environ.keys()):
        return None
    from rich.console import Console  # noqa: PLC0415  # because this is a terminal

    console = Console(stderr=err, highlight=False)
    return console if console.is_terminal else None


def width_of(text: str) -> int:
    """How many cells of a terminal a text takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    from rich.cells import cell_len  # noqa: PLC0415  # because most texts are ASCII

    return cell_len(text)


def printable(text: str) -> str:
    """A text of one line with escapes for what does not print."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _printable(text: str, stream: TextIO) -> str:
    text = printable(text)
    encoding = stream.encoding or UTF_8  # there is none while a progress bar stands in for the stream
    return text.encode(encoding, "backslashreplace").decode(encoding)


def print_objects(objects: Iterable[Mapping[str, Any]], output: str) -> None:
    """Objects in order: a line of JSON each, or a document of YAML; what does not print is escaped there."""
    if output == "yaml":
        say(line for it in objects for line in _yaml(it, sys.stdout))
    else:
        say(json.dumps(it).replace("\x7f", r"\u007f") for it in objects)


def _yaml(tree: Mapping[str, Any], stream: TextIO) -> list[str]:
    """The lines of a document, in which all prints on a stream: what would not is escaped as YAML does it."""
    from ..manifests.dump import yaml_text  # noqa: PLC0415  # because only this output needs it

    lines = yaml_text([tree]).split("\n")
    if any(line != _printable(line, stream) for line in lines):
        lines = yaml_text([tree], only_ascii=True).split("\n")
    return lines[:-1]


@contextmanager
def progress_by_bytes(total: int | None, doing: str) -> Iterator[Callable[[int], object]]:
    """What is to be told of bytes that were read, with a bar on standard error where that is a terminal."""
    console = terminal(err=True)
    if console is None:
        yield lambda _: None
        return
    from rich.progress import DownloadColumn, Progress  # noqa: PLC0415  # because this is a terminal

    with Progress(*Progress.get_default_columns(), DownloadColumn(), console=console, transient=True) as bar:
        yield partial(bar.advance, bar.add_task(doing, total=total))


def progress(items: Sequence[T], doing: str) -> Iterable[T]:
    """The items one by one, with a bar on standard error where that is a terminal."""
    console = terminal(err=True)
    if console is None or len(items) < MANY:
        return items
    from rich.progress import track  # noqa: PLC0415  # because this is a terminal

    return track(items, doing, console=console, transient=True)


def progressing(doing: str) -> Callable[[Sequence[T]], Iterable[T]]:
    """`progress` with what is being done."""
    return partial(progress, doing=doing)


def print_table(columns: Row, rows: Sequence[Row]) -> None:
    """A table for people: in colour on a terminal, else aligned text that is never cut or wrapped.

    On a terminal that is too narrow for the words of a row side by side, they stand below each other.
    """
    console = terminal()
    if console is None:
        say(_aligned([tuple(map(str.upper, columns)), *rows]))
        return
    told = [[_printable(cell, sys.stdout) for cell in row] for row in rows]
    widths = _widths(columns, told, console.width)
    console.print(_table(columns, told, widths) if widths else _records(columns, told))


def _widths(columns: Row, rows: Sequence[Sequence[str]], room: int) -> list[int]:
    """The widths of columns that cut no word; none where there is no room for that."""
    cells = [[name, *(row[at] for row in rows)] for at, name in enumerate(columns)]
    most = [max(map(width_of, column)) for column in cells]
    least = [
        width if name in UNBROKEN else max(width_of(word) for cell in column for word in cell.split(" "))
        for name, column, width in zip(columns, cells, most, strict=True)
    ]
    spare = room - len(GAP) * len(columns) - sum(least)  # as rich reckons with a gap at the edge, too
    if spare < 0:
        return []
    widths = list(least)
    while spare and widths != most:
        narrow = min((at for at in range(len(most)) if widths[at] < most[at]), key=widths.__getitem__)
        widths[narrow] += 1
        spare -= 1
    return widths


def _table(columns: Row, rows: Iterable[Sequence[str]], widths: Iterable[int]) -> Table:
    from rich.table import Table  # noqa: PLC0415  # because this is a terminal

    table = Table(box=None, padding=(0, len(GAP), 0, 0), pad_edge=False, header_style="bold")
    for name, width in zip(columns, widths, strict=True):
        table.add_column(name, width=width, overflow="fold")
    for row in rows:
        table.add_row(*map(_styled, row))
    return table


def _records(columns: Row, rows: Sequence[Sequence[str]]) -> Table:
    """Each cell of a row on lines of its own, behind the name of its column."""
    from rich.table import Table  # noqa: PLC0415  # because this is a terminal
    from rich.text import Text  # noqa: PLC0415  # ditto

    table = Table.grid(padding=(0, len(GAP), 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for number, row in enumerate(rows):
        if number:
            table.add_row("", "")
        for name, cell in zip(columns, row, strict=True):
            table.add_row(Text(name, "bold"), _styled(cell))
    return table


def _styled(cell: str) -> Text:
    from rich.text import Text  # noqa: PLC0415  # because this is a terminal

    return Text(cell, STYLES.get(cell, ""))


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(width_of, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - width_of(cell)) for cell, width in zip(row, widths, strict=True))
        yield GAP.join(cells).rstrip()
