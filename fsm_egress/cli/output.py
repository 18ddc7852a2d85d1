"""What the command line prints: lines, JSON, a table, a file."""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, TextIO, TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..decision import Verdict
from ..errors import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ..decision import Connection, Decision
    from ..errors import Problem

__all__ = ["print_decisions", "print_json", "problem_line", "say", "write_file"]

COLUMNS = ("connection", "verdict", "reason", "target", "rule")
STYLES = {
    Verdict.IN_MESH.value: "cyan",
    Verdict.EGRESS_POLICY.value: "green",
    Verdict.PASSTHROUGH.value: "yellow",
    Verdict.DENIED.value: "red",
}
GAP = "  "

Row: TypeAlias = tuple[str, str, str, str, str]
Decided: TypeAlias = "tuple[Connection, Decision]"


def say(lines: Iterable[object], *, err: bool = False) -> None:
    """Print lines at once, to standard output or standard error; what a terminal could obey is escaped."""
    stream = sys.stderr if err else sys.stdout
    stream.write("".join(f"{_printable(str(line), stream)}\n" for line in lines))
    stream.flush()


def _printable(text: str, stream: TextIO) -> str:
    if not text.isprintable():
        text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
    return text.encode(stream.encoding, "backslashreplace").decode(stream.encoding)


def problem_line(problem: Problem) -> str:
    """`file:line:column: …`, and how bad it is where it is no error."""
    return str(problem) if problem.severity is Severity.ERROR else f"{problem} ({problem.severity})"


def print_json(decided: Iterable[Decided]) -> None:
    """A JSON object a line, in order."""
    say(json.dumps(decision.to_mapping(connection)) for connection, decision in decided)


def print_decisions(decided: Iterable[Decided]) -> None:
    """A table for people: in colour on a terminal, else aligned text that is never cut or wrapped."""
    rows = [_row(connection, decision) for connection, decision in decided]
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(_table(rows))
    else:
        say(_aligned([tuple(map(str.upper, COLUMNS)), *rows]))


def _table(rows: Iterable[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in COLUMNS:
        table.add_column(name, overflow="fold", no_wrap=name in {"verdict", "reason"})
    for row in rows:
        table.add_row(*(Text(_printable(cell, sys.stdout), STYLES.get(cell, "")) for cell in row))
    return table


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True))
        yield GAP.join(cells).rstrip()


def _row(connection: Connection, decision: Decision) -> Row:
    return (
        str(connection),
        decision.verdict.value,
        decision.reason.value,
        _outcome(connection, decision),
        str(decision.rule or "-"),
    )


def _outcome(connection: Connection, decision: Decision) -> str:
    """Where the connection goes, or how its client learns that it does not."""
    if not decision.targets:
        return f"HTTP {decision.status}" if decision.status else "closed"
    shared = len(decision.targets) > 1
    targets = ", ".join(
        f"{target.address(connection)} ({target.weight:g})" if shared else target.address(connection)
        for target in decision.targets
    )
    gateways = ", ".join(gateway.name for gateway in decision.gateways)
    return f"{targets} via {gateways}" if gateways else targets


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; one that is replaced keeps its permissions.

    Raises:
        OSError: it cannot be written.
    """
    path = path.resolve()
    if path.exists() and not path.is_file():  # a device or a pipe takes the bytes as they come
        path.write_bytes(content)
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with draft.open("xb") as file:
            if path.exists():
                shutil.copymode(path, draft)
            file.write(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
