"""Who reaches what, and what never happens: a small universe of connections is the judge of proofs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from portions import BEYOND, FORWARDED, RESTRICTED, beyond, fits, holding, partials
from small import WHO, config, egress, load, whole
from thoroughness import examples
from universe import ADDRESSES, PORTS, Wire, aimed, drawn

import fsm_egress as fe
from fsm_egress.connections.decision import ungoverned
from fsm_egress.connections.payloads import Sends
from fsm_egress.values.dialling import can_be_dialled

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

Where = fe.Where


# --- who reaches -----------------------------------------------------------------------------------------


@given(random_meshes.cases(0), partials(), drawn(60))
@settings(max_examples=examples(15))
def test_law_who_reaches_it_is_told_and_nobody_else(
    case: tuple[Wire, str, Wire], asked: tuple[fe.Partial, fe.Connection], some: list[fe.Connection]
) -> None:
    mesh, *_ = case
    snapshot = fe.load(mesh)
    partial, own = asked
    whom = fe.subjects_of(snapshot)
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
        local = fe.resolve(snapshot, identity).interception.local
        for connection in (own, *some):
            decision = engine.classify(connection)
            is_own = any(connection.destination in prefix for prefix in local)
            is_sent_past = decision.reason is fe.Reason.NO_SIDECAR or connection.sends is Sends.DATAGRAM
            if is_own and is_sent_past:
                continue  # UDP, and all that a pod without a sidecar sends, is one class, to itself or others
            reached = fits(found.partial, connection) and decision.allowed and not is_own
            assert len(holding(portions, connection)) == reached


def speaks(partial: fe.Partial) -> bool:
    return partial.sends in {None, Sends.TLS, Sends.HTTP}


def test_which_accounts_reach_a_range_and_how() -> None:
    other = egress("db", "tcp 3306", ipAddresses=["54.9.9.0/24"])
    other["spec"]["sources"] = [{"kind": "ServiceAccount", "name": "api", "namespace": "shop"}]
    mesh = load(*RESTRICTED, other)
    found = fe.reachable(mesh, "54.0.0.0/8")
    assert list(map(str, found.accounts)) == ["curl.curl", "api.shop"]
    headline = "to 54.0.0.0/8: 2 of 2 identities reach it; any other account does not reach it"
    assert repr(found) == f"<Reachability of {headline}>"
    http = "EGRESS_POLICY (http_route) by Egress curl/web spec.ports[0]"
    tcp = "EGRESS_POLICY (tcp_port) by Egress curl/db spec.ports[0]"
    assert [" ".join(line.split()) for line in str(found).splitlines()] == [
        headline,
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


@pytest.mark.usefixtures("few_states")
def test_whether_somebody_reaches_it_may_not_be_proven() -> None:
    found = fe.reachable(
        beyond(BEYOND, "^/x"), "54.9.9.9", 80, identities=[fe.ServiceIdentity("curl", "curl"), WHO]
    )
    assert len(found.identities) == len(found.undecided) == 1
    assert "not decided for some: " in str(found)


@pytest.mark.usefixtures("few_states")
@pytest.mark.parametrize("asked", ["reachable", "never"])
def test_what_is_undecided_is_told_of_each_account_with_the_same_policies(asked: str) -> None:
    mesh = beyond(BEYOND, "^/x")
    (policy,) = mesh.kind(fe.EgressPolicy)
    (source,) = policy.spec.sources
    both = (source, evolve(source, name="wget"))
    shared = mesh.with_(evolve(policy, spec=evolve(policy.spec, sources=both)))
    whom = [WHO, "wget.curl"]
    nothing = fe.Where.method("PUT") & fe.Where.host("a.com") & fe.Where.allowed()
    found = (
        fe.reachable(shared, "54.9.9.9", 80, identities=whom)
        if asked == "reachable"
        else fe.never(shared, nothing, whom)
    )
    told = [(list(map(str, it.identities)), it.reason, it.region) for it in found.undecided]
    assert [identities for identities, *_ in told] == [["curl.curl"], ["wget.curl"]]
    assert told[0][1:] == told[1][1:]
    assert found.classes % 2 == 0


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
@settings(max_examples=examples(50))
def test_law_what_never_happens_does_not_and_what_refutes_it_does(
    case: tuple[Wire, str, Wire], where: fe.Where, some: list[fe.Connection]
) -> None:
    mesh, who, wires = case
    snapshot = fe.load(mesh)
    engine, answer = fe.compile(snapshot, who), fe.never(snapshot, where, who)
    assert answer.undecided == ()
    if answer:
        own = {it.ip for pod in snapshot.kind(fe.Pod) for it in pod.status.pod_ips}  # which no client dials
        every = (it for it in (*aimed(wires), *some) if it.destination not in own)
        beside = {ungoverned(it.connection) for it in answer.beside}  # of which it is said that they pass
        dialled = (it for it in every if can_be_dialled(it.key) and ungoverned(it) not in beside)
        assert not any(where.holds(it, engine.classify(it)) for it in dialled)
    else:
        assert answer.proven is False
        assert answer.witness is not None
        witness = answer.witness.connection
        assert tuple(map(whole, answer.witness.decisions)) == (whole(engine.classify(witness)),)
        passes = fe.Decision(fe.Verdict.PASSTHROUGH, fe.Reason.NOT_INTERCEPTED)
        is_beside = ungoverned(witness) == "IPv6" and where.holds(witness, passes)
        assert where.holds(witness, engine.classify(witness)) or is_beside


def test_what_is_asked_of_ipv6_alone_is_refuted_by_it() -> None:
    answer = fe.never(load(config()), Where.outside() & Where.to("2001:db8::/32") & Where.sends("tls"))
    assert answer.proven is False
    assert str(answer.witness).endswith(
        ": DENIED (egress_disabled) by MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress;"
        " but IPv6 passes by the sidecar"
    )
    assert answer.to_mapping()["witness"]["decisions"][0]["ungoverned"] == "IPv6"


def test_a_pod_without_a_sidecar_is_not_governed() -> None:
    pod = random_meshes.resource(
        "v1", "Pod", "curl", "c-0", spec={"serviceAccountName": "curl", "hostNetwork": True}
    )
    mesh = load(config(), pod)
    assert fe.never(mesh, Where.outside(), "pod/c-0.curl").proven is False
    assert fe.never(mesh, Where.outside() & Where.governed(), "pod/c-0.curl").proven is True


def test_nothing_leaves_but_for_one_origin() -> None:
    mesh = load(config(), egress("web", "https 443", hosts=["httpbin.org"]))
    elsewhere = Where.outside() & ~Where.origin("httpbin.org", 443)
    answer = fe.never(mesh, elsewhere)
    assert answer
    assert answer.classes > 40
    assert str(answer) == (
        "proven: never (outside and not (port `443` and host `httpbin.org` or `httpbin.org:443`)) "
        f"(1 identity and any other account, {answer.classes} classes of connections)"
        "\n  for TCP over IPv4; UDP and IPv6 pass by the sidecar"
    )
    opened = mesh.patched({"spec": {"traffic": {"enableEgress": True}}})
    refuted = fe.never(opened, elsewhere)
    assert refuted.proven is False
    assert refuted.witness is not None
    assert refuted.witness.connection == fe.tcp("192.0.2.1", 1)
    assert repr(refuted).startswith("<Answer refuted: never (outside")


@pytest.mark.usefixtures("few_states")
def test_what_cannot_be_proven_is_not_proven() -> None:
    answer = fe.never(beyond(BEYOND, "^/x"), Where.outside() & ~Where.host("a.com", "a.com:80"))
    assert answer.proven is None
    assert not answer
    assert str(answer).startswith("not proven: never ")
    assert "\n  curl.curl: " in str(answer)
    assert answer.to_mapping()["proven"] is None
    assert answer.to_mapping()["undecided"] == [it.to_mapping() for it in answer.undecided]


@given(st.sampled_from(["(?=.*b)/a", "(/a)\\1", "^/(?!x)"]), st.text("/abxc", max_size=6))
@settings(max_examples=examples(40))
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


# --- what passes by the sidecar --------------------------------------------------------------------------

CLOSED_MESH = {"enableEgress": False}


@pytest.mark.parametrize(
    ("lists", "witness"),
    [
        ({"outboundPortExclusionList": [443]}, "192.0.2.1:443 TCP"),
        ({"outboundIPRangeExclusionList": ["54.0.0.0/8"]}, "54.0.0.0:1 TCP"),
        ({"outboundIPRangeInclusionList": ["10.0.0.0/8"]}, "192.0.2.1:1 TCP"),
    ],
)
def test_what_a_list_lets_pass_by_the_sidecar_leaves(lists: dict[str, Any], witness: str) -> None:
    answer = fe.never(load(config({**CLOSED_MESH, **lists})), Where.outside())
    assert answer.proven is False
    assert str(answer.witness).startswith(f"any other account: {witness}: PASSTHROUGH (not_intercepted)")
    assert fe.never(load(config({**CLOSED_MESH, **lists})), Where.outside() & Where.governed()).proven


def test_what_the_mesh_governs_is_shown_before_what_passes_by() -> None:
    mesh = load(
        config({**CLOSED_MESH, "outboundPortExclusionList": [25]}), egress("a", "tcp 3306", space="shop")
    )
    answer = fe.never(mesh, Where.outside())
    assert answer.witness is not None
    assert answer.witness.connection.port == 3306


def test_udp_never_hides_tcp_and_is_said_beside_a_proof() -> None:
    mesh = load(config(CLOSED_MESH))
    answer = fe.never(mesh, Where.allowed() & Where.to("169.254.169.254"))
    assert answer.proven
    assert str(answer).splitlines()[1] == "  for TCP over IPv4; UDP passes by the sidecar"
    (beside,) = answer.to_mapping()["beside"]
    assert beside["connection"]["sends"] == "datagram"
    assert "beside" not in fe.never(mesh, Where.governed()).to_mapping()
    both = fe.never(mesh, Where.allowed() & Where.port(53))
    assert [it.connection.sends for it in both.beside] == [Sends.DATAGRAM, Sends.BYTES]
    opened = load(config({"enableEgress": True}))
    refuted = fe.never(opened, Where.allowed() & Where.to("169.254.169.254"))
    assert refuted.witness is not None
    assert refuted.witness.connection.sends is Sends.BYTES


def test_what_is_asked_of_udp_alone_is_refuted() -> None:
    mesh = load(config(CLOSED_MESH))
    answer = fe.never(mesh, Where.allowed() & Where.sends("datagram"))
    assert answer.proven is False
    assert fe.never(mesh, Where.outside() & Where.sends("datagram")).proven is False


def test_ipv6_that_a_rule_opens_refutes() -> None:
    mesh = load(config(CLOSED_MESH), egress("a", "tcp 25", ipAddresses=["2001:db8::/32"]))
    answer = fe.never(mesh, Where.outside())
    assert answer.proven is False
    assert str(answer.witness).startswith("curl.curl: [2001:db8::]:25 TCP: EGRESS_POLICY")


def test_what_is_decided_for_ipv6_alone_is_refuted_by_what_a_rule_opens() -> None:
    mesh = load(config(CLOSED_MESH), egress("a", "tcp 25", ipAddresses=["2001:db8::/32"]))
    answer = fe.never(mesh, Where.verdict("EGRESS_POLICY") & Where.to("2001:db8::/32"))
    assert answer.proven is False
    assert str(answer.witness).startswith("curl.curl: [2001:db8::]:25 TCP: EGRESS_POLICY (tcp_port)")


@pytest.mark.parametrize(("entries", "classes"), [([], 14), ([egress("a", "http 80", hosts=["a.com"])], 34)])
def test_a_host_in_other_letters_is_no_class_of_its_own(entries: list[Any], classes: int) -> None:
    """The rules of a mesh fold the Host, so that one of its letters stands for all."""
    assert fe.never(load(config(CLOSED_MESH), *entries), Where.verdict("IN_MESH"), WHO).classes == classes


def test_loopback_does_not_leave() -> None:
    mesh = load(config({**CLOSED_MESH, "outboundIPRangeExclusionList": ["127.0.0.0/8"]}))
    assert fe.never(mesh, Where.outside()).proven
