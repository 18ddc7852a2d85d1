"""What a change of a mesh changes: a small universe of connections is the judge of diffs and their proofs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import random_meshes
from hypothesis import given, settings
from pods import pod
from small import ROUTES, WHO, config, egress, load, routes, service, whole
from thoroughness import examples
from universe import UNIVERSE, Wire, changes, drawn

import fsm_egress as fe
from fsm_egress.answers.comparison import effect_of
from fsm_egress.connections.payloads import Sends
from fsm_egress.values.dialling import can_be_dialled

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

Effect = fe.Effect
Meshes = tuple[fe.Snapshot, fe.Snapshot]
OPEN = {"spec": {"traffic": {"enableEgress": True}}}


def fares(decision: fe.Decision) -> Hashable:
    """What becomes of a connection, by the letter: shares of one, whatever the weights are."""
    return (
        decision.verdict,
        decision.status,
        shares((target.host, target.port, target.weight) for target in decision.targets),
        shares((used.name, used.mode, frozenset(used.endpoints), used.weight) for used in decision.gateways),
    )


def shares(entries: Iterable[tuple[Any, ...]]) -> frozenset[tuple[Any, ...]]:
    listed = list(entries)
    total = sum(weight for *_, weight in listed)
    return frozenset((*rest, weight / total) for *rest, weight in listed)


def by(decision: fe.Decision) -> Hashable:
    return decision.reason, decision.rule, decision.route


def effect(before: fe.Decision, after: fe.Decision) -> fe.Effect | None:
    """What a change does to a connection, by the letter."""
    if before.allowed is not after.allowed:
        return Effect.ALLOWED if after.allowed else Effect.DENIED
    if fares(before) != fares(after):
        return Effect.REROUTED if after.allowed else Effect.REFUSED
    return None if by(before) == by(after) else Effect.ATTRIBUTED


# --- the laws --------------------------------------------------------------------------------------------


@given(changes(), drawn(80))
def test_law_a_diff_holds_just_the_connections_that_fare_otherwise(
    meshes: Meshes, some: list[fe.Connection]
) -> None:
    before, after = meshes
    found = fe.diff(before, after)
    assert found.undecided == ()
    pods = [pod for mesh in meshes for pod in mesh.kind(fe.Pod)]
    spans = [(it.ip.key, it.ip.key) for pod in pods for it in pod.status.pod_ips]  # which no client dials
    for identity in found.identities:
        old, new = fe.compile(before, identity), fe.compile(after, identity)
        own = [it for it in (*found.changes, *found.attributions) if identity in it.identities]
        for connection in some:
            pair = old.classify(connection), new.classify(connection)
            holding = [it for it in own if connection in it.region]
            # A class in which nothing can be dialled is no class of a diff.
            if holding or can_be_dialled(connection.key, spans):
                assert [it.effect for it in holding] == [effect(*pair)] * (effect(*pair) is not None)
            for it in holding:
                assert (fares(it.before), by(it.before)) == (fares(pair[0]), by(pair[0]))
                assert (fares(it.after), by(it.after)) == (fares(pair[1]), by(pair[1]))


@given(changes())
@settings(max_examples=examples(25))
def test_law_a_witness_of_a_diff_differs_for_each_identity(meshes: Meshes) -> None:
    before, after = meshes
    found = fe.diff(before, after)
    for it in (*found.changes, *found.attributions):
        witness = it.witness
        assert witness.connection in it.region
        assert witness.identity == it.identities[0]
        for identity in it.identities:
            pair = [fe.compile(mesh, identity).classify(witness.connection) for mesh in meshes]
            assert effect(*pair) is it.effect
        assert list(map(whole, witness.decisions)) == [whole(it.before), whole(it.after)]


@given(random_meshes.cases(0))
@settings(max_examples=examples(20))
def test_law_nothing_changes_from_a_mesh_to_itself(case: tuple[Wire, str, Wire]) -> None:
    mesh, *_ = case
    snapshot = fe.load(mesh)
    for again in (snapshot, fe.load(mesh)):
        found = fe.diff(snapshot, again)
        assert not found
        assert (found.changes, found.attributions) == ((), ())
        assert fe.equivalent(snapshot, again)
        assert fe.implies(snapshot, again)


@given(changes(), drawn(80))
@settings(max_examples=examples(40))
def test_law_equivalent_and_implies_are_proofs_or_have_a_witness(
    meshes: Meshes, some: list[fe.Connection]
) -> None:
    before, after = meshes
    alike, implied = fe.equivalent(before, after), fe.implies(before, after)
    found = fe.diff(before, after)
    assert bool(alike) is not bool(found)
    assert bool(implied) is not any(it.effect is Effect.DENIED for it in found.changes)
    refuting = {
        "equivalent": {Effect.ALLOWED, Effect.DENIED, Effect.REROUTED, Effect.REFUSED},
        "implies": {Effect.DENIED},
    }
    for answer, effects in ((alike, refuting["equivalent"]), (implied, refuting["implies"])):
        if answer.witness is not None:
            identity, connection = answer.witness.identity, answer.witness.connection
            pair = [fe.compile(mesh, identity).classify(connection) for mesh in meshes]
            assert effect(*pair) in effects
            assert list(map(whole, answer.witness.decisions)) == list(map(whole, pair))
        else:
            assert answer.proven
            for identity in answer.identities:
                old, new = fe.compile(before, identity), fe.compile(after, identity)
                assert not any(effect(old.classify(it), new.classify(it)) in effects for it in some)


@given(changes())
@settings(max_examples=examples(20))
def test_law_the_way_back_undoes_a_diff(meshes: Meshes) -> None:
    before, after = meshes
    turned = {Effect.ALLOWED: Effect.DENIED, Effect.DENIED: Effect.ALLOWED}
    there, back = fe.diff(before, after), fe.diff(after, before)
    assert {(it.region, turned.get(it.effect, it.effect), it.identities) for it in there.changes} == {
        (it.region, it.effect, it.identities) for it in back.changes
    }


# --- one by one ------------------------------------------------------------------------------------------


def policy_of(account: str, name: str, *ports: str, **spec: Any) -> dict[str, Any]:
    policy = egress(name, *ports, **spec)
    name_, _, space = account.partition(".")
    policy["spec"]["sources"] = [{"kind": "ServiceAccount", "name": name_, "namespace": space}]
    return policy


CLOSED = (config({"enableEgress": False}), egress("web", "https 443", hosts=["a.com"]))


def test_what_enabling_egress_would_open() -> None:
    mesh = load(*CLOSED)
    found = fe.diff(mesh, mesh.patched(OPEN))
    assert found
    assert repr(found) == "<MeshDiff: 2 changes, 1 identity and any other account>"
    switch = "MeshConfig fsm-system/fsm-mesh-config spec.traffic.enableEgress"
    assert str(found).splitlines() == [
        "curl.curl:",
        "  allowed     any TCP to all IPv4 except 0.0.0.0, 127.0.0.0/8 and all IPv6, port any but 443",
        "              such as 192.0.2.1:1 TCP",
        f"              was DENIED (egress_disabled) by {switch}",
        f"              now PASSTHROUGH (egress_enabled) by {switch}",
        "any other account:",
        "  allowed     any TCP to all IPv4 except 0.0.0.0, 127.0.0.0/8 and all IPv6, port any",
        "              such as 192.0.2.1:1 TCP",
        f"              was DENIED (egress_disabled) by {switch}",
        f"              now PASSTHROUGH (egress_enabled) by {switch}",
    ]
    change = found.changes[0]
    assert repr(change).startswith(
        "<Alteration allowed: any TCP to all IPv4 except 0.0.0.0, 127.0.0.0/8 and all IPv6, port any"
    )
    mapping = found.to_mapping()
    assert json.loads(json.dumps(mapping)) == mapping
    assert [it["effect"] for it in mapping["changes"]] == ["allowed", "allowed"]
    assert [it["identities"] for it in mapping["changes"]] == [["curl.curl"], ["any other account"]]
    assert mapping["changes"][0]["before"]["verdict"] == "DENIED"
    assert mapping["changes"][0]["after"]["verdict"] == "PASSTHROUGH"
    assert mapping["changes"][0]["identities"] == ["curl.curl"]


def test_identities_with_the_same_change_are_together() -> None:
    accounts = ("curl.curl", "api.shop", "job.batch")
    policies = [policy_of(who, f"e{index}", "tcp 3306") for index, who in enumerate(accounts)]
    mesh = load(config({"enableEgress": False}), *policies)
    found = fe.diff(mesh, mesh.patched(OPEN))
    assert [list(map(str, it.identities)) for it in found.changes] == [
        ["job.batch", "curl.curl", "api.shop"],
        ["any other account"],
    ]
    assert str(found).startswith("job.batch, curl.curl, api.shop:\n  allowed ")
    shared = egress("all", "tcp 3306")
    shared["spec"]["sources"] = [
        {"kind": "ServiceAccount", "name": "curl", "namespace": space} for space in ("curl", "shop")
    ]
    gone = fe.diff(load(*CLOSED, shared), load(*CLOSED))
    assert [(it.effect, list(map(str, it.identities))) for it in gone.changes] == [
        (Effect.DENIED, ["curl.curl", "curl.shop"])
    ]


NAMES = ("ann", "curl", "zoe")


def of(account: str, *ports: str) -> dict[str, Any]:
    """A policy of an account, with its name."""
    return policy_of(f"{account}.curl", account, *ports)


@pytest.mark.parametrize("changed", NAMES)
@pytest.mark.parametrize("ports", [("tcp 25", "tcp 26"), ("tcp 26",)])
def test_a_change_within_one_mesh_is_found_whoever_else_there_is(
    changed: str, ports: tuple[str, ...]
) -> None:
    before = load(config(), *(of(name, "tcp 25") for name in NAMES))
    after = before.with_(*load(of(changed, *ports)).kind(fe.EgressPolicy))
    found = fe.diff(before, after)
    assert {str(who) for it in found.changes for who in it.identities} == {f"{changed}.curl"}
    opened = [it for it in found.changes if it.effect is Effect.ALLOWED]
    assert [fe.tcp("54.9.9.9", 26) in it.region for it in opened] == [True]
    assert len(found.changes) == (1 if "tcp 25" in ports else 2)


@pytest.mark.parametrize("changed", NAMES)
def test_a_change_of_one_of_several_policies_of_an_account_is_found(changed: str) -> None:
    before = load(config(), *(egress(name, f"tcp {25 + index}") for index, name in enumerate(NAMES)))
    after = before.with_(*load(egress(changed, "tcp 80")).kind(fe.EgressPolicy))
    effects = {it.effect for it in fe.diff(before, after).changes}
    assert effects == {Effect.ALLOWED, Effect.DENIED}
    assert fe.implies(before, after).proven is False


@pytest.mark.parametrize("name", NAMES)
def test_the_first_port_of_an_account_is_a_change(name: str) -> None:
    before = load(config(), *(of(other, "tcp 25") for other in NAMES if other != name))
    after = before.with_(*load(of(name, "tcp 26")).kind(fe.EgressPolicy))
    for pair in ((before, after), (after, before)):
        (change,) = fe.diff(*pair).changes
        assert list(map(str, change.identities)) == [f"{name}.curl"]
        assert fe.tcp("54.9.9.9", 26) in change.region


def test_what_is_re_routed() -> None:
    before = load(*CLOSED, service("web", "http-web 80", pods=["10.0.0.1"]))
    after = load(*CLOSED, service("web", "http-web 80", pods=["10.0.0.2"]))
    found = fe.diff(before, after)
    assert [
        (it.before.targets[0].host, it.after.targets[0].host)
        for it in found.changes
        if it.effect is Effect.REROUTED and it.before.targets
    ] == [("10.0.0.1", "10.0.0.2")] * 2
    whom = [list(map(str, it.identities)) for it in found.changes if it.effect is Effect.REROUTED]
    assert ["any other account of shop"] in whom  # for whom the service has a shorter name, too
    assert ["curl.curl", "any other account"] in whom


def test_the_same_by_another_rule_is_no_change_but_said() -> None:
    before = load(config({"enableEgress": False}), egress("one", "tcp 3306"))
    after = load(config({"enableEgress": False}), egress("two", "tcp 3306"))
    found = fe.diff(before, after)
    assert not found
    assert [it.effect for it in found.attributions] == [Effect.ATTRIBUTED]
    assert str(found).splitlines()[:3] == [
        "nothing changes (1 identity and any other account, 14 classes of connections looked at)",
        "as before, but for another reason:",
        "curl.curl:",
    ]
    assert fe.equivalent(before, after)


def test_nothing_changes() -> None:
    mesh = load(*CLOSED)
    extent = "1 identity and any other account, 0 classes of connections"
    assert str(fe.diff(mesh, mesh)) == f"nothing changes ({extent} looked at)"
    assert str(fe.equivalent(mesh, mesh)) == f"proven: every connection fares the same ({extent})"


def test_one_change_in_words_and_a_host_in_any_letters() -> None:
    closed = config({"enableEgress": False})
    before, stream, web = load(closed), egress("a", "tcp 25"), egress("a", "http 80", hosts=["a.com"])
    assert repr(fe.diff(before, load(closed, stream), WHO)) == "<MeshDiff: 1 change, 1 identity>"
    found = fe.diff(before, load(closed, web), WHO)
    assert found.classes == 20
    assert repr(found) == "<MeshDiff: 3 changes, 1 identity>"
    assert not [
        sent for it in found.changes for sent in it.region.to_mapping()["sends"] if "spelling" in sent
    ]


def test_where_all_policies_stay_as_they_are_no_class_is_looked_at() -> None:
    closed = config({"enableEgress": False, "outboundPortExclusionList": [25]})
    before = load(closed, egress("web", "https 443", hosts=["a.com"]))
    after = load(closed, egress("web", "https 443", hosts=["a.com"]))
    assert fe.diff(before, after).classes == 0
    assert fe.equivalent(before, after).classes == 0


def of_all(name: str, *accounts: str, hosts: list[str]) -> dict[str, Any]:
    """A policy of several accounts of a namespace."""
    policy = egress(name, "https 443", hosts=hosts)
    policy["spec"]["sources"] = [
        {"kind": "ServiceAccount", "name": account, "namespace": "curl"} for account in accounts
    ]
    return policy


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ([of_all("all", *NAMES, hosts=["a.com"])], [of_all("all", *NAMES, hosts=["b.com"])], True),
        (
            [of_all("all", *NAMES, hosts=["a.com"])],
            [of_all(name, name, hosts=[f"{name}.com"]) for name in NAMES],
            False,
        ),
        (
            [of_all(name, name, hosts=[f"{name}.com"]) for name in NAMES],
            [of_all("all", *NAMES, hosts=["a.com"])],
            False,
        ),
    ],
    ids=["the same in both", "the same before", "the same after"],
)
def test_accounts_are_looked_at_together_whose_policies_are_the_same_before_and_after(
    before: list[dict[str, Any]], after: list[dict[str, Any]], same: bool
) -> None:
    meshes = load(*before), load(*after)
    whom = [f"{name}.curl" for name in NAMES]
    found, alone = fe.diff(*meshes, whom), [fe.diff(*meshes, who) for who in whom]
    classes = [it.classes for it in alone]
    assert found.classes == (classes[0] if same else sum(classes))
    for it in found.changes:
        assert len(it.identities) == (len(NAMES) if same else 1)
    assert {(it.effect, it.region) for it in found.changes} == {
        (it.effect, it.region) for one in alone for it in one.changes
    }


def test_accounts_without_policies_are_apart_where_their_pods_are_intercepted_otherwise() -> None:
    listed = pod("c-0", outbound_port_exclusion_list="9090")
    before = load(config({"enableEgress": False}), listed)
    found = fe.diff(before, before.patched(OPEN), [WHO, "wget.curl"])
    regions = {str(it.identities[0]): it.region for it in found.changes}
    excluded = fe.tcp("54.9.9.9", 9090)
    assert [excluded in regions[who] for who in (WHO, "wget.curl")] == [False, True]


def test_only_those_who_are_asked_for() -> None:
    other = policy_of("api.shop", "db", "tcp 3306")
    before, after = load(*CLOSED, other), load(*CLOSED)
    assert not fe.diff(before, after, WHO)
    assert fe.diff(before, after, "api.shop")
    assert fe.equivalent(before, after, [WHO])
    refuted = fe.implies(before, after)
    assert refuted.proven is False
    assert refuted.witness is not None
    assert str(refuted.witness.identity) == "api.shop"
    assert refuted.to_mapping()["witness"]["identity"] == "api.shop"
    assert str(refuted).splitlines()[0] == "refuted: what is allowed before is allowed after"


BEYOND = "^/(?:a|b)*a(?:a|b){16}$"  # more states than are looked at


@pytest.mark.usefixtures("few_states")
def test_what_is_not_decided_is_no_proof() -> None:
    named = {"apiGroup": ROUTES, "kind": "HTTPRouteGroup", "name": "r"}
    policy = egress("web", "http 80", hosts=["a.com"], matches=[named])
    before = load(policy, routes("r", {"methods": ["GET"], "pathRegex": BEYOND}))
    after = load(policy, routes("r", {"methods": ["GET"], "pathRegex": "^/(?:a|b)*b(?:a|b){16}$"}))
    found = fe.diff(before, after)
    assert found
    assert len(found.undecided) >= 1
    assert "not decided for some: the patterns have too many states together" in str(found)
    assert found.to_mapping()["undecided"] == [it.to_mapping() for it in found.undecided]
    for answer in (fe.equivalent(before, after), fe.implies(before, after)):
        assert answer.proven is not True
    if not found.changes:
        assert str(found).startswith("nothing is known to change (")


@pytest.mark.parametrize(
    "traffic",
    [
        {"outboundPortExclusionList": [80]},
        {"outboundIPRangeExclusionList": ["54.9.0.0/16"]},
        {"outboundIPRangeInclusionList": ["54.9.0.0/16"]},
        {"enableEgress": True},
    ],
)
def test_over_the_whole_universe(traffic: dict[str, Any]) -> None:
    entries = (
        egress("web", "http 80", hosts=["a.com"]),
        egress("tls", "https 443", hosts=["a.com"], ipAddresses=["54.0.0.0/8"]),
        service("web", "http-web 80"),
    )
    before = load(config({"enableEgress": False}), *entries)
    after = load(config({"enableEgress": False, **traffic}), *entries)
    found = fe.diff(before, after, WHO)
    old, new = fe.compile(before, WHO), fe.compile(after, WHO)
    for connection in UNIVERSE:
        expected = effect(old.classify(connection), new.classify(connection))
        holding = [it.effect for it in (*found.changes, *found.attributions) if connection in it.region]
        assert holding == ([] if expected is None else [expected])
    assert any(it.region.sent[0].kind is not Sends.DATAGRAM for it in found.changes)


def test_what_stays_denied_with_another_answer_is_not_re_routed() -> None:
    closed = fe.Decision(fe.Verdict.DENIED, fe.Reason.EGRESS_DISABLED)
    answered = fe.Decision(fe.Verdict.DENIED, fe.Reason.NO_HOST, status=403)
    assert effect_of(closed, answered) is Effect.REFUSED
    assert effect_of(closed, closed) is None
