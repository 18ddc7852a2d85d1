"""Records that come again and again: each once, with how often it came and the first lines that it stood in.

Logs repeat themselves: of ten million records a few thousand are different. Blocks go in, and blocks come out
that hold each record once; memory grows with the different ones, up to a limit, and with nothing else. Where
nearly all are different, blocks pass as they are.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from attrs import evolve

from ..values.construction import frozen
from .dialects import Format
from .encoding import by_column, repeated
from .logs import MAX_LINE, PIECE, Block, read
from .records import TOLD, Repeats

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from .encoding import Rows
    from .records import Layout, Place, Records

__all__ = ["Gathered", "different", "gathered"]

KEPT = 2**16  # different records
BYTES = 2**23  # of lines that are different
NOTHING = b"\0"  # stands where a time was
PASSED = 16  # blocks that pass where records were hardly ever alike, before it is tried again


class Gathered:
    """Different records, in the order in which they came: how often each did, and where first."""

    def __init__(self) -> None:
        self._counts: Counter[Any] = Counter()
        self._kept: dict[Any, Any] = {}
        self._lines: dict[Any, list[int]] = {}
        self._open: set[Any] = set()  # of which more lines are to be kept

    def add(self, keys: Sequence[Hashable], records: Callable[[], Sequence[Any]], first: int) -> None:
        """Add records, which stand in lines that follow each other.

        Args:
            keys: equal for records that are alike.
            records: gives what is kept of each, of those that are alike the first.
            first: the line of the first.
        """
        self._counts.update(keys)
        new = self._new()
        texts = records() if new else ()
        if not self._open.isdisjoint(keys):
            for at, key in enumerate(keys):
                if key in self._open:
                    if key in new:
                        self._kept.setdefault(key, texts[at])
                    self._place(key, first + at)

    def add_rows(self, rows: Rows, first: int) -> None:
        """Add the rows of a record batch, of which the first is in this line."""
        keys = rows.values()
        for key, more in zip(keys, rows.counts(), strict=True):
            self._counts[key] += more
        self._kept.update((key, key) for key in self._new())
        listed = [self._lines[key] if key in self._open else None for key in keys]
        wanted = [lines is not None for lines in listed]
        for row, code in rows.places(wanted):
            lines = listed[code]
            if lines is not None and len(lines) < TOLD:
                lines.append(first + row)
            else:
                wanted[code] = False
        told = (key for key, lines in zip(keys, listed, strict=True) if lines and len(lines) == TOLD)
        self._open.difference_update(told)

    def _new(self) -> set[Any]:
        """The records that have come up since."""
        new = set(islice(reversed(self._counts), len(self._counts) - len(self._lines)))
        self._lines.update((key, []) for key in new)
        self._open |= new
        return new

    def _place(self, key: Hashable, line: int) -> None:
        lines = self._lines[key]
        lines.append(line)
        if len(lines) == TOLD:
            self._open.discard(key)

    def taken(self) -> Iterator[tuple[list[Any], Repeats]]:
        """The different records in pieces."""
        keys = list(self._counts)
        for start in range(0, len(keys), PIECE):
            some = keys[start : start + PIECE]
            repeats = Repeats([self._counts[key] for key in some], [self._lines[key] for key in some])
            yield [self._kept[key] for key in some], repeats

    def __len__(self) -> int:
        return len(self._counts)


def gathered(blocks: Iterable[Block], times: Iterable[str] = ()) -> Iterator[Block]:
    """The same records in blocks that hold each different line or row once, as far as they can be told.

    Args:
        blocks: of logs, in order.
        times: the names of what does not tell records apart.
    """
    store = _Store(times)
    for block in blocks:
        if not store.takes(block):
            yield from store.let_go()
        if not store.add(block):
            yield from store.let_go()
            yield from _pieces(block)
        elif store.is_full:
            yield from store.let_go()
    yield from store.let_go()


class _Store:
    """Records of blocks that are written alike, until there are too many different ones."""

    def __init__(self, times: Iterable[str]) -> None:
        self._untimed = _Untimed.of(times)
        self._of: Block | None = None
        self._names: tuple[str, ...] = ()
        self._gathered = Gathered()
        self._bytes = self._rows = self._passing = 0

    def takes(self, block: Block) -> bool:
        """Whether a block is of the same log, with the same columns, as the blocks that are kept."""
        of = self._of
        return of is None or (of.first.log, of.header) == (block.first.log, block.header)

    def add(self, block: Block) -> bool:
        """Add the records of a block; not where they cannot be told apart, or hardly ever are alike."""
        if self._passing:
            self._passing -= 1
            return False
        rows = self._rows_of(block) if block.format is Format.PARQUET else self._lines_of(block)
        if rows is None:
            return False
        self._of = self._of or block
        self._rows += rows
        return True

    def _lines_of(self, block: Block) -> int | None:
        content: bytes = block.content
        is_long = len(content) > MAX_LINE and b"\n" not in content[: MAX_LINE + 1]
        if is_long or (block.format is Format.CSV and b'"' in content):
            return None  # as these are no lines that stand for themselves
        lines = partial(_lines, content)
        keys = (self._untimed.keys(content) if block.format is Format.JSON else None) or lines()
        before = len(self._gathered)
        self._gathered.add(keys, lines, block.first.line)
        self._bytes += len(content) * (len(self._gathered) - before) // max(1, len(keys))
        return len(keys)

    def _rows_of(self, block: Block) -> int | None:
        rows = repeated(block.content)
        if rows is None:
            self._passing = PASSED
            return None
        self._names = tuple(block.content.schema.names)
        self._gathered.add_rows(rows, block.first.line)
        return len(rows.codes)

    @property
    def is_full(self) -> bool:
        """Whether there are as many different records as are kept."""
        return len(self._gathered) >= KEPT or self._bytes >= BYTES

    def let_go(self) -> Iterator[Block]:
        """The blocks of what is kept; where records were hardly ever alike, the next blocks are not kept."""
        of, self._of = self._of, None
        if of is None:
            return
        gathered, self._gathered = self._gathered, Gathered()
        if len(gathered) * 2 > self._rows:
            self._passing = PASSED
        self._bytes = self._rows = 0
        for keys, repeats in gathered.taken():
            first = evolve(of.first, line=repeats.lines[0][0])
            content = (
                by_column(self._names, keys)
                if of.format is Format.PARQUET
                else b"".join(b"%b\n" % key for key in keys)
            )
            yield evolve(of, first=first, content=content, repeats=repeats)


_TEXT = rb'"[^"\\\x00-\x1f]*"'
_NUMBER = rb"-?(?:0|[1-9][0-9]{0,18})(?:\.[0-9]{1,18})?"
_PAIR = rb'[ \t]*"[^"\\\n]*"[ \t]*:[ \t]*(?:"[^"\\\n]*"|[^\s"{}\[\],]+)[ \t]*,'
# What stands first is found quickly; that nothing stands before it in its line is looked at then.
_BEGIN = rb"\{(?<![^\n]\{)"


def different(rows: Rows, names: Sequence[str], layout: Layout, first: Place) -> Iterator[Records]:
    """The different ones of the rows of a record batch as records.

    Args:
        rows: of the batch.
        names: of its columns.
        layout: which columns hold what.
        first: the place of the first row.
    """
    gathered = Gathered()
    gathered.add_rows(rows, first.line)
    for keys, repeats in gathered.taken():
        yield read(Block(first, Format.PARQUET, by_column(names, keys), repeats=repeats), layout)


@frozen(eq=False)
class _Untimed:
    """Lines of JSON without the time that stands among the plain values of an object.

    Attributes:
        names: of the time, as they are written.
        first: finds the time where it stands first, whole and valid.
        later: finds it behind other plain values, and these.
    """

    names: tuple[bytes, ...]
    first: re.Pattern[bytes]
    later: re.Pattern[bytes]

    @classmethod
    def of(cls, names: Iterable[str]) -> _Untimed:
        """Without what stands under these names."""
        listed = tuple(json.dumps(name).encode() for name in names)
        time = rb"[ \t]*(?:%b)[ \t]*:[ \t]*(?:%b|%b)[ \t]*(?=[,}])" % (
            b"|".join(map(re.escape, listed)) or rb"[^\s\S]",
            _TEXT,
            _NUMBER,
        )
        first, later = _BEGIN + time, rb"(%b(?:%b)+?)%b" % (_BEGIN, _PAIR, time)
        return cls(listed, re.compile(first), re.compile(later))

    def keys(self, content: bytes) -> list[bytes] | None:
        """The lines of some content; None where the first one has no time that can be left out."""
        line = content[: content.find(b"\n") + 1]
        if NOTHING in content or not any(name in line for name in self.names):
            return None
        if self.first.match(line):
            begin, *rest = self.first.split(content)
            if not begin and len(rest) == content.count(b"\n") and content.endswith(b"\n"):
                return rest  # as there is one in each line
            return _lines(self.first.sub(NOTHING, content))
        return _lines(self.later.sub(rb"\1" + NOTHING, content))


def _lines(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()  # what follows the last line break is no line
    return lines


def _pieces(block: Block) -> Iterator[Block]:
    """A block as it is; a record batch in pieces."""
    if block.format is not Format.PARQUET:
        yield block
        return
    for start in range(0, block.content.num_rows, PIECE):
        first = evolve(block.first, line=block.first.line + start)
        yield evolve(block, first=first, content=block.content.slice(start, PIECE))
