"""Summaries: they add up, whatever the order; and the rules that let nothing out."""

from __future__ import annotations

import pickle
from random import Random
from typing import TYPE_CHECKING, Any

import random_meshes
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from small import WHO, egress, load, routes
from thoroughness import examples
from traffic import MATCHES

import fsm_egress as fe
from fsm_egress.replaying.records import Place, Unreadable
from fsm_egress.replaying.tally import (
    EXAMPLES,
    OTHER_REASONS,
    REASONS,
    SHOWN,
    Change,
    Changed,
    Example,
    Ruling,
    Summary,
    ordered,
    unused_rules,
)
from fsm_egress.values.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable

RULINGS = st.builds(
    Ruling,
    st.sampled_from(["a.b", "c.d"]),
    st.sampled_from([fe.Verdict.DENIED, fe.Verdict.EGRESS_POLICY]),
    st.just(fe.Reason.TCP_PORT),
    st.sampled_from([None, "Egress a/x spec.ports[0]"]),
)
PLACES = st.builds(Place, st.integers(0, 1), st.integers(1, 4), st.just("log"))
EXAMPLE = st.builds(Example, PLACES, st.builds(fe.tcp, st.just("54.9.9.9"), st.integers(1, 2)))
CHANGES = st.builds(
    lambda before, after: Change(before, evolve(after, identity=before.identity), ("verdict",)),
    RULINGS,
    RULINGS,
)


def first(examples: Iterable[Example]) -> tuple[Example, ...]:
    return tuple(sorted(examples, key=lambda example: (example.place, str(example)))[:EXAMPLES])


CHANGED = st.builds(
    lambda examples: Changed(len(examples), first(examples)), st.lists(EXAMPLE, min_size=1, max_size=5)
)
UNREADABLE = st.builds(
    lambda place, what: Unreadable.of(place, [Problem(what)]), PLACES, st.sampled_from(["this", "that"])
)
COUNTS = st.dictionaries(RULINGS, st.integers(1, 9), max_size=3)


@st.composite
def summaries(draw: st.DrawFn) -> Summary:
    refused = draw(st.lists(UNREADABLE, max_size=12))
    told = sorted(refused, key=lambda each: (each.place, str(each)))[:SHOWN]
    return Summary(
        draw(COUNTS),
        draw(COUNTS),
        draw(st.dictionaries(CHANGES, CHANGED, max_size=3)),
        len(refused),
        tuple(told),
    )


@given(summaries(), summaries())
def test_merging_is_commutative(one: Summary, other: Summary) -> None:
    assert one.merged(other) == other.merged(one)


@settings(max_examples=examples(50))
@given(summaries(), summaries(), summaries())
def test_merging_is_associative(one: Summary, other: Summary, third: Summary) -> None:
    assert one.merged(other).merged(third) == one.merged(other.merged(third))
    assert Summary.of([one, other, third]) == one.merged(other).merged(third)


@given(summaries())
def test_merging_with_nothing_changes_nothing(one: Summary) -> None:
    assert one.merged(Summary()) == one == Summary().merged(one)


@given(summaries(), summaries())
def test_what_is_counted_adds_up(one: Summary, other: Summary) -> None:
    both = one.merged(other)
    assert both.connections == one.connections + other.connections
    assert both.changed == one.changed + other.changed
    assert both.unreadable == one.unreadable + other.unreadable


@given(summaries())
def test_a_summary_survives_pickling(one: Summary) -> None:
    assert pickle.loads(pickle.dumps(one)) == one  # noqa: S301  # because it has just been made here


@settings(max_examples=examples(50))
@given(st.lists(summaries(), max_size=4), st.randoms())
def test_the_form_for_machines_has_one_order(parts: list[Summary], random: Any) -> None:
    shuffled = random.sample(parts, len(parts))
    assert Summary.of(parts).to_mapping() == Summary.of(shuffled).to_mapping()


def test_rulings_are_ordered_by_identity_then_by_count() -> None:
    rulings = [Ruling(who, fe.Verdict.DENIED, fe.Reason.NO_HOST) for who in ("a.b", "c.d")]
    more = Ruling("a.b", fe.Verdict.DENIED, fe.Reason.NO_ROUTE)
    counts = {rulings[1]: 9, rulings[0]: 1, more: 2}
    assert ordered(counts) == [(more, 2), (rulings[0], 1), (rulings[1], 9)]


class TestChange:
    DENIED = fe.Decision(fe.Verdict.DENIED, fe.Reason.NO_HOST, status=403)

    def test_another_reason_alone_is_no_change(self) -> None:
        other = fe.Decision(fe.Verdict.DENIED, fe.Reason.NO_ROUTE, status=403)
        assert Change.of("a.b", self.DENIED, other) is None

    def test_what_differs_is_named(self) -> None:
        closed = fe.Decision(fe.Verdict.DENIED, fe.Reason.NO_HOST)
        change = Change.of("a.b", self.DENIED, closed)
        assert change is not None
        assert change.differs == ("status",)
        assert (change.before, change.after) == (Ruling.of("a.b", self.DENIED), Ruling.of("a.b", closed))


class TestRuling:
    def test_it_names_the_rule_with_its_place_and_the_route(self) -> None:
        mesh = load(egress("web", "http 80", hosts=["a.com"], matches=MATCHES), routes("calls", {}))
        decision = fe.compile(mesh, WHO).classify(fe.http("54.9.9.9", 80, "GET", "a.com/"))
        ruling = Ruling.of(WHO, decision)
        assert ruling.to_mapping() == {
            "verdict": "EGRESS_POLICY",
            "reason": "http_route",
            "rule": "Egress curl/web spec.ports[0]",
            "source": None,
            "route": "HTTPRouteGroup curl/calls spec.matches[0]",
        }
        assert str(ruling) == "EGRESS_POLICY (http_route) by Egress curl/web spec.ports[0]"

    def test_it_may_have_no_rule(self) -> None:
        unseen = fe.compile(load(), WHO).classify(fe.tcp("127.0.0.1", 80))
        assert str(Ruling.of(WHO, unseen)) == "PASSTHROUGH (not_intercepted)"

    def test_its_place_follows_its_rule(self) -> None:
        ruling = Ruling("a.b", fe.Verdict.DENIED, fe.Reason.NO_HOST, "Egress a/x spec.ports[0]", "x.yaml:3")
        assert str(ruling) == "DENIED (no_host) by Egress a/x spec.ports[0] (x.yaml:3)"


class TestUnusedRules:
    MESH = (
        egress("web", "http 80", hosts=["a.com"], matches=MATCHES),
        egress("tls", *(f"https {number}" for number in range(440, 452)), hosts=["b.com"]),
        routes("calls", {"pathRegex": "^/get"}, {"pathRegex": "^/post"}),
    )

    def unused(self, *connections: fe.Connection) -> list[str]:
        mesh = load(*self.MESH)
        decisions = fe.compile(mesh, WHO).classify_many(connections)
        counts = {Ruling.of(WHO, decision): 1 for decision in decisions}
        return list(map(str, unused_rules(mesh, counts)))

    def test_ports_and_routes_are_used_by_what_they_let_out(self) -> None:
        connections = [fe.tls("54.9.9.9", number, "b.com") for number in range(440, 452)]
        assert self.unused(*connections) == [
            "Egress curl/web spec.ports[0]",
            "HTTPRouteGroup curl/calls spec.matches[0]",
            "HTTPRouteGroup curl/calls spec.matches[1]",
        ]
        assert self.unused(*connections, fe.http("54.9.9.9", 80, "GET", "a.com/post")) == [
            "HTTPRouteGroup curl/calls spec.matches[0]"
        ]

    def test_what_is_denied_uses_no_rule(self) -> None:
        denied = fe.http("54.9.9.9", 80, "GET", "a.com/put")
        assert self.unused(denied) == self.unused()

    def test_they_are_in_the_order_of_their_resources(self) -> None:
        ports = [f"Egress curl/tls spec.ports[{index}]" for index in range(12)]
        assert self.unused()[:12] == ports


@settings(max_examples=examples(40))
@given(random_meshes.cases(12))
def test_without_the_unused_rules_whatever_was_let_out_still_is(
    case: tuple[list[dict[str, Any]], str, list[dict[str, Any]]],
) -> None:
    mesh, identity, wires = fe.load(case[0]), case[1], case[2]
    connections = list(map(fe.Connection.from_mapping, wires))
    decisions = fe.compile(mesh, identity).classify_many(connections)
    unused = {
        (rule.resource, rule.path)
        for rule in unused_rules(mesh, {Ruling.of(identity, decision): 1 for decision in decisions})
    }
    engine = fe.compile(fe.load(without(case[0], unused)), identity)
    for connection, decision in zip(connections, decisions, strict=True):
        if decision.verdict is fe.Verdict.EGRESS_POLICY:
            assert engine.classify(connection).verdict is fe.Verdict.EGRESS_POLICY


def without(listed: list[dict[str, Any]], rules: set[tuple[Any, str]]) -> list[dict[str, Any]]:
    """The documents without the ports of policies that are among the rules."""
    kept = []
    for document in listed:
        if document["kind"] != "Egress":
            kept.append(document)
            continue
        ref = fe.ResourceRef("Egress", *random_meshes.place(document))
        ports = [
            port
            for index, port in enumerate(document["spec"]["ports"])
            if (ref, f"spec.ports[{index}]") not in rules
        ]
        if ports:
            kept.append({**document, "spec": {**document["spec"], "ports": ports}})
    return kept


@given(st.integers(0, 999), st.integers(1, REASONS))
@settings(max_examples=examples(5))
def test_law_reasons_that_records_name_are_bounded_in_whatever_order(seed: int, size: int) -> None:
    order = list(range(REASONS * 3))
    Random(seed).shuffle(order)  # noqa: S311  # an order is no secret
    parts = [
        Summary(left_out={f"reason {number:05}": 2 for number in order[start : start + size]})
        for start in range(0, len(order), size)
    ]
    left_out = Summary.of(parts).left_out
    kept = {f"reason {number:05}": 2 for number in range(REASONS)}
    assert left_out == {**kept, OTHER_REASONS: 2 * 2 * REASONS}
    halves = (Summary.of(parts[: len(parts) // 2]), Summary.of(parts[len(parts) // 2 :]))
    assert Summary.of(halves).left_out == left_out
