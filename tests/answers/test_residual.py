"""What is left open of a connection: a small universe of connections is the judge."""

from __future__ import annotations

import json
from typing import Any

import pytest
import random_meshes
from hypothesis import given, settings
from portions import BEYOND, RESTRICTED, assert_alike, beyond, fits, holding, named, partials
from small import WHO, egress, load, routes
from thoroughness import examples
from universe import Wire, drawn

import fsm_egress as fe
from fsm_egress.connections.payloads import HTTPRequest, TLSClientHello


@given(random_meshes.cases(0), partials(), drawn(150))
@settings(max_examples=examples(40))
def test_law_a_residual_holds_just_what_fits_with_its_decision(
    case: tuple[Wire, str, Wire], asked: tuple[fe.Partial, fe.Connection], some: list[fe.Connection]
) -> None:
    mesh, who, _ = case
    snapshot = fe.load(mesh)
    partial, own = asked
    engine, found = fe.compile(snapshot, who), fe.residual(snapshot, who, partial)
    assert found.undecided == ()
    inside = [it for it in (own, *some) if fits(partial, it)]
    decisions = [engine.classify(it) for it in inside]
    for connection, decision in zip(inside, decisions, strict=True):
        (portion,) = holding(found.portions, connection)
        assert_alike(portion, decision)
        assert found.decision in (None, decision)
        assert found.allowed in (None, decision.allowed)
    if found.decision is None:
        assert found.hangs_on


@given(random_meshes.cases(0), partials(), drawn(150))
@settings(max_examples=examples(25))
def test_law_what_is_decided_hangs_on_nothing_else(
    case: tuple[Wire, str, Wire], asked: tuple[fe.Partial, fe.Connection], some: list[fe.Connection]
) -> None:
    mesh, who, _ = case
    snapshot = fe.load(mesh)
    partial, own = asked
    engine, found = fe.compile(snapshot, who), fe.residual(snapshot, who, partial)
    decided: dict[tuple[Any, ...], fe.Decision] = {}
    for connection in (own, *some):
        if fits(partial, connection):
            told = tuple(feature(connection, name) for name in found.hangs_on)
            decision = engine.classify(connection)
            assert decided.setdefault(told, decision) == decision


def feature(connection: fe.Connection, name: str) -> Any:
    """What a connection has of something that a decision may hang on."""
    sent = connection.sends
    request = sent if isinstance(sent, HTTPRequest) else None
    if name.startswith("header"):
        return request and request.header(name.split("`")[1])
    return {
        "address": connection.key,
        "port": connection.port,
        "what is sent": connection.kind,
        "server name": isinstance(sent, TLSClientHello) and sent.name,
        "host": request and request.host,
        "method": request and request.method,
        "path": request and request.path,
    }[name]


def test_what_is_decided_whatever_the_unknown() -> None:
    found = fe.residual(load(*RESTRICTED), WHO, fe.Partial("54.9.9.9", 80, "http", "a.com", "GET"))
    assert found.decision is not None
    assert (found.allowed, found.hangs_on) == (True, ())
    first, *_ = str(found).splitlines()
    assert first == (
        "curl.curl: to 54.9.9.9/32, port 80, sending http, host `a.com`, method GET: "
        "EGRESS_POLICY (http_route) by Egress curl/web spec.ports[0], whatever else"
    )
    assert repr(found).endswith("method GET: 1 portions>")


def test_on_what_it_hangs_and_how() -> None:
    found = fe.residual(load(*RESTRICTED), WHO, fe.Partial("54.9.9.9", 80))
    assert (found.decision, found.allowed) == (None, None)
    assert found.hangs_on == ("what is sent", "host", "method")
    assert str(found).startswith(
        "curl.curl: to 54.9.9.9/32, port 80: depends on what is sent, host, method\n"
    )
    mapping = found.to_mapping()
    assert mapping["hangsOn"] == ["what is sent", "host", "method"]
    assert (mapping["known"], mapping["allowed"]) == ("to 54.9.9.9/32, port 80", None)
    assert json.loads(json.dumps(mapping)) == mapping


def test_it_may_hang_on_headers_and_paths() -> None:
    group = routes("r", {"methods": ["GET"], "pathRegex": "^/v1/", "headers": [{"X-Env": "^prod"}]})
    mesh = load(egress("web", "http 80", hosts=["a.com"], matches=[named("r")]), group)
    found = fe.residual(mesh, WHO, fe.Partial("54.9.9.9", 80, "http", "a.com", "GET"))
    assert found.hangs_on == ("path", "header `x-env`")
    path = fe.Partial("54.9.9.9", 80, "http", "a.com", "GET", "/v1/a")
    assert fe.residual(mesh, WHO, path).hangs_on == ("header `x-env`",)
    wrong = fe.Partial("54.9.9.9", 80, "http", "a.com", "GET", "/v2/a")
    assert fe.residual(mesh, WHO, wrong).allowed is False
    all_known = fe.Partial("54.9.9.9", 80, "http", "a.com", "GET", "/v1/a", {"X-Env": "prod-1"})
    assert fe.residual(mesh, WHO, all_known).allowed is True
    assert str(all_known).endswith("path `/v1/a`, headers {'x-env': 'prod-1'}")


@pytest.mark.usefixtures("few_states")
def test_what_is_not_proven_of_a_residual_is_said() -> None:
    asked = fe.Partial("54.9.9.9", 80, "http", "a.com", "GET")
    partly = fe.residual(beyond(BEYOND, "^/x"), WHO, asked)
    assert (partly.decision, partly.allowed, partly.hangs_on) == (None, None, ("path",))
    unclear = fe.residual(beyond(BEYOND), WHO, asked)
    assert (unclear.decision, unclear.allowed, unclear.hangs_on) == (None, None, ())
    assert ": not proven\n" in str(unclear)
    assert (
        fe.residual(
            beyond(BEYOND, "^/x"), WHO, fe.Partial("54.9.9.9", 80, "http", "a.com", "GET", "/x")
        ).allowed
        is True
    )
    assert (
        fe.residual(
            beyond(BEYOND, "^/x"), WHO, fe.Partial("54.9.9.9", 80, "http", "a.com", "GET", "/abc")
        ).allowed
        is False
    )


def test_nothing_known_is_anything_by_tcp() -> None:
    assert str(fe.Partial()) == "any by TCP"
    found = fe.residual(load(*RESTRICTED), WHO, fe.Partial())
    assert holding(found.portions, fe.udp("54.9.9.9", 80)) == []
    by_udp = fe.residual(load(*RESTRICTED), WHO, fe.Partial(sends="datagram"))
    assert by_udp.allowed is True


@pytest.mark.parametrize(
    ("known_fields", "text"),
    [
        ({"to": "54.9.9"}, "`54.9.9`"),
        ({"to": "54.0.0.0/99"}, "`54.0.0.0/99`"),
        ({"port": 0}, "expected a port number from 1 to 65535, found the number `0`"),
        ({"sends": "smoke"}, "`smoke`"),
        ({"host": "a b"}, "expected a Host header, without spaces or control characters"),
        ({"method": "G T"}, "expected an HTTP method"),
        ({"path": "/ "}, "expected a request path with query"),
        ({"headers": {"a b": "c"}}, "expected a header name"),
        ({"sends": "tls", "method": "GET"}, "expected `http`, as `method` is known, found the string `tls`"),
        (
            {"sends": "bytes", "host": "a"},
            "expected `tls` or `http`, as `host` is known, found the string `bytes`",
        ),
    ],
)
def test_what_cannot_be_known_is_refused(known_fields: dict[str, Any], text: str) -> None:
    with pytest.raises(fe.InvalidValue) as caught:
        fe.Partial(**known_fields)
    assert text in str(caught.value)
