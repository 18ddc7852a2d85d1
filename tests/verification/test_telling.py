"""Of disagreements that are much alike not all are told, and those that are need not be sought among all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meeting import POLICIES, half, mesh_of
from random_meshes import cases
from small import WHO
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.decision import Target, UsedGateway
from fsm_egress.division.criteria import reading_of_sidecar, redirected
from fsm_egress.division.dividing import ports_of
from fsm_egress.pipy.outcome import Fate, Outcome
from fsm_egress.verification.agreement import verify
from fsm_egress.verification.enforceability import codes_of, findings_of
from fsm_egress.verification.everywhere import EVERYWHERE
from fsm_egress.verification.inside import Compared, Known, Walk
from fsm_egress.verification.sides import Disagreement, own_config
from fsm_egress.verification.telling import crossed, manner_of, places_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsm_egress.division.classes import Class
    from fsm_egress.division.dividing import OnPort
    from fsm_egress.division.layers import Placed
    from fsm_egress.verification.agreement import Verification
    from fsm_egress.verification.sides import Sides

Case = tuple[list[Any], str, list[dict[str, Any]]]

# --- the rule, read to the letter -----------------------------------------------------------------------


def stretches(sides: Sides) -> tuple[list[list[Class]], int]:
    """All classes, as they are compared together, and how many they are."""
    found: list[list[Class]] = []

    def listed(port: OnPort, placed: Sequence[Placed]) -> Compared[Any]:
        found.append([part for _, part in port.classes(placed)])
        return Compared(sum(not part.undecided for part in found[-1]), ())

    readings = sides.reading, redirected(reading_of_sidecar(sides.sidecar))
    unnamed = frozenset(place for reading in readings for place in reading.other.values)
    walk: Walk[Any] = Walk(sides.policy, sides.sidecar, Known(), Known(), unnamed)
    count = sum(walk.on(port, listed).classes for port in ports_of(*readings))
    return found, count


def told_of(sides: Sides, classes: list[Class]) -> list[tuple[Disagreement, bool]]:
    """What is told of some classes, all of which are asked about, and whether it stands for others."""
    seen: list[Any] = []
    kinds: list[Any] = []
    told: list[tuple[Disagreement, Any]] = []
    places: list[tuple[Any, Any]] = []
    more: list[Any] = []
    for part in classes:
        found = None if part.undecided else sides.compare(part.witness)
        if not isinstance(found, Disagreement):
            continue
        is_denied_tls = not found.decision.allowed and part.witness.kind is fe.Sends.TLS
        flags = sides.intercepts(part.witness), is_denied_tls
        if (found.decision, found.outcome, flags) in seen:
            continue
        seen.append((found.decision, found.outcome, flags))
        manner = manner_of(found.outcome)
        kind = found.decision, manner, flags
        led = [(manner, place) for place in places_of(found.outcome)]
        if kind in kinds and all(it in places for it in led):
            more.append(kind)
        else:
            kinds.append(kind)
            places += led
            told.append((found, kind))
    return [(it, kind in more) for it, kind in told]


def agrees(found: Verification) -> bool:
    """Whether a verification tells what is to be told, and has counted what there is."""
    expected: dict[Any, bool] = {}
    all_classes, count = stretches(found.sides)
    for classes in all_classes:
        for it, more in told_of(found.sides, classes):
            key = it.decision, it.outcome, *found.sides.sort(it)[2:]
            expected[key] = expected.get(key, False) or more
    got = {(it.decision, it.outcome, *found.sides.sort(it)[2:]): it.more for it in found.disagreements}
    return got == expected and len(got) == len(found.disagreements) and found.classes == count


# --- laws ------------------------------------------------------------------------------------------------


@settings(max_examples=examples(60))
@given(POLICIES, st.booleans())
def test_law_what_is_told_is_as_if_all_classes_were_asked_about(drawn: list[Any], enforce: bool) -> None:
    assert agrees(verify(mesh_of(drawn), WHO, enforce=enforce))


@settings(max_examples=examples(40))
@given(POLICIES, POLICIES, st.booleans())
def test_law_what_is_told_of_another_config_is_so_too(
    drawn: list[Any], other: list[Any], enforce: bool
) -> None:
    elsewhere = mesh_of(other)
    given_config = own_config(elsewhere, fe.resolve(elsewhere, WHO), enforce=enforce)
    assert agrees(verify(mesh_of(drawn), WHO, given_config))


@settings(max_examples=examples(10))
@given(cases(1))
def test_law_what_is_told_of_any_mesh_is_so_too(case: Case) -> None:
    documents, identity, _ = case
    assert agrees(verify(fe.load(documents), identity))


def findings_in(classes: list[Class], found: Verification) -> Iterator[tuple[fe.Code, Any]]:
    """What the disagreements show that are no two by the same rule and with the same outcome."""
    seen: set[Any] = set()
    for part in classes:
        it = None if part.undecided else found.sides.compare(part.witness)
        if isinstance(it, Disagreement) and found.sides.sort(it) not in seen:
            seen.add(found.sides.sort(it))
            rule = it.decision.rule or found.sides.policy.switch
            yield from ((code, None if code in EVERYWHERE else rule) for code in codes_of(found, it))


@settings(max_examples=examples(40))
@given(POLICIES, POLICIES, st.booleans())
def test_law_no_finding_is_lost_with_what_is_not_told(
    drawn: list[Any], other: list[Any], is_own: bool
) -> None:
    elsewhere = mesh_of(drawn if is_own else other)
    found = verify(mesh_of(drawn), WHO, own_config(elsewhere, fe.resolve(elsewhere, WHO)))
    shown = {each for classes in stretches(found.sides)[0] for each in findings_in(classes, found)}
    told = {(it.code, None if it.code in EVERYWHERE else it.rule) for it in findings_of(found)}
    assert told == shown


# --- named cases -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [10, 20, 40])
def test_a_rule_is_told_once_for_each_manner_and_a_range_once(count: int) -> None:
    told = verify(half(count), WHO).disagreements
    assert len(told) < 5 * count
    assert {f"p{it}" for it in range(count)} <= {
        it.decision.rule.resource.name for it in told if it.decision.rule
    }
    hosts = {(target.host, it.outcome.mtls) for it in told for target in it.outcome.targets}
    assert {(f"h{it}.com", True) for it in range(count)} <= hosts


def test_what_is_not_told_is_said_where_it_is_told_likewise() -> None:
    told = [it for it in verify(half(6), WHO).disagreements if it.more]
    shown = {str(it.connection) for it in told}
    assert "20.0.0.0:443 TLS h1.com" in shown
    first = next(it for it in told if str(it.connection) == "20.0.0.0:443 TLS h1.com")
    assert str(first).endswith(" h5.com:443 (25) with mTLS; others likewise")
    assert first.to_mapping()["more"] is True
    (plain,) = [it for it in verify(half(6), WHO).disagreements if str(it.connection) == "192.0.2.1:443 TCP"]
    assert "more" not in plain.to_mapping()
    assert plain.happens == str(plain.outcome)


def test_outcomes_of_one_manner_differ_in_where_they_lead_alone() -> None:
    a, b, c = (Target(f"{name}.com", 443) for name in "abc")
    used = UsedGateway("g", 1, "http2tunnel", ("10.0.0.1:1080",))
    dialled = Outcome(Fate.DIALLED, (a, b))
    alike = [dialled, Outcome(Fate.DIALLED, (b, c)), Outcome(Fate.DIALLED, (a, b, c))]
    others = [
        Outcome(Fate.DIALLED, (a,)),
        Outcome(Fate.DIALLED, (fe.Target("", 0), a)),
        Outcome(Fate.DIALLED, (a, b), mtls=True),
        Outcome(Fate.DIALLED, (a, b), gateways=(used,)),
        Outcome(Fate.DIALLED, (a, b), others=(Outcome(Fate.CLOSED),)),
        Outcome(Fate.DIALLED, (a, b), either=(Outcome(Fate.DIALLED, (a, b), mtls=True),)),
        Outcome(Fate.CLOSED),
        Outcome(Fate.ANSWERED, status=403),
        Outcome(Fate.ANSWERED, status=404),
        Outcome(Fate.UNKNOWN, cause="a plugin"),
        Outcome(Fate.UNKNOWN, cause="a pattern"),
    ]
    assert len({manner_of(it) for it in alike}) == 1
    assert len({manner_of(it) for it in [dialled, *others]}) == len(others) + 1


def test_the_places_of_an_outcome_are_those_of_all_its_parts() -> None:
    a, b = Target("a.com", 443), Target("b.com", 444)
    outcome = Outcome(Fate.DIALLED, (a,), others=(Outcome(Fate.DIALLED, (b,)), Outcome(Fate.CLOSED)))
    assert places_of(outcome) == {("a.com", 443), ("b.com", 444)}


def test_of_what_is_due_and_what_happens_the_pairs_are_as_many_as_both() -> None:
    asked: list[tuple[int, int]] = []
    dues = [Outcome(Fate.DIALLED, (Target(f"{it}.com", 443),)) for it in range(50)]

    def differ(due: Outcome, it: int) -> bool:
        asked.append((dues.index(due), it))
        return dues.index(due) != it  # one of them is as it is due

    pairs = set(crossed(dues, ["one"] * 30 + ["other"] * 20, differ))
    assert {it for _, it in pairs} == set(range(50))
    assert all({(at, 0), (at, 30)} <= pairs for at in range(1, 50) if at != 30)
    assert len(pairs) < 5 * 50
    assert len(asked) < 8 * 50


def test_a_name_that_a_range_decides_otherwise_is_told_where_that_decides() -> None:
    around: tuple[Any, ...] = ("https", ["a.com", "b.com"], [], None)
    ranges = [("https", [host], [f"20.{it}.0.0/16"], None) for it, host in enumerate(("a.com", "c.com"))]
    found = verify(mesh_of([ranges[0], around, ranges[1]]), WHO)
    assert agrees(found)
    rules = {
        str(it.connection.destination): it.decision.rule.resource.name
        for it in found.disagreements
        if it.decision.rule and it.connection.sends == fe.TLSClientHello("a.com")
    }
    assert rules["20.0.0.0"] == "p0"
    assert rules["20.1.0.0"] == "p1"


def test_ranges_where_the_same_happens_show_no_others() -> None:
    hosts = ("c.com", "c.com", "d.com")
    ranges = [("https", [host], [f"20.{it}.0.0/16"], None) for it, host in enumerate(hosts)]
    found = verify(mesh_of([("https", ["a.com", "b.com"], [], None), *ranges]), WHO)
    assert agrees(found)
    more = {str(it.connection) for it in found.disagreements if it.more}
    assert "20.0.0.0:443 TLS b.com" in more


# --- other ports -----------------------------------------------------------------------------------------


def led(port: int, prefix: str, **weights: int) -> dict[str, Any]:
    rules: dict[str, Any] = {
        "DestinationIPRanges": {prefix: {}},
        "TcpServiceRouteRules": {"TargetClusters": weights},
    }
    return {"Port": port, "Protocol": "tcp", **rules}


@pytest.mark.parametrize("is_more", [False, True])
def test_what_is_told_of_one_port_stands_for_others_of_another(is_more: bool) -> None:
    """The same happens on port 2000, of which nothing is told then; there it stands for more."""
    both, unlike = {"a": 100, "b": 100}, {"a": 30, "b": 70}
    there = [led(2000, "54.0.0.0/24", **both), *([led(2000, "54.0.1.0/24", **unlike)] if is_more else [])]
    chain = [f"modules/outbound-tcp-{name}.js" for name in ("routing", "load-balancing", "default")]
    tree = {
        "Spec": {"Traffic": {"EnableEgress": False}},
        "Chains": {"outbound-tcp": chain},
        "Outbound": {
            "TrafficMatches": {"1000": [led(1000, "54.0.0.0/24", **both)], "2000": there},
            "ClustersConfigs": {name: {"Endpoints": {f"{name}.com:443": {"Weight": 100}}} for name in "ab"},
        },
    }
    verification = verify(fe.load([]), WHO, fe.Sidecar.read(tree))
    told = [it for it in verification.disagreements if it.connection.destination.version == 4]
    assert {(it.connection.port, it.more) for it in told} == {(1000, is_more)}
