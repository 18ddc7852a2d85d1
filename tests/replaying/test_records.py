"""Records: which column holds which field, and the connection that a record tells of."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest
import random_meshes
from hypothesis import given
from hypothesis import strategies as st

import fsm_egress as fe
from fsm_egress.replaying.records import (
    FIELDS,
    Layout,
    Place,
    Records,
    column_of,
    column_of_batch,
)

Record = dict[str, Any]

FIRST = Place(0, 7, "access")
WHERE = {"identity": "curl.curl", "destination": "54.9.9.9", "port": 80}


def read(*records: Record, columns: dict[str, str] | None = None, identity: str | None = None) -> Records:
    return Records.following(column_of(records), Layout(columns or {}, identity), FIRST, len(records))


def connection(record: Record, columns: dict[str, str] | None = None) -> fe.Connection:
    (found,) = read(record, columns=columns).connections
    return found


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, fe.tcp("54.9.9.9", 80)),
        ({"host": "a.com"}, fe.http("54.9.9.9", 80, "GET", "a.com/")),
        ({"method": "PUT"}, fe.http("54.9.9.9", 80, "PUT", "/")),
        ({"path": "/x?y=1"}, fe.http("54.9.9.9", 80, "GET", "/x?y=1")),
        ({"server_name": "a.com"}, fe.tls("54.9.9.9", 80, "a.com")),
        ({"sni": "a.com"}, fe.tls("54.9.9.9", 80, "a.com")),
        ({"host": "a.com", "server_name": "b.com"}, fe.http("54.9.9.9", 80, "GET", "a.com/")),
        ({"sends": "tls", "host": "a.com", "server_name": "b.com"}, fe.tls("54.9.9.9", 80, "b.com")),
        ({"sends": "tls", "host": "a.com"}, fe.tls("54.9.9.9", 80, "a.com")),
        ({"sends": "tls"}, fe.tls("54.9.9.9", 80)),
        ({"sends": "http"}, fe.http("54.9.9.9", 80, "GET", "/")),
        ({"sends": "nothing", "host": "a.com"}, fe.server_first("54.9.9.9", 80)),
        ({"sends": "datagram"}, fe.udp("54.9.9.9", 80)),
    ],
)
def test_what_is_sent_is_said_or_follows_from_what_is_given(content: Record, expected: fe.Connection) -> None:
    assert connection({**WHERE, **content}) == expected


@pytest.mark.parametrize("nothing", [None, "", "-"])
def test_null_nothing_and_a_dash_are_no_value(nothing: str | None) -> None:
    blank = dict.fromkeys(FIELDS, nothing)
    assert connection({**blank, **WHERE}) == fe.tcp("54.9.9.9", 80)
    assert connection({**blank, **WHERE, "sni": "a.com"}) == fe.tls("54.9.9.9", 80, "a.com")


def test_each_record_is_read_for_itself() -> None:
    contents: list[Record] = [{"host": "a.com", "method": "PUT"}, {"sni": "b.com"}, {"sends": "nothing"}, {}]
    assert list(read(*({**WHERE, **content} for content in contents)).connections) == [
        fe.http("54.9.9.9", 80, "PUT", "a.com/"),
        fe.tls("54.9.9.9", 80, "b.com"),
        fe.server_first("54.9.9.9", 80),
        fe.tcp("54.9.9.9", 80),
    ]


@pytest.mark.parametrize(
    ("record", "columns", "expected"),
    [
        (  # an access log of Envoy in JSON
            {"upstream_host": "54.9.9.9:80", "authority": "a.com", "method": "GET", "path": "/get"},
            {"destination": "upstream_host", "host": "authority"},
            fe.http("54.9.9.9", 80, "GET", "a.com/get"),
        ),
        (
            {"upstream_host": "[2001:db8::5]:443", "requested_server_name": "a.com", "authority": "-"},
            {"destination": "upstream_host", "server_name": "requested_server_name", "host": "authority"},
            fe.tls("2001:db8::5", 443, "a.com"),
        ),
        (  # a flow of Hubble
            {"flow": {"IP": {"destination": "54.9.9.9"}, "l4": {"TCP": {"destination_port": 5432}}}},
            {"destination": "flow.IP.destination", "port": "flow.l4.TCP.destination_port"},
            fe.tcp("54.9.9.9", 5432),
        ),
        (  # keys that hold dots themselves
            {"destination.ip": "54.9.9.9", "destination.port": "443", "tls": {"sni": "a.com"}},
            {"destination": "destination.ip", "port": "destination.port", "server_name": "tls.sni"},
            fe.tls("54.9.9.9", 443, "a.com"),
        ),
        (
            {"destination": "54.9.9.9", "port": 80, "request": "GET /"},
            {},
            fe.tcp("54.9.9.9", 80),
        ),
    ],
    ids=["envoy http", "envoy tls", "hubble", "dotted keys", "no object"],
)
def test_columns_may_have_other_names(
    record: Record, columns: dict[str, str], expected: fe.Connection
) -> None:
    assert connection(record, columns) == expected


def test_a_column_that_is_named_is_the_only_one() -> None:
    assert connection({**WHERE, "sni": "a.com"}, {"server_name": "name"}) == fe.tcp("54.9.9.9", 80)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Env": "prod", "absent": None},
        '{"x-env": "prod"}',
        [("x-env", "prod")],
    ],
    ids=["object", "text", "pairs"],
)
def test_headers_come_as_an_object_its_text_or_pairs(headers: object) -> None:
    expected = fe.http("54.9.9.9", 80, "GET", "a.com/", {"x-env": "prod"})
    assert connection({**WHERE, "host": "a.com", "headers": headers}) == expected


@given(st.lists(random_meshes.connections(), min_size=1))
def test_the_form_that_decide_reads_is_read_alike(wires: list[Record]) -> None:
    found = read(*({**WHERE, **wire} for wire in wires))
    assert list(found.connections) == list(map(fe.Connection.from_mapping, wires))
    assert list(found.identities) == ["curl.curl"] * len(wires)


def test_columns_of_arrow_are_found_like_those_of_mappings() -> None:
    records: list[Record] = [
        {"identity": "a.b", "flow": {"ip": "54.9.9.9", "port": 80}, "host": "a.com", "headers": {"x": "y"}},
        {"identity": None, "flow": None, "host": None, "headers": None},
    ]
    layout = Layout({"destination": "flow.ip", "port": "flow.port"}, "c.d")
    batch = pa.RecordBatch.from_pylist(records)
    by_batch = Records.following(column_of_batch(batch), layout, FIRST, 2)
    by_mapping = Records.following(column_of(records), layout, FIRST, 2)
    assert by_batch.connections[0] == fe.http("54.9.9.9", 80, "GET", "a.com/", {"x": "y"})
    assert list(by_batch.identities) == ["a.b", "c.d"]
    for name in ("identities", "lines"):
        assert list(getattr(by_batch, name)) == list(getattr(by_mapping, name))
    assert by_batch.connections[0] == by_mapping.connections[0]


def test_the_identity_may_be_the_same_for_all_that_name_none() -> None:
    first, second = {**WHERE}, {**WHERE, "identity": "-"}
    assert read(first, second, identity="a.b").identities == ["curl.curl", "a.b"]
    assert read(second, identity="a.b").identities == ["a.b"]
    assert read(second).identities == [None]


@pytest.mark.parametrize(
    ("content", "columns", "problem"),
    [
        ({"port": "eighty"}, {}, "access:7:1: port: expected a port number from 1 to 65535, found the str"),
        ({"port": "٨٠"}, {}, "access:7:1: port: expected a port number"),
        ({"port": 80.0}, {}, "access:7:1: port: expected a port number"),
        ({"port": None}, {}, "access:7:1: port: expected a port number from 1 to 65535, found `null`"),
        ({"port": None, "destination": "2001:db8::5:80"}, {}, "access:7:1: port: expected a port number"),
        ({"destination": None}, {}, "access:7:1: destination: expected an IP address, found `null`"),
        ({"to": 3}, {"destination": "to"}, "access:7:1: to: expected an IP address, found the number `3`"),
        ({"sends": "HTTP"}, {}, "access:7:1: sends: expected one of `bytes`, "),
        ({"host": 3}, {}, "access:7:1: host: expected a Host header"),
        ({"method": "GET /"}, {}, "access:7:1: method: expected an HTTP method"),
        ({"path": "/ x"}, {}, "access:7:1: path: expected a request path"),
        ({"path": "/", "headers": "{"}, {}, "access:7:1: headers: expected a mapping of header names"),
        (
            {"path": "/", "headers": '{"a":' * 65 + "1" + "}" * 65},
            {},
            "access:7:1: headers: expected a mapping of header names",
        ),
        ({"path": "/", "headers": 7}, {}, "access:7:1: headers: expected a mapping of header names"),
        ({"path": "/", "h": {"x": 1}}, {"headers": "h"}, "access:7:1: h.x: expected a header value"),
    ],
)
def test_what_cannot_be_is_told_by_its_column(content: Record, columns: dict[str, str], problem: str) -> None:
    records = read({**WHERE, **content}, columns=columns)
    with pytest.raises(fe.InvalidValue) as error:
        records.connections[0]
    (refused,) = records.refused(0, error.value)
    assert refused.place == FIRST
    assert str(refused.problems[0]).startswith(problem)


class TestLayout:
    def test_fields_have_names(self) -> None:
        with pytest.raises(fe.InvalidValue, match=r"expected one of `identity`, .*, found the string `hots`"):
            Layout({"hots": "authority"})

    @pytest.mark.parametrize(
        ("layout", "present"),
        [
            (Layout(), ("identity", "destination")),
            (Layout(identity="a.b"), ("destination", "anything")),
            (Layout({"host": "a"}), ("identity", "destination", "a")),
            (Layout({"host": "a.b.c"}), ("identity", "destination", "a")),
            (Layout({"host": "a.b.c"}), ("identity", "destination", "a.b.c")),
        ],
    )
    def test_what_every_record_needs_is_enough(self, layout: Layout, present: tuple[str, ...]) -> None:
        layout.check(present, "access.csv")

    @pytest.mark.parametrize(
        ("layout", "present", "problems"),
        [
            (
                Layout(),
                ("who", "where"),
                [
                    "access.csv: expected a column `identity`, found `who`, `where`",
                    "access.csv: expected a column `destination`, found `who`, `where`",
                ],
            ),
            (Layout(identity="a.b"), (), ["access.csv: expected a column `destination`, found no column"]),
            (
                Layout({"host": "authority"}),
                ("identity", "destination"),
                ["access.csv: expected a column `authority`, found `identity`, `destination`"],
            ),
        ],
    )
    def test_what_is_needed_or_named_has_to_be_there(
        self, layout: Layout, present: tuple[str, ...], problems: list[str]
    ) -> None:
        with pytest.raises(fe.InvalidValue, match=re.escape(problems[0])) as error:
            layout.check(present, "access.csv")
        assert str(error.value).splitlines() == problems


def test_places_are_in_the_order_of_logs_and_lines() -> None:
    places = [Place(1, 1, "a"), Place(0, 10, "b"), Place(0, 9, "b")]
    assert list(map(str, sorted(places))) == ["b:9", "b:10", "a:1"]


def test_what_is_said_to_be_lost_adds_up() -> None:
    listed = [{"destination": "54.9.9.9:80", "lost": lost} for lost in (2, None, 0, -1, True, "3", 1)]
    layout = Layout()
    assert Records.following(column_of(listed), layout, Place(0, 1, "log"), len(listed)).lost == 3
    assert Records.following(column_of(listed[1:2]), layout, Place(0, 1, "log"), 1).lost == 0
