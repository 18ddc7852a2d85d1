"""What is wrong with documents, in lines; on a terminal with the place shown, as compilers do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from ..documents import MAX_TEXT
from ..manifests.loader import GZIP
from ..values.errors import InvalidValue, LoadError, PatchError, Severity
from .endings import Ending
from .inputs import STDIN_NAME, known_stdin
from .output import say, terminal, width_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..values.errors import Problem

__all__ = ["excerpt", "print_problems", "problem_line", "stop_for", "stop_for_error"]

TAB = " " * 4
CUT = "…"
NARROWEST = 20
MAX_EXCERPTS = 100
_BREAK = re.compile("\r\n|\r|\n")
_KEYS = re.compile(  # what may stand beside them is not shown
    r"PRIVATE KEY|PrivateKey|tls\.key|stringData|authorization|remoteLogging|cookie|password|//[^/?#\s]*@",
    re.IGNORECASE,
)
_SECRET = re.compile(r"""\bkind["']?\s*:\s*["']?secret(list)?\b""", re.IGNORECASE)
_DOCUMENT = re.compile(r"---(\s|$)")


def problem_line(problem: Problem) -> str:
    """`file:line:column: …`, and how bad it is where it is no error."""
    if problem.severity is Severity.ERROR:
        return str(problem)
    return f"{problem} ({' '.join(filter(None, [problem.code, problem.severity.value]))})"


def print_problems(problems: Iterable[Problem], *, err: bool = False) -> None:
    """A line for each problem; on a terminal the line of the document too, with a caret at the place.

    The first hundred are shown so: for each its document is read again.
    """
    console = terminal(err=err)
    for number, problem in enumerate(problems):
        shown = _shown(problem, console.width) if console and number < MAX_EXCERPTS else ()
        say([problem_line(problem), *shown], err=err)


def stop_for(problems: Iterable[Problem]) -> NoReturn:
    """End the command, which cannot answer: these are the problems."""
    print_problems(problems, err=True)
    raise click.exceptions.Exit(Ending.NO_ANSWER)


def stop_for_error(error: Exception) -> None:
    """End the command if the error is about what it was given; any other error is left alone."""
    if isinstance(error, (InvalidValue, LoadError)):
        stop_for(error.problems)
    if isinstance(error, PatchError):
        stop_for([error.problem])


def _shown(problem: Problem, width: int) -> Iterator[str]:
    """The line that a problem is in, and a caret below its column; nothing where that cannot be read."""
    if problem.mark is None or problem.document is None:
        return
    lines = _BREAK.split(_text_of(problem.document))
    if problem.mark.line <= len(lines) and not _is_secret(problem, lines, problem.mark.line - 1):
        number = f"{problem.mark.line:5} | "
        text, caret = excerpt(lines[problem.mark.line - 1], problem.mark.column, width - len(number))
        yield f"{number}{text}"
        yield f"{'| ':>{len(number)}}{' ' * caret}^"


def _is_secret(problem: Problem, lines: Sequence[str], at: int) -> bool:
    """Whether a line may hold what nobody is to see: it says so, or its document is one that does."""
    if (problem.resource is not None and problem.resource.kind == "Secret") or _KEYS.search(problem.path):
        return True
    if problem.resource is None and "headers" in problem.path:  # of a request that was made, not of routes
        return True
    starts = [index for index, line in enumerate(lines) if _DOCUMENT.match(line)]
    first = max((it for it in starts if it <= at), default=0)
    last = min((it for it in starts if it > at), default=len(lines))
    return bool(_KEYS.search(lines[at]) or _SECRET.search("\n".join(lines[first:last])))


def _text_of(name: str) -> str:
    try:
        content = known_stdin() if name == STDIN_NAME else _beginning(Path(name))
        if content[:2] == GZIP:
            from ..documents.compressed import unpack  # noqa: PLC0415  # because few texts are

            content = unpack(content, MAX_TEXT)
    except (OSError, ValueError):  # because a file may have changed in the meantime
        return ""
    return content.decode("utf-8-sig", "replace")


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_TEXT)


def excerpt(line: str, column: int, width: int) -> tuple[str, int]:
    """The part of a line around a column that fits into a width, and the cells to the left of its place.

    Args:
        line: without its break.
        column: counted from one, in characters.
        width: in cells; what does not fit is cut off on both sides.

    Returns:
        The text, and how many cells stand before the place.
    """
    width = max(width, NARROWEST)
    cells = [TAB if char == "\t" else char if char.isprintable() else ascii(char)[1:-1] for char in line]
    at = min(column - 1, len(cells))
    first, left = at, 0
    while first and left + width_of(cells[first - 1]) <= width * 2 // 3:
        first -= 1
        left += width_of(cells[first])
    start = CUT if first else ""
    last, used = at, left + len(start)
    while last < len(cells) and used + width_of(cells[last]) < width:
        used += width_of(cells[last])
        last += 1
    end = CUT if last < len(cells) else ""
    return f"{start}{''.join(cells[first:last])}{end}", left + len(start)
