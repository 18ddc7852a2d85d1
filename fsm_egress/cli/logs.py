"""The logs of a command: which files they are, how they are written, and how far they have been read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

import click

from ..replaying.dialects import Format
from ..replaying.logs import Log, begin_of
from ..replaying.records import FIELDS, Layout
from ..values.construction import frozen
from ..values.errors import InvalidValue, shortly
from .endings import stop
from .inputs import STDIN, STDIN_NAME, take_stdin
from .output import say, why

__all__ = ["Logs", "log_options"]

PROGRAMS = {
    Format.FSM: "FSM's remote log",
    Format.HUBBLE: "flows of Cilium Hubble",
    Format.ENVOY: "Envoy's access log, with Istio's keys",
}
SUFFIXES = {".csv": Format.CSV, ".parquet": Format.PARQUET}
DOCUMENTS = {".yaml", ".yml"}


@frozen
class Logs:
    """The logs that a command reads, and which of their columns hold what.

    Attributes:
        names: of files, in the order in which they are read; `-` is standard input.
        format: how all of them are written; None where their first records are to show it.
        columns: for some fields, the column to read instead.
    """

    names: tuple[str, ...]
    format: Format | None
    columns: Mapping[str, str]

    @property
    def can_be_read_again(self) -> bool:
        """Whether all of them are files: what comes through a pipe comes once."""
        return all(name != STDIN and Path(name).is_file() for name in self.names)

    def size(self) -> int | None:
        """How many bytes there are to read; None where standard input is among the logs."""
        try:
            return None if STDIN in self.names else sum(Path(name).stat().st_size for name in self.names)
        except OSError as error:
            stop(f"{error.filename}: cannot be read: {why(error)}")

    def open(self, advance: Callable[[int], object], *, again: bool = False) -> Iterator[Log]:
        """The logs, each opened when it is its turn.

        Args:
            advance: is told of the bytes that were read.
            again: whether they were open before, and all was said of how they are written.
        """
        for name in self.names:
            if name == STDIN:
                yield self._recognised(Log(take_stdin(), STDIN_NAME, self.format), again=again)
                continue
            try:
                raw = FileIO(name)
            except OSError as error:
                stop(f"{name}: cannot be read: {why(error)}")
            with _Watched(raw, advance) as stream:
                log = Log(stream, name, self.format or SUFFIXES.get(Path(name).suffix))
                yield self._recognised(log, again=again)

    def _recognised(self, log: Log, *, again: bool) -> Log:
        """The log with its format; of one that is another program's it is said, where nobody has said it."""
        found = log.recognised(Layout(self.columns))
        if log.format is None and found.format in PROGRAMS and not again:
            say([f"{log.name}: read as {PROGRAMS[found.format]} (--format {found.format})"], err=True)
        return Log(found.stream, found.name, found.format)


class _Watched(BufferedReader):
    """A file that tells how much of it is read."""

    def __init__(self, raw: FileIO, advance: Callable[[int], object]) -> None:
        super().__init__(raw)
        self._advance = advance

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self._advance(len(content))
        return content


def log_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which logs it reads, as its argument `logs`."""

    @wraps(command)
    def with_logs(
        *,
        log_files: tuple[str, ...],
        written: str | None,
        columns: tuple[str, ...],
        source: str | None,
        **others: Any,
    ) -> None:
        columns += () if source is None else (f"source={source}",)
        names = tuple(name for given in log_files for name in _files(given, is_log=written is not None))
        command(logs=Logs(names, Format(written) if written else None, _columns(columns)), **others)

    for option in _OPTIONS:
        with_logs = option(with_logs)
    return with_logs


def _files(name: str, *, is_log: bool) -> Sequence[str]:
    """The files of a folder, the oldest first, as logs are rotated; or the one file.

    Args:
        name: as it is given.
        is_log: whether its format is given, too; else what is named as documents are is taken for a slip.
    """
    if Path(name).suffix in DOCUMENTS and not is_log:
        raise click.UsageError(f"{shortly(name)} is no log: documents of the mesh stand behind -f each")
    if name == STDIN or not Path(name).is_dir():
        return (name,)
    files = (path for path in Path(name).rglob("*") if path.is_file() and not path.name.startswith("."))
    found = sorted((_begin_of(path), str(path)) for path in files)
    if not found:
        raise click.UsageError(f"{shortly(name)} is a folder without files")
    return [path for _, path in found]


def _begin_of(path: Path) -> float:
    """When the first record of a file was made; of one that does not say so, when it was last written."""
    try:
        with path.open("rb") as stream:
            found = begin_of(Log(stream, str(path)))
        return path.stat().st_mtime if found is None else found
    except OSError as error:
        stop(f"{path}: cannot be read: {why(error)}")


def _columns(texts: Sequence[str]) -> Mapping[str, str]:
    try:
        columns = dict(_column(text) for text in texts)
        return Layout(columns).columns
    except InvalidValue as error:
        raise click.BadParameter(str(error), param_hint="'--column'") from None


def _column(text: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not (equals and column):
        raise InvalidValue.of("a field and its column, such as `host=authority`", text)
    return name, column


_OPTIONS = (
    click.option(
        "--column",
        "columns",
        multiple=True,
        metavar="FIELD=COLUMN",
        help=f"The column that a field stands in: {', '.join(FIELDS)}; a dot leads into an object.",
    ),
    click.option(
        "--source-column",
        "source",
        metavar="COLUMN",
        help="The column of the source address, which is a pod's by its status.podIPs.",
    ),
    click.option(
        "--format",
        "written",
        type=click.Choice([each.value for each in Format]),
        help="How the logs are written; by default as their first records show it.",
    ),
    click.argument("log_files", nargs=-1, required=True, metavar="LOG..."),
)
