"""Connections, their forms, and decisions as values."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.vendor.pretty import pretty

import fsm_egress as fe
from fsm_egress.connections.decision import ORIGINAL_DESTINATION, TrafficMatch, UsedGateway
from fsm_egress.connections.payloads import KINDS
from fsm_egress.values.references import FieldRef, Mark, ResourceRef, Source

if TYPE_CHECKING:
    from collections.abc import Callable

GET = {"method": "GET", "host": "a.com", "path": "/", "headers": {}}
RULE = FieldRef(
    ResourceRef("Egress", "curl", "e"), "spec.ports[0]", Source("e.yaml", {"spec.ports[0]": Mark(7, 5)})
)


# --- connections -----------------------------------------------------------------------------------------


@given(random_meshes.connections())
def test_law_a_connection_survives_its_wire_form(wire: dict[str, Any]) -> None:
    connection = fe.Connection.from_mapping(wire)
    again = fe.Connection.from_mapping(connection.to_mapping())
    assert again == connection
    assert hash(again) == hash(connection)
    assert again.to_mapping() == connection.to_mapping()


def test_each_kind_of_client_has_a_function_and_a_wire_form() -> None:
    cases: list[tuple[fe.Connection, dict[str, Any]]] = [
        (fe.tcp("54.9.9.9", 25), {"sends": "bytes"}),
        (fe.server_first("54.9.9.9", 25), {"sends": "nothing"}),
        (fe.udp("54.9.9.9", 25), {"sends": "datagram"}),
        (fe.tls("54.9.9.9", 25), {"sends": "tls", "sni": None}),
        (fe.tls("54.9.9.9", 25, "A.com"), {"sends": "tls", "sni": "A.com"}),
        (fe.http("54.9.9.9", 25, "GET", "a.com"), {"sends": "http", "request": GET}),
    ]
    for connection, wire in cases:
        assert connection.to_mapping() == {"destination": "54.9.9.9", "port": 25, **wire}
        assert fe.Connection.from_mapping(connection.to_mapping()) == connection
        assert KINDS[connection.slot] is connection.kind


def test_a_tls_connection_may_leave_its_server_name_out() -> None:
    wire = {"destination": "54.9.9.9", "port": 443, "sends": "tls"}
    assert fe.Connection.from_mapping(wire) == fe.tls("54.9.9.9", 443)


def test_what_is_sent_may_be_given_by_its_name() -> None:
    name: Any = "bytes"
    assert fe.Connection("54.9.9.9", 25, name).sends is fe.Sends.BYTES


def test_a_mapped_address_is_its_ipv4_address() -> None:
    address = fe.Address("54.9.9.9")
    assert fe.tcp("::ffff:54.9.9.9", 25) == fe.tcp(address, 25)
    assert fe.tcp(address, 25).key == address.key


@pytest.mark.parametrize(
    ("connection", "text"),
    [
        (fe.tcp("54.9.9.9", 25), "54.9.9.9:25 TCP"),
        (fe.tcp("2001:db8::5", 25), "[2001:db8::5]:25 TCP"),
        (fe.server_first("54.9.9.9", 25), "54.9.9.9:25 TCP, the server speaks first"),
        (fe.udp("54.9.9.9", 53), "54.9.9.9:53 UDP"),
        (fe.tls("54.9.9.9", 443, "a.com"), "54.9.9.9:443 TLS a.com"),
        (fe.tls("54.9.9.9", 443), "54.9.9.9:443 TLS without server name"),
        (fe.http("54.9.9.9", 80, "PUT", "a.com/x?y=1"), "54.9.9.9:80 PUT http://a.com/x?y=1"),
        (fe.http("54.9.9.9", 80, "CONNECT", "a.com:443"), "54.9.9.9:80 CONNECT a.com:443 (Host a.com:443)"),
        (
            fe.http("54.9.9.9", 80, "GET", "a.com/x", through_proxy=True),
            "54.9.9.9:80 GET http://a.com/x (Host a.com)",
        ),
    ],
)
def test_a_connection_in_words(connection: fe.Connection, text: str) -> None:
    assert str(connection) == text


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("a.com", "a.com", "/"),
        ("http://a.com", "a.com", "/"),
        ("HTTP://a.com:81/get?x=1", "a.com:81", "/get?x=1"),
        ("a.com:80?x=1", "a.com", "/?x=1"),
    ],
)
def test_a_url_is_taken_apart(url: str, host: str, path: str) -> None:
    request = fe.http("54.9.9.9", 80, "GET", url, {"X-Env": "prod"}).sends
    assert request == fe.HTTPRequest("GET", host, path, {"x-env": "prod"})


def test_a_request_is_compared_in_lower_case_and_reads_headers_that_are_missing() -> None:
    request = fe.HTTPRequest("GET", "A.com", "/", {"X-Env": "prod"})
    assert request.authority == "a.com"
    assert [request.header(name) for name in ("x-env", "x-key", "host")] == ["prod", "", "A.com"]
    assert fe.TLSClientHello("A.com").name == "a.com"
    assert fe.TLSClientHello().name == ""


def wrong(call: Callable[..., Any], *arguments: Any) -> str:
    """What the call complains about."""
    with pytest.raises(fe.InvalidValue) as caught:
        call(*arguments)
    return str(caught.value)


TCP = {"destination": "54.9.9.9", "port": 25, "sends": "bytes"}
HTTP = {"destination": "54.9.9.9", "port": 80, "sends": "http", "request": GET}


@pytest.mark.parametrize(
    ("wire", "complaint"),
    [
        ([], "expected a connection as a mapping, found an empty list"),
        ({}, "expected the key `sends`, found none"),
        ({"sends": "bytes", "port": 1}, "expected the key `destination`, found none"),
        ({"sends": "bytes", "destination": "1.2.3.4"}, "expected the key `port`, found none"),
        (
            {**TCP, "sni": "a.com"},
            "expected only the keys `destination`, `port`, `sends`, found the string `sni`",
        ),
        ({**TCP, "port": 0}, "port: expected a port number from 1 to 65535, found the number `0`"),
        ({"destination": "1.2.3.4", "port": 1, "sends": "http"}, "expected the key `request`, found none"),
        ({**HTTP, "request": "GET /"}, "request: expected a mapping, found the string `GET /`"),
        (
            {**HTTP, "request": {"url": "/"}},
            "request: expected only the keys `headers`, `host`, `method`, `path`, found the string `url`",
        ),
        (
            {**HTTP, "request": {**GET, "method": "G T"}},
            "request.method: expected an HTTP method, found the string `G T`",
        ),
        (
            {**TCP, "sends": "tls", "sni": "a b"},
            "sni: expected a server name, without spaces or control characters, found the string `a b`",
        ),
    ],
)
def test_a_wire_form_that_cannot_be_says_why(wire: Any, complaint: str) -> None:
    assert wrong(fe.Connection.from_mapping, wire) == complaint


@pytest.mark.parametrize("sends", ["push", 1, None])
def test_a_wire_form_sends_one_of_five(sends: Any) -> None:
    complaint = wrong(fe.Connection.from_mapping, {**TCP, "sends": sends})
    assert "`bytes`" in complaint
    assert "`http`" in complaint


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("",), "method: expected an HTTP method, found the string ``"),
        ((None,), "method: expected an HTTP method, found `null`"),
        (
            ("GET", "a b"),
            "host: expected a Host header, without spaces or control characters, found the string `a b`",
        ),
        (
            ("GET", 1),
            "host: expected a Host header, without spaces or control characters, found the number `1`",
        ),
        (
            ("GET", "", ""),
            (
                "path: expected a request path with query, without spaces or control characters,"
                " found the string ``"
            ),
        ),
        (
            ("GET", "", None),
            "path: expected a request path with query, without spaces or control characters, found `null`",
        ),
        (("GET", "", "/", []), "headers: expected a mapping of header names to values, found an empty list"),
        (("GET", "", "/", {"": "x"}), "headers: expected a header name, found the string ``"),
        (("GET", "", "/", {1: "x"}), "headers: expected a header name, found the number `1`"),
        (
            ("GET", "", "/", {"x": 1}),
            "headers.x: expected a header value, without control characters, found a number",
        ),
        (
            ("GET", "", "/", {"x": "a\nb"}),
            "headers.x: expected a header value, without control characters, found a string with some",
        ),
        (
            ("GET", "", "/", {"X-Env": "a", "x-env": "b"}),
            "headers: expected each header once, whatever its letter case, found `x-env` again",
        ),
    ],
)
def test_a_request_that_cannot_be_says_why(arguments: tuple[Any, ...], complaint: str) -> None:
    assert wrong(fe.HTTPRequest, *arguments) == complaint


@pytest.mark.parametrize("name", ["", "a b", 1])
def test_a_server_name_is_a_word(name: Any) -> None:
    assert wrong(fe.TLSClientHello, name).startswith("server_name: expected a server name")


@pytest.mark.parametrize("sends", [fe.Sends.HTTP, fe.Sends.TLS, "http", "push", None])
def test_http_and_tls_need_their_content(sends: Any) -> None:
    complaint = wrong(fe.Connection, "54.9.9.9", 80, sends)
    assert complaint.startswith(
        "sends: expected `bytes`, `nothing`, `datagram`, an HTTP request or a TLS ClientHello, found "
    )


@pytest.mark.parametrize("sends", [[], {}])
def test_what_cannot_be_hashed_is_refused_like_anything_else(sends: Any) -> None:
    assert wrong(fe.Connection, "54.9.9.9", 80, sends).startswith("sends: expected ")


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        (None, "url: expected a URL, found `null`"),
        (
            "https://a.com",
            (
                "url: expected a URL with the scheme `http`, found the string `https://a.com`; write"
                " `--tls a.com`: HTTPS is `tls` to the sidecar, which sees a server name and no request"
            ),
        ),
    ],
)
def test_a_url_that_cannot_be_says_why(url: Any, complaint: str) -> None:
    assert wrong(fe.http, "54.9.9.9", 80, "GET", url) == complaint


def test_a_url_that_cannot_be_read_says_why() -> None:
    complaint = wrong(fe.http, "54.9.9.9", 80, "GET", "http://[::1")
    assert complaint.startswith("url: expected a URL, found the string `http://[::1`: ")


@given(
    st.from_regex(r"(http://)?[A-Za-z0-9._:\[\]-]{1,12}(/[!-~é]{0,12})?", fullmatch=True)
    | st.sampled_from(
        ["a.com/x?u=http://b.com", "a.com/?", "a.com/x#y", "HTTP://a.com/", "a.com//x", "a.com:/"]
    )
)
def test_law_a_plain_url_is_taken_apart_as_any_other(url: str) -> None:
    def parts(text: str) -> tuple[str, str] | str:
        try:
            request = fe.http("54.9.9.9", 80, "GET", text).sends
        except fe.InvalidValue as error:
            return error.problems[0].path
        assert isinstance(request, fe.HTTPRequest)
        return request.host, request.path

    by_the_library = parts(url + "#")  # a fragment is never sent, and no plain URL has one
    assert parts(url) == by_the_library


def test_connections_and_their_contents_are_values() -> None:
    connection = fe.http("54.9.9.9", 80, "GET", "a.com/get", {"x-env": "prod"})
    request, hello = connection.sends, fe.TLSClientHello("a.com")
    assert isinstance(request, fe.HTTPRequest)
    assert repr(connection) == (
        "Connection('54.9.9.9', 80, HTTPRequest('GET', 'a.com', '/get', {'x-env': 'prod'}))"
    )
    assert repr(fe.tls("54.9.9.9", 443, "a.com")) == "Connection('54.9.9.9', 443, TLSClientHello('a.com'))"
    assert repr(fe.HTTPRequest()) == "HTTPRequest('GET', '', '/')"
    for value in (connection, request, hello):
        assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301  # because it was made here
        assert copy.copy(value) == value
        with pytest.raises(AttributeError):
            value.parts = ()  # type: ignore[misc, assignment]  # because that it is refused is what is tested
    assert connection.replace(port=81) == fe.Connection("54.9.9.9", 81, request)
    assert request.replace(host="B.com").authority == "b.com"


# --- decisions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "address"),
    [
        (fe.Target("a.com", 80), "a.com:80"),
        (fe.Target("2001:db8::6", 80), "[2001:db8::6]:80"),
        (ORIGINAL_DESTINATION, "[2001:db8::5]:25"),
    ],
)
def test_a_target_has_an_address_for_a_connection(target: fe.Target, address: str) -> None:
    assert target.address(fe.tcp("2001:db8::5", 25)) == address
    assert target.original is (target is ORIGINAL_DESTINATION)


def test_a_decision_for_machines() -> None:
    decision = fe.Decision(
        fe.Verdict.EGRESS_POLICY,
        fe.Reason.TCP_PORT,
        RULE,
        targets=(ORIGINAL_DESTINATION, fe.Target("a.com", 80, 50)),
        gateways=(UsedGateway("gw.fsm", 70, "sock5", ("10.0.9.1:1080",)),),
    )
    assert decision.to_mapping(fe.tcp("54.9.9.9", 25)) == {
        "verdict": "EGRESS_POLICY",
        "reason": "tcp_port",
        "status": None,
        "targets": [
            {"address": "54.9.9.9:25", "weight": 100, "original": True},
            {"address": "a.com:80", "weight": 50},
        ],
        "gateway": [{"name": "gw.fsm", "weight": 70, "mode": "sock5", "endpoints": ["10.0.9.1:1080"]}],
        "rule": "Egress curl/e spec.ports[0]",
        "source": "e.yaml:7",
    }
    assert str(decision) == "EGRESS_POLICY (tcp_port) by Egress curl/e spec.ports[0] (e.yaml:7)"
    assert decision.allowed


def test_decisions_are_equal_where_one_rule_decides_the_same() -> None:
    matches = TrafficMatch(80, "http", ()), TrafficMatch(80, "http", (fe.Prefix("54.0.0.0/8"),))
    bare = fe.Decision(fe.Verdict.DENIED, fe.Reason.NO_HOST, RULE)
    taken = [evolve(bare, match=match, considered=(RULE,)) for match in matches]
    assert {*taken, bare} == {bare}
    assert tuple(it.match for it in taken) == matches
    assert evolve(bare, rule=None) != bare
    assert evolve(bare, status=403) != bare


def test_a_decision_that_no_rule_made() -> None:
    decision = fe.Decision(fe.Verdict.DENIED, fe.Reason.EGRESS_DISABLED, status=403)
    assert decision.to_mapping(fe.tcp("54.9.9.9", 25)) == {
        "verdict": "DENIED",
        "reason": "egress_disabled",
        "status": 403,
        "targets": [],
        "gateway": None,
        "rule": None,
        "source": None,
    }
    assert repr(decision) == "<Decision DENIED (egress_disabled)>"
    assert not decision.allowed


@pytest.mark.parametrize("verdict", fe.Verdict)
def test_a_decision_is_true_where_it_is_allowed(verdict: fe.Verdict) -> None:
    decision = fe.Decision(verdict, fe.Reason.EGRESS_ENABLED)
    assert bool(decision) is decision.allowed is (verdict is not fe.Verdict.DENIED)


def test_a_rule_that_is_a_whole_resource_has_no_path() -> None:
    rule = FieldRef(ResourceRef("Egress", "curl", "e"))
    decision = fe.Decision(fe.Verdict.DENIED, fe.Reason.NO_HOST, rule)
    assert decision.to_mapping(fe.tcp("54.9.9.9", 25))["rule"] == "Egress curl/e"


def test_a_traffic_match_in_words() -> None:
    assert str(TrafficMatch(80, "http", ())) == "http port 80, any address"
    ranges = (fe.Prefix("54.0.0.0/8"), fe.Prefix("::/0"))
    assert str(TrafficMatch(80, "tcp", ranges)) == "tcp port 80, 54.0.0.0/8, ::/0"


@given(st.sampled_from([*fe.Verdict, *fe.Reason, *fe.Sends]))
def test_law_a_name_reads_as_its_value(name: fe.Verdict | fe.Reason | fe.Sends) -> None:
    assert str(name) == name.value
    assert type(name)(name.value) is name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (fe.tcp("9.9.9.9", 1), "Connection('9.9.9.9', 1, 'bytes')"),
        (fe.tls("9.9.9.9", 1, "A.com"), "Connection('9.9.9.9', 1, TLSClientHello('A.com'))"),
        (fe.HTTPRequest("GET", "a", "/"), "HTTPRequest('GET', 'a', '/')"),
        (fe.TLSClientHello(None), "TLSClientHello(None)"),
    ],
)
def test_counterexamples_are_shown_as_they_are_written(value: object, text: str) -> None:
    assert repr(value) == text
    assert pretty(value) == text
    assert eval(text, vars(fe) | {name: getattr(fe, name) for name in fe.__all__}) == value  # noqa: S307  # because the text is this file's own
