"""Many connections by column: addresses, ports, hosts and so on as lists, as in logs and data frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

from attrs import evolve, field, fields, frozen

from .checks import one_of
from .connection import (
    HTTP,
    LAST_PORT,
    SLOTS,
    TLS,
    USUAL_METHODS,
    Connection,
    HTTPRequest,
    Parts,
    Payload,
    Sends,
    TLSClientHello,
    hello_parts,
    is_line,
    request_parts,
)
from .errors import InvalidValue, Problem
from .frozen import EMPTY
from .net import UNREADABLE, Address, read_key

__all__ = ["Columns"]


@frozen(eq=False)
class Columns:
    """Connections by column; the columns are of one length, and a connection is a row of them.

    Attributes:
        destinations: addresses, or their texts.
        ports: destination ports.
        sends: what is sent first, by the values of `Sends`.
        hosts: of an HTTP row the Host header, of a TLS row the server name; None, or no column, for none.
        methods: of an HTTP row; `GET` where there is no column.
        paths: of an HTTP row, with the query; `/` where there is no column.
        headers: of an HTTP row, by name; None, or no column, for none.

    Raises:
        InvalidValue: the columns are not of one length.
    """

    destinations: Sequence[Address | str]
    ports: Sequence[int]
    sends: Sequence[str]
    hosts: Sequence[str | None] | None = field(default=None, kw_only=True)
    methods: Sequence[str] | None = field(default=None, kw_only=True)
    paths: Sequence[str] | None = field(default=None, kw_only=True)
    headers: Sequence[Mapping[str, str] | None] | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        for column in fields(Columns):
            values = getattr(self, column.name)
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
        return HTTPRequest(
            self.methods[row] if self.methods is not None else "GET",
            "" if host is None else host,
            self.paths[row] if self.paths is not None else "/",
            (self.headers[row] if self.headers is not None else None) or EMPTY,
        )

    def lookups(self) -> Iterator[Parts]:
        """The parts of every row's connection, without the connection itself.

        Hosts repeat in logs, so each is read once.

        Raises:
            InvalidValue: a value of a row cannot be; its path names the column and the row.
        """
        requests: dict[str | None, str] = {}
        hellos: dict[str | None, Any] = {}
        for row, (destination, port, sends, host, method, path, headers) in enumerate(self._rows()):
            try:
                slot = SLOTS[sends]
                key = read_key(destination)
                sent: Any = None
                if slot == HTTP:
                    authority = requests.get(host)
                    if authority is None or headers or method not in USUAL_METHODS or not is_line(path):
                        sent = request_parts(method, host or "", path, headers or EMPTY)
                        requests[host] = sent[0]
                    else:
                        sent = authority, method, path, EMPTY, host or ""
                elif slot == TLS:
                    sent = hellos.get(host)
                    if sent is None:
                        sent = hellos[host] = hello_parts(host)
            except (InvalidValue, *UNREADABLE):
                yield self[row].parts
                continue
            if type(port) is not int or not 0 < port <= LAST_PORT:
                yield self[row].parts
            else:
                yield port, key, slot, sent

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        """Every row; nothing is checked."""
        return zip(
            self.destinations,
            self.ports,
            self.sends,
            repeat(None) if self.hosts is None else self.hosts,
            repeat("GET") if self.methods is None else self.methods,
            repeat("/") if self.paths is None else self.paths,
            repeat(None) if self.headers is None else self.headers,
            strict=False,
        )

    def __repr__(self) -> str:
        return f"<Columns of {len(self)} connections>"


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
