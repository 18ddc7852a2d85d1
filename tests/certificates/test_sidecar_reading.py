"""The sidecar as certificates read it: against what a real one was seen to do, and against `verify`."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import random_meshes
import small
from hypothesis import given
from hypothesis import strategies as st
from meeting import POLICIES, half, mesh_of
from observed import explains
from random_meshes import FLOMESH, resource
from small import WHO, config, egress, load, routes, service
from solving import agrees_about_the_sidecar, asking_sidecar, in_turns, many, solved

import fsm_egress as fe
from fsm_egress.certificates.connection import Vocabulary
from fsm_egress.certificates.fares import CLOSED, Way, due, fare
from fsm_egress.certificates.reading import Fate as Fated
from fsm_egress.certificates.reading import decided
from fsm_egress.certificates.script import Told
from fsm_egress.certificates.trees import ends_of
from fsm_egress.connections.decision import Target, UsedGateway
from fsm_egress.pipy.outcome import Fate, Outcome
from fsm_egress.pipy.sidecar import Sidecar
from fsm_egress.verification import certified
from fsm_egress.verification.certified import fares_of
from fsm_egress.verification.sides import Disagreement, own_config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsm_egress.certificates.fares import Fare

Case = tuple[list[Any], str, list[Any]]

VECTORS = Path(__file__).parents[1] / "vectors"
OBSERVED = {"sidecar-crafted.json": 214, "sidecar-random.json": 1_600, "sidecar-observed.json": 152}

# --- what was observed -----------------------------------------------------------------------------------


def observed(name: str) -> Iterator[dict[str, Any]]:
    yield from json.loads((VECTORS / name).read_text())["cases"]


def outcome_of(way: Way) -> Outcome:
    used = tuple(UsedGateway(name, 1, mode, ends) for name, mode, ends, _ in way.gateways)
    targets = (Target(*way.target),) if way.target else ()
    return Outcome(Fate(way.end), targets, way.status, way.mtls, used)


@pytest.mark.parametrize("name", OBSERVED)
def test_a_real_sidecar_was_seen_to_do_what_the_solver_says(name: str) -> None:
    count = 0
    for case in observed(name):
        model, solver = Sidecar.read(case["config"]), asking_sidecar(case["config"])
        told = []
        for probe in case["probes"]:
            connection = fe.Connection.from_mapping(probe["connection"])
            seen = probe["observed"]
            if seen["outcome"] == "refused":
                seen = {"outcome": "closed"}
            fare = fares_of(model.handle(connection))
            assert any(explains(outcome_of(way), connection, seen, case["dns"]) for way, _ in fare.ways), fare
            told.append((connection, fare))
        assert solver.wrong(told) == [], case["name"]
        count += len(told)
    assert count == OBSERVED[name]


# --- laws ------------------------------------------------------------------------------------------------

FSMS = st.sampled_from((None, None, "1.4", "1.4.2", "1.3.7"))


@in_turns
@given(random_meshes.cases(0), FSMS, st.booleans())
@many(4, 20)
def test_law_the_solver_finds_the_differences_that_verify_finds(
    case: Case, fsm: str | None, enforce: bool
) -> None:
    mesh, identity, _ = case
    found = fe.verify(fe.load(mesh), identity, enforce=enforce, fsm=None if enforce else fsm)
    assert agrees_about_the_sidecar(found)


@in_turns
@given(random_meshes.cases(0), random_meshes.cases(0))
@many(2, 5)
def test_law_the_solver_finds_the_differences_from_the_config_of_another_mesh(
    case: Case, other: Case
) -> None:
    mesh, identity, _ = case
    elsewhere = fe.load(other[0])
    given_config = own_config(elsewhere, fe.resolve(elsewhere, other[1]))
    assert agrees_about_the_sidecar(fe.verify(fe.load(mesh), identity, given_config.to_json()))


@in_turns
@given(POLICIES, POLICIES)
@many(3, 20)
def test_law_the_solver_finds_what_is_told_of_policies_that_meet(drawn: list[Any], other: list[Any]) -> None:
    assert agrees_about_the_sidecar(fe.verify(mesh_of(drawn), WHO))
    elsewhere = mesh_of(other)
    given_config = own_config(elsewhere, fe.resolve(elsewhere, WHO))
    assert agrees_about_the_sidecar(fe.verify(mesh_of(drawn), WHO, given_config))


def test_where_not_all_is_told_that_differs_likewise_the_solver_finds_no_more() -> None:
    found = fe.verify(half(6), WHO)
    assert any(it.more for it in found.disagreements)
    assert agrees_about_the_sidecar(found)
    for left_out in (it for it in found.disagreements if it.decision.allowed):
        rest = tuple(it for it in found.disagreements if it is not left_out)
        assert solved(attrs.evolve(found, disagreements=rest).certificate()) == "sat", str(left_out)


def test_what_leads_to_a_host_that_is_not_told_is_not_likewise(monkeypatch: pytest.MonkeyPatch) -> None:
    found = fe.verify(half(6), WHO)

    def told_without(fate: Fated, fares: Fare, passes: bool, among: frozenset[Any] | None) -> Told:
        return Told(fate, fares, passes, among and among - {("h2.com", 443)})

    monkeypatch.setattr(certified, "Told", told_without)
    assert solved(found.certificate()) == "sat"


# --- rules that meshes seldom come to, against the model ------------------------------------------------

TCP = [f"modules/outbound-tcp-{part}.js" for part in ("routing", "load-balancing", "default")]
HTTP = [f"modules/outbound-http-{part}.js" for part in ("routing", "load-balancing", "default")]
CHAINS = {"outbound-tcp": TCP, "outbound-http": [*HTTP[:1], "modules/outbound-metrics-http.js", *HTTP[1:]]}
MODULE = "modules/fsm-egress.js"
ENFORCED = {
    "outbound-tcp": [MODULE, *TCP],
    "outbound-http": [MODULE, HTTP[0], MODULE, *HTTP[1:]],
}
OWN = {"CertChain": "own", "PrivateKey": "key"}
LENT = {"CertChain": "lent", "PrivateKey": "key"}
ISSUED = {"FsmIssued": True}
ANY: dict[str, Any] = {"Path": ".*", "Type": "Regex", "TargetClusters": {"a": 100}}
CLUSTERS = {
    "a": {"Endpoints": {"a.org:80": {"Weight": 100}, "b.org:80": {"Weight": 50}, "c.org:80": None}},
    "none": {"Endpoints": None},
    "far": {"Endpoints": {"c.org:80": {"Weight": 1, "ViaGateway": "gate:1", "Path": "/p"}}},
    "6": {"Endpoints": {"2001:db8::5:80": {"Weight": 1}}},
    "lent": {"Endpoints": {"a.org:80": {"Weight": 100}}, "SourceCert": LENT},
    "issued": {"Endpoints": {"a.org:80": {"Weight": 100}}, "SourceCert": ISSUED},
    "useless": {"Endpoints": {"a.org:80": {"Weight": 100}}, "SourceCert": {"CertChain": "c"}},
    "portless": {"Endpoints": {"socket": {"Weight": 1}}},
}
GATES = {
    "ForwardMatches": {"*": {"g": 100, "gone": 100}, "own": {"h": 1}},
    "EgressGateways": {
        "g": {"Endpoints": {"1.1.1.1:1080": {}}},
        "h": {"Endpoints": {"2.2.2.2:1080": {}}, "Mode": "sock5"},
        "empty": {"Endpoints": None},
    },
}


def match(
    protocol: str = "http", *rules: Any, ranges: Any = None, port: int = 80, **more: Any
) -> dict[str, Any]:
    start = {"DestinationIPRanges": ranges, "Port": port, "Protocol": protocol}
    if protocol in {"http", "grpc"}:
        hosts = {
            "a.com": {"RuleName": "r"},
            "B.com": {"RuleName": "r", "Service": "web"},
            "a.com:80": {"RuleName": "r"},
        }
        start |= {"HttpHostPort2Service": hosts, "HttpServiceRouteRules": {"r": {"RouteRules": list(rules)}}}
    return start | more


def stream(
    allowed: bool = False, ranges: Any = None, port: int = 80, more: Any = None, **weights: int
) -> dict[str, Any]:
    rules = {"TargetClusters": weights or None, "AllowedEgressTraffic": allowed}
    return match("tcp", ranges=ranges, port=port, TcpServiceRouteRules=rules, **(more or {}))


def whole(*matches: Any, passes: bool = False, default: bool = False, **more: Any) -> dict[str, Any]:
    spec = {"Traffic": {"EnableEgress": passes}, "FeatureFlags": {"EnableAutoDefaultRoute": default}}
    outbound = {"TrafficMatches": {"80": list(matches)}, "ClustersConfigs": CLUSTERS}
    return {"Spec": spec, "Outbound": outbound, "Chains": CHAINS, **more}


def enforced(**rules: Any) -> dict[str, Any]:
    return {"more": {"Enforce": rules}}


HEADERS = {"x-a": "^1$", "host": "^[aB]"}
CONFIGS: dict[str, Any] = {
    "nothing": {"Spec": {}, "Outbound": None},
    "nothing but passing": {"Spec": {"Traffic": {"EnableEgress": True}}, "Outbound": None, "Chains": CHAINS},
    "nothing but passing through gateways": {
        "Spec": {"Traffic": {"EnableEgress": True}},
        "Chains": CHAINS,
        "Forward": GATES,
    },
    "no chains": whole(stream(allowed=True), Chains={}),
    "a stranger's chain": whole(
        stream(allowed=True), Chains={**CHAINS, "outbound-tcp": ["modules/x.js", *TCP]}
    ),
    "another order": whole(match("http", ANY), Chains={**CHAINS, "outbound-http": HTTP[::-1]}),
    "a watcher of requests for streams": whole(
        stream(allowed=True), Chains={**CHAINS, "outbound-tcp": [*TCP, "modules/outbound-metrics-http.js"]}
    ),
    "routes": whole(
        match(
            "http",
            {**ANY, "Methods": ["GET"], "Headers": HEADERS, "Path": "^/v1"},
            {**ANY, "Methods": ["PUT", "PURGE"]},
        )
    ),
    "kinds of paths": whole(
        match(
            "http",
            {**ANY, "Type": "Exact", "Path": "/v1/x"},
            {**ANY, "Type": "Prefix", "Path": "/v1", "TargetClusters": {"far": 1}},
            {**ANY, "Type": None, "Methods": ["PUT"]},
        ),
    ),
    "a path that does not compile": whole(match("http", {**ANY, "Path": "("}, ANY)),
    "a header in capitals": whole(
        match("http", {**ANY, "Headers": {"X-A": "1"}}, {**ANY, "Headers": {"X-B": "^$"}})
    ),
    "no rules": whole(match("http", HttpServiceRouteRules=None)),
    "rules that are not there": whole(match("http", HttpServiceRouteRules={"r": None})),
    "no clusters": whole(match("http", {**ANY, "TargetClusters": None})),
    "a cluster without endpoints": whole(
        match("http", {**ANY, "TargetClusters": {"none": 1, "gone": 1, "6": 2, "portless": 1}})
    ),
    "certificates of clusters": whole(
        match("http", {**ANY, "TargetClusters": {"lent": 1, "issued": 1, "useless": 2}}), Certificate=OWN
    ),
    "the default": whole(match("http", {**ANY, "Headers": {"host": "^(r|a|web)"}}), default=True),
    "a default without hosts": whole(match("http", HttpHostPort2Service={}), default=True),
    "hosts that are null": whole(
        match("http", ANY, HttpHostPort2Service={"a.com": None, "\u00e9.com": {"RuleName": "r"}})
    ),
    "plain hosts": whole(match("http", ANY, HttpHostPort2Service={"a.com": "r"})),
    "grpc and http to one endpoint": whole(
        match("grpc", ANY, ranges={"54.0.0.0/8": None}), match("http", ANY), Forward=GATES
    ),
    "ranges": whole(
        stream(ranges={"54.9.0.0/16": {"SourceCert": LENT}, "10.0.0.1/32": None}, a=1),
        stream(ranges={"54.0.0.0/8": None}),
        stream(allowed=True),
        stream(),
        passes=True,
        Certificate=OWN,
        Forward=GATES,
    ),
    "ranges that are read otherwise": whole(
        stream(
            ranges={"10..0.0/8": None, "9.9.9.9/x": None, "::ffff:1:2/120": None, "2001:db8::/32": None}, a=1
        ),
    ),
    "ranges that are nothing": whole(stream(ranges={}, a=1), stream(allowed=True)),
    "ranges that are nothing, twice": whole(
        stream(ranges={}, a=1), stream(ranges={}, none=1), match("http", ANY)
    ),
    "a port that breaks beside one that routes": {
        **whole(match("http", ANY)),
        "Outbound": {
            "TrafficMatches": {
                "80": [match("http", ANY)],
                "81": [match("http", ANY, ranges={"x": None}, port=81)],
            },
            "ClustersConfigs": CLUSTERS,
        },
    },
    **{
        f"the range {text[:20]}": whole(stream(ranges={text: None}, a=1), stream(allowed=True))
        for text in ("1:2:3:4:5:6:7:8::9", "999.9.9.9/8", "", "abc%x/8", "abc", f"9.9.9.9/8{' ' * 99}")
    },
    "a range that cannot be read": whole(stream(ranges={"54.0.0.0/33": None}), stream(allowed=True)),
    "folded": whole(
        match("http", {**ANY, "Methods": ["GET"]}, ranges={"54.0.0.0/8": None, "9.9.9.9/32": None}),
        match(
            "http",
            {**ANY, "Methods": ["PUT"]},
            ranges={"9.9.9.9/32": None},
            HttpHostPort2Service={"c.com": {"RuleName": "r"}},
        ),
        stream(ranges={"10.0.0.0/8": None}, a=1),
        stream(ranges={"10.0.0.0/8": None}, none=1),
    ),
    "streams": whole(
        stream(ranges={"54.0.0.0/8": None}, a=1, none=2, gone=3),
        stream(allowed=True, a=1, none=1),
        passes=False,
    ),
    "an own certificate on a stream": whole(stream(issued=1, lent=1, a=1), Certificate=OWN),
    "an own gateway": whole(stream(allowed=True, more={"EgressForwardGateway": "own"}), Forward=GATES),
    "a gateway without endpoints": whole(
        stream(allowed=True), Forward={**GATES, "ForwardMatches": {"*": {"empty": 1}}}
    ),
    "enforced names": whole(
        stream(
            a=1,
            **enforced(
                Egress=True,
                Accept=["tls", "bytes"],
                ServerNames={"a.com": "a", "b.com": "none"},
                SourceCert=LENT,
            ),
        ),
        Chains=ENFORCED,
        passes=True,
    ),
    "enforced for all": whole(stream(a=1, **enforced(Egress=True)), Chains=ENFORCED, Forward=GATES),
    "enforced requests": whole(
        match(
            "tcp",
            ranges={"54.0.0.0/8": None},
            Enforce={"Accept": ["http", "tls"]},
            **{key: value for key, value in match("http", ANY).items() if key.startswith("Http")},
        ),
        match("http", ANY, Enforce={"Egress": True}),
        Chains=ENFORCED,
        Forward=GATES,
        Certificate=OWN,
    ),
    "not enforced without the module": whole(
        stream(a=1, **enforced(Egress=True, Accept=["tls"])), Forward=GATES
    ),
}
SENT: list[Any] = [
    fe.Sends.BYTES, fe.TLSClientHello(None), fe.TLSClientHello("A.com"), fe.TLSClientHello("b.com"),
    *(fe.HTTPRequest(method, host, path, headers) for method, host, path, headers in (
        ("GET", "a.com", "/v1/x", {"x-a": "1"}), ("GET", "a.com:80", "/v1", {}), ("PUT", "B.com", "/", {}),
        ("GET", "b.com", "/v1/x", {"x-a": "1"}), ("PURGE", "a.com", "/", {}),
        ("TRACE", "\u00e9.com", "/", {}),
        ("GET", "c.com", "/", {}), ("GET", "a.com", f"/{'x' * 16_400}", {}))),
]  # fmt: skip
PLACES = [
    ("54.9.9.9", 80),
    ("54.1.1.1", 80),
    ("9.9.9.9", 80),
    ("10.0.0.1", 80),
    ("2001:db8::5", 80),
    ("9.9.9.9", 81),
]
ASKED = [
    fe.Connection(address, port, sent)
    for number, (address, port) in enumerate(PLACES)
    for sent in (SENT if port == 80 else SENT[:1])[number % 2 :: 2]
]


@pytest.mark.parametrize("name", CONFIGS)
def test_the_two_readings_of_the_sidecar_are_alike(name: str) -> None:
    model, solver = Sidecar.read(CONFIGS[name]), asking_sidecar(CONFIGS[name])
    for connection in ASKED:
        assert solver.is_so(connection, fares_of(model.handle(connection))), connection


# --- what is written -------------------------------------------------------------------------------------

PLAIN = config({"outboundIPRangeInclusionList": ["0.0.0.0/0"]})  # so that IPv6 is none of the sidecar's


def test_a_mesh_that_agrees_is_proven_to() -> None:
    mesh = load(PLAIN, egress("db", "tcp 3306", ipAddresses=["10.1.0.0/16"]))
    script = fe.verify(mesh, WHO).certificate()
    assert script.startswith(
        "; claim: the sidecar does what is decided\n; expected: unsat, as it holds\n; of: curl.curl\n"
    )
    assert " config.json of curl.curl\n; question: Is there a connection that fares otherwise" in script
    assert "but for" not in script
    assert solved(script) == "unsat"


def test_differences_are_told_and_each_is_shown() -> None:
    verification = fe.verify(load(PLAIN, egress("web", "https 443", hosts=["a.com"])), WHO)
    script = verification.certificate()
    assert script.startswith("; claim: the sidecar does what is decided, but for what is told\n")
    assert script.count("\n; but for: ") == len(verification.disagreements) == 2
    assert solved(script) == "unsat"
    first, second = verification.disagreements
    shown = verification.certificate(first)
    assert shown.startswith(f"; claim: the sidecar does what is decided\n; connection: {first.connection}\n")
    assert "\n(set-info :status sat)\n" in shown
    assert solved(shown) == "sat"
    assert solved(attrs.evolve(verification, disagreements=(first,)).certificate()) == "sat"
    assert solved(verification.certificate(attrs.evolve(first, outcome=second.due))) == "unsat"


def test_what_is_proven_of_one_config_is_not_of_another() -> None:
    narrow = load(PLAIN, egress("db", "tcp 3306", ipAddresses=["10.1.0.0/16"]))
    wide = load(PLAIN, egress("db", "tcp 3306", ipAddresses=["10.0.0.0/8"]))
    given = json.loads(own_config(wide, fe.resolve(wide, WHO)).to_json())
    verification = fe.verify(narrow, WHO, given)
    assert len(verification.disagreements) == 2
    assert agrees_about_the_sidecar(verification)
    assert fe.verify(narrow, WHO).certificate() != fe.verify(wide, WHO).certificate()


def test_requests_with_long_lines_are_left_out() -> None:
    script = fe.verify(load(PLAIN, egress("web", "http 80", hosts=["a.com"])), WHO).certificate()
    assert "\n; left out: requests with a line of more than 16384 bytes: a sidecar closes them\n" in script
    verification = fe.verify(load(PLAIN, egress("web", "http 80", hosts=["a.com"])), WHO)
    sent = fe.HTTPRequest("GET", "a.com", f"/{'x' * 16_400}")
    shown = verification.sides.compare(fe.Connection("54.9.9.9", 80, sent))
    assert isinstance(shown, Disagreement)
    assert solved(verification.certificate(shown)) == "sat"


def test_a_host_that_patterns_search_is_the_one_that_is_compared() -> None:
    group = routes("r", {"headers": [{"host": "^[a-z.]*(:80)?$"}]})
    named = [{"apiGroup": small.ROUTES, "kind": "HTTPRouteGroup", "name": "r"}]
    mesh = load(PLAIN, group, egress("web", "http 80", hosts=["kiosk.org"], matches=named))
    assert agrees_about_the_sidecar(fe.verify(mesh, WHO))


def test_where_shares_hang_on_age_it_is_said_that_pods_are_grown() -> None:
    warmup = resource(FLOMESH, "TrafficWarmup", "shop", "web", spec={"maxWeight": 100})
    web = service("web", "http 80", pods=["10.0.0.1", "10.0.0.2"])
    under = "\n; under: where shares hang on the age of pods: all pods are grown up\n"
    warm = load(config(featureFlags={"enableTrafficWarmupPolicy": True}), web, warmup)
    script = fe.verify(warm, WHO).certificate()
    assert under in script
    assert fe.certify(script)
    assert under not in fe.verify(load(config(), web), WHO).certificate()


def test_what_is_not_decided_is_not_proven() -> None:
    broken = fe.load(egress("e", "tcp 25", ipAddresses=["54.0.0.0"]), strict=False)
    verification = fe.verify(broken, WHO)
    assert verification.undecided
    with pytest.raises(fe.InvalidValue, match="expected a verification in which everything is decided"):
        verification.certificate()
    assert solved(verification.certificate(verification.disagreements[0])) == "sat"


def test_requests_below_the_path_of_another_cluster_go_in_the_clear() -> None:
    policy = fe.resolve(load(config(), service("s", "http-web 80", pods=["10.0.0.1"])), WHO)
    (cluster,) = policy.clusters
    far = attrs.evolve(cluster.endpoints[0], host="10.9.9.9", path="/far")
    policy = attrs.evolve(policy, clusters=(attrs.evolve(cluster, endpoints=(*cluster.endpoints, far)),))
    half = Fraction(1, 2)
    fate = attrs.evolve(
        FATE, targets=(("10.0.0.1", 80, half, half, half), ("10.9.9.9", 80, half, half, half))
    )
    assert {str(way) for way, _ in due(policy, has_certificate=True)(fate).ways} == {
        "dialled to 10.0.0.1:80 with mTLS",
        "dialled to 10.9.9.9:80",
    }


FATE = Fated(fe.Verdict.IN_MESH, fe.Reason.HTTP_ROUTE)


def test_fares_are_told_in_words() -> None:
    gateway = ("g", "http2tunnel", ("10.0.0.1:80",), Fraction(1))
    ways = [
        (Way("dialled", ("", 0), gateways=(gateway,)), 1),
        (Way("dialled", ("a.com", 80), mtls=True), 1),
        (Way("answered", status=404), 1),
    ]
    assert str(fare(ways, lent=True)) == (
        "answered 404, or dialled to the original destination through g, or dialled to a.com:80 with mTLS,"
        " or on a kept connection otherwise"
    )
    assert str(CLOSED) == "closed"


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_the_first_claim_says_whether_a_certificate_is_shown(order: tuple[str, str]) -> None:
    shown = egress(order[0], "tcp 80", ipAddresses=["54.0.0.0/8"], mtls={"issuer": "fsm"})
    mesh = load(PLAIN, shown, egress(order[1], "tcp 80", ipAddresses=["54.9.0.0/16"]))
    words = Vocabulary()
    fates = ends_of(decided(fe.resolve(mesh, WHO), words))
    assert {fate.certified for fate in fates if fate.reason is fe.Reason.TCP_PORT} == {True, False}
    assert agrees_about_the_sidecar(fe.verify(mesh, WHO))
