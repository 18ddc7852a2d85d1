"""The logs of a command: which files they are, how they are written, and how far they have been read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from io import BufferedReader, FileIO
from pathlib import Path
from typing import Any

import click

from ..replaying.logs import Format, Log
from ..replaying.records import FIELDS, Layout
from ..values.construction import frozen
from ..values.errors import InvalidValue, shortly
from .endings import stop
from .inputs import STDIN, STDIN_NAME, take_stdin
from .output import why

__all__ = ["Logs", "log_options"]

SUFFIXES = {
    ".csv": Format.CSV,
    ".json": Format.JSON,
    ".jsonl": Format.JSON,
    ".ndjson": Format.JSON,
    ".parquet": Format.PARQUET,
}


@frozen
class Logs:
    """The logs that a command reads, and which of their columns hold what."""

    formats: Mapping[str, Format]
    columns: Mapping[str, str]

    def size(self) -> int | None:
        """How many bytes there are to read; None where standard input is among the logs."""
        try:
            return None if STDIN in self.formats else sum(Path(name).stat().st_size for name in self.formats)
        except OSError as error:
            stop(f"{error.filename}: cannot be read: {why(error)}")

    def open(self, advance: Callable[[int], object]) -> Iterator[Log]:
        """The logs, each opened when it is its turn; `advance` is told of the bytes that were read."""
        for name, written in self.formats.items():
            if name == STDIN:
                yield Log(take_stdin(), STDIN_NAME, written)
                continue
            try:
                raw = FileIO(name)
            except OSError as error:
                stop(f"{name}: cannot be read: {why(error)}")
            with _Watched(raw, advance) as stream:
                yield Log(stream, name, written)


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
        *, log_files: tuple[str, ...], written: str | None, columns: tuple[str, ...], **others: Any
    ) -> None:
        formats = {name: Format(written) if written else _format_of(name) for name in log_files}
        command(logs=Logs(formats, _columns(columns)), **others)

    for option in _OPTIONS:
        with_logs = option(with_logs)
    return with_logs


def _format_of(name: str) -> Format:
    suffix = Path(name).suffix
    if name == STDIN:
        return Format.JSON
    if suffix not in SUFFIXES:
        is_document = suffix in {".yaml", ".yml"}
        hint = "documents of the mesh stand behind -f each" if is_document else "give --format"
        known = ", ".join(f"`{each}`" for each in SUFFIXES)
        raise click.UsageError(f"{shortly(name)} is no log by its name, which would end in {known}: {hint}")
    return SUFFIXES[suffix]


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
        "--format",
        "written",
        type=click.Choice([each.value for each in Format]),
        help="How the logs are written; by default as their names end, and standard input in JSON lines.",
    ),
    click.argument("log_files", nargs=-1, required=True, metavar="LOG..."),
)
