"""Connections by column are the connections of their rows, and what is wrong with one says where."""

from __future__ import annotations

from typing import Any

import pytest
import random_meshes
from hypothesis import given
from hypothesis import strategies as st

import fsm_egress as fe

GOOD: dict[str, list[Any]] = {
    "destinations": ["54.9.9.9", "2001:db8::5", fe.Address("54.1.1.1"), "54.9.9.9", "54.9.9.9"],
    "ports": [80, 443, 25, 80, 443],
    "sends": ["http", "tls", "bytes", "http", "tls"],
    "hosts": ["A.com", "a.com", None, "A.com", None],
    "methods": ["GET", "GET", "GET", "PURGE", "GET"],
    "paths": ["/", "/", "/", "/é?x=1", "/"],
    "headers": [{"X-Env": "prod"}, None, None, None, None],
}


def columns_of(rows: list[fe.Connection]) -> fe.Columns:
    requests = [row.sends if isinstance(row.sends, fe.HTTPRequest) else None for row in rows]
    names = [row.sends.server_name if isinstance(row.sends, fe.TLSClientHello) else None for row in rows]
    return fe.Columns(
        [str(row.destination) for row in rows],
        [row.port for row in rows],
        [row.kind.value for row in rows],
        hosts=[request.host if request else name for request, name in zip(requests, names, strict=True)],
        methods=[request.method if request else "GET" for request in requests],
        paths=[request.path if request else "/" for request in requests],
        headers=[request.headers if request else None for request in requests],
    )


def looked_up(columns: fe.Columns) -> list[Any]:
    """The lookups, with what is sent as each kind of connection has it."""
    found: list[Any] = []
    for port, key, slot, sent in columns.lookups():
        kind = list(fe.Sends)[slot]
        if kind is fe.Sends.TLS:
            row = columns[len(found)].sends
            assert isinstance(row, fe.TLSClientHello)
            assert sent[0] == row.name
            found.append((port, key, slot, row.parts))
        else:
            request = (*sent[:4], sent[4] or "") if kind is fe.Sends.HTTP else None
            found.append((port, key, slot, request))
    return found


@given(st.lists(random_meshes.connections().map(fe.Connection.from_mapping)))
def test_law_columns_are_the_connections_of_their_rows(rows: list[fe.Connection]) -> None:
    columns = columns_of(rows)
    assert list(columns) == rows
    assert looked_up(columns) == [row.parts for row in rows]


@given(random_meshes.cases(24))
def test_law_many_connections_are_decided_as_one_by_one(
    case: tuple[list[dict[str, Any]], str, list[dict[str, Any]]],
) -> None:
    mesh, identity, wires = case
    engine = fe.compile(fe.load(mesh), identity)
    connections = [fe.Connection.from_mapping(wire) for wire in wires]
    decisions = [engine.classify(connection) for connection in connections]
    assert all(a is b for a, b in zip(engine.classify_many(iter(connections)), decisions, strict=True))
    assert all(a is b for a, b in zip(engine.classify_many(columns_of(connections)), decisions, strict=True))


def test_columns_that_are_left_out_have_their_defaults() -> None:
    columns = fe.Columns(["54.9.9.9"] * 3, [80] * 3, ["http", "tls", "nothing"])
    expected = [fe.http("54.9.9.9", 80, "GET", "/"), fe.tls("54.9.9.9", 80), fe.server_first("54.9.9.9", 80)]
    assert list(columns) == expected
    assert looked_up(columns) == [connection.parts for connection in expected]
    assert repr(columns) == "<Columns of 3 connections>"
    assert len(columns) == 3


def test_a_row_may_be_of_any_kind() -> None:
    columns = fe.Columns(**GOOD)
    assert looked_up(columns) == [row.parts for row in columns]
    assert columns[3] == fe.Connection("54.9.9.9", 80, fe.HTTPRequest("PURGE", "A.com", "/é?x=1"))


@pytest.mark.parametrize(
    ("column", "row", "value", "complaint"),
    [
        ("destinations", 2, "54.9.9", "destinations[2]: expected an IP address, found the string `54.9.9`"),
        ("destinations", 0, None, "destinations[0]: expected an IP address, found `null`"),
        ("ports", 1, 0, "ports[1]: expected a port number from 1 to 65535, found the number `0`"),
        ("ports", 1, True, "ports[1]: expected a port number from 1 to 65535, found the boolean `true`"),
        (
            "sends",
            2,
            "push",
            (
                "sends[2]: expected one of `bytes`, `nothing`, `datagram`, `tls`, `http`,"
                " found the string `push`"
            ),
        ),
        (
            "hosts",
            3,
            "a b",
            "hosts[3]: expected a Host header, without spaces or control characters, found the string `a b`",
        ),
        (
            "hosts",
            4,
            "a b",
            "hosts[4]: expected a server name, without spaces or control characters, found the string `a b`",
        ),
        ("methods", 3, "G T", "methods[3]: expected an HTTP method, found the string `G T`"),
        (
            "paths",
            0,
            "",
            (
                "paths[0]: expected a request path with query, without spaces or control characters,"
                " found the string ``"
            ),
        ),
        (
            "headers",
            3,
            {"x": 1},
            "headers[3].x: expected a header value, without control characters, found a number",
        ),
    ],
)
def test_a_value_that_cannot_be_says_where(column: str, row: int, value: Any, complaint: str) -> None:
    values = [*GOOD[column]]
    values[row] = value
    columns = fe.Columns(**{**GOOD, column: values})
    with pytest.raises(fe.InvalidValue) as caught:
        list(columns.lookups())
    assert str(caught.value) == complaint


def test_columns_are_of_one_length() -> None:
    with pytest.raises(fe.InvalidValue, match=r"^ports: expected 2 values, found 1$"):
        fe.Columns(["54.9.9.9", "54.9.9.8"], [80], ["bytes", "bytes"])
