"""Connections to outside are kept, and lent to any request to the same host and port."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import WHO, config, egress, load

import fsm_egress as fe
from fsm_egress.connections.findings import Code
from fsm_egress.pipy.outcome import Fate
from fsm_egress.pipy.sidecar import Sidecar
from fsm_egress.verification.enforceability import enforceability

CHAINS = {
    "outbound-tcp": [f"modules/outbound-tcp-{name}.js" for name in ("routing", "load-balancing", "default")],
    "outbound-http": [
        f"modules/outbound-http-{name}.js" for name in ("routing", "load-balancing", "default")
    ],
}
CERT = {"CertChain": "c", "PrivateKey": "k", "IssuingCA": "i"}
OTHER_CERT = {"CertChain": "d", "PrivateKey": "l", "IssuingCA": "i"}
RANGE = "54.0.0.0/8"
INSIDE, BEYOND = "54.9.9.9", "55.9.9.9"
Tree = dict[str, Any]


def match(cluster: str = "a", *, ranges: Tree | None = None, protocol: str = "http", **more: Any) -> Tree:
    rule = {"Path": ".*", "Type": "Regex", "TargetClusters": {cluster: 100}}
    return {
        "DestinationIPRanges": ranges,
        "Port": 80,
        "Protocol": protocol,
        "HttpHostPort2Service": {"a.com": {"RuleName": "a.com"}},
        "HttpServiceRouteRules": {"a.com": {"RouteRules": [rule]}},
        **more,
    }


def sidecar(*matches: Tree, at: dict[str, list[Tree]] | None = None, **more: Any) -> Sidecar:
    clusters = {name: {"Endpoints": {"a.com:80": {"Weight": 100}}} for name in ("a", "b")}
    clusters.update(more.pop("clusters", {}))
    return Sidecar.read(
        {
            "Spec": {"Traffic": {}},
            "Outbound": {"TrafficMatches": {"80": list(matches), **(at or {})}, "ClustersConfigs": clusters},
            "Chains": CHAINS,
            **more,
        }
    )


def asked(sidecar: Sidecar, to: str = INSIDE, port: int = 80) -> fe.Outcome:
    return sidecar.handle(fe.http(to, port, "GET", "a.com/"))


FORWARD = {
    "ForwardMatches": {"*": {"way": 100}},
    "EgressGateways": {"way": {"Mode": "http2tunnel", "Endpoints": {"10.0.0.1:1080": {"Weight": 100}}}},
}


def test_with_and_without_a_certificate() -> None:
    both = sidecar(match(ranges={RANGE: {}}), match(), Certificate=CERT)
    shown, plain = asked(both), asked(both, BEYOND)
    assert (shown.mtls, [it.mtls for it in shown.either]) == (True, [False])
    assert (plain.mtls, [it.mtls for it in plain.either]) == (False, [True])
    assert str(plain) == "dialled to a.com:80, or on a kept connection dialled to a.com:80 with mTLS"
    told = plain.to_mapping(fe.http(BEYOND, 80, "GET", "a.com/"))
    assert [it["mtls"] for it in told["either"]] == [True]
    assert "either" not in asked(sidecar(match())).to_mapping(fe.http(BEYOND, 80, "GET", "a.com/"))


def test_through_a_gateway_and_past_it() -> None:
    both = sidecar(match(ranges={RANGE: {}}), match(), Forward=FORWARD)
    past, through = asked(both), asked(both, BEYOND)
    assert [[used.name for used in it.gateways] for it in (past, *past.either)] == [[], ["way"]]
    assert [[used.name for used in it.gateways] for it in (through, *through.either)] == [["way"], []]


def test_with_certificates_that_differ() -> None:
    ranged = match(ranges={RANGE: {"SourceCert": OTHER_CERT}})
    clusters = {"b": {"Endpoints": {"a.com:80": {"Weight": 100}}, "SourceCert": {"FsmIssued": True}}}
    both = sidecar(ranged, match("b"), clusters=clusters, Certificate=CERT)
    assert [it.mtls for it in (asked(both), *asked(both).either)] == [True, True]
    assert [it.cause for it in asked(both).either] == ["with another certificate"]


def test_with_the_certificate_of_a_cluster_and_with_the_sidecar_s_own() -> None:
    clusters = {"b": {"Endpoints": {"a.com:80": {"Weight": 100}}, "SourceCert": OTHER_CERT}}
    own, other = match(ranges={RANGE: {}}), match("b", ranges={"55.0.0.0/8": {}})
    both = sidecar(own, other, clusters=clusters, Certificate=CERT)
    for to in (INSIDE, BEYOND):
        assert [it.cause for it in asked(both, to).either] == ["with another certificate"]


def test_what_fsm_issued_is_the_sidecar_s_own_certificate() -> None:
    clusters = {"b": {"Endpoints": {"a.com:80": {"Weight": 100}}, "SourceCert": {"FsmIssued": True}}}
    ranged = [match(ranges={RANGE: {}}), match("b", ranges={"55.0.0.0/8": {}})]
    both = sidecar(*ranged, clusters=clusters, Certificate=CERT)
    for to in (INSIDE, BEYOND):
        assert (asked(both, to).mtls, asked(both, to).either) == (True, ())


def test_by_http_1_1_and_by_grpc() -> None:
    both = sidecar(match(ranges={RANGE: {}}, protocol="grpc"), match("b"))
    assert [it.cause for it in asked(both).either] == ["by HTTP/1.1"]
    assert [it.cause for it in asked(both, BEYOND).either] == ["by HTTP/2"]


def test_by_another_port() -> None:
    """What counts is where the connection goes, not where the client dialled."""
    other = {"8080": [match("b", ranges={RANGE: {}}, Port=8080)]}
    both = sidecar(match(), at=other, Certificate=CERT)
    assert [it.mtls for it in asked(both).either] == [True]
    assert [it.mtls for it in asked(both, port=8080).either] == [False]


def test_a_range_that_breaks_its_port_lends_nothing() -> None:
    broken = {"8080": [match("b", ranges={RANGE: {}}, Port=8080), match(ranges={"zzz": {}}, Port=8080)]}
    whole = sidecar(match(), at=broken, Certificate=CERT)
    assert (asked(whole).fate, asked(whole).either) == (Fate.DIALLED, ())
    assert asked(whole, port=8080).fate is Fate.CLOSED


@pytest.mark.parametrize(
    "alike",
    [
        sidecar(match(ranges={RANGE: {}}), match("b")),
        sidecar(match(), match("b", ranges={}), Certificate=CERT),
        sidecar(match(), match("b"), Forward=FORWARD),
        sidecar(
            match(ranges={RANGE: {}}),
            match("b"),
            Certificate=CERT,
            clusters={"b": {"Endpoints": {"b.com:80": {"Weight": 100}}}},
        ),
        sidecar(
            match(ranges={RANGE: {}}),
            match("b"),
            Certificate=CERT,
            clusters={"b": {"Endpoints": {"a.com:80": {"Weight": 0}, "b.com:80": {"Weight": 1}}}},
        ),
        sidecar(match(ranges={RANGE: {}}), match("nothing"), Certificate=CERT),
        sidecar(match(ranges={RANGE: {"SourceCert": {"CertChain": ""}}}), match("b")),
    ],
)
def test_ways_that_are_alike_or_lead_elsewhere(alike: Sidecar) -> None:
    assert (asked(alike).either, asked(alike, BEYOND).either) == ((), ())


def test_streams_are_not_lent() -> None:
    stream = {
        "DestinationIPRanges": {RANGE: {}},
        "Port": 80,
        "Protocol": "tcp",
        "TcpServiceRouteRules": {"TargetClusters": {"a": 100}},
    }
    both = sidecar(stream, match("b"), Certificate=CERT)
    assert asked(both).mtls
    assert (asked(both).either, asked(both, BEYOND).either) == ((), ())


def test_where_upstreams_close_each_connection_none_is_lent() -> None:
    both = sidecar(match(ranges={RANGE: {}}), match(), Certificate=CERT)
    alone = both.alone()
    assert (asked(alone).either, asked(alone).mtls) == ((), True)
    copy: Sidecar = pickle.loads(pickle.dumps(alone))  # noqa: S301  # because it was pickled a moment ago
    assert asked(copy).either == ()
    assert asked(pickle.loads(pickle.dumps(both))).either != ()  # noqa: S301  # ditto


WAYS = st.sampled_from(
    [match(ranges={RANGE: {}}), match("b", ranges={"55.0.0.0/8": {}}), match(), match("b")]
)


@given(
    st.lists(WAYS, min_size=1, max_size=3),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from([INSIDE, BEYOND, "56.9.9.9"]), max_size=6),
)
def test_law_whatever_came_before_a_request_takes_a_way_that_the_model_says(
    matches: list[Tree], certified: bool, forwarded: bool, sent: list[str]
) -> None:
    """A pool as the sidecar has one: the first request to a host and port decides for those that follow."""
    more: Tree = {
        **({"Certificate": CERT} if certified else {}),
        **({"Forward": FORWARD} if forwarded else {}),
    }
    model = sidecar(*matches, **more)
    alone = model.alone()
    pool: dict[Any, Any] = {}
    for to in sent:
        told, opened = asked(model, to), asked(alone, to)
        if opened.fate is Fate.DIALLED:
            taken = pool.setdefault(opened.targets, opened)
            ways = [(it.mtls, it.gateways) for it in (told, *told.either)]
            assert (taken.mtls, taken.gateways) in ways


# --- what verify, lint and the module make of it ---------------------------------------------------------

SPLIT = [
    egress("a", "http 80", hosts=["a.com"]),
    egress("b", "http 80", hosts=["a.com"], ipAddresses=[RANGE]),
]


def test_verify_no_longer_says_that_they_agree_and_a_finding_says_what_to_change() -> None:
    mesh = load(config(), *SPLIT)
    whole = fe.verify(mesh, WHO)
    shared = [it for it in whole.disagreements if it.outcome.either]
    assert not whole.agreed
    assert {str(it.decision.rule) for it in shared} >= {"Egress curl/a spec.ports[0]"}
    findings = [it for it in enforceability(mesh, WHO) if it.code is Code.SHARED_CONNECTIONS]
    assert findings
    assert all(it.cured and it.witness is not None for it in findings)
    assert "ports of their own" in findings[0].fix


def test_the_module_leads_both_the_same_way() -> None:
    whole = fe.verify(load(config(), *SPLIT), WHO, enforce=True)
    assert not any(it.outcome.either for it in whole.disagreements)


@pytest.mark.parametrize(
    "mesh", [load(config(), SPLIT[0]), load(config(sidecar={"sidecarDisabledMTLS": True}), *SPLIT)]
)
def test_of_policies_that_lead_one_way_nothing_is_found(mesh: fe.Snapshot) -> None:
    assert not [it for it in enforceability(mesh, WHO) if it.code is Code.SHARED_CONNECTIONS]


def test_a_config_for_the_module_is_read_with_it() -> None:
    mesh = load(config(), *SPLIT)
    (content,) = (
        text
        for name, text in fe.pipy_codebase(mesh, WHO, {"Certificate": CERT}, enforce=True).items()
        if name.startswith("config")
    )
    assert asked(Sidecar.read(content), BEYOND).either == ()
    plain = json.loads(fe.pipy_config(mesh, WHO, {"Certificate": CERT}).to_json())
    assert asked(Sidecar.read(plain), BEYOND).either != ()
