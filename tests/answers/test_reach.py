"""What identities reach: a small universe of connections is the judge of partitions and of proofs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from hypothesis import given, settings
from hypothesis import strategies as st
from small import ROUTES, WHO, config, egress, load, routes, service
from universe import ADDRESSES, PORTS, UNIVERSE, Wire, aimed, drawn

import fsm_egress as fe
from fsm_egress.connections.connection import HTTPRequest, Payload, Sends, TLSClientHello
from fsm_egress.values.net import GAP_START, Address

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hypothesis.strategies import SearchStrategy

Where = fe.Where
EVERY_ADDRESS = 2**128  # those of IPv4, and those of IPv6 but the mapped ones, which are IPv4
FORWARDED = "GET/HEAD/POST/PUT/DELETE/PATCH/OPTIONS"
MAPPED = Address.from_key(GAP_START - 1)


def holding(portions: Iterable[fe.Portion], connection: fe.Connection) -> list[fe.Portion]:
    return [portion for portion in portions if connection in portion]


# --- partitions ------------------------------------------------------------------------------------------


@given(random_meshes.cases(12), drawn(120))
def test_law_every_connection_is_in_one_portion_with_its_decision(
    case: tuple[Wire, str, Wire], some: list[fe.Connection]
) -> None:
    mesh, who, wires = case
    snapshot = fe.load(mesh)
    engine, found = fe.compile(snapshot, who), fe.partition(snapshot, who)
    assert found.undecided == ()
    for connection in (*aimed(wires), *some):
        (portion,) = holding(found.portions, connection)
        assert portion.decision == engine.classify(connection)
        assert found.portion(connection) is portion


@given(random_meshes.cases(0))
@settings(max_examples=15)
def test_law_a_witness_is_decided_so_at_the_smallest_port_and_address_of_its_portion(
    case: tuple[Wire, str, Wire],
) -> None:
    mesh, who, _ = case
    snapshot = fe.load(mesh)
    engine = fe.compile(snapshot, who)
    for portion in fe.partition(snapshot, who).portions:
        witness = portion.witness
        assert witness in portion
        assert portion.decision == engine.classify(witness)
        assert (witness.port, witness.key) == (portion.region.ports[0][0], portion.region.spans[0][0])


@given(random_meshes.cases(0), st.sampled_from(PORTS))
@settings(max_examples=15)
def test_law_each_address_is_counted_once(case: tuple[Wire, str, Wire], port: int) -> None:
    mesh, who, _ = case
    portions = fe.partition(fe.load(mesh), who).portions
    payloads: tuple[Payload, ...] = (
        Sends.BYTES,
        TLSClientHello("a.com"),
        HTTPRequest("GET", "a.com", "/get"),
    )
    for payload in payloads:
        regions = [
            portion.region
            for portion in portions
            if fe.Connection(Address.from_key(portion.region.spans[0][0]), port, payload) in portion
        ]
        assert sum(region.addresses for region in regions) == EVERY_ADDRESS
        for region in regions:
            gap = sum(2**32 for prefix in region.prefixes if MAPPED in prefix and prefix.size > 1)
            assert sum(prefix.size for prefix in region.prefixes) - gap == region.addresses


@pytest.mark.parametrize("enable", [False, True])
def test_every_connection_of_the_universe_is_in_one_portion(enable: bool) -> None:
    group = routes(
        "r",
        {"methods": ["GET"], "pathRegex": "/get"},
        {"methods": ["*"], "pathRegex": "^/v1/", "headers": [{"x-env": "^prod"}]},
    )
    mesh = load(
        config({"enableEgress": enable, "outboundIPRangeExclusionList": ["54.9.0.0/16"]}),
        egress("web", "http 80", hosts=["a.com", "httpbin.org"], matches=[named("r")]),
        egress("tls", "https 443", hosts=["a.com"], ipAddresses=["54.0.0.0/8", "2001:db8::/32"]),
        egress("raw", "tcp 8080", ipAddresses=["9.9.9.9/32"]),
        group,
        service("web", "http-web 80"),
    )
    engine, found = fe.compile(mesh, WHO), fe.partition(mesh, WHO)
    for connection in UNIVERSE:
        (portion,) = holding(found.portions, connection)
        assert portion.decision == engine.classify(connection)


def named(name: str) -> dict[str, str]:
    return {"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": name}


RESTRICTED = (
    config({"enableEgress": False}),
    egress("web", "http 80", hosts=["a.com"], ipAddresses=["54.9.0.0/16", "10.0.0.7/32"]),
)


def test_a_partition_in_words() -> None:
    found = fe.partition(load(*RESTRICTED), WHO)
    assert repr(found) == "<Partition of curl.curl: 8 portions>"
    lines = [" ".join(line.split()) for line in str(found).splitlines()]
    denied = (
        "DENIED (egress_disabled) by MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress any TCP"
    )
    web = "by Egress curl/web spec.ports[0]"
    claimed = "port 80 10.0.0.7, 54.9.0.0/16 (65,537)"
    assert lines == [
        "curl.curl: every connection, by 55 classes",
        f"port any but 80 any IPv4 but 127.0.0.1 and any IPv6 {denied}",
        "port any any address PASSTHROUGH (not_intercepted) UDP",
        "port any 127.0.0.1 PASSTHROUGH (not_intercepted) any TCP",
        f"port 80 any IPv4 but 10.0.0.7, 54.9.0.0/16, 127.0.0.1 and any IPv6 {denied}",
        f"{claimed} DENIED (protocol_mismatch) {web} bytes; any TLS",
        f"{claimed} EGRESS_POLICY (http_route) {web} {FORWARDED} to `a.com`, `a.com:80`",
        f"{claimed} DENIED (no_route) {web} TRACE/CONNECT/unknown methods to `a.com`, `a.com:80`",
        f"{claimed} DENIED (no_host) {web} any request to any host but `a.com`, `a.com:80`",
    ]


def test_a_partition_for_machines() -> None:
    found = fe.partition(load(*RESTRICTED), WHO).to_mapping()
    assert json.loads(json.dumps(found)) == found
    assert {key: found[key] for key in ("identity", "classes", "undecided")} == {
        "identity": "curl.curl",
        "classes": 55,
        "undecided": [],
    }
    portion = next(it for it in found["portions"] if it["decision"]["verdict"] == "EGRESS_POLICY")
    assert portion["ports"] == [[80, 80]]
    assert portion["ranges"] == [["10.0.0.7", "10.0.0.7"], ["54.9.0.0", "54.9.255.255"]]
    assert portion["addresses"] == 65_537
    assert portion["sends"] == [
        {
            "kind": "http",
            "host": {"anyOf": ["a.com", "a.com:80"]},
            "method": {"anyOf": ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"]},
        }
    ]
    assert portion["witness"]["request"]["host"] == "a.com"


def test_a_portion_says_what_becomes_of_whom() -> None:
    portion = fe.partition(load(*RESTRICTED), WHO).portion(fe.http("10.0.0.7", 80, "GET", "a.com/"))
    assert portion is not None
    assert repr(portion) == (
        f"<Portion {FORWARDED} to `a.com`, `a.com:80` to 10.0.0.7, 54.9.0.0/16 (65,537), "
        "port 80: EGRESS_POLICY (http_route) by Egress curl/web spec.ports[0]>"
    )
    assert repr(portion.region).startswith("<Region GET/HEAD")


BEYOND = "^/(?:a|b)*a(?:a|b){16}$"  # more states than are looked at
BEYOND_PATH = "/a" + "b" * 16


def beyond(*patterns: str) -> fe.Snapshot:
    """A mesh with a route for each pattern."""
    listed = [{"methods": ["GET"], "pathRegex": pattern} for pattern in patterns]
    policy = egress("web", "http 80", hosts=["a.com"], matches=[named("r")])
    return load(policy, routes("r", *listed))


def test_what_no_automaton_reads_is_undecided_and_said_so() -> None:
    mesh = beyond(BEYOND, "^/x")
    found = fe.partition(mesh, WHO)
    (open_part,) = found.undecided
    assert open_part.identities == (fe.ServiceIdentity("curl", "curl"),)
    asked = fe.http("54.9.9.9", 80, "GET", f"a.com{BEYOND_PATH}")
    assert found.portion(asked) is None
    assert asked in open_part.region
    assert "not decided for some: " in str(open_part)
    assert "not decided for some: " in str(found)
    assert set(open_part.to_mapping()) == {"identities", "region", "reason"}
    assert "witness" not in open_part.to_mapping()["region"]
    assert found.to_mapping()["undecided"] == [open_part.to_mapping()]


# --- connections of which not all is known ---------------------------------------------------------------


def partials() -> SearchStrategy[tuple[fe.Partial, fe.Connection]]:
    """A connection, and what may be known of it."""
    return st.tuples(drawn(1), st.frozensets(st.sampled_from(FIELDS), max_size=6)).map(
        lambda pair: (fe.Partial(**known(pair[0][0], pair[1])), pair[0][0])
    )


FIELDS = ("to", "range", "port", "sends", "host", "method", "path", "headers")


def known(connection: fe.Connection, fields: frozenset[str]) -> dict[str, Any]:
    """These fields of a connection, as far as it has them."""
    found: dict[str, Any] = {}
    if "to" in fields:
        found["to"] = connection.destination
    elif "range" in fields:
        length = 8 if connection.destination.version == 4 else 32
        found["to"] = fe.Prefix.around(connection.destination, length)
    if "port" in fields:
        found["port"] = connection.port
    if "sends" in fields:
        found["sends"] = connection.kind
    sent = connection.sends
    if isinstance(sent, TLSClientHello) and "host" in fields:
        found["host"] = sent.name or ""
    if isinstance(sent, HTTPRequest):
        found.update(
            {name: getattr(sent, name) for name in ("host", "method", "path", "headers") if name in fields}
        )
    return found


def fits(partial: fe.Partial, connection: fe.Connection) -> bool:
    """Whether all that is known is so of a connection."""
    sent = connection.sends
    if partial.sends is None and connection.kind is Sends.DATAGRAM:
        return False
    if partial.sends is not None and connection.kind is not partial.sends:
        return False
    if partial.to is not None and connection.destination not in partial.to:
        return False
    if partial.port is not None and connection.port != partial.port:
        return False
    if partial.host is not None:
        if isinstance(sent, TLSClientHello):
            if (sent.name or "") != partial.host.lower():
                return False
        elif not isinstance(sent, HTTPRequest) or sent.host != partial.host:
            return False
    asked = {name: getattr(partial, name) for name in ("method", "path", "headers")}
    return all(
        value is None or (isinstance(sent, HTTPRequest) and getattr(sent, name) == value)
        for name, value in asked.items()
    )


@given(random_meshes.cases(0), partials(), drawn(150))
@settings(max_examples=40)
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
        assert portion.decision == decision
        assert found.decision in (None, decision)
        assert found.allowed in (None, decision.allowed)
    if found.decision is None:
        assert found.hangs_on


@given(random_meshes.cases(0), partials(), drawn(150))
@settings(max_examples=25)
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
    assert str(found).startswith("curl.curl: to 54.9.9.9/32, port 80: hangs on what is sent, host, method\n")
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


# --- who reaches -----------------------------------------------------------------------------------------


@given(random_meshes.cases(0), partials(), drawn(60))
@settings(max_examples=15)
def test_law_who_reaches_it_is_told_and_nobody_else(
    case: tuple[Wire, str, Wire], asked: tuple[fe.Partial, fe.Connection], some: list[fe.Connection]
) -> None:
    mesh, *_ = case
    snapshot = fe.load(mesh)
    partial, own = asked
    whom = snapshot.identities()
    found = fe.reachable(
        snapshot,
        partial.to,
        partial.port,
        sends=partial.sends,
        host=partial.host if speaks(partial) else None,
    )
    assert found.identities == whom
    assert bool(found) is bool(found.accounts)
    for identity in whom:
        engine = fe.compile(snapshot, identity)
        portions = [way.portion for way in found.ways if way.identity == identity]
        for connection in (own, *some):
            reached = fits(found.partial, connection) and engine.classify(connection).allowed
            assert len(holding(portions, connection)) == reached


def speaks(partial: fe.Partial) -> bool:
    return partial.sends in {None, Sends.TLS, Sends.HTTP}


def test_which_accounts_reach_a_range_and_how() -> None:
    other = egress("db", "tcp 3306", ipAddresses=["54.9.9.0/24"])
    other["spec"]["sources"] = [{"kind": "ServiceAccount", "name": "api", "namespace": "shop"}]
    mesh = load(*RESTRICTED, other)
    found = fe.reachable(mesh, "54.0.0.0/8")
    assert list(map(str, found.accounts)) == ["curl.curl", "api.shop"]
    assert repr(found) == "<Reachability of to 54.0.0.0/8: 2 of 2 identities>"
    http = "EGRESS_POLICY (http_route) by Egress curl/web spec.ports[0]"
    tcp = "EGRESS_POLICY (tcp_port) by Egress curl/db spec.ports[0]"
    assert [" ".join(line.split()) for line in str(found).splitlines()] == [
        "to 54.0.0.0/8: 2 of 2 identities reach it",
        f"curl.curl port 80 54.9.0.0/16 (65,536) {http} {FORWARDED} to `a.com`, `a.com:80`",
        f"api.shop port 3306 54.9.9.0/24 (256) {tcp} any TCP",
    ]
    assert repr(found.ways[1]).startswith("<Way of api.shop: any TCP to 54.9.9.0/24 (256), port 3306: ")
    mapping = found.to_mapping()
    assert [way["identity"] for way in mapping["ways"]] == ["curl.curl", "api.shop"]
    assert mapping["to"] == "to 54.0.0.0/8"
    assert json.loads(json.dumps(mapping)) == mapping


def test_nobody_reaches_it() -> None:
    found = fe.reachable(load(*RESTRICTED), "9.9.9.9", 443, sends="tls", host="a.com", identities=WHO)
    assert not found
    assert str(found) == "to 9.9.9.9/32, port 443, sending tls, host `a.com`: 0 of 1 identity reach it"


def test_whether_somebody_reaches_it_may_not_be_proven() -> None:
    found = fe.reachable(
        beyond(BEYOND, "^/x"), "54.9.9.9", 80, identities=[fe.ServiceIdentity("curl", "curl"), WHO]
    )
    assert len(found.identities) == len(found.undecided) == 1
    assert "not decided for some: " in str(found)


# --- what never happens ----------------------------------------------------------------------------------


def wheres() -> SearchStrategy[fe.Where]:
    """Predicates over the universe."""
    simple = st.one_of(
        st.just(Where.allowed()),
        st.just(Where.outside()),
        st.sampled_from(fe.Verdict).map(Where.verdict),
        st.sampled_from(fe.Reason).map(Where.reason),
        st.lists(st.sampled_from(PORTS), min_size=1, max_size=2).map(lambda ports: Where.port(*ports)),
        st.lists(st.sampled_from((*map(str, ADDRESSES), "54.0.0.0/8", "::/0")), min_size=1, max_size=2).map(
            lambda ranges: Where.to(*ranges)
        ),
        st.sampled_from(("a.com", "A.com:80", "other.net", "")).map(Where.host),
        st.tuples(st.sampled_from(("a.com", "httpbin.org")), st.sampled_from(PORTS)).map(
            lambda origin: Where.origin(*origin)
        ),
        st.sampled_from(fe.Sends).map(Where.sends),
        st.sampled_from(("GET", "DELETE", "TRACE")).map(Where.method),
    )
    return st.recursive(
        simple,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda pair: pair[0] & pair[1]),
            st.tuples(inner, inner).map(lambda pair: pair[0] | pair[1]),
            inner.map(lambda where: ~where),
        ),
        max_leaves=4,
    )


@given(random_meshes.cases(8), wheres(), drawn(80))
@settings(max_examples=50)
def test_law_what_never_happens_does_not_and_what_refutes_it_does(
    case: tuple[Wire, str, Wire], where: fe.Where, some: list[fe.Connection]
) -> None:
    mesh, who, wires = case
    snapshot = fe.load(mesh)
    engine, answer = fe.compile(snapshot, who), fe.never(snapshot, where, who)
    assert answer.undecided == ()
    if answer:
        assert not any(where.holds(it, engine.classify(it)) for it in (*aimed(wires), *some))
    else:
        assert answer.proven is False
        assert answer.witness is not None
        witness = answer.witness.connection
        assert answer.witness.decisions == (engine.classify(witness),)
        assert where.holds(witness, engine.classify(witness))


def test_nothing_leaves_but_for_one_origin() -> None:
    mesh = load(config(), egress("web", "https 443", hosts=["httpbin.org"]))
    elsewhere = Where.outside() & ~Where.origin("httpbin.org", 443)
    answer = fe.never(mesh, elsewhere)
    assert answer
    assert answer.classes > 50
    assert str(answer) == (
        "proven: never (verdict `EGRESS_POLICY` or `PASSTHROUGH` and not reason `not_intercepted` "
        "and not (port `443` and host `httpbin.org` or `httpbin.org:443`)) "
        f"(1 identity, {answer.classes} classes of connections)"
    )
    opened = mesh.patched({"spec": {"traffic": {"enableEgress": True}}})
    refuted = fe.never(opened, elsewhere)
    assert refuted.proven is False
    assert refuted.witness is not None
    assert refuted.witness.connection == fe.tcp("0.0.0.0", 1)
    assert repr(refuted).startswith("<Answer refuted: never (verdict")


def test_what_cannot_be_proven_is_not_proven() -> None:
    answer = fe.never(beyond(BEYOND, "^/x"), Where.outside() & ~Where.host("a.com", "a.com:80"))
    assert answer.proven is None
    assert not answer
    assert str(answer).startswith("not proven: never ")
    assert "\n  curl.curl: " in str(answer)
    assert answer.to_mapping()["proven"] is None
    assert answer.to_mapping()["undecided"] == [it.to_mapping() for it in answer.undecided]


@given(st.sampled_from(["(?=.*b)/a", "(/a)\\1", "^/(?!x)"]), st.text("/abxc", max_size=6))
@settings(max_examples=40)
def test_law_no_pattern_makes_a_false_proof(pattern: str, path: str) -> None:
    mesh = beyond(pattern)
    connection = fe.http("54.9.9.9", 80, "GET", f"a.com/{path}")
    allowed = fe.compile(mesh, WHO).classify(connection).allowed
    shut, opened = (
        fe.never(mesh, where & Where.to("54.9.9.9") & Where.host("a.com") & Where.method("GET"))
        for where in (Where.allowed(), ~Where.allowed())
    )
    assert not (allowed and shut)
    assert allowed or not opened
    portion = fe.partition(mesh, WHO).portion(connection)
    assert portion is None or portion.decision.allowed is allowed
