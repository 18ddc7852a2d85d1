"""Access and flow logs: streams of JSON, CSV and Parquet, cut into blocks, and blocks read by column.

Cutting is cheap and goes through a stream in order; reading is dear and needs one block alone, anywhere.
"""

from __future__ import annotations

import csv
import json
import zlib
from collections import Counter
from functools import partial
from gzip import BadGzipFile
from itertools import chain
from typing import TYPE_CHECKING, Any, AnyStr, BinaryIO, TypeVar

from attrs import evolve, field

from ..documents import MAX_DEPTH, too_deep
from ..resources.checks import one_of
from ..values.construction import frozen
from ..values.errors import InvalidValue, MissingExtra, Problem
from ..values.references import Mark
from ..values.times import read_time
from .dialects import DIALECTS, Format
from .encoding import repeated
from .recognition import recognised, uncompressed
from .records import Layout, Place, Records, Repeats, Unreadable, column_of, column_of_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ["Block", "KnownLog", "Log", "begin_of", "cut", "read"]

T = TypeVar("T")
U = TypeVar("U")

BLOCK = 2**20  # bytes of lines that are read together
PIECE = 2**13  # rows of Parquet that are
BATCH = 2**20  # rows that are looked through for those that are alike
PROBE = 2**16  # rows that show whether there are such
MAX_LINE = 2**20  # bytes: a longer line is no record, and is not kept
MAX_LINES = 100  # of one row of CSV, whose cells may hold line breaks
_OBJECT = "a JSON object"


def _format(value: Any) -> Format | None:
    return None if value is None else one_of(value, Format)


@frozen
class KnownLog:
    """A log without compression whose format is known.

    Attributes:
        stream: open for reading bytes.
        name: what problems call it.
        format: how its records are written.
    """

    stream: BinaryIO = field(repr=False)
    name: str
    format: Format


@frozen
class Log:
    """A log.

    Attributes:
        stream: open for reading bytes, which may be compressed with gzip or zstd.
        name: what problems call it.
        format: how its records are written; None where the first of them are to show it.
    """

    stream: BinaryIO = field(repr=False)
    name: str
    format: Format | None = field(default=None, converter=_format)

    def recognised(self, layout: Layout | None = None) -> KnownLog:
        """The log without compression and with its format, found out from the first bytes if it has none.

        JSON of which the layout names columns is read as it is, whoever has written it.

        Raises:
            InvalidValue: it is compressed and cannot be unpacked.
            MissingExtra: it is compressed with zstd, and nothing is installed that unpacks it.
        """
        if self.format is Format.PARQUET:
            return KnownLog(self.stream, self.name, self.format)
        try:
            stream, head = uncompressed(self.stream, self.name)
        except (EOFError, OSError) as error:
            raise _damaged(self.name, error) from None
        written = self.format or recognised(head)
        if self.format is None and layout is not None and layout.columns and written in DIALECTS:
            written = Format.JSON
        return KnownLog(stream, self.name, written)


def _damaged(name: str, error: Exception) -> InvalidValue:
    return InvalidValue(Problem("a whole file", document=name, reason=str(error).rstrip(".").lower()))


@frozen
class Block:
    """Some records of a log, as they were written.

    Attributes:
        first: the place of the first of them.
        content: lines of text in UTF-8, or a record batch of Arrow, or its columns by name.
        header: of CSV, the names of the columns.
        repeats: how often each line or row came, where those that are alike are one.
    """

    first: Place
    format: Format
    content: Any = field(repr=False)
    header: tuple[str, ...] = ()
    repeats: Repeats | None = field(default=None, repr=False)

    def line(self, index: int) -> int:
        """In which line of the log a line of the block stands, the first of those that are alike."""
        return self.first.line + index if self.repeats is None else self.repeats.lines[index][0]

    def count(self, index: int) -> int:
        """How many lines of the log a line of the block stands for."""
        return 1 if self.repeats is None else self.repeats.counts[index]

    def refused(self, index: int, problems: Sequence[Problem]) -> list[Unreadable]:
        """The lines of the log that a line of the block stands for, and that are no records."""
        lines = (self.first.line + index,) if self.repeats is None else self.repeats.lines[index]
        return Unreadable.each(self.first, lines, self.count(index), problems)

    def repeats_of(self, indices: Sequence[int]) -> Repeats | None:
        """How often the lines with these indices came."""
        if self.repeats is None:
            return None
        counts, lines = self.repeats.counts, self.repeats.lines
        return Repeats([counts[index] for index in indices], [lines[index] for index in indices])


def cut(logs: Iterable[Log], layout: Layout, *, timed: bool = True) -> Iterator[Block]:
    """The blocks of logs, in order, each taken from its stream when it is asked for.

    Args:
        logs: open streams.
        layout: which columns hold what.
        timed: whether the times of records are read, where they can be left out.

    Raises:
        InvalidValue: a CSV or a Parquet lacks a column, or a stream is no Parquet.
        MissingExtra: a log is Parquet, and pyarrow is not installed.
    """
    for number, given in enumerate(logs):
        log = given.recognised(layout)
        first = Place(number, 1, log.name)
        if log.format is Format.PARQUET:
            yield from _batches(log, first, layout, timed=timed)
        elif log.format is Format.CSV:
            yield from _lines_of_csv(log, first, layout)
        else:
            yield from _lines(_chunks(log), Block(first, log.format, b""))


def begin_of(log: Log) -> float | None:
    """When the first record was made, in seconds since 1970; None where the first ones do not say so."""
    layout = Layout()
    try:
        records = next((read(block, layout) for block in cut([log], layout)), None)
        times = () if records is None or records.times is None else records.times
        return next((read_time(value) for value in times if value is not None), None)
    except (InvalidValue, MissingExtra):
        return None  # what is wrong with it is told when it is its turn


def read(block: Block, layout: Layout) -> Records:
    """The records of a block; what is no record is told."""
    return _READERS[block.format](block, layout)


# --- lines -----------------------------------------------------------------------------------------------


def _chunks(log: KnownLog) -> Iterator[bytes]:
    try:
        yield from iter(partial(log.stream.read, BLOCK), b"")
    except (EOFError, zlib.error, BadGzipFile) as error:
        raise _damaged(log.name, error) from None


def _lines(chunks: Iterable[bytes], block: Block) -> Iterator[Block]:
    """Whole lines; of one that is too long, as much is kept as shows that it is, first in its block."""
    rest = b""
    for chunk in chunks:
        content = rest + chunk
        end = _end_of_records(content, block.format)
        rest = content[end:][: MAX_LINE + 1]
        if end:
            block = evolve(block, content=content[:end])
            yield block
            block = evolve(
                block, first=evolve(block.first, line=block.first.line + content.count(b"\n", 0, end))
            )
    if rest:
        yield evolve(block, content=rest)


def _end_of_records(content: bytes, written: Format) -> int:
    """Where the last line ends that is whole; of CSV where the last row does, unless it is too long."""
    end = content.rfind(b"\n") + 1
    if written is not Format.CSV or b'"' not in content:
        return end
    lines = content[:end].split(b"\n")[:-1]
    for start, stop in _rows_of(lines, b'"'):
        if stop == start + 1 and lines[start].count(b'"') % 2 and len(lines) < start + MAX_LINES:
            begin = sum(map(len, lines[:start])) + start
            return begin if len(content) - begin <= MAX_LINE else end
    return end


def _rows_of(lines: Sequence[AnyStr], quote: AnyStr) -> Iterator[tuple[int, int]]:
    """The lines that each row of CSV may take: up to the one that closes the quotes that the first opens."""
    start = 0
    while start < len(lines):
        stop = start + 1
        if lines[start].count(quote) % 2:
            following = range(stop, min(start + MAX_LINES, len(lines)))
            stop = 1 + next((it for it in following if lines[it].count(quote) % 2), start)
        yield start, stop
        start = stop


def _lines_of_csv(log: KnownLog, first: Place, layout: Layout) -> Iterator[Block]:
    names, _, rest = log.stream.read(BLOCK).partition(b"\n")
    try:
        (header,) = csv.reader([names.decode("utf-8-sig")], strict=True)
    except (ValueError, csv.Error):
        expected = "a header with the names of the columns"
        raise InvalidValue(Problem(expected, document=log.name)) from None
    layout.check(header, log.name)
    block = Block(evolve(first, line=2), log.format, b"", tuple(header))
    yield from _lines(chain([rest], _chunks(log)), block)


def _texts(block: Block, unreadable: list[Unreadable]) -> list[str]:
    """The lines of a block; those that are no text become blank ones, and are told."""
    content: bytes = block.content
    if len(content) > MAX_LINE and b"\n" not in content[: MAX_LINE + 1]:
        unreadable.append(Unreadable.of(block.first, [Problem(f"at most {MAX_LINE} bytes", "more")]))
        content = content[content.find(b"\n") :] if b"\n" in content else b""
    try:
        texts = content.decode().split("\n")
    except UnicodeDecodeError:
        texts = _each(_text, content.split(b"\n"), "", block, unreadable)
    if block.first.line == 1:
        texts[0] = texts[0].removeprefix("\ufeff")
    if not texts[-1]:  # what follows the last line break is no line
        texts.pop()
    return texts


def _each(
    read_line: Callable[[T], U],
    lines: Iterable[T],
    nothing: U,
    block: Block,
    unreadable: list[Unreadable],
    start: int = 0,
) -> list[U]:
    """Each line of a block by itself, from one on; one that cannot be read is `nothing`, and is told."""
    values: list[U] = []
    for index, line in enumerate(lines, start):
        try:
            values.append(read_line(line))
        except InvalidValue as error:
            unreadable.extend(block.refused(index, error.problems))
            values.append(nothing)
    return values


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise InvalidValue(Problem("UTF-8", f"the byte `0x{line[error.start]:02x}`")) from None


def _read_json(block: Block, layout: Layout) -> Records:
    dialect = DIALECTS.get(block.format)
    indices: list[int] = []
    records: list[Mapping[str, Any]] = []
    unreadable: list[Unreadable] = []
    left_out: Counter[str] = Counter()
    for index, record in _objects(block, unreadable, several=dialect is not None):
        said = record if dialect is None else dialect(record)
        if isinstance(said, str):
            left_out[said] += block.count(index)
        else:
            indices.append(index)
            records.append(said)
    lines, repeats = list(map(block.line, indices)), block.repeats_of(indices)
    return Records.of(column_of(records), layout, block.first, lines, unreadable, left_out, repeats)


def _objects(
    block: Block, unreadable: list[Unreadable], *, several: bool
) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a block with the index of their lines; what is none is told.

    Args:
        block: of JSON.
        unreadable: what is told is added here.
        several: whether a line may hold an array of objects.
    """
    decode = json.JSONDecoder().raw_decode
    for index, text in enumerate(_texts(block, unreadable)):
        try:
            value, end = decode(text) if too_deep(text, MAX_DEPTH) is None else (None, 0)
        except (ValueError, RecursionError):
            value, end = None, 0
        if type(value) is dict and (end == len(text) or text[end:].isspace()):
            yield index, value
            continue
        if not text.strip():
            continue
        try:
            value = _value(text)
        except InvalidValue as error:
            unreadable.extend(block.refused(index, error.problems))
            continue
        for each in value if several and isinstance(value, list) else [value]:
            if isinstance(each, dict):
                yield index, each
            else:
                unreadable.extend(block.refused(index, InvalidValue.of(_OBJECT, each).problems))


def _value(line: str) -> Any:
    """What a line holds, perhaps between spaces; or why it holds nothing."""
    try:
        if too_deep(line, MAX_DEPTH) is None:
            return json.loads(line)
    except json.JSONDecodeError as error:
        problem = Problem(_OBJECT, mark=Mark(1, error.colno), reason=error.msg.lower())
        raise InvalidValue(problem) from None
    except (ValueError, RecursionError):
        pass
    raise InvalidValue(Problem(_OBJECT, "too many digits or levels"))


def _read_csv(block: Block, layout: Layout) -> Records:
    unreadable: list[Unreadable] = []
    texts = _texts(block, unreadable)
    try:
        rows = list(csv.reader(texts, strict=True))
    except csv.Error:
        rows = []
    size = len(block.header)
    indices: Sequence[int] = range(len(rows))
    if len(rows) != len(texts):  # a quote that is not closed takes the next lines with it
        indices, rows = _rows(texts, block, unreadable)
    if set(map(len, rows)) != {size}:
        expected = f"{size} cells, as the header has"
        for index, row in zip(indices, rows, strict=True):
            if row and len(row) != size:
                unreadable.extend(block.refused(index, [Problem(expected, str(len(row)))]))
        indices = [index for index, row in zip(indices, rows, strict=True) if len(row) == size]
        rows = [row for row in rows if len(row) == size]
    columns = dict(zip(block.header, zip(*rows, strict=True), strict=False))
    lines, repeats = list(map(block.line, indices)), block.repeats_of(indices)
    return Records.of(columns.get, layout, block.first, lines, unreadable, repeats=repeats)


def _rows(
    texts: Sequence[str], block: Block, unreadable: list[Unreadable]
) -> tuple[list[int], list[list[str]]]:
    """The rows of lines, with the index of each: of one line, or of several where a cell has breaks."""
    indices: list[int] = []
    rows: list[list[str]] = []
    for start, stop in _rows_of(texts, '"'):
        try:
            found = [_row("\n".join(texts[start:stop]))]
        except InvalidValue:
            found = _each(_row, texts[start:stop], [], block, unreadable, start)
        indices.extend(range(start, start + len(found)))
        rows.extend(found)
    return indices, rows


def _row(line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True), [])
    except csv.Error as error:
        raise InvalidValue(Problem("a line of CSV", reason=str(error))) from None


# --- Parquet ---------------------------------------------------------------------------------------------


def _batches(log: KnownLog, first: Place, layout: Layout, *, timed: bool) -> Iterator[Block]:
    try:
        from pyarrow import ArrowException, types  # noqa: PLC0415  # because Parquet is an extra
        from pyarrow.parquet import ParquetFile  # noqa: PLC0415  # ditto
    except ModuleNotFoundError:
        raise MissingExtra(f"reading Parquet (`{log.name}`)", "parquet") from None
    try:
        # What is buffered ahead is kept until the file is closed: it is read as it is needed.
        file = ParquetFile(log.stream, pre_buffer=False, buffer_size=2**16)
        schema = file.schema_arrow
        layout.check(schema.names, log.name)
        names = layout.every_name(timed=timed)
        wanted = [it for it in names if it in schema.names or it.partition(".")[0] in schema.names]
        texts = [it for it in wanted if it in schema.names and types.is_string(schema.field(it).type)]
        probe = ParquetFile(log.stream, read_dictionary=texts, pre_buffer=False, buffer_size=2**16)
        begin = next(probe.iter_batches(PROBE, columns=wanted, use_threads=False), None)
        if begin is not None and repeated(begin) is not None:
            # By row group: what stands in two has two dictionaries.
            groups = range(probe.num_row_groups)
            batches = chain.from_iterable(
                probe.iter_batches(BATCH, row_groups=[group], columns=wanted, use_threads=False)
                for group in groups
            )
        else:
            batches = file.iter_batches(PIECE, columns=wanted)
        for batch in batches:
            yield Block(first, log.format, batch)
            first = evolve(first, line=first.line + batch.num_rows)
    except (ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0].rstrip(".").lower()
        raise InvalidValue(Problem("a Parquet file", document=log.name, reason=reason)) from None


def _read_batch(block: Block, layout: Layout) -> Records:
    if block.repeats is None:
        return Records.following(column_of_batch(block.content), layout, block.first, block.content.num_rows)
    lines = [some[0] for some in block.repeats.lines]
    return Records.of(block.content.get, layout, block.first, lines, repeats=block.repeats)


_READERS = dict.fromkeys(Format, _read_json) | {Format.CSV: _read_csv, Format.PARQUET: _read_batch}
