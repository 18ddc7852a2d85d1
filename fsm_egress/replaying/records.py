"""Records of logs and data frames by column: which one holds what, and the connections that they tell of."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import repeat
from typing import Any, TypeAlias

from attrs import evolve, field
from attrs.converters import optional

from ..connections.columns import Columns
from ..connections.descriptions import split_socket_address
from ..connections.payloads import Sends
from ..documents import MAX_DEPTH, too_deep
from ..resources.subjects import HOSTS, POD, pod_named
from ..values.construction import frozen
from ..values.errors import Damaged, InvalidValue, Problem, shortly
from ..values.frozen import EMPTY
from ..values.references import Mark

__all__ = [
    "FIELDS",
    "SOURCE",
    "Layout",
    "Place",
    "Records",
    "Repeats",
    "Unreadable",
    "column_of",
    "column_of_batch",
    "values_of",
]

# The columns that a field is looked for in, one after the other; a dot leads into an object.
FIELDS: dict[str, tuple[str, ...]] = {
    "identity": ("identity",),
    "pod": ("pod.name", "pod"),
    "pod_namespace": ("pod.ns", "pod.namespace", "pod_namespace"),
    "source": ("source",),
    "destination": ("destination",),
    "port": ("port",),
    "sends": ("sends",),
    "host": ("host", "request.host"),
    "server_name": ("server_name", "sni"),
    "method": ("method", "request.method"),
    "path": ("path", "request.path"),
    "headers": ("headers", "request.headers"),
    "time": ("time", "timestamp", "@timestamp", "start_time"),
    "lost": ("lost",),
}
SOURCE = "address/"  # what stands before the address of a pod, where its name is not known
TOLD = 10  # unreadable records are told in full; that many lines are kept of those that are alike
NOT_GIVEN = ("", "-")  # how logs write that there is nothing, besides null

_PORT = re.compile("[0-9]{1,5}", re.ASCII)
_BYTES, _TLS, _HTTP = Sends.BYTES.value, Sends.TLS.value, Sends.HTTP.value
_FIELD_OF = {
    "destinations": "destination",
    "ports": "port",
    "hosts": "host",
    "methods": "method",
    "paths": "path",
}

Column: TypeAlias = Sequence[Any]
Find: TypeAlias = Callable[[str], "Column | None"]
"""The values of a column by its name, one for each record; None where there is no such column."""


@frozen(order=True)
class Place:
    """Where a record stands: in which of the logs, counted from zero, and in which line of it, from one."""

    log: int
    line: int
    name: str

    def __str__(self) -> str:
        return f"{self.name}:{self.line}"


@frozen
class Unreadable:
    """A record that cannot be read, and why.

    Attributes:
        place: where it stands.
        problems: what is wrong with it.
        count: how many records it stands for, as all of them are alike.
    """

    place: Place
    problems: tuple[Problem, ...]
    count: int = field(default=1, eq=False, repr=False)

    @property
    def reason(self) -> str:
        """What was expected of it, for a count of all such records."""
        first = self.problems[0]
        return f"cannot be read: {first.path and f'{first.path}: '}expected {first.expected}"

    @classmethod
    def of(cls, place: Place, problems: Iterable[Problem], count: int = 1) -> Unreadable:
        """The record at this place; the problems get its document and line."""
        marks = ((problem, problem.mark.column if problem.mark else 1) for problem in problems)
        return cls(
            place,
            tuple(
                evolve(problem, document=place.name, mark=Mark(place.line, column))
                for problem, column in marks
            ),
            count,
        )

    @classmethod
    def each(
        cls, first: Place, lines: Sequence[int], count: int, problems: Sequence[Problem]
    ) -> list[Unreadable]:
        """Records that are alike, of which the first lines are known; the first stands for the rest, too."""
        return [
            cls.of(evolve(first, line=line), problems, 1 if at else count - len(lines) + 1)
            for at, line in enumerate(lines)
        ]


@frozen
class Repeats:
    """How often each of some different records came, and where first.

    Attributes:
        counts: how many records each stands for.
        lines: for each, the first lines with such a record, as many as are ever told.
    """

    counts: Sequence[int]
    lines: Sequence[Sequence[int]]


def _columns(value: Mapping[str, str]) -> dict[str, str]:
    for name in value:
        if name not in FIELDS:
            raise InvalidValue.of("one of " + ", ".join(f"`{known}`" for known in FIELDS), name)
    return dict(value)


@frozen
class Layout:
    """Which columns hold what.

    Attributes:
        columns: for some fields of `FIELDS`, the column to read instead.
        identity: whose the connections are, of records that do not say it.

    Raises:
        InvalidValue: there is no such field.
    """

    columns: Mapping[str, str] = field(factory=dict, converter=_columns)
    identity: str | None = field(default=None, converter=optional(str))

    def names(self, name: str) -> tuple[str, ...]:
        """The columns that a field is looked for in."""
        return (self.columns[name],) if name in self.columns else FIELDS[name]

    def every_name(self, *, timed: bool = True) -> tuple[str, ...]:
        """The columns that any field is looked for in, without those of the time where it does not matter."""
        return tuple(column for name in FIELDS if timed or name != "time" for column in self.names(name))

    def columns_of(self, present: Collection[str], *, timed: bool = True) -> list[str]:
        """Those of the columns of a table that any field is read from, in an order of their own."""
        names = dict.fromkeys(self.every_name(timed=timed))
        return [name for name in names if name in present] + [
            name
            for name in dict.fromkeys(name.partition(".")[0] for name in names)
            if name in present and name not in names
        ]

    def check(self, present: Iterable[str], document: str) -> None:
        """See that a table has the columns that every record needs, and those that the layout names itself.

        Of a column with dots it is enough that its outermost part is there.

        Raises:
            InvalidValue: it does not, or has a column twice that is read.
        """
        there = list(present)
        read = {part for name in self.every_name() for part in (name, name.partition(".")[0])}
        doubled = [name for name, count in Counter(there).items() if count > 1 and name in read]
        if doubled:
            several = (Problem(f"one column `{name}`", "several", document=document) for name in doubled)
            raise InvalidValue(*several)
        others = {"pod", "source"}  # that say whose a record is
        columns = {column for name in others for column in FIELDS[name]}
        is_told = self.identity or not others.isdisjoint(self.columns) or not columns.isdisjoint(there)
        needed = {"destination", *self.columns, *(() if is_told else ("identity",))}
        wanted = [self.names(name)[0] for name in FIELDS if name in needed]
        missing = [name for name in wanted if name not in there and name.partition(".")[0] not in there]
        if missing:
            found = ", ".join(map(shortly, there)) or "no column"
            raise InvalidValue(*(Problem(f"a column `{name}`", found, document=document) for name in missing))


@frozen(eq=False)
class Records:
    """Records that follow each other.

    Attributes:
        first: the place of the first; the others are in the same log.
        lines: the line of each, the first one of those that are alike.
        identities: whose the connections are, as it is written; None where it is not.
        pods: which pods made them, `pod/curl-0.curl`, or the address of one behind `SOURCE`; an empty text
            where neither is written.
        connections: the connections, not checked yet.
        times: when each was made, as it is written; None where none of them says.
        server_names: beside the Host of a request, as it is written; None where none of them says.
        unreadable: lines among them that are no records.
        left_out: how many records tell of no connection that a pod has made, by reason.
        repeats: how many records each row stands for, where those that are alike are one row.
        lost: how many more there would be, had whoever wrote the log not left them out, as records say.
    """

    layout: Layout
    first: Place
    lines: Sequence[int]
    identities: Column
    connections: Columns
    unreadable: tuple[Unreadable, ...] = ()
    times: Column | None = None
    server_names: Column | None = None
    pods: Sequence[str] = ()
    left_out: Mapping[str, int] = field(factory=dict)
    lost: int = 0
    repeats: Repeats | None = None

    @classmethod
    def of(
        cls,
        find: Find,
        layout: Layout,
        first: Place,
        lines: Sequence[int],
        unreadable: Iterable[Unreadable] = (),
        left_out: Mapping[str, int] = EMPTY,
        repeats: Repeats | None = None,
    ) -> Records:
        """The records of a table whose columns are found by their names.

        What is sent is what `sends` says; where nothing does, it is HTTP if the record has a host, a method
        or a path, else TLS if it has a server name, else bytes. The server name of TLS may stand in `host`.
        Where there is no port, the destination is `address:port`.
        """
        cells = {name: _cells(find, layout.names(name)) for name in FIELDS}
        sends = _sends(cells, len(lines))
        destinations, ports = _destinations(cells, len(lines))
        headers = cells["headers"]
        connections = Columns(
            destinations,
            ports,
            sends,
            hosts=_hosts(cells, sends),
            methods=cells["method"],
            paths=cells["path"],
            headers=None if headers is None else [_headers(value) for value in headers],
        )
        told_of = cells["identity"] or [None] * len(lines)
        pods = _pods(cells, told_of) if layout.identity else _sourced(cells, told_of)
        whose = [
            layout.identity if who is None and not pod else who
            for who, pod in zip(told_of, pods or repeat(""), strict=False)
        ]
        told = tuple(sorted(unreadable, key=lambda each: each.place))
        times, names = cells["time"], cells["server_name"]
        times_each = repeat(1) if repeats is None else repeats.counts
        lost = sum(
            count * each
            for count, each in zip(cells["lost"] or (), times_each, strict=False)
            if type(count) is int and count > 0
        )
        return cls(
            layout, first, lines, whose, connections, told, times, names, pods, left_out, lost, repeats
        )

    @classmethod
    def following(cls, find: Find, layout: Layout, first: Place, size: int) -> Records:
        """So many records, one on each line from the first on."""
        return cls.of(find, layout, first, range(first.line, first.line + size))

    def __len__(self) -> int:
        return len(self.lines)

    def count(self, row: int) -> int:
        """How many records a row stands for."""
        return 1 if self.repeats is None else self.repeats.counts[row]

    def counts(self, rows: Sequence[int]) -> Iterable[int]:
        """How many records each of some rows stands for."""
        return repeat(1, len(rows)) if self.repeats is None else map(self.repeats.counts.__getitem__, rows)

    def place(self, row: int) -> Place:
        """Where the record of a row stands, the first of those that are alike."""
        return Place(self.first.log, self.lines[row], self.first.name)

    def places(self, row: int) -> Iterator[Place]:
        """Where the records of a row stand, the first ones."""
        lines = (self.lines[row],) if self.repeats is None else self.repeats.lines[row]
        return (evolve(self.first, line=line) for line in lines)

    def refused(self, row: int, error: InvalidValue) -> list[Unreadable]:
        """The records of a row, which has an identity or a connection that cannot be."""
        lines = (self.lines[row],) if self.repeats is None else self.repeats.lines[row]
        return Unreadable.each(self.first, lines, self.count(row), list(map(self._in_log, error.problems)))

    def _in_log(self, problem: Problem) -> Problem:
        """A problem of a row of `connections`, seen from the record: `ports[17]` is its `port`."""
        column, _, rest = problem.path.partition("[")
        name = _FIELD_OF.get(column, column)
        inner = rest.partition("]")[2]
        return evolve(problem, path=f"{self.layout.columns.get(name, name)}{inner}")


def column_of(records: Sequence[Mapping[str, Any]]) -> Find:
    """How the columns of mappings are found."""
    present = set().union(*records)
    return cache(lambda name: [record.get(name) for record in records] if name in present else None)


def column_of_batch(batch: Any) -> Find:
    """How the columns of a record batch of Arrow are found."""
    return cache(lambda name: values_of(batch.column(name)) if name in batch.schema.names else None)


_DAMAGED = Damaged()
_BEYOND = (ArithmeticError, LookupError, NotImplementedError, ValueError)  # what Arrow raises for such


def values_of(column: Any) -> Column:
    """The values of an array of Arrow, with what stands for those that Python cannot hold."""
    if hasattr(column, "dictionary_decode"):
        column = column.dictionary_decode()  # as that is quicker than a look-up for each
    try:
        values: Column = column.to_pylist()
    except _BEYOND:
        values = list(map(_value, column))
    return values


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except _BEYOND:
        return _DAMAGED


def _cells(find: Find, names: Iterable[str]) -> Column | None:
    """The values of a field, each from the first column that has one; None where none has any."""
    cells: Column | None = None
    for found in _candidates(find, names):
        values = found
        if any(nothing in values for nothing in NOT_GIVEN):
            values = [None if value in NOT_GIVEN else value for value in values]
        if cells is not None:
            values = [b if a is None else a for a, b in zip(cells, values, strict=True)]
        cells = values
        if None not in cells:
            break
    return None if cells is None or cells.count(None) == len(cells) else cells


def _candidates(find: Find, names: Iterable[str]) -> Iterator[Column]:
    for name in names:
        flat = find(name)
        if flat is not None:
            yield flat
        outer, *keys = name.split(".")
        nested = find(outer) if keys else None
        if nested is not None:
            yield [_inside(value, keys) for value in nested]


def _inside(value: Any, keys: Iterable[str]) -> Any:
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _sourced(cells: Mapping[str, Column | None], identities: Column) -> Sequence[str]:
    """The pods, and the source of those records that name neither a pod nor an account."""
    pods, sources = _pods(cells, identities), cells["source"]
    if sources is None:
        return pods
    listed = zip(pods or repeat(""), identities, sources, strict=False)
    return [
        f"{SOURCE}{source}" if not pod and who is None and isinstance(source, str) else pod
        for pod, who, source in listed
    ]


def _pods(cells: Mapping[str, Column | None], identities: Column) -> Sequence[str]:
    """The pods as texts; one whose namespace is not said is in that of its account."""
    names, spaces = cells["pod"], cells["pod_namespace"]
    if names is None:
        return ()
    listed = zip(names, spaces or repeat(None), identities, strict=False)
    return [_pod(*it) if isinstance(it[0], str) else "" for it in listed]


def _pod(name: str, namespace: Any, identity: Any) -> str:
    """A pod as a text that names it: `curl-0.curl` and `curl/curl-0` name their namespace, too."""
    space, slash, rest = name.rpartition("/")
    if slash and space not in HOSTS:
        return pod_named(rest, space)
    if isinstance(namespace, str):
        return pod_named(rest, namespace)
    if "." not in rest and isinstance(identity, str):
        return pod_named(rest, identity.rpartition(".")[2])
    return f"{space or POD}/{rest}"


def _sends(cells: Mapping[str, Column | None], size: int) -> Column:
    given = cells["sends"]
    if given is not None and None not in given:
        return given
    columns = (cells[name] or repeat(None, size) for name in ("host", "method", "path", "server_name"))
    implied = [
        (_BYTES if server_name is None else _TLS) if host is method is path is None else _HTTP
        for host, method, path, server_name in zip(*columns, strict=True)
    ]
    return implied if given is None else [a or b for a, b in zip(given, implied, strict=True)]


def _hosts(cells: Mapping[str, Column | None], sends: Column) -> Column | None:
    hosts, server_names = cells["host"], cells["server_name"]
    if server_names is None:
        return hosts
    return [
        name if name is not None and kind == _TLS else host
        for kind, host, name in zip(sends, hosts or repeat(None), server_names, strict=False)
    ]


def _destinations(cells: Mapping[str, Column | None], size: int) -> tuple[Column, Column]:
    destinations = cells["destination"] or [None] * size
    ports = cells["port"] or [None] * size
    if None in ports:
        pairs = list(map(_with_port, destinations, ports))
        destinations, ports = [where for where, _ in pairs], [port for _, port in pairs]
    texts = {port for port in ports if type(port) is str}
    if texts:  # as they are in every CSV, and there are few of them
        numbers = {text: int(text) if _PORT.fullmatch(text) else text for text in texts}
        ports = [numbers[port] if type(port) is str else port for port in ports]
    return destinations, ports


def _with_port(destination: Any, port: Any) -> tuple[Any, Any]:
    """Destination and port, of which both may be written in the first."""
    both = split_socket_address(destination) if port is None and isinstance(destination, str) else None
    return both or (destination, port)


def _headers(value: Any) -> Any:
    """Headers by name: an object, its JSON text, or the pairs of a map of Arrow; null for what is absent."""
    if isinstance(value, str):
        try:
            value = value if too_deep(value, MAX_DEPTH) is not None else json.loads(value)
        except (ValueError, RecursionError):
            return value
    if isinstance(value, list) and all(type(pair) is tuple for pair in value):
        value = dict(value)
    if isinstance(value, Mapping):
        return {name: text for name, text in value.items() if text is not None}
    return value
