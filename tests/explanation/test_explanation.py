"""Explanations: the way through the stages, and the near misses, each of which is one change away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pods import pod
from small import ROUTES, config, egress, load, routes, service, whole
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.explanation import Difference, Edit, Explanation, Nearness, Stage, StageName, explain
from fsm_egress.resources.subjects import account_of, read_subject

if TYPE_CHECKING:
    from small import Entry

    from fsm_egress.explanation import NearMiss
    from fsm_egress.resources.subjects import Subject

WHO = fe.ServiceIdentity("curl", "curl")
GET = fe.http("54.9.9.9", 80, "GET", "a.com/get")
TLS = fe.tls("54.9.9.9", 443, "a.com")
BYTES = fe.tcp("54.9.9.9", 3306)
TO_THE_LETTER = "hosts are compared to the letter, without wildcards"
BUT_FOR = "but for one thing it would be allowed:"

Mesh = list[dict[str, Any]]
Case = tuple[Mesh, str, list[dict[str, Any]]]


def by_group(*names: str) -> list[dict[str, str]]:
    """The references of a policy to HTTPRouteGroups."""
    group = ROUTES
    return [{"apiGroup": group, "kind": "HTTPRouteGroup", "name": name} for name in names]


def explained(connection: fe.Connection, *entries: Entry, identity: str = "curl.curl") -> Explanation:
    mesh = load(*entries)
    told = explain(mesh, identity, connection)
    for miss in told.near_misses:
        changed_mesh, who, changed = miss.applied(mesh, told.identity, connection)
        assert fe.compile(changed_mesh, who).classify(changed).rule == miss.rule
    return told


def misses(connection: fe.Connection, *entries: Entry) -> list[str]:
    """The near misses in words; the switch for everything is left out."""
    found = explained(connection, *entries).near_misses
    return [str(miss) for miss in found if miss.difference is not Difference.ENABLE_EGRESS]


def only(connection: fe.Connection, *entries: Entry) -> NearMiss:
    """The one near miss that there is."""
    found = explained(connection, *entries).near_misses
    (miss,) = [miss for miss in found if miss.difference is not Difference.ENABLE_EGRESS]
    return miss


# --- the laws --------------------------------------------------------------------------------------------


@given(random_meshes.cases(6))
@settings(max_examples=examples(40))
def test_law_explaining_never_changes_the_decision(case: Case) -> None:
    mesh, identity, connections = fe.load(case[0]), *case[1:]
    engine = fe.compile(mesh, identity)
    for connection in map(fe.Connection.from_mapping, connections):
        found = explain(mesh, identity, connection).decision
        assert whole(found) == whole(engine.classify(connection))
    assert whole(fe.compile(mesh, identity).classify(connection)) == whole(engine.classify(connection))


@given(random_meshes.cases(6))
@settings(max_examples=examples(30))
def test_law_the_stages_are_in_order_and_the_last_one_decides(case: Case) -> None:
    mesh, identity, connections = fe.load(case[0]), *case[1:]
    for connection in map(fe.Connection.from_mapping, connections):
        told = explain(mesh, identity, connection)
        assert [stage.name for stage in told.stages] == list(StageName)[: len(told.stages)]
        assert [stage.decides for stage in told.stages] == [False] * (len(told.stages) - 1) + [True]
        last, decision = told.stages[-1], told.decision
        kinds = {rule.resource.kind for rule in last.rules}
        if decision.reason in {fe.Reason.NOT_INTERCEPTED, fe.Reason.NO_SIDECAR}:
            assert last.name is StageName.INTERCEPTION
        elif decision.verdict is fe.Verdict.PASSTHROUGH or decision.reason is fe.Reason.EGRESS_DISABLED:
            assert (last.name, kinds) == (StageName.PASSTHROUGH, {"MeshConfig"})
        elif decision.rule and decision.rule.resource.kind == "Service":
            assert (last.name, kinds) == (StageName.IN_MESH, {"Service"})
        else:
            assert (last.name, last.rules) == (StageName.EGRESS_POLICIES, decision.considered)


@given(random_meshes.cases(6))
@settings(max_examples=examples(40))
def test_law_near_misses_are_one_change_away(case: Case) -> None:
    mesh, who = fe.load(case[0]), read_subject(case[1])
    for connection in map(fe.Connection.from_mapping, case[2]):
        told = explain(mesh, who, connection)
        assert not (told.near_misses and told.decision.allowed)
        for miss in told.near_misses:
            changed = miss.applied(mesh, who, connection)
            some, *_ = fe.kinds_of_pods(changed[1], changed[0])
            decision = fe.compile(changed[0], some).classify(changed[2])
            assert (decision.allowed, decision.rule) == (True, miss.rule), miss
            found = differences((mesh, who, connection), changed)
            assert len(found) == 1 or found in TOGETHER, miss


# What goes together: a port and the Host that has it or the protocol of it, a method and its path.
TOGETHER: tuple[set[object], ...] = ({"port", "host"}, {"port", "sends"}, {"method", "path"}, {"path"})


def differences(
    before: tuple[fe.Snapshot, Subject, fe.Connection],
    after: tuple[fe.Snapshot, Subject, fe.Connection],
) -> set[object]:
    """The resources, the account and the parts of the connection that are not the same."""
    sent, other = before[2].sends, after[2].sends
    parts: list[tuple[str, object, object]] = [("identity", before[1], after[1])]
    parts += [(name, getattr(before[2], name), getattr(after[2], name)) for name in ("destination", "port")]
    if isinstance(sent, fe.HTTPRequest) and isinstance(other, fe.HTTPRequest):
        parts += [(name, getattr(sent, name), getattr(other, name)) for name in ("method", "host", "path")]
        names = {*sent.headers, *other.headers}
        parts += [(name, sent.headers.get(name), other.headers.get(name)) for name in names]
    else:
        parts.append(("sends", sent, other))
    resources = {resource.ref: resource for resource in before[0]}
    changed = {resource.ref for resource in after[0] if resources.get(resource.ref) != resource}
    return changed | {name for name, old, new in parts if old != new}


@given(random_meshes.cases(6))
@settings(max_examples=examples(30))
def test_law_no_rule_for_another_port_account_or_method_is_missed(case: Case) -> None:
    mesh = fe.load(case[0]).patched({"spec": {"featureFlags": {"enableAutoDefaultRoute": False}}})
    who = case[1]
    engines = {name: fe.compile(mesh, fe.kinds_of_pods(name, mesh)[0]) for name in random_meshes.IDENTITIES}
    own, account = fe.compile(mesh, who), account_of(fe.resolve(mesh, who).identity)
    for connection in map(fe.Connection.from_mapping, case[2]):
        told = explain(mesh, who, connection)
        if told.decision.allowed:
            continue
        found = {(miss.difference, miss.rule) for miss in told.near_misses}
        ports = [connection.replace(port=port) for port in random_meshes.PORTS if port != connection.port]
        decisions = [(Difference.PORT, own.classify(other)) for other in ports]
        others = [engine for name, engine in engines.items() if name != account]
        decisions += [(Difference.ACCOUNT, engine.classify(connection)) for engine in others]
        if isinstance(connection.sends, fe.HTTPRequest):
            sent = connection.sends
            methods = [connection.replace(sends=sent.replace(method=it)) for it in ("GET", "PUT", "POST")]
            decisions += [(Difference.METHOD, own.classify(other)) for other in methods]
        wanted = {fe.Verdict.EGRESS_POLICY}
        missed = {(kind, it.rule) for kind, it in decisions if it.verdict in wanted} - found
        assert not missed or told.untried


@given(random_meshes.cases(4), st.integers(0, 3))
@settings(max_examples=examples(30))
def test_law_what_is_told_is_told_in_every_form(case: Case, most: int) -> None:
    mesh, identity, connections = fe.load(case[0]), *case[1:]
    for connection in map(fe.Connection.from_mapping, connections):
        told = explain(mesh, identity, connection)
        lines, wire = list(told.lines(most)), told.to_mapping()
        assert str(told).startswith(told.answer)
        assert (lines[0], wire["answer"]) == (told.answer, told.answer)
        assert {str(stage) for stage in told.stages} <= set(lines)
        start = lines.index(BUT_FOR) if told.near_misses else len(lines)
        shown = [it for it in lines[start:] if it.startswith("  ") and not it.startswith("  and ")]
        assert len(shown) == min(most, len(told.near_misses))
        assert json.loads(json.dumps(wire)) == wire
        assert [Nearness[miss["nearness"].upper()] for miss in wire["near_misses"]] == sorted(
            miss.nearness for miss in told.near_misses
        )


SMALL_ROUTES = st.fixed_dictionaries(
    {},
    optional={
        "methods": st.sampled_from([["PUT"], ["GET", "POST"]]),
        "pathRegex": st.sampled_from(["^/v1/", "/get$"]),
        "headers": st.sampled_from([[{"x-env": "^prod"}], [{"X-Env": "^dev$"}]]),
    },
)
SMALL_METHODS = ("GET", "PUT", "POST", "TRACE")
SMALL_HOSTS = ("a.com", "b.com", "c.com", "b.com:80")
SMALL_REQUESTS = st.builds(
    fe.HTTPRequest,
    st.sampled_from(SMALL_METHODS),
    st.sampled_from(SMALL_HOSTS),
    st.sampled_from(["/get", "/v1/a", "/x"]),
    st.sampled_from([{}, {"x-env": "prod"}, {"x-env": "dev"}]),
)


def neighbours(connection: fe.Connection) -> list[tuple[Difference, fe.Connection]]:
    """The connections of a small universe that one thing tells from this one, and that thing."""
    sent = connection.sends
    assert isinstance(sent, fe.HTTPRequest)
    requests = [
        *((Difference.METHOD, sent.replace(method=method)) for method in SMALL_METHODS),
        *((Difference.HOST, sent.replace(host=host)) for host in SMALL_HOSTS),
        *((Difference.PATH, sent.replace(path=path)) for path in ("/get", "/v1/a", "/x")),
        *((Difference.HEADER, sent.replace(headers={"x-env": value})) for value in ("prod", "dev")),
    ]
    return [
        *((Difference.ADDRESS, connection.replace(destination=it)) for it in ("54.9.9.9", "9.9.9.9")),
        *((Difference.PORT, connection.replace(port=port)) for port in (80, 443, 8080)),
        (Difference.PROTOCOL, connection.replace(sends=fe.TLSClientHello(sent.host))),
        *((kind, connection.replace(sends=request)) for kind, request in requests),
    ]


SMALL_POLICIES = st.fixed_dictionaries(
    {
        "ports": st.lists(st.sampled_from(["http 80", "https 443", "http 8080"]), min_size=1, max_size=2),
        "hosts": st.lists(st.sampled_from(["a.com", "b.com"]), min_size=1, max_size=2),
        "ipAddresses": st.sampled_from([[], ["54.0.0.0/8"]]),
        "matches": st.sampled_from([[], by_group("calls"), by_group("others")]),
    }
)


@settings(max_examples=examples(200))
@given(
    st.lists(SMALL_POLICIES, min_size=1, max_size=2),
    st.lists(st.lists(SMALL_ROUTES, max_size=2), min_size=2, max_size=2),
    st.booleans(),
    st.builds(
        fe.Connection, st.sampled_from(["54.9.9.9", "9.9.9.9"]), st.sampled_from([80, 443]), SMALL_REQUESTS
    ),
)
@example(  # by the default route, the method alone is wrong
    [{"ports": ["http 80"], "hosts": ["a.com"], "ipAddresses": [], "matches": []}],
    [[], []],
    True,
    fe.http("54.9.9.9", 80, "TRACE", "http://c.com/get"),
)
def test_law_of_one_or_two_policies_no_near_miss_is_missed(
    policies: list[dict[str, Any]],
    listed: list[list[dict[str, Any]]],
    by_default: bool,
    connection: fe.Connection,
) -> None:
    mesh = load(
        config(featureFlags={"enableAutoDefaultRoute": by_default}),
        *(
            egress(f"e{index}", *it["ports"], **{name: it[name] for name in it if name != "ports"})
            for index, it in enumerate(policies)
        ),
        routes("calls", *listed[0]),
        routes("others", *listed[1]),
    )
    engine, told = fe.compile(mesh, WHO), explain(mesh, WHO, connection)
    allowed = {
        (kind, engine.classify(other).rule)
        for kind, other in neighbours(connection)
        if engine.classify(other).allowed
    }
    found = {(miss.difference, miss.rule) for miss in told.near_misses}
    assert told.decision.allowed or told.untried or allowed <= found


@given(st.text(max_size=12), st.text(max_size=12), st.sampled_from(["http", "tls"]))
@example("*", "", "tls")
@example("b.com", "", "http")
def test_law_whatever_is_sent_is_explained(host: str, path: str, kind: str) -> None:
    listed = ["*.a.com", "2001:db8::5", "b.com"]
    policy = egress("e", f"{'http' if kind == 'http' else 'https'} 80", hosts=listed)
    asked = host if kind == "http" else f"{host}.a.com"
    try:
        sent = fe.HTTPRequest("GET", asked, f"/{path}") if kind == "http" else fe.TLSClientHello(asked)
    except fe.InvalidValue:
        return
    told = explained(fe.Connection("54.9.9.9", 80, sent), policy)
    assert told.decision.allowed is (asked.removesuffix(":80") in listed)
    assert str(told)


# --- each near miss --------------------------------------------------------------------------------------


def test_the_nearest_host_is_one_that_was_surely_meant_then_a_slip_then_one_of_its_domain() -> None:
    hosts = ("other.net", "www.httpbin.org", "ap.httpbin.org", "*.httpbin.org", "api.example.com")
    policies = [egress(f"e{index}", "http 80", hosts=[host]) for index, host in enumerate(hosts)]
    asked = fe.http("54.9.9.9", 80, "GET", "api.httpbin.org/")
    assert [(miss.nearness.name, str(miss)) for miss in explained(asked, *policies).near_misses] == [
        ("SPELLING", f"host `api.httpbin.org` is not `*.httpbin.org`: {TO_THE_LETTER}"),
        ("SLIP", "host `api.httpbin.org` is not in hosts `[ap.httpbin.org]`"),
        ("KIN", "host `api.httpbin.org` is not in hosts `[www.httpbin.org]`"),
        ("KIN", "host `api.httpbin.org` is not in hosts `[api.example.com]`"),
        ("OTHER", "host `api.httpbin.org` is not in hosts `[other.net]`"),
    ]


@pytest.mark.parametrize("host", ["a.com:8080", "A.com.", "a.com.:80", "x.b.com"])
def test_a_host_with_a_port_or_a_dot_at_its_end_or_under_a_wildcard_is_surely_meant(host: str) -> None:
    policy = egress("e", "http 80", hosts=["a.com", "*.b.com"])
    asked = fe.http("54.9.9.9", 80, "GET", "/", {"Host": host})
    assert only(asked, policy).nearness is Nearness.SPELLING


def test_a_host_is_changed_to_the_nearest_of_the_policys() -> None:
    policy = egress("e", "http 80", hosts=["b.org", "b.com", "c.com", "d.com", "e.com"])
    miss = only(GET, policy)
    assert str(miss) == "host `a.com` is not in hosts `[b.com, c.com, d.com, and 2 more]`"
    assert miss.change == fe.http("54.9.9.9", 80, "GET", "b.com/get")
    assert miss.at.path == "spec.hosts"


def test_under_a_wildcard_the_policy_is_what_changes() -> None:
    policy = egress("e", "https 443", hosts=["*.a.com"])
    miss = only(fe.tls("54.9.9.9", 443, "x.A.com"), policy)
    assert str(miss) == f"host `x.a.com` is not `*.a.com`: {TO_THE_LETTER}"
    assert miss.difference is Difference.WILDCARD
    assert str(miss.change) == "add x.a.com to spec.hosts of Egress curl/e"


@pytest.mark.parametrize("host", ["x_y!.a.com", ""])
def test_a_wildcard_is_no_near_miss_for_what_can_be_no_host(host: str) -> None:
    assert (
        misses(fe.http("54.9.9.9", 80, "GET", f"http://{host}/"), egress("e", "http 80", hosts=["*.a.com"]))
        == []
    )


def test_a_server_name_may_be_missing() -> None:
    told = explained(fe.tls("54.9.9.9", 443), egress("e", "https 443", hosts=["a.com"]))
    assert told.answer == "denied (closed): no server name is asked for, which Egress curl/e would need"
    assert [miss.change for miss in told.near_misses] == [TLS]


def test_a_port_is_nearer_where_the_rule_lists_the_host_and_nearest_where_the_numbers_are_alike() -> None:
    policies = (
        egress("any", "tcp 9000"),
        egress("tls", "https 8443", "https 6443", "https 9443", hosts=["a.com"]),
        egress("web", "https 444", hosts=["a.com"]),
    )
    assert misses(TLS, *policies) == [
        "port 443, the policy has 8443",
        "port 443, the policy has 6443",
        "port 443, the policy has 9443",
        "port 443, the policy has 444",
        "port 443, the policy has 9000",
    ]


def test_another_port_of_a_policy_that_claims_this_one_too() -> None:
    policy = egress("e", "https 80", "http 8080", hosts=["a.com"])
    assert misses(GET, policy) == ["port 80, the policy has 8080", "`http` is sent, the policy takes `https`"]


@pytest.mark.parametrize(
    ("address", "changed", "nearness"),
    [
        ("54.9.9.9", "54.9.8.255", Nearness.KIN),
        ("54.8.0.1", "54.9.8.0", Nearness.OTHER),
        ("9.9.9.9", "54.9.8.0", Nearness.OTHER),
        ("2001:db8::1", "54.9.8.255", Nearness.OTHER),
    ],
)
def test_an_address_is_moved_no_further_than_it_has_to_be(
    address: str, changed: str, nearness: Nearness
) -> None:
    miss = only(fe.tcp(address, 3306), egress("db", "tcp 3306", ipAddresses=["54.9.8.0/24"]))
    assert str(miss) == f"address `{address}` is outside `[54.9.8.0/24]`"
    assert (miss.change, miss.nearness) == (fe.tcp(changed, 3306), nearness)
    assert miss.at.path == "spec.ipAddresses"


def test_an_address_is_near_where_the_host_is_right() -> None:
    policy = egress("e", "http 80", hosts=["a.com"], ipAddresses=["9.0.0.0/8"])
    assert only(GET, policy).nearness is Nearness.KIN


def test_what_is_sent_may_be_what_no_port_takes() -> None:
    policy = egress("e", "https 80", "http 443", hosts=["a.com", "b.com"])
    found = {
        str(connection): [miss.change for miss in explained(connection, policy).near_misses]
        for connection in (fe.tcp("54.9.9.9", 443), fe.tls("54.9.9.9", 443, "b.com"), fe.tcp("54.9.9.9", 80))
    }
    assert found == {
        "54.9.9.9:443 TCP": [fe.http("54.9.9.9", 443, "GET", "a.com/")],
        "54.9.9.9:443 TLS b.com": [
            fe.tls("54.9.9.9", 80, "b.com"),
            fe.http("54.9.9.9", 443, "GET", "b.com/"),
        ],
        "54.9.9.9:80 TCP": [fe.tls("54.9.9.9", 80, "a.com")],
    }
    assert misses(fe.tls("54.9.9.9", 443, "c.com"), policy) == []


def test_where_any_tls_goes_out_the_host_is_kept() -> None:
    policy = egress("e", "https 80")
    assert only(GET, policy).change == fe.tls("54.9.9.9", 80, "a.com")
    assert only(fe.server_first("54.9.9.9", 80), policy).change == fe.tls("54.9.9.9", 80)


def test_a_request_in_the_place_of_bytes_is_the_plainest_that_a_route_takes() -> None:
    calls = routes("calls", {"pathRegex": "^/v[12]/", "methods": ["PUT"], "headers": [{"x-env": "^prod"}]})
    policy = egress("e", "http 3306", hosts=["a.com"], matches=by_group("calls"))
    miss = only(BYTES, policy, calls)
    assert str(miss) == "`bytes` is sent, the policy takes `http`"
    assert miss.change == fe.http("54.9.9.9", 3306, "PUT", "a.com/v1/", {"x-env": "prod"})


ONE_ROUTE = egress("e", "http 80", hosts=["a.com"], matches=by_group("calls"))


@pytest.mark.parametrize(
    ("route", "text", "changed", "field"),
    [
        (
            {"methods": ["PUT", "POST"]},
            "method `GET`, the route has `POST, PUT`",
            fe.http("54.9.9.9", 80, "POST", "a.com/get"),
            "methods",
        ),
        (
            {"pathRegex": "^/v[12]/"},
            "path `/get`, the route looks for `^/v[12]/`",
            fe.http("54.9.9.9", 80, "GET", "a.com/v1/"),
            "pathRegex",
        ),
        (
            {"headers": [{"X-Env": "^prod"}]},
            "header `x-env: `, the route looks for `x-env: ^prod`",
            fe.http("54.9.9.9", 80, "GET", "a.com/get", {"x-env": "prod"}),
            "headers",
        ),
    ],
)
def test_a_request_may_lack_one_thing_of_a_route(
    route: dict[str, Any], text: str, changed: fe.Connection, field: str
) -> None:
    miss = only(GET, ONE_ROUTE, routes("calls", route))
    assert (str(miss), miss.change) == (text, changed)
    assert str(miss.at) == f"HTTPRouteGroup curl/calls spec.matches[0].{field}"
    assert miss.nearness is Nearness.REQUEST


def test_a_method_and_a_path_go_together() -> None:
    both = routes("calls", {"methods": ["PUT"], "pathRegex": "/put"})
    miss = only(GET, ONE_ROUTE, both)
    assert str(miss) == "`GET /get` is asked for, the route has `PUT /put`"
    assert miss.change == fe.http("54.9.9.9", 80, "PUT", "a.com/put")
    assert str(miss.at) == "HTTPRouteGroup curl/calls spec.matches[0]"


def test_whatever_a_request_lacks_of_the_only_route_is_told_together() -> None:
    hosts = egress("e", "http 80", hosts=["a.com", "b.com"], matches=by_group("calls"))
    put = {"methods": ["PUT"], "headers": [{"x-env": "^prod$"}, {"host": "^b"}]}
    miss = only(GET, hosts, routes("calls", put))
    wanted = "`PUT with host: ^b and x-env: ^prod$`"
    assert str(miss) == f"`GET with host: a.com and x-env: ` is asked for, the route has {wanted}"
    assert miss.change == fe.http("54.9.9.9", 80, "PUT", "b.com/get", {"x-env": "prod"})
    assert str(miss.at) == "HTTPRouteGroup curl/calls spec.matches[0]"
    put |= {"pathRegex": "^/put$", "headers": [{"cookie": "a=1"}]}
    everything = only(GET, ONE_ROUTE, routes("calls", put))
    assert (everything.found, everything.wanted) == ("GET /get with cookie: ", "PUT ^/put$ with cookie: a=1")
    assert everything.difference is Difference.REQUEST
    two = only(GET, ONE_ROUTE, routes("calls", {"headers": [{"cookie": "a=1"}, {"x-env": "b"}]}))
    assert (two.found, two.wanted) == ("cookie:  and x-env: ", "cookie: a=1 and x-env: b")
    nobodys = routes("calls", {"methods": ["PUT"], "headers": [{"host": "^c"}]})
    assert misses(GET, ONE_ROUTE, nobodys) == []


def test_but_not_where_another_route_lacks_one_thing_only() -> None:
    both = routes("calls", {"methods": ["PUT"], "headers": [{"x-env": "prod"}]}, {"pathRegex": "^/post$"})
    assert misses(GET, ONE_ROUTE, both) == ["path `/get`, the route looks for `^/post$`"]


def test_a_protocol_goes_with_a_host_that_has_the_port() -> None:
    asked = fe.http("54.9.9.9", 443, "GET", "http://a.com:443/")
    miss = only(asked, egress("a", "https 443", hosts=["a.com"]))
    assert str(miss) == "`http` is sent, the policy takes `https`"
    assert miss.change == fe.tls("54.9.9.9", 443, "a.com")


def test_a_port_goes_with_the_host_that_has_it() -> None:
    policy = egress("e", "http 8000", hosts=["a.com"])
    miss = only(fe.http("54.9.9.9", 8001, "GET", "http://a.com:8001/"), policy)
    assert (str(miss), miss.change) == (
        "port 8001, the policy has 8000",
        fe.http("54.9.9.9", 8000, "GET", "http://a.com:8000/"),
    )


def test_a_port_goes_with_its_protocol() -> None:
    https = egress("e", "https 443", hosts=["a.com"])
    miss = only(GET, https)
    assert (str(miss), miss.change) == (
        "`http to port 80` is sent, the policy takes `https on port 443`",
        fe.tls("54.9.9.9", 443, "a.com"),
    )
    both = (https, egress("f", "tcp 80", ipAddresses=["55.0.0.0/8"]))
    assert str(miss) in misses(GET, *both)
    assert misses(fe.http("54.9.9.9", 80, "GET", "b.com/"), https) == []
    assert misses(fe.tcp("54.9.9.9", 80), https) == []


def test_a_pattern_that_is_found_nowhere_is_no_near_miss() -> None:
    assert misses(GET, ONE_ROUTE, routes("calls", {"pathRegex": "a^"})) == []


def test_a_method_that_the_sidecar_does_not_forward_lacks_the_wildcard_too() -> None:
    purge = fe.http("54.9.9.9", 80, "PURGE", "a.com/")
    miss = only(purge, egress("e", "http 80", hosts=["a.com"]))
    assert str(miss) == "method `PURGE`, the route has `GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS`"
    assert str(miss.at) == "Egress curl/e spec.ports[0]"


def test_a_pattern_for_the_host_is_met_by_another_of_the_policys_hosts() -> None:
    policy = egress("e", "http 80", hosts=["a.com", "b.com"], matches=by_group("calls"))
    miss = only(GET, policy, routes("calls", {"headers": [{"host": "^b"}]}))
    assert str(miss) == "header `host: a.com`, the route looks for `host: ^b`"
    assert miss.change == fe.http("54.9.9.9", 80, "GET", "b.com/get")


def test_another_account_is_nearer_in_the_same_namespace_than_by_the_same_name() -> None:
    policy = egress(
        "e", "tcp 3306", sources=[random_meshes.account(it) for it in ("curl.b", "wget.curl", "x.y")]
    )
    found = explained(BYTES, policy).near_misses
    assert [(str(miss), str(miss.change)) for miss in found][:3] == [
        ("source account `curl.curl`, the policy has `wget.curl`", "wget.curl"),
        ("source account `curl.curl`, the policy has `curl.b`", "curl.b"),
        ("source account `curl.curl`, the policy has `x.y`", "x.y"),
    ]
    assert [miss.at.path for miss in found][:3] == ["spec.sources[1]", "spec.sources[0]", "spec.sources[2]"]


@pytest.mark.parametrize("first", ["a", "z"])
def test_another_account_is_near_where_some_of_its_pods_have_no_sidecar(first: str) -> None:
    bare, other = pod(first, sidecar_injection="no"), pod("m")
    for entry in (bare, other):
        entry["spec"]["serviceAccountName"] = "wget"
    policy = egress("e", "tcp 3306", sources=[random_meshes.account("wget.curl")])
    (miss, *_) = explained(BYTES, policy, bare, other).near_misses
    assert (str(miss.change), str(miss.rule.resource)) == ("pod/m.curl", "Egress curl/e")
    assert miss.to_mapping()["identity"] == "pod/m.curl"


def test_another_account_may_not_reach_the_service_that_comes_before_a_policy() -> None:
    reach = {"sources": [random_meshes.account("curl.curl")], "rules": random_meshes.RULES[0]}
    entries = (
        STRICT,
        service("web", "http-web 80", ip="10.96.0.1", pods=["10.0.0.1"], selector={"app": "web"}),
        random_meshes.traffic_target("shop", "t", None, "web", reach),
        random_meshes.resource(
            "v1",
            "Pod",
            "shop",
            "p",
            spec={"serviceAccountName": "web"},
            status={"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]},
        ),
        egress("e", "tcp 80", sources=[random_meshes.account(it) for it in ("curl.curl", "wget.curl")]),
    )
    entries[3]["metadata"]["labels"] = {"app": "web"}
    told = explained(fe.http("10.96.0.1", 80, "GET", "b.com/"), *entries)
    assert [str(miss.change) for miss in told.near_misses if miss.difference is Difference.ACCOUNT] == [
        "wget.curl"
    ]


def test_what_can_be_no_account_is_no_near_miss() -> None:
    dotted = {"kind": "ServiceAccount", "name": "curl", "namespace": "a.b"}
    assert misses(BYTES, egress("e", "tcp 3306", sources=[dotted])) == []


def test_a_source_of_another_kind_names_nobody() -> None:
    group, stranger = ({**random_meshes.account(name), "kind": "Group"} for name in ("curl.curl", "x.y"))
    policy = egress("e", "tcp 3306", sources=[random_meshes.account("a.b"), group, stranger])
    miss, *others = explained(BYTES, policy).near_misses
    assert str(miss) == "source kind `Group`, only `ServiceAccount` counts"
    assert str(miss.at) == "Egress curl/e spec.sources[1].kind"
    assert str(miss.change) == "set spec.sources[1].kind of Egress curl/e to ServiceAccount"
    assert [other.difference for other in others] == [Difference.ACCOUNT, Difference.ENABLE_EGRESS]


def test_a_policy_may_be_out_of_force_for_its_namespace() -> None:
    namespaces = [
        random_meshes.monitored_namespace("curl", "team"),
        random_meshes.monitored_namespace("fsm", "team"),
    ]
    for given_namespaces in (namespaces, namespaces[1:]):
        miss = only(BYTES, egress("e", "tcp 3306", "tcp 3307"), given_namespaces)
        assert str(miss) == "namespace `curl` is not monitored"
        assert str(miss.at) == "Egress curl/e metadata.namespace"
        assert str(miss.change) == "label Namespace curl with flomesh.io/monitored-by"
        assert miss.nearness is Nearness.OUT_OF_FORCE


def test_a_policy_may_be_out_of_force_for_a_missing_setting() -> None:
    matches = [
        *by_group("calls"),
        {"apiGroup": random_meshes.FLOMESH, "kind": "UpstreamTrafficSetting", "name": "u0"},
    ]
    policy = egress("e", "http 80", hosts=["a.com"], matches=matches)
    miss = only(GET, policy, routes("calls", {"pathRegex": "/get"}))
    assert str(miss) == "UpstreamTrafficSetting `curl/u0` does not exist"
    assert str(miss.at) == "Egress curl/e spec.matches[1]"
    assert repr(miss.change) == "Edit(words='add UpstreamTrafficSetting curl/u0')"
    assert (
        misses(fe.http("54.9.9.9", 80, "GET", "a.com/put"), policy, routes("calls", {"pathRegex": "/get"}))
        == []
    )


def test_a_policy_may_allow_nothing_for_a_missing_route_group() -> None:
    miss = only(GET, ONE_ROUTE)
    assert str(miss) == "HTTPRouteGroup `curl/calls` does not exist"
    assert str(miss.at) == "Egress curl/e spec.matches[0]"
    assert str(miss.change) == "add HTTPRouteGroup curl/calls"


def test_a_policy_may_allow_nothing_for_a_missing_certificate() -> None:
    secret = {"issuer": "other", "cert": {"secret": {"name": "s0", "namespace": "certs"}}}
    told = explained(BYTES, egress("e", "tcp 3306", mtls=secret))
    assert told.answer == "denied (closed): the certificate of Egress curl/e does not exist"
    (miss,) = told.near_misses
    assert str(miss) == "Secret `certs/s0` does not exist"
    assert str(miss.at) == "Egress curl/e spec.sources[0].mtls"
    assert misses(BYTES, egress("e", "tcp 3306", mtls={"issuer": "other"})) == []


def test_a_certificate_may_be_missing_of_one_account_only() -> None:
    sources = [
        {**random_meshes.account("curl.curl"), "mtls": {"issuer": "other"}},
        random_meshes.account("wget.curl"),
    ]
    miss = only(BYTES, egress("e", "tcp 3306", sources=sources))
    assert (miss.difference, str(miss.change)) == (Difference.ACCOUNT, "wget.curl")


def test_policies_may_be_switched_off() -> None:
    off = config(featureFlags={"enableEgressPolicy": False})
    miss, _ = explained(BYTES, off, egress("e", "tcp 3306"), egress("f", "tcp 3307")).near_misses
    assert str(miss) == "`enableEgressPolicy` is off"
    assert str(miss.rule) == "Egress curl/e spec.ports[0]"
    assert str(miss.at) == "MeshConfig fsm-system/fsm-mesh-config spec.featureFlags.enableEgressPolicy"


def test_what_no_rule_claims_may_pass_through() -> None:
    (miss,) = explained(BYTES).near_misses
    assert (str(miss), miss.nearness) == ("`enableEgress` is off", Nearness.PASSTHROUGH)
    change = "set spec.traffic.enableEgress of MeshConfig fsm-system/fsm-mesh-config to true"
    assert str(miss.change) == change


def test_what_a_policy_claims_does_not_pass_through() -> None:
    assert explained(TLS, egress("e", "https 443", hosts=["b.org"])).near_misses[0].difference is (
        Difference.SERVER_NAME
    )
    kinds = {
        miss.difference for miss in explained(TLS, egress("e", "https 443", hosts=["b.org"])).near_misses
    }
    assert Difference.ENABLE_EGRESS not in kinds


# --- in the mesh -----------------------------------------------------------------------------------------


WEB = service("web", "http-web 80", ip="10.96.0.1", pods=["10.0.0.1"])
DATABASE = service("db", "tcp-db 3306", ip="10.96.0.2", pods=["10.0.0.2"])
STRICT = config({"enablePermissiveTrafficPolicyMode": False})


def test_a_service_may_be_asked_for_by_another_host() -> None:
    told = explained(fe.http("10.96.0.1", 80, "GET", "wev.shop/"), WEB)
    assert told.answer == "denied (403): `wev.shop` is no host of Service shop/web"
    (miss,) = told.near_misses
    assert str(miss) == ("host `wev.shop` is not in hosts `[web.shop, web.shop:80, 10.0.0.1, and 9 more]`")
    assert miss.change == fe.http("10.96.0.1", 80, "GET", "web.shop/")
    assert str(miss.at) == "Service shop/web spec.ports[0]"


def test_a_service_may_be_asked_for_at_another_address_or_port() -> None:
    assert [
        str(miss) for miss in explained(fe.http("10.96.0.9", 80, "GET", "web.shop/"), WEB).near_misses
    ] == [
        "address `10.96.0.9` is outside `[10.96.0.1/32, 10.0.0.1/32]`",
        "`enableEgress` is off",
    ]
    assert misses(fe.http("10.96.0.1", 8080, "GET", "web.shop/"), WEB) == ["port 8080, the service has 80"]
    assert misses(fe.tcp("10.96.0.2", 3307), DATABASE) == ["port 3307, the service has 3306"]


def test_a_service_may_be_spoken_to_in_another_protocol() -> None:
    told = explained(fe.tcp("10.96.0.1", 80), WEB, DATABASE)
    assert told.answer == "denied (closed): `bytes` is sent, which no port of Service shop/web takes"
    assert str(told.near_misses[0]) == "`bytes` is sent, the service takes `http`"


def test_a_service_may_be_sent_another_method() -> None:
    miss = only(fe.http("10.96.0.1", 80, "TRACE", "web.shop/"), WEB)
    assert str(miss) == "method `TRACE`, the route has `GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS`"
    assert str(miss.at) == "Service shop/web spec.ports[0]"


def test_a_service_may_be_out_of_reach() -> None:
    target = random_meshes.traffic_target(
        "shop", "t", None, "web", {"sources": [random_meshes.account("a.b")], "rules": random_meshes.RULES[2]}
    )
    told = explained(fe.tcp("10.96.0.2", 3306), STRICT, DATABASE, target)
    assert [str(miss) for miss in told.near_misses] == [
        "`enablePermissiveTrafficPolicyMode` is off, no TrafficTarget names `curl.curl`",
        "`enableEgress` is off",
    ]
    assert str(told.near_misses[0].rule) == "Service shop/db spec.ports[0]"
    assert str(told.stages[1]) == (
        "in-mesh          goes on   no service that `curl.curl` may reach has `10.96.0.2:3306`;"
        " `shop/db` takes no part: no TrafficTarget names `curl.curl`"
    )


def test_a_service_without_the_port_is_named_with_its_ports() -> None:
    def finding(port: int, *entries: Entry) -> str:
        return explained(fe.tcp("10.96.0.2", port), *entries).stages[1].finding

    assert finding(3307, DATABASE) == (
        "no service has `10.96.0.2:3307`; `shop/db` takes no part: it has no port 3307, its ports are 3306"
    )
    names, endpoints = service("dns", "dns 53", ip="10.96.0.2")
    names["spec"]["ports"][0]["protocol"] = "UDP"
    assert finding(53, [names, endpoints]) == (
        "no service has `10.96.0.2:53`; `shop/dns` takes no part: its port 53 is UDP"
    )
    names["spec"]["ports"] = []
    assert finding(53, [names, endpoints]).endswith("it has no port 53, its ports are none")


def test_of_many_services_that_take_no_part_some_are_named() -> None:
    many = [service(f"db{index}", "tcp-x 3306", ip="10.96.0.2") for index in range(5)]
    stage = explained(fe.tcp("10.96.0.2", 1), *many).stages[1]
    assert stage.finding.count("takes no part: ") == 3
    assert stage.finding.endswith("; 2 more take no part")
    assert len(stage.rules) == 5


def test_a_service_that_may_be_reached_is_not_said_to_be_out_of_reach() -> None:
    sources = {"sources": [random_meshes.account("curl.curl")], "rules": random_meshes.RULES[2]}
    target = random_meshes.traffic_target("shop", "t", None, "web", sources)
    pod = random_meshes.resource("v1", "Pod", "shop", "db-0", spec={"serviceAccountName": "web"})
    pod["metadata"]["labels"], pod["status"] = {"app": "db"}, {"podIPs": [{"ip": "10.0.0.2"}]}
    headless, endpoints = service("db", "tcp-x 3306", ip="None", pods=["10.0.0.2"])
    endpoints["subsets"][0]["ports"] = [{"name": f"tcp-{it}", "port": 3306 + it} for it in range(2)]
    told = explained(fe.tcp("10.0.0.2", 3306), STRICT, [headless, endpoints], target, pod)
    assert told.stages[1].finding == "no service that `curl.curl` may reach has `10.0.0.2:3306`"


@pytest.mark.parametrize("address", ["10.96.0.2", "10.0.0.2"])
def test_a_service_that_takes_no_part_is_named_with_the_reason(address: str) -> None:
    excluded, endpoints = service("db", "tcp-x 3306", ip="10.96.0.2", pods=["10.0.0.2"])
    excluded["metadata"]["annotations"] = {"flomesh.io/service-exclusion": "true"}
    other = service("api", "tcp-x 3306", ip="10.96.0.3", pods=["10.0.0.3"])
    stage = explained(fe.tcp(address, 3306), config(), excluded, endpoints, other[:1]).stages[1]
    assert stage.finding == (
        f"no service has `{address}:3306`; `shop/db` takes no part:"
        " annotation `flomesh.io/service-exclusion` takes it out of the mesh"
    )
    assert list(map(str, stage.rules)) == ["Service shop/db"]


def test_a_service_without_addresses_on_a_port_is_passed_over() -> None:
    told = explained(
        fe.http("10.96.0.1", 80, "GET", "x/"), WEB, service("web2", "http-web 80", ip="10.96.0.1", pods=[])
    )
    assert {str(miss.rule.resource) for miss in told.near_misses} == {"Service shop/web"}


# --- each stage ------------------------------------------------------------------------------------------


LISTS = config(
    {
        "outboundIPRangeExclusionList": ["10.0.0.0/8"],
        "outboundIPRangeInclusionList": ["54.0.0.0/8", "10.0.0.0/8"],
        "outboundPortExclusionList": [25],
    }
)


@pytest.mark.parametrize(
    ("connection", "finding"),
    [
        (fe.udp("54.9.9.9", 53), "UDP is never redirected to the sidecar"),
        (fe.tcp("127.0.0.1", 80), "`127.0.0.1` is never redirected to the sidecar"),
        (fe.tcp("10.1.1.1", 80), "`10.1.1.1` is excluded by MeshConfig fsm-system/fsm-mesh-config"),
        (fe.tcp("54.9.9.9", 25), "port 25 is excluded by MeshConfig fsm-system/fsm-mesh-config"),
        (
            fe.tcp("9.9.9.9", 80),
            "`9.9.9.9` is in no range that MeshConfig fsm-system/fsm-mesh-config includes",
        ),
    ],
)
def test_stage_0_says_why_the_sidecar_never_sees_a_connection(
    connection: fe.Connection, finding: str
) -> None:
    told = explained(connection, LISTS)
    assert told.answer == f"passed through: {finding}"
    rules = () if told.decision.rule is None else (told.decision.rule,)
    assert told.stages == (Stage(StageName.INTERCEPTION, finding, rules, decides=True),)
    assert told.near_misses == ()
    assert str(told).startswith(
        f"{told.answer}\n\ninterception     decides   {finding}\n\nconnection       curl.curl to "
    )


def test_stage_1_names_the_service() -> None:
    told = explained(fe.http("10.96.0.1", 80, "GET", "web.shop/"), WEB)
    assert told.answer == "in mesh: Service shop/web takes `GET /` of `web.shop`"
    assert str(told.stages[1]) == "in-mesh          decides   Service shop/web has `10.96.0.1:80`"
    assert (
        explained(fe.tcp("10.96.0.2", 3306), DATABASE).answer
        == "in mesh: Service shop/db has `10.96.0.2:3306`"
    )


def test_stage_1_says_that_a_service_has_no_endpoints() -> None:
    told = explained(fe.http("10.96.0.1", 80, "GET", "web.shop/"), service("web", "http 80", pods=[]))
    assert told.answer == "denied (404): Service shop/web has no endpoints"
    assert told.near_misses == ()


@pytest.mark.parametrize(
    ("entries", "finding"),
    [
        ([], "no policy names `curl.curl`"),
        (["tcp 1"], "the only policy of `curl.curl` does not claim `54.9.9.9:3306`"),
        (["tcp 1", "tcp 2"], "none of the 2 policies of `curl.curl` claims `54.9.9.9:3306`"),
        (["tcp 3306"], "Egress curl/e0 claims `54.9.9.9:3306`"),
        (["tcp 3306", "http 3306"], "Egress curl/e0 and Egress curl/e1 claim `54.9.9.9:3306`"),
        (["tcp 3306", "http 3306", "https 3306"], "Egress curl/e0 and 2 others claim `54.9.9.9:3306`"),
    ],
)
def test_stage_2_says_who_claims_the_destination(entries: list[str], finding: str) -> None:
    policies = [egress(f"e{index}", port) for index, port in enumerate(entries)]
    stage = explained(BYTES, *policies).stages[2]
    assert (stage.name, stage.finding) == (StageName.EGRESS_POLICIES, finding)


def test_stage_2_says_which_policies_take_no_part_and_why() -> None:
    def stage(*entries: Entry) -> Stage:
        return explained(BYTES, *entries).stages[2]

    there, space = egress("e", "tcp 3306"), random_meshes.resource("v1", "Namespace", "", "curl")
    unwatched = stage(there, space)
    assert unwatched.finding == "Egress curl/e takes no part: namespace `curl` is not monitored"
    assert list(map(str, unwatched.rules)) == ["Egress curl/e"]
    setting = {"apiGroup": random_meshes.FLOMESH, "kind": "UpstreamTrafficSetting", "name": "limits"}
    missing = egress("e", "tcp 3306", matches=[setting])
    why = "Egress curl/e takes no part: UpstreamTrafficSetting `curl/limits` does not exist"
    assert stage(missing).finding == why
    assert stage(missing, egress("f", "tcp 1")).finding == (
        f"the only policy of `curl.curl` in force does not claim `54.9.9.9:3306`; {why}"
    )
    claims = "Egress curl/f claims `54.9.9.9:3306`"
    assert stage(missing, egress("f", "tcp 3306")).finding == f"{claims}; {why}"
    group = egress("e", "tcp 3306", sources=[{"kind": "Group", "name": "curl", "namespace": "curl"}])
    assert stage(group).finding == (
        "Egress curl/e takes no part: its source `curl.curl` is of kind `Group`, which names nobody"
    )


def test_the_findings_of_what_decides_are_told() -> None:
    wild = egress("e", "https 443", hosts=["*.a.com"])
    told = explained(fe.tls("54.9.9.9", 443, "x.a.com"), wild, egress("f", "http 80", hosts=["*.b.com"]))
    (finding,) = told.findings
    assert (finding.code.code, str(finding.rule.resource)) == ("FSE009", "Egress curl/e")
    assert f"what is amiss with it:\n  {finding}\n" in str(told)
    assert [it["code"] for it in told.to_mapping()["findings"]] == ["FSE009"]
    assert ("amiss", str(finding)) in told.table().rows
    assert explained(BYTES, egress("e", "tcp 3306")).findings == ()


def test_ipv6_passes_by_whatever_is_decided() -> None:
    told = explained(fe.tcp("2001:db8::1", 25))
    assert told.stages[0].finding == (
        "FSM redirects no IPv6: it passes by the sidecar, whatever is decided below"
    )
    assert told.to_mapping()["decision"]["ungoverned"] == "IPv6"


def test_whoever_may_be_asked_about_is_explained() -> None:
    policy = egress("e", "tcp 3306")
    anybody = explained(BYTES, policy, identity="any other account")
    assert str(anybody.near_misses[0]) == "source account `any other account`, the policy has `curl.curl`"
    pod = random_meshes.resource("v1", "Pod", "curl", "c-0", spec={"serviceAccountName": "curl"})
    told = explain(load(policy, pod), "pod/c-0.curl", BYTES)
    assert (str(told.identity), told.decision.allowed) == ("pod/c-0.curl", True)
    with pytest.raises(fe.InvalidValue, match="a pod or a template"):
        explain(load(policy), "pod/c-0.curl", BYTES)


def test_a_pod_without_a_sidecar_is_explained() -> None:
    pod = random_meshes.resource(
        "v1", "Pod", "curl", "c-0", spec={"serviceAccountName": "curl", "hostNetwork": True}
    )
    told = explain(load(pod), "pod/c-0.curl", BYTES)
    assert told.answer.startswith("passed through: `pod/c-0.curl` has no sidecar: ")


@pytest.mark.parametrize(
    ("count", "finding"),
    [(1, "the policy of `curl.curl` does not count"), (2, "the 2 policies of `curl.curl` do not count")],
)
def test_stage_2_says_that_policies_are_switched_off(count: int, finding: str) -> None:
    off = config(featureFlags={"enableEgressPolicy": False})
    stage = explained(BYTES, off, *(egress(f"e{index}", "tcp 3306") for index in range(count))).stages[2]
    assert stage.finding == f"`enableEgressPolicy` is off: {finding}"


@pytest.mark.parametrize("switch", ["off", "on"])
def test_stage_3_is_the_switch(switch: str) -> None:
    told = explained(BYTES, config({"enableEgress": switch == "on"}))
    verdict = "passed through" if switch == "on" else "denied (closed)"
    assert told.answer == f"{verdict}: no rule claims `54.9.9.9:3306`, and `enableEgress` is {switch}"
    assert told.stages[3].finding == f"`enableEgress` is {switch}"


@pytest.mark.parametrize(
    ("connection", "policy", "answer"),
    [
        (BYTES, egress("e", "tcp 3306"), "allowed: Egress curl/e lets anything out to `54.9.9.9:3306`"),
        (TLS, egress("e", "https 443"), "allowed: Egress curl/e lets any TLS out to `54.9.9.9:443`"),
        (
            TLS,
            egress("e", "https 443", hosts=["a.com"]),
            "allowed: Egress curl/e has the server name `a.com`",
        ),
        (GET, egress("e", "http 80", hosts=["a.com"]), "allowed: Egress curl/e takes `GET /get` of `a.com`"),
        (GET, egress("e", "http 80", hosts=["b.org"]), "denied (403): `a.com` is no host of Egress curl/e"),
        (
            fe.http("54.9.9.9", 80, "GET", "http:///get"),
            egress("e", "http 80", hosts=["b.org"]),
            "denied (403): no host is asked for, which Egress curl/e would need",
        ),
        (
            TLS,
            egress("e", "https 443", hosts=["b.org"]),
            "denied (closed): server name `a.com` is no host of Egress curl/e",
        ),
        (
            TLS,
            egress("e", "http 443", hosts=["a.com"]),
            "denied (closed): `tls` is sent, which no port of Egress curl/e takes",
        ),
    ],
)
def test_the_answer_names_the_rules_that_it_is_about(
    connection: fe.Connection, policy: dict[str, Any], answer: str
) -> None:
    assert explained(connection, policy).answer == answer


def test_an_answer_is_about_the_policies_of_the_host_only() -> None:
    get, tls = egress("a", "http 80", hosts=["a.com"], matches=by_group("none")), egress("b", "https 80")
    other = egress("c", "http 80", hosts=["b.org"])
    told = explained(GET, get, tls, other, routes("none"))
    assert told.answer == "denied (403): no route of Egress curl/a takes `GET /get`"
    assert [str(rule.resource) for rule in told.also] == ["Egress curl/b", "Egress curl/c"]
    text = "also claimed by  Egress curl/b spec.ports[0]\nalso claimed by  Egress curl/c spec.ports[0]\n"
    assert text in str(told)


def test_by_the_default_route_a_host_that_nobody_lists_is_let_out_and_told_so() -> None:
    flags = config(featureFlags={"enableAutoDefaultRoute": True})
    told = explained(
        GET, flags, egress("e", "http 80", hosts=["b.org"], matches=by_group("none")), routes("none")
    )
    assert told.answer == "denied (403): no route of Egress curl/e takes `GET /get`"


# --- bounds and forms ------------------------------------------------------------------------------------


def test_no_more_is_tried_than_is_told_in_time() -> None:
    policies = [egress(f"e{index}", "https 443", hosts=[f"h{index}.org"]) for index in range(70)]
    told = explained(TLS, *policies)
    assert (len(told.near_misses), told.untried) == (64, 6)
    assert list(told.lines())[-1] == "  and at least 59 more"
    assert list(told.lines(64))[-1] == "  and perhaps more"
    assert list(explained(TLS, *policies[:7]).lines())[-1] == "  and 2 more"


def test_no_more_ports_and_accounts_are_looked_into_than_eight() -> None:
    sources = [random_meshes.account(f"a{index}.curl") for index in range(10)]
    ports = [f"tcp {number}" for number in range(9000, 9010)]
    told = explained(BYTES, egress("mine", *ports), egress("theirs", "tcp 3306", sources=sources))
    kinds = [miss.difference for miss in told.near_misses]
    assert (kinds.count(Difference.PORT), kinds.count(Difference.ACCOUNT), told.untried) == (8, 8, 4)
    assert kinds[-1] is Difference.ENABLE_EGRESS


@pytest.mark.parametrize("protocol", ["http", "https"])
@pytest.mark.parametrize(
    "connection", [TLS, fe.http("54.9.9.9", 443, "GET", "a.com/"), fe.tcp("54.9.9.9", 443)]
)
def test_a_policy_that_another_comes_before_is_no_near_miss(connection: fe.Connection, protocol: str) -> None:
    policies = [egress(name, f"{protocol} 443", hosts=["b.org"]) for name in ("a", "b")]
    assert {miss.rule.resource.name for miss in explained(connection, *policies).near_misses} <= {"a"}


@pytest.mark.parametrize(
    ("ranges", "wanted", "nearest"),
    [
        ([], "all addresses except [10.96.0.1/32]", "10.96.0.0"),
        (["10.96.0.0/30"], "[10.96.0.0/30] except [10.96.0.1/32]", "10.96.0.0"),
        (["10.96.0.1/32"], "", ""),
    ],
)
def test_an_address_may_be_where_a_service_comes_before_a_policy(
    ranges: list[str], wanted: str, nearest: str
) -> None:
    policy = egress("e", "http 80", hosts=["a.com"], ipAddresses=ranges)
    mesh = load(service("web", "http-web 80"), policy)
    asked = fe.http("10.96.0.1", 80, "GET", "http://a.com/")
    found = [
        (miss.wanted, str(miss.applied(mesh, read_subject(WHO), asked)[2]))
        for miss in explain(mesh, WHO, asked).near_misses
        if miss.difference is Difference.ADDRESS
    ]
    assert found == ([(wanted, f"{nearest}:80 GET http://a.com/")] if wanted else [])


def test_by_the_default_route_what_a_host_that_nobody_lists_lacks_is_told() -> None:
    mesh = load(
        config(featureFlags={"enableAutoDefaultRoute": True}), egress("a", "http 80", hosts=["a.com"])
    )
    asked = fe.http("54.9.9.9", 80, "TRACE", "http://c.com/get")
    told = explain(mesh, WHO, asked)
    assert [(miss.difference, miss.wanted.split(",")[0]) for miss in told.near_misses] == [
        (Difference.METHOD, "GET")
    ]


def test_accounts_and_policies_that_are_elsewhere_are_no_near_misses() -> None:
    sources = [random_meshes.account("wget.curl")]
    policies = (
        egress("a", "tcp 3306", ipAddresses=["54.0.0.0/8"], sources=sources),
        egress("b", "http 3306", "tcp 3306", sources=sources),
        egress("c", "tcp 3306", ipAddresses=["9.0.0.0/8"], sources=sources),
        egress("d", "tcp 3307", sources=sources),
    )
    assert only(BYTES, *policies).rule.resource.name == "a"


def test_what_claims_the_destination_besides_is_told_up_to_a_bound() -> None:
    policies = [egress(f"e{index}", "tcp 3306") for index in range(8)]
    lines = list(explained(BYTES, *policies).lines())
    assert lines[-6:] == [
        *(f"also claimed by  Egress curl/e{index} spec.ports[0]" for index in range(1, 6)),
        "                 and 2 more",
    ]


def test_an_identity_may_be_given_as_itself() -> None:
    mesh = load(egress("e", "tcp 3306"))
    assert explain(mesh, WHO, BYTES) == explain(mesh, "curl.curl", BYTES)


def test_an_identity_that_is_none_is_refused() -> None:
    with pytest.raises(fe.InvalidValue, match="a service identity"):
        explained(BYTES, identity="curl")


def test_the_repr_is_short() -> None:
    assert repr(explained(BYTES)) == (
        "<Explanation curl.curl to 54.9.9.9:3306 TCP: "
        "denied (closed): no rule claims `54.9.9.9:3306`, and `enableEgress` is off>"
    )


def test_an_edit_shows_no_content_of_a_resource() -> None:
    (miss,) = explained(BYTES).near_misses
    assert isinstance(miss.change, Edit)
    assert "MeshConfig(" not in repr(miss)


# --- in full ---------------------------------------------------------------------------------------------


MESH_YAML = """\
apiVersion: config.flomesh.io/v1alpha3
kind: MeshConfig
metadata: {name: fsm-mesh-config, namespace: fsm-system}
spec:
  traffic:
    enableEgress: false
    enablePermissiveTrafficPolicyMode: true
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata: {name: reads, namespace: curl}
spec:
  matches:
    - name: get
      methods: [GET]
---
apiVersion: policy.flomesh.io/v1alpha1
kind: Egress
metadata: {name: httpbin-80, namespace: curl}
spec:
  sources:
    - {kind: ServiceAccount, name: curl, namespace: curl}
  hosts:
    - httpbin.org
  ports:
    - {number: 80, protocol: http}
  matches:
    - {apiGroup: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, name: reads}
---
apiVersion: policy.flomesh.io/v1alpha1
kind: Egress
metadata: {name: httpbin-443, namespace: curl}
spec:
  sources:
    - {kind: ServiceAccount, name: curl, namespace: curl}
  hosts:
    - httpbin.org
  ports:
    - {number: 443, protocol: https}
"""


@pytest.mark.parametrize(
    ("identity", "connection", "text"),
    [
        (
            "curl.curl",
            fe.http("54.9.9.9", 80, "POST", "httpbin.org/post"),
            """\
denied (403): no route of Egress curl/httpbin-80 takes `POST /post`

interception     goes on   no list keeps `54.9.9.9`, port 80, from the sidecar
in-mesh          goes on   no service has `54.9.9.9:80`
egress policies  decides   Egress curl/httpbin-80 claims `54.9.9.9:80`

connection       curl.curl to 54.9.9.9:80 POST http://httpbin.org/post
decided by       Egress curl/httpbin-80 spec.ports[0] (mesh.yaml:26)

but for one thing it would be allowed:
  method `POST`, the route has `GET`  HTTPRouteGroup curl/reads spec.matches[0].methods (mesh.yaml:15)""",
        ),
        (
            "wget.curl",
            fe.tls("54.9.9.9", 443, "httpbin.org"),
            """\
denied (closed): no rule claims `54.9.9.9:443`, and `enableEgress` is off

interception     goes on   no list keeps `54.9.9.9`, port 443, from the sidecar
in-mesh          goes on   no service has `54.9.9.9:443`
egress policies  goes on   no policy names `wget.curl`
passthrough      decides   `enableEgress` is off

connection       wget.curl to 54.9.9.9:443 TLS httpbin.org
decided by       MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress (mesh.yaml:6)

but for one thing it would be allowed:
  source account `wget.curl`, the policy has `curl.curl`  Egress curl/httpbin-443 spec.sources[0] \
(mesh.yaml:35)
  `enableEgress` is off                                   MeshConfig fsm-system/fsm-mesh-config \
spec.traffic.enableEgress (mesh.yaml:6)""",
        ),
        (
            "curl.curl",
            fe.http("54.9.9.9", 80, "GET", "httpbin.org/get"),
            """\
allowed: Egress curl/httpbin-80 takes `GET /get` of `httpbin.org`

interception     goes on   no list keeps `54.9.9.9`, port 80, from the sidecar
in-mesh          goes on   no service has `54.9.9.9:80`
egress policies  decides   Egress curl/httpbin-80 claims `54.9.9.9:80`

connection       curl.curl to 54.9.9.9:80 GET http://httpbin.org/get
decided by       Egress curl/httpbin-80 spec.ports[0] (mesh.yaml:26)
route            HTTPRouteGroup curl/reads spec.matches[0] (mesh.yaml:14)
goes to          httpbin.org:80""",
        ),
    ],
    ids=["no route", "another account", "allowed"],
)
def test_an_explanation_in_full(identity: str, connection: fe.Connection, text: str) -> None:
    assert str(explain(fe.loads(MESH_YAML, "mesh.yaml"), identity, connection)) == text


def test_targets_and_gateways_are_told() -> None:
    gateway = random_meshes.egress_gateway("g", [{"service": "gateway", "namespace": "fsm"}])
    behind = random_meshes.gateway_service("10.96.9.9", [{"ip": "10.0.9.1"}])
    lines = list(explained(BYTES, egress("e", "tcp 3306"), gateway, behind).lines())
    assert lines[-2:] == ["goes to          54.9.9.9:3306", "through          gateway.fsm"]
    shared = explained(
        fe.tcp("10.96.0.2", 3306), service("db", "tcp-db 3306", ip="10.96.0.2", pods=["10.0.0.1", "10.0.0.2"])
    )
    assert list(shared.lines())[-1] == "goes to          10.0.0.1:3306 (50), 10.0.0.2:3306 (50)"


def test_an_explanation_for_machines() -> None:
    mesh = fe.loads(MESH_YAML, "mesh.yaml")
    wire = explain(mesh, "curl.curl", fe.http("54.9.9.9", 80, "POST", "httpbin.org/post")).to_mapping()
    assert wire["stages"][2] == {
        "stage": "egress policies",
        "decides": True,
        "finding": "Egress curl/httpbin-80 claims `54.9.9.9:80`",
        "rules": [{"rule": "Egress curl/httpbin-80 spec.ports[0]", "source": "mesh.yaml:26"}],
    }
    assert wire["near_misses"] == [
        {
            "difference": "method",
            "nearness": "request",
            "found": "POST",
            "wanted": "GET",
            "rule": "Egress curl/httpbin-80 spec.ports[0]",
            "source": "mesh.yaml:26",
            "at": "HTTPRouteGroup curl/reads spec.matches[0].methods",
            "at_source": "mesh.yaml:15",
            "connection": fe.http("54.9.9.9", 80, "GET", "httpbin.org/post").to_mapping(),
            "identity": None,
            "edit": None,
        }
    ]
