"""Many connections by column: addresses, ports, hosts and so on as lists, as in logs and data frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from itertools import repeat
from typing import Any

from attrs import evolve, field, fields

from ..resources.checks import LAST_PORT, one_of
from ..values.construction import frozen
from ..values.errors import InvalidValue, Problem
from ..values.frozen import EMPTY
from ..values.net import UNREADABLE, Address, read_keys
from .connection import Connection, Parts
from .payloads import (
    HTTP,
    SLOTS,
    TLS,
    USUAL_METHODS,
    HTTPRequest,
    Payload,
    Sends,
    TLSClientHello,
    is_line,
    read_headers,
    read_host,
)

__all__ = ["Columns"]


@frozen(eq=False)
class Columns:
    """Connections by column; the columns are of one length, and a connection is a row of them.

    Attributes:
        destinations: addresses, or their texts.
        ports: destination ports.
        sends: what is sent first, by the values of `Sends`.
        hosts: of an HTTP row the Host header, of a TLS row the server name; None, or no column, for none.
        methods: of an HTTP row; None, or no column, for `GET`.
        paths: of an HTTP row, with the query; None, or no column, for `/`.
        headers: of an HTTP row, by name; None, or no column, for none.

    Raises:
        InvalidValue: the columns are not of one length.
    """

    destinations: Sequence[Address | str]
    ports: Sequence[int]
    sends: Sequence[str]
    hosts: Sequence[str | None] | None = field(default=None, kw_only=True)
    methods: Sequence[str | None] | None = field(default=None, kw_only=True)
    paths: Sequence[str | None] | None = field(default=None, kw_only=True)
    headers: Sequence[Mapping[str, str] | None] | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for column in fields(Columns):
            values = getattr(self, column.name)
            if values is not None and not isinstance(values, Sized):
                raise InvalidValue.of("a column, such as a list", values).at(column.name)
            if values is not None and len(values) != len(self):
                raise InvalidValue(Problem(f"{len(self)} values", f"{len(values)}", column.name))

    def __len__(self) -> int:
        return len(self.destinations)

    def __iter__(self) -> Iterator[Connection]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, row: int) -> Connection:
        """The connection of a row.

        Raises:
            InvalidValue: a value of the row cannot be; its path names the column and the row.
        """
        try:
            return Connection(self.destinations[row], self.ports[row], self._payload(row))
        except InvalidValue as error:
            raise InvalidValue(*(_in_row(problem, row) for problem in error.problems)) from None

    def _payload(self, row: int) -> Payload:
        try:
            kind = one_of(self.sends[row], Sends)
        except InvalidValue as error:
            raise error.at("sends") from None
        host = self.hosts[row] if self.hosts is not None else None
        if kind is Sends.TLS:
            return TLSClientHello(host)
        if kind is not Sends.HTTP:
            return kind
        method = self.methods[row] if self.methods is not None else None
        path = self.paths[row] if self.paths is not None else None
        return HTTPRequest(
            "GET" if method is None else method,
            "" if host is None else host,
            "/" if path is None else path,
            (self.headers[row] if self.headers is not None else None) or EMPTY,
        )

    def lookups(self) -> Iterator[Parts]:
        """What tables look up for every row: the port, the key, the slot, and what is sent.

        Columns are checked whole, as that is much quicker; where something is wrong, row by row.

        Raises:
            InvalidValue: a value of a row cannot be; its path names the column and the row.
        """
        try:
            found = self._at_once()
        except (InvalidValue, *UNREADABLE):
            found = None
        return (connection.parts for connection in self) if found is None else found

    def _at_once(self) -> Iterator[Parts] | None:
        """The lookups of columns that are all good; else None, or an error that does not say where.

        What is sent is laid out as for an HTTP request, and begins as for TLS; no host may be None.
        """
        texts: Sequence[Any] = self.destinations
        if Address in {*map(type, texts)}:
            texts = list(map(str, texts))
        keys = read_keys(texts)
        slots = list(map(SLOTS.__getitem__, self.sends))
        ports = self.ports
        if not keys:
            return iter(())
        if {*map(type, ports)} != {int} or min(ports) < 1 or max(ports) > LAST_PORT:
            return None
        if TLS not in slots and HTTP not in slots:
            return zip(ports, keys, slots, repeat(None))
        hosts, methods, paths, headers = self._requests()
        authorities = {host: "" if host is None else read_host(host).lower() for host in {*hosts}}
        if not {*methods} <= USUAL_METHODS or not all(paths) or not is_line("/".join(paths)):
            return None
        if "" in authorities and TLS in slots:  # a server name is never empty
            return None
        sent = zip(map(authorities.__getitem__, hosts), methods, paths, headers, hosts, strict=True)
        return zip(ports, keys, slots, sent, strict=True)

    def _requests(self) -> tuple[Sequence[Any], ...]:
        """Hosts, methods, paths and headers of every row, with what stands for those that are not given."""
        rows = len(self)
        headers: Sequence[Any] = [EMPTY] * rows
        if self.headers is not None and any(self.headers):
            headers = [read_headers(value) if value else EMPTY for value in self.headers]
        return (
            [None] * rows if self.hosts is None else self.hosts,
            _filled(self.methods, "GET", rows),
            _filled(self.paths, "/", rows),
            headers,
        )

    def __repr__(self) -> str:
        return f"<Columns of {len(self)} connections>"


def _filled(column: Sequence[str | None] | None, default: str, rows: int) -> Sequence[str]:
    """A column without gaps."""
    if column is None:
        return [default] * rows
    return [default if value is None else value for value in column]


_COLUMN_OF = {
    "destination": "destinations",
    "port": "ports",
    "host": "hosts",
    "server_name": "hosts",
    "method": "methods",
    "path": "paths",
}


def _in_row(problem: Problem, row: int) -> Problem:
    """A problem of a connection, at its place in the columns: `headers.x` is `headers[7].x`."""
    name, dot, inner = problem.path.partition(".")
    return evolve(problem, path=f"{_COLUMN_OF.get(name, name)}[{row}]{dot}{inner}")
