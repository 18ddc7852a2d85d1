"""The classes of connections: brute force over small universes is the judge of what they miss."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st
from readings import GET, everywhere, first
from seeds import told_with_each_seed
from thoroughness import examples

import fsm_egress as fe
from fsm_egress.connections.payloads import HTTPRequest, Payload, Sends, TLSClientHello
from fsm_egress.division import dividing
from fsm_egress.division.classes import (
    TLS_NAME,
    Among,
    Class,
    Condition,
    Line,
    Place,
    Reading,
    Scope,
    Span,
)
from fsm_egress.division.dividing import divide, ports_of
from fsm_egress.patterns import Pattern
from fsm_egress.resources.words import KNOWN_METHODS
from fsm_egress.values.dialling import Appeal, can_be_dialled
from fsm_egress.values.layered import Layered
from fsm_egress.values.net import GAP_END, GAP_START, IPV6_START, LAST_KEY, Address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pytest
NOTHING = Place()


# --- brute force -----------------------------------------------------------------------------------------

Seen: TypeAlias = tuple[object, ...]


def seen(reading: Reading, connection: fe.Connection) -> Seen:
    """All that a reading can tell about a connection."""
    named = connection.port if connection.port in reading.ports else None
    line = reading.ports.get(connection.port, reading.other)
    place = next(
        place
        for start, place in zip(reversed(line.starts), reversed(line.values), strict=True)
        if start <= connection.key
    )
    return (named, connection.kind, *inside(place, connection.sends))


def inside(place: Place, payload: Payload) -> Iterable[object]:
    if isinstance(payload, HTTPRequest):
        host = payload.host.lower() if place.folds else payload.host
        listed = host in place.hosts
        yield place.decider(payload.host)
        yield payload.method in KNOWN_METHODS
        yield host if listed else None
        yield first(place.hosts.get(host, place.otherwise), payload)
    elif isinstance(payload, TLSClientHello):
        yield place.name_decider(payload.name)
        yield payload.name if payload.name in place.server_names else None
    else:
        yield id(place)


def holding(classes: Iterable[Class], ports: Iterable[int], connection: fe.Connection) -> list[Class]:
    """The classes at the port and the address of a connection."""
    port = connection.port if connection.port in ports else None
    return [
        part
        for part in classes
        if part.port == port and any(low <= connection.key <= high for low, high in part.spans)
    ]


# --- universes -------------------------------------------------------------------------------------------

PORTS = (80, 443, 8080)
IPV4_KEYS = tuple(Address(text).key for text in ("10.0.0.0", "10.0.0.9", "54.0.0.0", "255.255.255.255"))
IPV6_KEYS = (IPV6_START, IPV6_START + 1, GAP_START - 1, GAP_END, LAST_KEY)
KEYS = (0, 9, *IPV4_KEYS, *IPV6_KEYS)
SERVER_NAMES = (None, "a.com", "B.com", "x.org", "other.example")
HOSTS = ("a.com", "A.com", "A.COM", "b.com", "B.com", "x.org", "", "54.9.9.9", "other.example")
METHODS = ("GET", "PUT", "TRACE", "PURGE")
PATHS = ("/", "/get", "/v1/", "/v1/get", "/g", "x", "/get?x=1", "/é")
VALUES = ("", "prod", "dev", "prod-1", "1", "é")

PATH_PATTERNS = (None, *map(Pattern.of_bytes, ("/get", "^/v1/", "/g[a-z]*$", "é|^x", "[?]")))
VALUE_PATTERNS = tuple(map(Pattern, ("^prod", "^prod$", "^(?:prod|dev)", "[0-9]", "^$")))
HOST_PATTERNS = tuple(map(Pattern, ("^a", "^[A-Z]", "[.]com$", "^$", "^(?:[^.]*[.]){3}")))

PLAIN = Sends.BYTES, Sends.NOTHING, Sends.DATAGRAM
CONNECTIONS = st.builds(
    fe.Connection,
    st.sampled_from(KEYS).map(Address.from_key),
    st.sampled_from(PORTS),
    st.one_of(
        st.sampled_from(PLAIN),
        st.sampled_from(SERVER_NAMES).map(TLSClientHello),
        *[
            st.builds(
                HTTPRequest,
                st.sampled_from(METHODS),
                st.sampled_from(HOSTS),
                st.sampled_from(PATHS),
                st.fixed_dictionaries({"x-env": st.sampled_from(VALUES), "x-key": st.sampled_from(VALUES)}),
            )
        ]
        * 4,
    ),
)

CONDITIONS = st.lists(
    st.builds(
        Condition,
        st.sampled_from([GET, GET, ("GET", "PUT"), ("TRACE",)]),
        st.sampled_from(PATH_PATTERNS),
        st.lists(
            st.one_of(
                st.tuples(st.sampled_from(("x-env", "x-key")), st.sampled_from(VALUE_PATTERNS)),
                st.tuples(st.just("host"), st.sampled_from(HOST_PATTERNS)),
            ),
            max_size=2,
        ).map(tuple),
    ),
    max_size=3,
).map(tuple)


HOW = ("alike", "apart", "sharing", "within", "within")


def places(folds: bool) -> st.SearchStrategy[Place]:
    names = ("a.com", "b.com", "54.9.9.9") if folds else HOSTS[:6]
    return st.builds(
        Place,
        st.frozensets(st.sampled_from(("a.com", "b.com")), max_size=2),
        st.dictionaries(st.sampled_from(names), CONDITIONS, max_size=2),
        CONDITIONS,
        st.just(folds),
    )


def neighbours(drawn: tuple[Place, Place, str]) -> tuple[Place, Place]:
    """Two places; perhaps alike in all but server names, or the second has all that the first lists, too."""
    one, other, how = drawn
    if how == "alike":
        return one, evolve(one, server_names=other.server_names)
    if how == "apart":
        return one, other
    if how == "within":
        return one, inside_of(one, other)
    shared: dict[str, object] = {host: f"the same for {host}" for host in one.hosts}
    shared.update({TLS_NAME + name: f"the same by TLS for {name}" for name in one.server_names})
    names = one.server_names | other.server_names
    unlisted = "the same for all others" if one.otherwise == other.otherwise else None
    return evolve(one, deciding=shared, unlisted=unlisted), evolve(
        other, hosts={**other.hosts, **one.hosts}, server_names=names, deciding=shared, unlisted=unlisted
    )


def inside_of(around: Place, place: Place) -> Place:
    """A place that lists what one around it does, and decides that alike but for its own."""
    return evolve(
        place,
        hosts=Layered(place.hosts, around.hosts),
        server_names=place.server_names | around.server_names,
        routing=around.routing,
        deciding=Layered(
            {name: object() for name in (*place.hosts, *(TLS_NAME + it for it in place.server_names))},
            {**dict.fromkeys((TLS_NAME + it for it in around.server_names), around), **around.deciding},
        ),
        around=around,
        own_hosts=place.hosts,
        own_names=place.server_names,
    )


def lines(folds: bool) -> st.SearchStrategy[Line]:
    cuts = st.frozensets(st.sampled_from(KEYS[1:]), max_size=3)
    pairs = st.tuples(places(folds), places(folds), st.sampled_from(HOW)).map(neighbours)
    third = st.tuples(places(folds), st.booleans())
    return st.builds(
        lambda starts, pair, more: Line(
            (0, *sorted(starts)),
            (*pair, inside_of(pair[1], more[0]) if more[1] else pair[0], pair[1])[: len(starts) + 1],
        ),
        cuts,
        pairs,
        third,
    )


READINGS = st.booleans().flatmap(
    lambda folds: st.builds(
        Reading, st.dictionaries(st.sampled_from((80, 443)), lines(folds), max_size=1), lines(folds)
    )
)


# --- the laws --------------------------------------------------------------------------------------------


@given(st.lists(READINGS, min_size=1, max_size=2), st.lists(CONNECTIONS, min_size=10, max_size=30))
@settings(max_examples=examples(60))
def test_law_no_connection_is_seen_otherwise_than_a_witness_at_its_place(
    readings: list[Reading], connections: list[fe.Connection]
) -> None:
    classes = list(divide(*readings))
    assert not any(part.undecided for part in classes)
    ports = {port for reading in readings for port in reading.ports}
    for connection in connections:
        shown = [
            [seen(reading, part.witness) for reading in readings]
            for part in holding(classes, ports, connection)
        ]
        assert [seen(reading, connection) for reading in readings] in shown


@given(st.lists(READINGS, min_size=1, max_size=2))
@settings(max_examples=examples(30))
def test_law_each_connection_is_in_one_class_of_its_port(readings: list[Reading]) -> None:
    spans: dict[tuple[int | None, Payload], list[Span]] = {}
    for part in divide(*readings):
        assert list(part.spans) == sorted(part.spans)
        assert len({low < IPV6_START for low, _ in part.spans}) == 1
        assert not any(GAP_START <= low < GAP_END for low, _ in part.spans)
        spans.setdefault((part.port, part.witness.sends), []).extend(part.spans)
    for found in map(sorted, spans.values()):
        assert all(low <= high for low, high in found)
        assert all(high < low for (_, high), (low, _) in pairwise(found))
    named = {port for reading in readings for port in reading.ports}
    streams: tuple[Payload, ...] = (*PLAIN, TLSClientHello(None))
    for port, payload in product((None, *named), streams):
        both = sorted(spans[port, payload])
        assert (both[0][0], both[-1][1]) == (0, LAST_KEY)
        assert all(high + 1 == low for (_, high), (low, _) in pairwise(both))


@given(st.lists(READINGS, min_size=1, max_size=2))
@settings(max_examples=examples(20))
def test_law_a_witness_is_in_its_class_on_its_port_and_can_be_dialled_if_any_can(
    readings: list[Reading],
) -> None:
    for part in divide(*readings):
        assert any(first <= part.witness.key <= last for first, last in part.spans)
        shown = can_be_dialled(part.witness.key)
        assert (part.appeal is not Appeal.NOWHERE) is shown
        ends = (key for span in part.spans for key in (*span, *between(*span)))
        assert shown or not any(map(can_be_dialled, ends))
        assert part.witness.port == (part.port or 1)
        assert fe.Connection.from_mapping(part.witness.to_mapping()) == part.witness


def between(first: int, last: int) -> Iterable[int]:
    """Where on a run a stretch begins that can be dialled, in between."""
    begins = (Address(text).key for text in ("1.0.0.0", "128.0.0.0", "::2", "::1:0:0:0"))
    return (key for key in begins if first <= key <= last)


@given(READINGS, READINGS, st.integers(1, 3))
@settings(max_examples=examples(60))
def test_law_what_is_not_chosen_is_left_out_and_nothing_else(one: Reading, other: Reading, kept: int) -> None:
    """Of names that the first reading alone lists, and places that the other alone tells apart."""
    for port in ports_of(one, other, within=Scope(kinds=(Sends.TLS,))):
        left_out: set[tuple[Address, Payload]] = set()

        def choose(
            names: Sequence[fe.Connection], parts: Sequence[fe.Connection], left: Any = left_out
        ) -> Iterator[tuple[int, int]]:
            assert len(names) > 1 < len(parts)
            assert {it.destination for it in names} == {parts[0].destination}
            assert {it.sends for it in parts} == {names[0].sends}
            for name, part in product(range(len(names)), range(len(parts))):
                if (name + part) % kept == 0:
                    yield name, part
                else:
                    left.add((parts[part].destination, names[name].sends))

        chosen = list(port.classes(port.placed, choose))
        wanted = [
            (rank, part)
            for rank, part in port.classes(port.placed)
            if (part.witness.destination, part.witness.sends) not in left_out
        ]
        assert chosen == wanted


def test_a_class_is_chosen_of_each_name_and_each_place() -> None:
    names = frozenset(("a.com", "b.com", "c.com"))
    starts = [Address(f"20.{number}.0.0").key for number in range(3)]
    one = everywhere(Place(names, deciding={TLS_NAME + name: name for name in names}))
    other = Reading({}, Line((0, *starts), tuple(Place() for _ in range(4))), frozenset(starts))
    (port,) = ports_of(one, other)
    told: list[tuple[list[str], list[str]]] = []

    def choose(
        by_name: Sequence[fe.Connection], by_part: Sequence[fe.Connection]
    ) -> Iterator[tuple[int, int]]:
        told.append(([str(it.sends) for it in by_name], [str(it.destination) for it in by_part]))
        yield 0, 3
        yield 2, 0

    found = [str(part.witness) for _, part in port.classes(port.placed, choose)]
    assert len(told) == 1  # in IPv6 there is one place
    assert len(told[0][0]) == 3
    assert told[0][1][1:] == ["20.0.0.0", "20.1.0.0", "20.2.0.0"]
    at_the_last = [it for it in found if it.startswith("20.2.0.0:1 TLS")]
    assert at_the_last == ["20.2.0.0:1 TLS without server name", "20.2.0.0:1 TLS a.com", at_the_last[-1]]


@given(READINGS, READINGS)
@settings(max_examples=examples(15))
def test_law_the_order_of_the_readings_does_not_count(one: Reading, other: Reading) -> None:
    def shown(classes: Iterable[Class]) -> Counter[Seen]:
        return Counter(
            (part.port, part.spans, seen(one, part.witness), seen(other, part.witness)) for part in classes
        )

    assert shown(divide(one, other)) == shown(divide(other, one))
    assert shown(divide(one, one)).keys() == shown(divide(one)).keys()
    assert list(divide(one, other)) == list(divide(one, other))


def test_law_deterministic_in_any_process() -> None:
    script = (
        "import json\n"
        "from test_dividing import *\n"
        "asked = tuple(Condition(GET, path, ((name, value),)) for path in PATH_PATTERNS[1:4]\n"
        "    for name in ('x-env', 'host') for value in VALUE_PATTERNS[:3])\n"
        "place = Place(frozenset({'a.com', 'b.com', 'c.com'}), {'a.com': asked}, asked[3:])\n"
        "print(json.dumps([part.witness.to_mapping() for part in divide(everywhere(place))]))\n"
    )
    answers = told_with_each_seed(script, PYTHONPATH=os.pathsep.join(sys.path))
    assert len(answers) == 1
    assert len(json.loads(answers.pop())) > 100


def test_where_nothing_is_looked_at_each_kind_of_payload_is_a_class() -> None:
    found = [str(part.witness) for part in divide(everywhere(NOTHING))]
    sent = [
        "TCP",
        "TCP, the server speaks first",
        "UDP",
        "TLS without server name",
        "TLS other.example",
        "GET http://other.example/",
        "PURGE http://other.example/",
    ]
    for address in ("192.0.2.1:1", "[2001:db8::1]:1"):
        assert [text for text in found if text.startswith(address)] == [f"{address} {text}" for text in sent]
    assert len(found) == 2 * len(sent)


def test_ports_have_classes_of_their_own_and_the_smallest_that_is_not_named_stands_for_the_rest() -> None:
    line = Line((0,), (NOTHING,))
    found = {part.port: part.witness.port for part in divide(Reading({1: line, 2: line, 4: line}, line))}
    assert found == {1: 1, 2: 2, 4: 4, None: 3}


def test_a_reading_without_a_port_sees_it_as_any_other() -> None:
    one = Reading({80: Line((0,), (Place(frozenset({"a.com"})),))}, Line((0,), (NOTHING,)))
    other = Reading({443: Line((0,), (NOTHING,))}, Line((0,), (Place(frozenset({"b.com"})),)))
    names: dict[int | None, set[str | None]] = {}
    for part in divide(one, other):
        if isinstance(part.witness.sends, TLSClientHello):
            names.setdefault(part.port, set()).add(part.witness.sends.server_name)
    assert names == {
        80: {None, "a.com", "b.com", "other.example"},
        443: {None, "other.example"},
        None: {None, "b.com", "other.example"},
    }


def test_a_class_has_all_addresses_of_its_family_that_are_seen_alike() -> None:
    inner, outer = Place(frozenset({"a.com"})), NOTHING
    first_, last = (Address(text).key for text in ("10.0.0.0", "11.0.0.0"))
    reading = Reading({}, Line((0, first_, last, IPV6_START + 1), (outer, inner, outer, inner)))
    assert list(dict.fromkeys(part.spans for part in divide(reading))) == [
        ((0, first_ - 1), (last, IPV6_START - 1)),
        ((first_, last - 1),),
        ((IPV6_START, IPV6_START),),
        ((IPV6_START + 1, LAST_KEY),),
    ]


# --- places that share their routing ---------------------------------------------------------------------


def test_requests_to_listed_hosts_are_one_class_where_the_routing_is_the_same() -> None:
    web = Place(hosts={"a.com": ()})
    api = evolve(web)
    reading = Reading({}, Line((0, 10, 20), (web, api, NOTHING)))
    spans: dict[str, list[tuple[Span, ...]]] = {}
    for part in divide(reading, everywhere(Place(folds=False))):
        if isinstance(part.witness.sends, HTTPRequest) and part.witness.sends.method == "GET":
            spans.setdefault(part.witness.sends.host, []).append(part.spans)
    assert {host: found for host, found in spans.items() if host != "other.example"} == {
        "a.com": [((0, 9), (10, 19))],
        "A.com": [((0, 9), (10, 19))],
    }
    assert spans["other.example"][:2] == [((0, 9),), ((10, 19),)]


def test_hosts_about_which_the_same_decides_are_one_class_with_equal_addresses() -> None:
    same = Place(hosts={"a.com": (), "b.com": ()}, deciding={"a.com": 1, "b.com": 1})
    long = f"{'l' * dividing.LONGEST_HOST}.com"
    asking = (Condition(GET, None, (("host", Pattern("^a")),)),)
    other = Place(
        hosts={"a.com": (), "c.com": asking, "d.com": asking, long: ()},
        deciding={"a.com": 1, "c.com": 2, "d.com": 2, long: 1},
    )
    for apart, reading in enumerate((same, other)):
        named = [
            part.sent.names.words
            for part in divide(everywhere(reading))
            if part.witness.kind is Sends.HTTP and part.witness.key < IPV6_START and not part.sent.names.but
        ]
        alike = {frozenset({"a.com"}), frozenset({"c.com"}), frozenset({"d.com"}), frozenset({long})}
        assert set(named) == (alike if apart else {frozenset({"a.com", "b.com"})})


def test_what_is_written_otherwise_than_it_is_listed_is_one_class_too() -> None:
    same = Place(hosts={"a.com": (), "b.com": ()}, deciding={"a.com": 1, "b.com": 1}, folds=False)
    folding = evolve(same, folds=True)
    spelled = [
        (part.witness.sends.host, part.sent.spellings)
        for part in divide(everywhere(same), everywhere(folding))
        if isinstance(part.witness.sends, HTTPRequest)
        and part.witness.sends.method == "GET"
        and part.witness.key < IPV6_START
    ]
    assert spelled == [
        ("a.com", Among(frozenset({"a.com", "b.com"}), but=False)),
        ("A.com", Among(frozenset({"a.com", "b.com"}))),
        ("other.example", Among()),
    ]


def test_requests_are_apart_where_a_host_is_not_listed_on_each_side_that_differs() -> None:
    web, other = Place(hosts={"a.com": ()}), Place(hosts={"b.com": ()})
    one = Reading({}, Line((0, 10), (web, evolve(web))))
    two = Reading({}, Line((0, 10), (other, evolve(other))))
    hosts: dict[str, int] = {}
    for part in divide(one, two, everywhere(Place(folds=False))):
        sends = part.witness.sends
        if isinstance(sends, HTTPRequest) and sends.method == "GET" and part.spans[0][0] < IPV6_START:
            hosts[sends.host] = hosts.get(sends.host, 0) + 1
    assert hosts == dict.fromkeys(("a.com", "b.com", "A.com", "B.com", "other.example"), 2)


def test_a_place_that_folds_hosts_takes_one_in_any_letters_as_it_is_listed() -> None:
    asked = (Condition(GET),)
    folding = Place(hosts={"a.com": asked, "b.com": asked}, deciding={"a.com": 1}, unlisted=2)
    exact = evolve(folding, folds=False)
    for host in ("A.com", "B.com"):
        assert (folding.lists(host), exact.lists(host)) == (True, False)
        assert (folding.conditions(host), exact.conditions(host)) == (asked, ())
        assert exact.decider(host) == exact.elsewhere == 2
    assert (folding.decider("A.com"), folding.decider("B.com")) == (1, folding.routing)
    assert (folding.is_said_of("A.com"), folding.is_said_of("B.com")) == (True, False)
    assert exact.is_said_of("B.com")


def test_where_every_port_is_named_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dividing, "ALL_PORTS", range(1, 4))
    nothing = Line((0,), (NOTHING,))
    named = Reading(dict.fromkeys(range(1, 4), nothing), nothing)
    assert {part.port for part in divide(named)} == {1, 2, 3}
