"""The classes of connections: brute force over small universes is the judge of what they miss."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from itertools import pairwise, product
from typing import TYPE_CHECKING, TypeAlias

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

import fsm_egress as fe
from fsm_egress.connections.connection import HTTPRequest, Payload, Sends, TLSClientHello
from fsm_egress.division import dividing
from fsm_egress.division import requests as division_requests
from fsm_egress.division.classes import Class, Condition, Line, Place, Reading, Span
from fsm_egress.division.dividing import divide
from fsm_egress.patterns import Pattern
from fsm_egress.resources.checks import KNOWN_METHODS
from fsm_egress.values.net import GAP_END, GAP_START, IPV6_START, LAST_KEY, Address

if TYPE_CHECKING:
    from collections.abc import Iterable

GET = ("GET",)
NOTHING = Place()


def everywhere(place: Place) -> Reading:
    """A reading that sees the same at every address and port."""
    return Reading({}, Line((0,), (place,)))


def requests(*readings: Reading) -> list[HTTPRequest]:
    """The requests of the classes of IPv4, where nothing is left undecided."""
    found = [part for part in divide(*readings) if part.witness.destination.version == 4]
    assert not any(part.undecided for part in found)
    return [part.witness.sends for part in found if isinstance(part.witness.sends, HTTPRequest)]


def spoken(request: HTTPRequest) -> str:
    return " ".join(
        [
            request.method,
            request.host + request.path,
            *(f"{name}={text}" for name, text in request.headers.items()),
        ]
    )


# --- brute force -----------------------------------------------------------------------------------------

Seen: TypeAlias = tuple[object, ...]


def first(conditions: tuple[Condition, ...], request: HTTPRequest) -> int:
    """Which condition is the first that holds, by the letter; -1 if none is."""
    return next(
        (
            index
            for index, condition in enumerate(conditions)
            if request.method in condition.methods
            and (condition.path is None or condition.path.search(request.path))
            and all(pattern.search(request.header(name)) for name, pattern in condition.headers)
        ),
        -1,
    )


def seen(reading: Reading, connection: fe.Connection) -> Seen:
    """All that a reading can tell about a connection."""
    named = connection.port if connection.port in reading.ports else None
    line = reading.ports.get(connection.port, reading.other)
    place = next(
        place
        for start, place in zip(reversed(line.starts), reversed(line.places), strict=True)
        if start <= connection.key
    )
    return (named, connection.kind, *inside(place, connection.sends))


def inside(place: Place, payload: Payload) -> Iterable[object]:
    if isinstance(payload, HTTPRequest):
        host = payload.host.lower() if place.folds else payload.host
        listed = host in place.hosts
        yield id(place.routing) if listed else id(place)
        yield payload.method in KNOWN_METHODS
        yield host if listed else None
        yield first(place.hosts.get(host, place.otherwise), payload)
    else:
        yield id(place)
    if isinstance(payload, TLSClientHello):
        yield payload.name if payload.name in place.server_names else None


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


def places(folds: bool) -> st.SearchStrategy[Place]:
    names = ("a.com", "b.com", "54.9.9.9") if folds else HOSTS[:6]
    return st.builds(
        Place,
        st.frozensets(st.sampled_from(("a.com", "b.com")), max_size=2),
        st.dictionaries(st.sampled_from(names), CONDITIONS, max_size=2),
        CONDITIONS,
        st.just(folds),
    )


def neighbours(drawn: tuple[Place, Place, bool]) -> tuple[Place, Place]:
    """Two places; the second perhaps one that differs from the first in all but its routing."""
    one, other, alike = drawn
    return one, evolve(one, server_names=other.server_names) if alike else other


def lines(folds: bool) -> st.SearchStrategy[Line]:
    cuts = st.frozensets(st.sampled_from(KEYS[1:]), max_size=3)
    pairs = st.tuples(places(folds), places(folds), st.booleans()).map(neighbours)
    return st.builds(
        lambda starts, pair: Line((0, *sorted(starts)), (*pair, *pair)[: len(starts) + 1]), cuts, pairs
    )


READINGS = st.booleans().flatmap(
    lambda folds: st.builds(
        Reading, st.dictionaries(st.sampled_from((80, 443)), lines(folds), max_size=1), lines(folds)
    )
)


# --- the laws --------------------------------------------------------------------------------------------


@given(st.lists(READINGS, min_size=1, max_size=2), st.lists(CONNECTIONS, min_size=10, max_size=30))
@settings(max_examples=60)
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
@settings(max_examples=30)
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
@settings(max_examples=20)
def test_law_a_witness_is_at_the_first_address_of_its_class_and_on_its_port(readings: list[Reading]) -> None:
    for part in divide(*readings):
        assert part.witness.key == part.spans[0][0]
        assert part.witness.port == (part.port or 1)
        assert fe.Connection.from_mapping(part.witness.to_mapping()) == part.witness


@given(READINGS, READINGS)
@settings(max_examples=15)
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
    answers = {
        subprocess.run(  # noqa: S603  # because it runs this very interpreter
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(answers) == 1
    assert len(json.loads(answers.pop())) > 100


# --- paths and headers -----------------------------------------------------------------------------------

SHORT_PATHS = ["".join(chars) for length in range(1, 5) for chars in product("/ab", repeat=length)]
SHORT_VALUES = ["".join(chars) for length in range(4) for chars in product("ab", repeat=length)]
SHORT_PATTERNS = (
    "/a",
    "a$",
    "^/b",
    "^[ab]",
    "aa|bb",
    "^/$",
    "ab?a",
    "(?:ab)+$",
    "^$",
    ".",
    "^a(?!b)",
    "^/(?=b)a",
)

SHORT_CONDITIONS = st.lists(
    st.builds(
        lambda path, headers: Condition(GET, path and Pattern(path), tuple(headers)),
        st.sampled_from((None, *SHORT_PATTERNS)),
        st.lists(st.tuples(st.just("x"), st.sampled_from(SHORT_PATTERNS).map(Pattern)), max_size=2),
    ),
    max_size=3,
).map(tuple)


def asking(*lists: tuple[Condition, ...]) -> list[Reading]:
    return [everywhere(Place(otherwise=conditions)) for conditions in lists]


def by_brute_force(lists: list[tuple[Condition, ...]]) -> set[tuple[int, ...]]:
    """The combinations of first conditions that short paths and short values of one header show."""
    return {
        tuple(first(conditions, HTTPRequest("GET", "", path, {"x": value})) for conditions in lists)
        for path in SHORT_PATHS
        for value in SHORT_VALUES
    }


@given(st.lists(SHORT_CONDITIONS, min_size=1, max_size=2))
@settings(max_examples=50)
def test_law_a_request_for_each_combination_of_first_conditions(lists: list[tuple[Condition, ...]]) -> None:
    found = [request for request in requests(*asking(*lists)) if request.method == "GET"]
    shown = [tuple(first(conditions, request) for conditions in lists) for request in found]
    assert len(shown) == len(set(shown))
    assert by_brute_force(lists) <= set(shown)


# --- one by one ------------------------------------------------------------------------------------------


def test_a_route_divides_the_requests_to_its_host_by_method_path_and_header() -> None:
    route = Condition(GET, Pattern("/get"), (("x-env", Pattern("^prod")),))
    assert [spoken(request) for request in requests(everywhere(Place(hosts={"a.com": (route,)})))] == [
        "GET a.com/",
        "GET a.com/get x-env=prod",
        "HEAD a.com/",
        "PURGE a.com/",
        "GET A.com/",
        "GET A.com/get x-env=prod",
        "HEAD A.com/",
        "PURGE A.com/",
        "GET other.example/",
        "PURGE other.example/",
    ]


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
    for address in ("0.0.0.0:1", "[::]:1"):
        assert [text for text in found if text.startswith(address)] == [f"{address} {text}" for text in sent]
    assert len(found) == 2 * len(sent)


def test_an_unlisted_host_is_none_of_those_that_are_listed() -> None:
    place = Place(frozenset({"other.example"}), {"OTHER.example": (), "another.example": ()}, folds=False)
    sent = [part.witness.sends for part in divide(everywhere(place))]
    names = {hello.server_name for hello in sent if isinstance(hello, TLSClientHello)}
    hosts = {request.host for request in sent if isinstance(request, HTTPRequest)}
    assert names == {None, "other.example", "another.example"}
    assert {"OTHER.example", "another.example", "ananother.example"} <= hosts


@pytest.mark.parametrize(
    ("listed", "respelled"),
    [
        (["a.com"], {"A.com"}),
        (["a.com", "A.com"], {"A.Com"}),
        (["ab", "Ab", "aB"], {"AB"}),
        (["54.9.9.9"], set()),
        (["a", "A"], set()),
        (["é"], set()),
        (["54.9.9.9:80a"], {"54.9.9.9:80A"}),
    ],
)
def test_a_listed_host_is_also_asked_for_in_other_letters(listed: list[str], respelled: set[str]) -> None:
    place = Place(hosts=dict.fromkeys(listed, ()), folds=False)
    hosts = [request.host for request in requests(everywhere(place)) if request.method == "GET"]
    assert sorted(hosts) == sorted([*listed, *respelled, "other.example"])


def test_methods_are_alike_for_which_the_same_routes_are_left() -> None:
    conditions = Condition(("GET", "PUT")), Condition(("PUT", "TRACE"))
    found = requests(everywhere(Place(otherwise=conditions)))
    assert [request.method for request in found] == ["GET", "HEAD", "PUT", "TRACE", "PURGE"]


def test_a_route_in_the_shadow_of_another_has_no_class() -> None:
    conditions = tuple(Condition(GET, Pattern(path)) for path in ("/g", "/get", "/put"))
    found = requests(everywhere(Place(otherwise=conditions)))
    assert [request.path for request in found if request.method == "GET"] == ["/", "/put", "/g"]
    alone = requests(everywhere(Place(otherwise=(Condition(GET), *conditions))))
    assert [request.path for request in alone if request.method == "GET"] == ["/"]


def test_a_header_may_be_asked_for_twice() -> None:
    asked = Condition(GET, None, (("x", Pattern("^a")), ("x", Pattern("b$"))))
    never = Condition(GET, None, (("x", Pattern("^a")), ("x", Pattern("^b"))))
    found = requests(everywhere(Place(otherwise=(never, asked))))
    assert [request.header("x") for request in found if request.method == "GET"] == ["", "ab"]


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


# --- patterns that are searched in the Host --------------------------------------------------------------


def by_host(place: Place) -> list[str]:
    """The GET requests of the classes, those with which a route holds marked."""
    return [
        f"{request.host}{request.path}"
        + (" +" if first(place.conditions(request.host), request) >= 0 else "")
        for request in requests(everywhere(place))
        if request.method == "GET"
    ]


def asks_host(pattern: str, path: str | None = None) -> Condition:
    return Condition(GET, Pattern(path) if path else None, (("host", Pattern(pattern)),))


def test_a_pattern_of_the_host_divides_unlisted_hosts() -> None:
    assert by_host(Place(otherwise=(asks_host("[.]org$", "/get"),))) == [
        "other.example/",
        ".org/",
        ".org/get +",
    ]


def test_a_pattern_of_the_host_is_found_or_not_in_a_listed_one() -> None:
    found = by_host(Place(hosts={"a.com": (asks_host("^a", "/get"),), "b.com": (asks_host("^a", "/get"),)}))
    assert [text for text in found if text.partition("/")[0] in {"a.com", "b.com"}] == [
        "a.com/",
        "a.com/get +",
        "b.com/",
    ]


def test_a_pattern_of_the_host_divides_the_other_spellings_of_a_listed_one() -> None:
    place = Place(hosts={"a.com:80": (asks_host("C", "/get"),)})
    assert by_host(place) == ["a.com:80/", "A.com:80/", "a.Com:80/", "a.Com:80/get +", "other.example/"]


def test_unlisted_hosts_are_no_spellings_of_listed_ones() -> None:
    found = by_host(Place(hosts={"a": ()}, otherwise=(asks_host("^[aA]$"),), folds=False))
    assert found == ["a/", "A/ +", "other.example/"]


def test_patterns_of_the_host_that_cannot_be_decided_are_named() -> None:
    place = Place(otherwise=(asks_host("a(?!b)b"), Condition(GET, Pattern("/get"))))
    found = [part for part in divide(everywhere(place)) if part.witness.destination.version == 4]
    assert [(str(part.witness), part.undecided) for part in found if part.undecided] == [
        (
            "0.0.0.0:1 GET http://other.example/",
            (
                "which hosts the patterns of `host` leave: "
                "look-aheads, back-references or texts to avoid stand against all texts tried"
            ),
        )
    ]
    paths = [part.witness.sends.path for part in found if isinstance(part.witness.sends, HTTPRequest)]
    assert "/get" in paths


def test_more_patterns_of_the_host_than_are_tried_together_are_named() -> None:
    place = Place(otherwise=tuple(asks_host(f"^{letter}") for letter in "abcdefghijk"))
    found = list(divide(everywhere(place)))
    hosts = {part.witness.sends.host for part in found if isinstance(part.witness.sends, HTTPRequest)}
    assert hosts == {*"abcdefghij", "other.example"}
    assert {part.undecided for part in found} == {"", "which hosts more than 10 patterns of `host` leave"}


# --- what cannot be decided ------------------------------------------------------------------------------


def decided(*conditions: Condition) -> tuple[list[str], set[str]]:
    """The paths of the GET requests, and what was not decided, each with the witness that stands for it."""
    found = [part for part in divide(everywhere(Place(otherwise=conditions))) if part.spans[0][0] == 0]
    paths = [
        part.witness.sends.path
        for part in found
        if not part.undecided
        and isinstance(part.witness.sends, HTTPRequest)
        and part.witness.sends.method == "GET"
    ]
    return paths, {part.undecided for part in found} - {""}


def test_a_pattern_that_cannot_be_decided_is_named_and_loses_nothing_else() -> None:
    undecidable, plain = Pattern("a(?!b)b"), Pattern("/get")
    paths, undecided = decided(Condition(GET, undecidable), Condition(GET, plain))
    assert paths == ["/", "/get"]
    assert undecided == {"look-aheads, back-references or texts to avoid stand against all texts tried"}


@pytest.mark.parametrize("pattern", ["^/(?!get)", "(a|b)x\\1", "^/(?=.*a)(?=.*b)"])
def test_look_aheads_and_back_references_are_decided_where_they_can_be(pattern: str) -> None:
    paths, undecided = decided(Condition(GET, Pattern(pattern)))
    assert {Pattern(pattern).search(path) for path in paths} == {True, False}
    assert not undecided


def test_beyond_the_bound_of_effort_what_is_left_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(division_requests, "EFFORT", 3)
    paths, undecided = decided(*(Condition(GET, Pattern(f"^/effort/{letter}")) for letter in "abc"))
    assert paths == []
    assert undecided == {"more than 3 steps would be needed for all requests to a host"}


def test_a_host_may_have_more_routes_than_calls_may_be_nested() -> None:
    count = sys.getrecursionlimit()
    asked = [Condition(GET, None, ((f"x-{index}", Pattern("^a")),)) for index in range(count)]
    paths, undecided = decided(*asked)
    assert (len(paths), undecided) == (count + 1, set())


def test_the_values_of_a_class_may_be_beyond_ascii() -> None:
    condition = Condition(GET, Pattern.of_bytes("é$"), (("x", Pattern.of_bytes("^ü")),))
    found = [
        request for request in requests(everywhere(Place(otherwise=(condition,)))) if request.method == "GET"
    ]
    assert [(request.path, request.header("x")) for request in found] == [("/", ""), ("/é", "ü")]


# --- places that share their routing ---------------------------------------------------------------------


def test_requests_to_listed_hosts_are_one_class_where_the_routing_is_the_same() -> None:
    web = Place(hosts={"a.com": ()})
    api = evolve(web)
    reading = Reading({}, Line((0, 10, 20), (web, api, NOTHING)))
    spans: dict[str, list[tuple[Span, ...]]] = {}
    for part in divide(reading):
        if isinstance(part.witness.sends, HTTPRequest) and part.witness.sends.method == "GET":
            spans.setdefault(part.witness.sends.host, []).append(part.spans)
    assert {host: found for host, found in spans.items() if host != "other.example"} == {
        "a.com": [((0, 9), (10, 19))],
        "A.com": [((0, 9), (10, 19))],
    }
    assert spans["other.example"][:2] == [((0, 9),), ((10, 19),)]


def test_requests_are_apart_where_a_host_is_not_listed_on_each_side_that_differs() -> None:
    web, other = Place(hosts={"a.com": ()}), Place(hosts={"b.com": ()})
    one = Reading({}, Line((0, 10), (web, evolve(web))))
    two = Reading({}, Line((0, 10), (other, evolve(other))))
    hosts: dict[str, int] = {}
    for part in divide(one, two):
        sends = part.witness.sends
        if isinstance(sends, HTTPRequest) and sends.method == "GET" and part.witness.key < 20:
            hosts[sends.host] = hosts.get(sends.host, 0) + 1
    assert hosts == dict.fromkeys(("a.com", "b.com", "A.com", "B.com", "other.example"), 2)


def test_where_every_port_is_named_there_is_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dividing, "ALL_PORTS", range(1, 4))
    nothing = Line((0,), (NOTHING,))
    named = Reading(dict.fromkeys(range(1, 4), nothing), nothing)
    assert {part.port for part in divide(named)} == {1, 2, 3}
