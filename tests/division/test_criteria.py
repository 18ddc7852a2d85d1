"""What policies and scripts look at: no decision and no outcome differs within a class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from pods import pod
from small import ROUTES, WHO, config, egress, load, resolved, routes, service
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.payloads import HTTPRequest, Payload, Sends, TLSClientHello
from fsm_egress.division.criteria import reading_of_policy, reading_of_sidecar, redirected
from fsm_egress.division.dividing import divide
from fsm_egress.pipy.outcome import Fate
from fsm_egress.pipy.sidecar import Sidecar
from fsm_egress.values.net import IPV6_START, LAST_KEY, Address
from fsm_egress.verification.sides import Sides, own_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from small import Entry

    from fsm_egress.division.classes import Class, Reading, Span
    from fsm_egress.policy import OutboundPolicy

Wire = dict[str, Any]

FIRST = str(Address.from_key(0))
SOMEWHERE = "9.0.0.0"
LOCAL, BEYOND_LOCAL = Address("127.0.0.0").key, Address("128.0.0.0").key


class Missed:
    """Whether there are connections that come out as no witness does at their place."""

    def __init__(self, judge: Callable[[fe.Connection], Any], *readings: Reading) -> None:
        self.judge = judge
        self.classes = list(divide(*readings))
        self.ports = {port for reading in readings for port in reading.ports}
        self.shown: dict[tuple[int | None, Sends, tuple[Span, ...]], list[Any]] = {}
        assert not any(part.undecided for part in self.classes)
        for part in self.classes:
            key = part.port, part.witness.kind, part.spans
            self.shown.setdefault(key, []).append(judge(part.witness))

    def among(self, connections: Iterable[fe.Connection]) -> list[str]:
        return [
            f"{connection} {connection.to_mapping()}"
            for connection in connections
            if self.judge(connection) not in self.at(connection)
        ]

    def at(self, connection: fe.Connection) -> list[Any]:
        port = connection.port if connection.port in self.ports else None
        return [
            outcome
            for (number, kind, spans), outcomes in self.shown.items()
            if (number, kind) == (port, connection.kind)
            and any(low <= connection.key <= high for low, high in spans)
            for outcome in outcomes
        ]


def of_sides(sides: Sides) -> Missed:
    """By the decision, and by the outcome in the sidecar or beside it."""
    return Missed(
        lambda it: (sides.engine.classify(it), sides.sidecar.handle(it), sides.outcome(it)),
        reading_of_policy(sides.policy),
        reading_of_sidecar(sides.sidecar),
    )


# --- the laws --------------------------------------------------------------------------------------------


@given(random_meshes.cases(24))
@settings(max_examples=examples(50))
def test_law_no_decision_and_no_outcome_is_missed_in_a_mesh(case: tuple[list[Wire], str, list[Wire]]) -> None:
    mesh, identity, connections = case
    missed = of_sides(Sides.of(fe.load(mesh), identity))
    assert missed.among(map(fe.Connection.from_mapping, connections)) == []


@given(random_meshes.cases(24))
@settings(max_examples=examples(50))
def test_law_nothing_is_missed_where_what_no_sidecar_sees_is_not_looked_at(
    case: tuple[list[Wire], str, list[Wire]],
) -> None:
    mesh, identity, connections = case
    sides = Sides.of(fe.load(mesh), identity)
    missed = Missed(
        lambda it: (sides.engine.classify(it), sides.outcome(it)),
        reading_of_policy(sides.policy),
        redirected(reading_of_sidecar(sides.sidecar)),
    )
    assert missed.among(map(fe.Connection.from_mapping, connections)) == []


NAMES = (
    "a.com",
    "A.com",
    "a.com:80",
    "A.com:80",
    "b.com",
    "B.com",
    "b.org",
    "c.org",
    "",
    "web.shop",
    "Web.shop",
)
PATHS = ("/", "/get", "/v1/get", "/put", "x")
PAYLOADS: st.SearchStrategy[Payload] = st.one_of(
    st.sampled_from((Sends.BYTES, Sends.NOTHING, Sends.DATAGRAM)),
    st.sampled_from((None, "a.com", "B.com", "b.org", "c.org")).map(TLSClientHello),
    *[
        st.builds(
            HTTPRequest,
            st.sampled_from(("GET", "GET", "PUT", "TRACE", "PURGE")),
            st.sampled_from(NAMES),
            st.sampled_from(PATHS),
            st.sampled_from(({}, {"x-env": "prod"}, {"x-env": "dev"})),
        )
    ]
    * 4,
)
ADDRESSES = (
    FIRST,
    "10.0.0.1",
    "10.96.0.1",
    "54.0.0.0",
    "54.9.9.9",
    "54.9.9.10",
    "127.0.0.1",
    "255.255.255.255",
    "::",
    "::fffe:ffff:ffff",
    "::1:0:0:0",
    "2001:db8::5",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
)
CONNECTIONS = st.lists(
    st.builds(fe.Connection, st.sampled_from(ADDRESSES), st.sampled_from((80, 80, 80, 25, 443)), PAYLOADS),
    min_size=20,
    max_size=40,
)

MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "pathRegex": st.sampled_from(("/get", "^/v1", "put$")),
        "methods": st.sampled_from((["GET"], ["TRACE", "PUT"], ["*"])),
        "headers": st.sampled_from(
            (
                [{"x-env": "^prod"}],
                [{"Host": "^a"}],
                [{"host": "[.]org$"}],
                [{"host": "^[A-Z]"}, {"X-Env": "^$"}],
                [{"host": "^a[.]com$"}],
            )
        ),
    },
)
BROKEN = {"issuer": "other", "cert": {"secret": {"name": "gone", "namespace": "curl"}}}
POLICIES = st.lists(
    st.fixed_dictionaries(
        {
            "ports": st.sampled_from(("http 80", "http 80", "http 80", "https 80", "tcp 25", "tcp 80")),
            "hosts": st.sampled_from((["a.com"], ["a.com", "b.com"], ["b.org"])),
            "ipAddresses": st.sampled_from(([], ["54.0.0.0/8"], ["54.9.9.9/32", "2001:db8::/32"], ["::/0"])),
            "group": st.sampled_from(("r0", "r1", None)),
            "mtls": st.sampled_from((None, None, BROKEN)),
        }
    ),
    min_size=1,
    max_size=4,
)
RANGES = st.sampled_from(
    ([], [], ["54.0.0.0/8"], ["54.9.9.9/32", "10.0.0.0/8"], ["0.0.0.0/1", "203.0.113.7"])
)
TRAFFIC = st.fixed_dictionaries(
    {
        "enableEgress": st.booleans(),
        "outboundIPRangeExclusionList": RANGES,
        "outboundIPRangeInclusionList": RANGES,
        "outboundPortExclusionList": st.sampled_from(([], [], [25])),
    }
)


def group(name: str | None) -> list[Wire]:
    return [{"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": name}] if name else []


@settings(max_examples=examples(60))
@given(POLICIES, TRAFFIC, st.booleans(), st.lists(MATCHES, min_size=2, max_size=4), CONNECTIONS)
def test_law_no_decision_and_no_outcome_is_missed_where_hosts_are_searched(
    policies: list[Wire],
    traffic: Wire,
    default: bool,
    matches: list[Wire],
    connections: list[fe.Connection],
) -> None:
    listed = [
        egress(
            f"e{index}",
            policy["ports"],
            hosts=policy["hosts"],
            ipAddresses=policy["ipAddresses"],
            matches=group(policy["group"]),
            mtls=policy["mtls"],
        )
        for index, policy in enumerate(policies)
    ]
    snapshot = load(
        config(traffic, featureFlags={"enableAutoDefaultRoute": default}),
        *listed,
        routes("r0", *matches[:2]),
        routes("r1", *matches[2:]),
        service("web", "http-web 80"),
    )
    assert of_sides(Sides.of(snapshot, WHO)).among(connections) == []


RULES = st.fixed_dictionaries(
    {
        "Path": st.sampled_from(("/get", "^/v1", ".*", "/", "(")),
        "Type": st.sampled_from(("Regex", "Regex", "Regex", "Exact", "Prefix", None, "Other")),
        "TargetClusters": st.sampled_from(({"one": 1}, {"two": 1}, {"gone": 1})),
    },
    optional={
        "Methods": st.sampled_from((["GET"], ["PUT", "TRACE"], ["PURGE", "no method"], [])),
        "Headers": st.sampled_from(
            (
                {"x-env": "^prod"},
                {"host": "^[A-Z]"},
                {"host": "^web"},
                {"X-Env": "^$"},
                {"X-Env": "d"},
                {"no token": "^a"},
                {"": "^$"},
                {"y" * 65: "^a"},
            )
        ),
    },
)
SERVED = st.dictionaries(
    st.sampled_from((*NAMES[:7], "no host")),
    st.fixed_dictionaries(
        {"RuleName": st.sampled_from(("r0", "r1", "r2"))},
        optional={"Service": st.sampled_from(("web.shop", "A.com"))},
    ),
    max_size=3,
)
CERTIFICATES: tuple[Wire | None, ...] = (
    None,
    {"SourceCert": {"CertChain": "c", "PrivateKey": "k"}},
    {"SourceCert": {"FsmIssued": True}},
)
TEXTS = (
    "54.0.0.0/8",
    "54.9.9.9/32",
    "54.9.9.9",
    "0.0.0.0/0",
    "2001:db8::/32",
    "::/0",
    "::ffff:0:0/96",
    "::1:0:0:0/80",
)
FIT = st.fixed_dictionaries(
    {
        "Port": st.just(80),
        "Protocol": st.sampled_from(("http", "http", "http", "grpc", "tcp")),
    },
    optional={
        "DestinationIPRanges": st.dictionaries(
            st.sampled_from((*TEXTS * 2, "no range")), st.sampled_from(CERTIFICATES), max_size=3
        ),
        "HttpHostPort2Service": SERVED,
        "HttpServiceRouteRules": st.fixed_dictionaries(
            {
                name: st.lists(RULES, max_size=3).map(lambda rules: {"RouteRules": rules})
                for name in ("r0", "r1")
            }
        ),
        "TcpServiceRouteRules": st.sampled_from(
            ({"TargetClusters": {"one": 1}}, {"AllowedEgressTraffic": True})
        ),
    },
)
CHAINS = {
    f"outbound-{kind}": [
        f"modules/outbound-{kind}-{part}.js" for part in ("routing", "load-balancing", "default")
    ]
    for kind in ("tcp", "http")
}
CONFIGS = st.builds(
    lambda port, matches, egress, default: {
        "Spec": {"Traffic": {"EnableEgress": egress}, "FeatureFlags": {"EnableAutoDefaultRoute": default}},
        "Certificate": {"CertChain": "c", "PrivateKey": "k"},
        "Outbound": {
            "TrafficMatches": {port: matches, "25": []},
            "ClustersConfigs": {
                name: {"Endpoints": {f"10.0.0.{index}:80": {"Weight": 1}}}
                for index, name in enumerate(("one", "two"))
            },
        },
        "Chains": CHAINS,
    },
    st.sampled_from(("80", "80", "80", "80", "080", "0", "70000")),
    st.lists(FIT, min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
)


@given(CONFIGS, CONNECTIONS)
@settings(max_examples=examples(150))
def test_law_no_outcome_is_missed_of_any_config(tree: Wire, connections: list[fe.Connection]) -> None:
    sidecar = Sidecar.read(tree)
    assert Missed(sidecar.handle, reading_of_sidecar(sidecar)).among(connections) == []


# --- policies --------------------------------------------------------------------------------------------


def line(policy: OutboundPolicy, port: int) -> list[str]:
    """Where the line of a port is cut."""
    reading = reading_of_policy(policy)
    return [str(Address.from_key(start)) for start in reading.ports.get(port, reading.other).starts]


def payloads(*readings: Reading, port: int | None = 80, address: str = SOMEWHERE) -> list[str]:
    """What the witnesses send at a port and an address, in words."""
    return [spoken(part) for part in at(divide(*readings), port, address)]


def at(classes: Iterable[Class], port: int | None, address: str) -> list[Class]:
    key = Address(address).key
    return [
        part for part in classes if part.port == port and any(low <= key <= high for low, high in part.spans)
    ]


def spoken(part: Class) -> str:
    sends = part.witness.sends
    headers = sends.headers.items() if isinstance(sends, HTTPRequest) else ()
    spoken = str(part.witness).partition(" ")[2].replace("http://", "")
    return " ".join([spoken, *(f"{name}={value}" for name, value in headers)])


def get_with_header(*ports: str, **spec: Any) -> list[Entry]:
    route = routes("r", {"pathRegex": "/get", "methods": ["GET"], "headers": [{"X-Env": "^prod"}]})
    return [egress("e", *(ports or ["http 80"]), hosts=["a.com"], matches=group("r"), **spec), route]


PLAIN = ["TCP", "TCP, the server speaks first", "UDP"]
NO_NAMES = ["TLS without server name", "TLS other.example"]


def test_a_mesh_with_one_route_has_exactly_these_classes() -> None:
    policy = resolved(*get_with_header())
    assert payloads(reading_of_policy(policy)) == [
        *PLAIN,
        *NO_NAMES,
        *("GET a.com/", "GET a.com/get x-env=prod", "HEAD a.com/", "PURGE a.com/"),
        "GET other.example/",
        "PURGE other.example/",
    ]
    elsewhere = [*PLAIN, *NO_NAMES, "GET other.example/", "PURGE other.example/"]
    assert payloads(reading_of_policy(policy), port=None) == elsewhere
    assert payloads(reading_of_policy(policy), address="127.0.0.1") == elsewhere


def test_nothing_is_looked_at_of_a_pod_without_a_sidecar() -> None:
    mesh = load(*get_with_header(), pod("c-0", sidecar_injection="no"))
    reading = reading_of_policy(fe.resolve(mesh, "pod/c-0.curl"))
    assert (reading.ports, reading.other.starts) == ({}, (0,))
    assert reading_of_sidecar(Sides.of(mesh, "pod/c-0.curl").sidecar).other.starts == (0,)


def test_ipv6_addresses_are_apart_from_ipv4_addresses_of_the_same_policy() -> None:
    classes = list(divide(reading_of_policy(resolved(*get_with_header()))))
    assert {part.spans for part in classes if part.port == 80} == {
        ((1, LOCAL - 1), (BEYOND_LOCAL, IPV6_START - 1)),
        ((0, 0), (LOCAL, BEYOND_LOCAL - 1)),
        ((IPV6_START, LAST_KEY),),
    }


def test_server_names_of_https_policies_are_told_apart() -> None:
    policy = resolved(egress("a", "https 443", hosts=["a.com"]), egress("b", "https 443", hosts=["b.com"]))
    found = [text for text in payloads(reading_of_policy(policy), port=443) if text.startswith("TLS")]
    assert found == ["TLS without server name", "TLS a.com", "TLS b.com", "TLS other.example"]


@pytest.mark.parametrize("protocol", ["tcp", "tcp-server-first"])
def test_nothing_is_looked_at_where_a_stream_is_allowed(protocol: str) -> None:
    policy = resolved(*get_with_header("http 80", f"{protocol} 80"), egress("s", "https 80", hosts=["b.com"]))
    assert payloads(reading_of_policy(policy)) == [
        *PLAIN,
        *NO_NAMES,
        "GET other.example/",
        "PURGE other.example/",
    ]


def test_prefixes_of_policies_cut_the_line() -> None:
    policy = resolved(egress("a", "tcp 80", ipAddresses=["54.0.0.0/8", "54.9.0.0/16", "::/0"]))
    assert line(policy, 80) == [FIRST, "0.0.0.1", "54.0.0.0", "55.0.0.0", "127.0.0.0", "128.0.0.0", "::"]


def test_excluded_and_included_ranges_cut_the_line_of_every_port() -> None:
    policy = resolved(
        config(
            {
                "outboundIPRangeExclusionList": ["54.9.0.0/16"],
                "outboundIPRangeInclusionList": ["54.0.0.0/8"],
            }
        ),
        egress("a", "tcp 80"),
    )
    cuts = [FIRST, "0.0.0.1", "54.0.0.0", "54.9.0.0", "54.10.0.0", "55.0.0.0", "127.0.0.0", "128.0.0.0"]
    assert (line(policy, 80), line(policy, 443)) == (cuts, cuts)


def test_on_an_excluded_port_the_included_ranges_do_not_count() -> None:
    traffic = {
        "outboundIPRangeExclusionList": ["54.9.0.0/16"],
        "outboundIPRangeInclusionList": ["54.0.0.0/8"],
        "outboundPortExclusionList": [80, 81],
    }
    policy = resolved(config(traffic), *get_with_header())
    assert line(policy, 80) == [FIRST, "0.0.0.1", "54.9.0.0", "54.10.0.0", "127.0.0.0", "128.0.0.0"]
    assert set(reading_of_policy(policy).ports) == {80, 81}


def test_addresses_of_services_cut_the_line_and_each_service_is_a_place() -> None:
    policy = resolved(
        service("web", "http-web 80", ip="10.96.0.1", pods=["10.0.0.1"]),
        service("api", "http-api 80", ip="10.96.0.3", pods=["10.0.0.1", "10.0.0.2"]),
    )
    port = reading_of_policy(policy).ports[80]
    web, api, nothing = (port.at(Address(text).key) for text in ("10.96.0.1", "10.96.0.3", "10.96.0.2"))
    assert web.hosts == api.hosts
    assert {"web.shop", "api.shop"} <= set(web.hosts)
    assert len({id(place) for place in (web, api, nothing)}) == 3
    assert nothing.hosts == {}


def test_a_claim_without_its_certificate_is_looked_at_where_the_engine_looks() -> None:
    entries = (
        *(
            egress(f"e{index}", "http 80", hosts=["a.com"], matches=group(f"r{index}"), mtls=BROKEN)
            for index in (0, 1)
        ),
        routes("r0", {"pathRegex": "^/z"}),
        routes("r1", {"pathRegex": "^/a|b"}, {"pathRegex": "b$"}),
    )
    sides = Sides.of(load(*entries), WHO)
    listed = reading_of_policy(sides.policy).ports[80].at(Address(SOMEWHERE).key).hosts
    assert [it.path and it.path.text for it in listed["a.com:80"]] == ["^/a|b", "^/z", "b$"]
    assert (
        of_sides(sides).among(fe.http("9.9.9.9", 80, "GET", f"a.com{path}") for path in ("/z", "/zb", "/b"))
        == []
    )


def test_a_host_that_only_a_claim_without_its_certificate_lists_takes_the_default_routes_first() -> None:
    entries = (
        egress("e0", "http 80", hosts=["a.com"], matches=group("r0")),
        egress("e1", "http 80", hosts=["b.com"], matches=group("r1"), mtls=BROKEN),
        routes("r0", {"pathRegex": "^/a"}),
        routes("r1", {"pathRegex": "^/b"}),
    )

    def paths(*, default: bool) -> dict[str, list[str]]:
        policy = resolved(config(featureFlags={"enableAutoDefaultRoute": default}), *entries)
        place = reading_of_policy(policy).ports[80].at(Address(SOMEWHERE).key)
        hosts = {**place.hosts, "": place.otherwise}
        return {
            host: [it.path.text for it in conditions if it.path]
            for host, conditions in hosts.items()
            if ":" not in host
        }

    assert paths(default=False) == {"a.com": ["^/a"], "b.com": ["^/b"], "": []}
    assert paths(default=True) == {"a.com": ["^/a"], "b.com": ["^/a", "^/b"], "": ["^/a"]}


def test_headers_that_no_request_can_have_read_as_empty() -> None:
    long = "x" * 65
    policy = resolved(
        egress("e", "http 80", hosts=["a.com"], matches=group("r")),
        routes(
            "r",
            {"pathRegex": "^/a", "headers": [{long: "^a"}]},
            {"pathRegex": "^/b", "headers": [{long: "^$"}]},
        ),
    )
    found = [text for text in payloads(reading_of_policy(policy)) if text.startswith("GET a.com/")]
    assert found == ["GET a.com/", "GET a.com/b"]


# --- configs ---------------------------------------------------------------------------------------------


def tree(*matches: Wire, port: str = "80", **flags: bool) -> Wire:
    return {
        "Spec": {"FeatureFlags": flags},
        "Outbound": {
            "TrafficMatches": {port: [{"Port": 80, "Protocol": "http", **match} for match in matches]}
        },
        "Chains": CHAINS,
    }


def routed(*rules: Wire, hosts: Wire | None = None, **match: Any) -> Wire:
    """A match that routes the requests to `a.com` by these rules."""
    return {
        "HttpHostPort2Service": hosts or {"a.com": {"RuleName": "r", "Service": "shop"}},
        "HttpServiceRouteRules": {
            "r": {"RouteRules": [{"Path": "^/a", "Type": "Regex", **rule} for rule in rules]}
        },
        **match,
    }


def of_config(config: Wire) -> Reading:
    return reading_of_sidecar(Sidecar.read(config))


def requests_to(host: str, config: Wire) -> list[str]:
    """The GET requests to a host that the witnesses at port 80 send."""
    start = f"GET {host}/"
    return [f"/{text[len(start) :]}" for text in payloads(of_config(config)) if text.startswith(start)]


def test_a_config_is_looked_at_by_exact_host() -> None:
    config = tree(routed({"Headers": {"x-env": "^prod"}}))
    assert requests_to("a.com", config) == ["/", "/a x-env=prod"]
    assert requests_to("A.com", config) == ["/"]
    assert requests_to("other.example", config) == ["/"]


def test_a_config_without_matches_is_not_looked_at() -> None:
    assert of_config({}).ports == {}
    assert payloads(of_config(tree()), port=80) == [
        *PLAIN,
        *NO_NAMES,
        "GET other.example/",
        "PURGE other.example/",
    ]


@pytest.mark.parametrize(
    ("rules", "paths"),
    [
        ([{}], ["/", "/a"]),
        ([{"Methods": ["PUT"]}], ["/"]),
        ([{"Type": "Exact", "Path": "/a"}], ["/", "/a"]),
        ([{"Path": ".*"}, {}], ["/"]),
        # one without a type breaks the connection before the other is reached, whatever it asks for
        ([{"Type": None}, {"Path": "^/b"}], ["/"]),
        ([{"Type": None, "Headers": {"x-env": "^prod"}}, {"Path": "^/b"}], ["/"]),
        ([{"Type": None, "Headers": {"X-Env": "^prod"}}, {"Path": "^/b"}], ["/"]),
        ([{"Headers": {"X-Env": "^prod"}}, {"Path": "^/b"}], ["/", "/b"]),  # it asks for what is never sent
        ([{"Headers": {"X-Env": "^$"}}, {"Path": "^/b"}], ["/", "/b", "/a"]),
        ([{"Headers": {"no token": "^prod"}}, {"Path": "^/b"}], ["/", "/b"]),
        ([{"Path": "("}, {"Path": "^/b"}], ["/"]),  # all rules of the host break on it
    ],
)
def test_rules_are_looked_at_as_the_scripts_read_them(rules: list[Wire], paths: list[str]) -> None:
    assert requests_to("a.com", tree(routed(*rules))) == paths


def test_a_host_without_rules_and_a_match_without_hosts_are_not_looked_into() -> None:
    assert requests_to("a.com", tree(routed({}, hosts={"a.com": {"RuleName": "gone"}}))) == ["/"]
    assert requests_to("other.example", tree({}, EnableAutoDefaultRoute=True)) == ["/"]


def test_an_unknown_host_takes_the_first_of_the_default_route_and_is_searched_as_that() -> None:
    rules = {"Headers": {"host": "^shop$"}}, {"Path": "^/b", "Headers": {"host": "^other"}}
    config = tree(routed(*rules), EnableAutoDefaultRoute=True)
    assert requests_to("other.example", config) == ["/", "/a"]
    assert requests_to("a.com", config) == ["/"]
    unnamed = routed({"Headers": {"host": "^r$"}}, hosts={"a.com": {"RuleName": "r"}})
    assert requests_to("other.example", tree(unnamed, EnableAutoDefaultRoute=True)) == ["/", "/a"]


def test_what_no_connection_has_is_not_looked_at() -> None:
    for port in ("0", "080", "65536"):
        assert of_config(tree(routed({}), port=port)).ports == {}
    hosts = {text: {"RuleName": "r"} for text in ("no host", "a.com")}
    assert list(of_config(tree(routed({}, hosts=hosts))).ports[80].at(0).hosts) == ["a.com"]


def cuts(*ranges: Iterable[str], protocol: str = "tcp") -> dict[str, int]:
    """Where the line is cut for matches with these ranges, and which of the places begins there."""
    matches = [{"Protocol": protocol, "DestinationIPRanges": dict.fromkeys(texts)} for texts in ranges]
    found = of_config(tree(*matches)).ports[80]
    numbers = {id(place): number for number, place in reversed(list(enumerate(found.values)))}
    return {
        str(Address.from_key(start)): numbers[id(place)]
        for start, place in zip(found.starts, found.values, strict=True)
    }


def test_ranges_of_a_config_cut_the_line_and_the_first_match_that_fits_is_taken() -> None:
    assert cuts(["54.0.0.0/8"]) == {FIRST: 0, "54.0.0.0": 1, "55.0.0.0": 0}
    assert cuts(["54.9.0.0/16"], ["54.0.0.0/8"]) == {
        FIRST: 0,
        "54.0.0.0": 1,
        "54.9.0.0": 2,
        "54.10.0.0": 1,
        "55.0.0.0": 0,
    }
    assert cuts(["54.0.0.0/8"], ["54.9.0.0/16"]) == {FIRST: 0, "54.0.0.0": 1, "55.0.0.0": 0}
    assert cuts(["54.9.9.9"]) == {FIRST: 0, "::": 1}  # without bits it is every address of its family
    assert cuts(["::/0"]) == {FIRST: 0, "::": 1}


def test_the_gap_of_the_mapped_addresses_is_no_place_to_cut() -> None:
    assert cuts(["::ffff:0:0/96", "::fffe:0:0/96"]) == {FIRST: 0, "::fffe:0:0": 1, "::1:0:0:0": 0}


def test_another_certificate_is_another_place() -> None:
    ranges: Wire = {
        "54.0.0.0/8": {"SourceCert": {"CertChain": "c", "PrivateKey": "k"}},
        "55.0.0.0/8": None,
        "56.0.0.0/8": None,
    }
    found = of_config(tree({"Protocol": "tcp", "DestinationIPRanges": ranges})).ports[80]
    assert [str(Address.from_key(start)) for start in found.starts] == [
        FIRST,
        "54.0.0.0",
        "55.0.0.0",
        "57.0.0.0",
    ]


def test_the_first_port_and_the_last_are_looked_at() -> None:
    tree: Wire = {"Outbound": {"TrafficMatches": {"0": [], "1": [], "65535": [], "65536": []}}}
    assert set(reading_of_sidecar(Sidecar.read(tree)).ports) == {1, 65_535}


def test_the_addresses_that_a_config_names_are_shown() -> None:
    tree = Sides.of(load(egress("e", "tcp 80", ipAddresses=["54.9.0.0/16", "9.9.9.9/32"])), WHO).sidecar
    reading = reading_of_sidecar(tree)
    assert reading.named == {Address(text).key for text in ("54.9.0.0", "9.9.9.9")}
    shown = {str(part.witness.destination) for part in at(divide(reading), 80, "54.9.9.9")}
    assert shown == {"9.9.9.9"}


@pytest.mark.parametrize("enforce", [False, True])
def test_a_config_is_divided_alike_whether_its_ranges_share_hosts_or_repeat_them(enforce: bool) -> None:
    names = {"http 80": "h", "https 80": "t"}
    policies = [
        egress(f"{host}{index}", port, hosts=[f"{host}{index}.com"], ipAddresses=ranges)
        for port, host in names.items()
        for index, ranges in enumerate(([], ["54.0.0.0/8"], ["54.9.0.0/16"], ["9.0.0.0/8"]))
    ]
    mesh = load(*policies)
    shared = Sides.of(mesh, WHO, enforce=enforce).sidecar
    repeated = Sidecar.read(own_config(mesh, fe.resolve(mesh, WHO), enforce=enforce))
    for address in ("54.9.9.9", "54.1.1.1", "9.9.9.9", "10.0.0.1"):
        one, other = (sorted(payloads(reading_of_sidecar(it), address=address)) for it in (shared, repeated))
        assert one == other
        assert {"GET h0.com/"} <= set(one)


# --- both ------------------------------------------------------------------------------------------------


def test_a_request_that_only_the_default_route_of_the_sidecar_lets_out_is_found() -> None:
    sides = Sides.of(
        load(
            config(featureFlags={"enableAutoDefaultRoute": True}),
            egress("e", "http 80", hosts=["a.com"], matches=group("r")),
            routes("r", {"pathRegex": "/get", "headers": [{"host": "^a[.]com$"}]}),
        ),
        WHO,
    )
    classes = at(divide(reading_of_policy(sides.policy), reading_of_sidecar(sides.sidecar)), 80, "9.9.9.9")
    let_out = {
        spoken(part): sides.engine.classify(part.witness).allowed
        for part in classes
        if isinstance(part.witness.sends, HTTPRequest) and sides.outcome(part.witness).fate is Fate.DIALLED
    }
    assert let_out == {
        "GET a.com/get": True,
        "GET A.com/get": False,
        "GET A.com:80/get": False,
        "GET other.example/get": False,
    }


def test_both_readings_of_a_mesh_and_of_its_config_divide_requests_alike() -> None:
    sides = Sides.of(load(*get_with_header()), WHO)
    policy, sidecar = reading_of_policy(sides.policy), reading_of_sidecar(sides.sidecar)
    both, listed = payloads(policy, sidecar), payloads(policy)
    in_other_letters = [text.replace("a.com", "A.com") for text in listed if "a.com" in text]
    assert both == [*listed[:-2], *in_other_letters, *listed[-2:]]
    assert len(at(divide(policy, sidecar), 80, "2001:db8::1")) == len(both)


def test_both_sides_look_at_a_listed_host_in_the_same_terms() -> None:
    matches: list[Wire] = [{"pathRegex": ".*"}, {"methods": ["PUT", "GET"], "headers": [{"X-Env": "^prod"}]}]
    sides = Sides.of(
        load(egress("e", "http 80", hosts=["a.com"], matches=group("r")), routes("r", *matches)), WHO
    )
    policy, sidecar = reading_of_policy(sides.policy), reading_of_sidecar(sides.sidecar)
    place = policy.ports[80].at(Address(SOMEWHERE).key)
    assert place.hosts == sidecar.ports[80].at(0).hosts
    assert {condition.path for condition in place.hosts["a.com"]} == {None}


def test_of_a_host_without_its_certificate_the_routes_of_its_own_policy_are_looked_at() -> None:
    names = ("a", "b")
    broken = [
        egress(name, "http 80", hosts=[f"{name}.com"], matches=group(name), mtls=BROKEN) for name in names
    ]
    listed = [routes(name, {"pathRegex": f"/{name}"}) for name in names]
    place = reading_of_policy(resolved(*broken, *listed)).ports[80].at(Address(SOMEWHERE).key)
    for name in names:
        paths = [condition.path for condition in place.hosts[f"{name}.com"]]
        assert [path and path.text for path in paths] == [f"/{name}"]


def test_port_0_of_an_exclusion_list_is_no_port_that_anything_is_sent_to() -> None:
    mesh = load(config({"enableEgress": False, "outboundPortExclusionList": [0, 443]}))
    answer = fe.never(mesh, fe.Where.outside())
    assert str(answer.witness.connection if answer.witness else "") == "192.0.2.1:443 TCP"
    assert fe.never(load(config({"outboundPortExclusionList": [0]})), fe.Where.outside()).proven
    assert fe.partition(mesh, WHO).portions
    assert fe.diff(mesh, load(config())).changes
    assert not fe.verify(mesh, WHO).undecided
    assert [it.code.code for it in fe.lint(mesh, sidecar=False)] == ["FSE091"]


def test_hosts_that_no_group_names_are_refused_alike_in_all_ranges_that_lie_within_the_same() -> None:
    ranged = [
        egress(f"p{it}", "http 80", hosts=[f"{it}.com"], ipAddresses=[f"54.{it}.0.0/16"]) for it in (1, 2)
    ]
    wide = egress("a", "http 80", hosts=["a.com"])
    places = reading_of_policy(resolved(wide, *ranged)).ports[80].values
    one, other, *_ = (place for place in places if "1.com" in place.hosts or "2.com" in place.hosts)
    assert one.decider("x.com") == other.decider("x.com")
    assert one.decider("a.com") == other.decider("a.com")
    assert one.decider("1.com") != other.decider("1.com")
    served = config(featureFlags={"enableAutoDefaultRoute": True})
    places = reading_of_policy(resolved(served, wide, *ranged)).ports[80].values
    one, other, *_ = (place for place in places if "1.com" in place.hosts or "2.com" in place.hosts)
    assert one.decider("x.com") != other.decider("x.com")  # which the default route of each serves
    streams = (
        reading_of_policy(
            resolved(wide, *ranged, egress("b", "https 80", hosts=["b.com"], ipAddresses=["54.1.0.0/16"]))
        )
        .ports[80]
        .values
    )
    one, other, *_ = (place for place in streams if "1.com" in place.hosts or "2.com" in place.hosts)
    assert one.decider("x.com") != other.decider("x.com")


def test_what_decides_about_a_service_is_where_that_one_leads() -> None:
    policy = resolved(*service("db", "tcp-x 3306"), *service("mq", "tcp-x 5672", ip="10.96.0.2"))
    changed = tuple(evolve(it, endpoints=()) if "db" in it.name else it for it in policy.clusters)
    readings = [reading_of_policy(it) for it in (policy, evolve(policy, clusters=changed))]
    for port, address, is_same in ((3306, "10.96.0.1", False), (5672, "10.96.0.2", True)):
        one, other = (it.ports[port].at(Address(address).key) for it in readings)
        assert (one.source == other.source) is is_same
