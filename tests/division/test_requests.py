"""Requests divided by host, method, path and headers: brute force over short texts is the judge."""

from __future__ import annotations

import sys
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readings import GET, everywhere, first
from thoroughness import examples

from fsm_egress.connections.connection import Connection
from fsm_egress.connections.payloads import HTTPRequest, TLSClientHello
from fsm_egress.division.classes import Condition, Place, Reading
from fsm_egress.division.dividing import divide
from fsm_egress.patterns import Pattern


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
@settings(max_examples=examples(50))
def test_law_a_request_for_each_combination_of_first_conditions(lists: list[tuple[Condition, ...]]) -> None:
    found = [request for request in requests(*asking(*lists)) if request.method == "GET"]
    shown = [tuple(first(conditions, request) for conditions in lists) for request in found]
    assert len(shown) == len(set(shown))
    assert by_brute_force(lists) <= set(shown)
    sent = [part.sent for part in divide(*asking(*lists)) if part.spans[0][0] == 0]
    for path, value in product(SHORT_PATHS[:12], SHORT_VALUES):
        asked = Connection("9.9.9.9", 1, HTTPRequest("GET", "a.com", path, {"x": value}))
        assert [asked in it for it in sent].count(True) == 1


def test_a_combination_is_shown_though_as_many_others_have_been() -> None:
    lists = [
        (Condition(GET, Pattern("b")),),
        (Condition(GET, Pattern("a")), Condition(GET, Pattern("/"), (("x", Pattern("a")),))),
    ]
    found = [request for request in requests(*asking(*lists)) if request.method == "GET"]
    shown = [tuple(first(conditions, request) for conditions in lists) for request in found]
    assert sorted(shown) == sorted(product((-1, 0), (-1, 0, 1)))


# --- one by one ------------------------------------------------------------------------------------------


def test_a_route_divides_the_requests_to_its_host_by_method_path_and_header() -> None:
    route = Condition(GET, Pattern("/get"), (("x-env", Pattern("^prod")),))
    listed = ["GET a.com/", "GET a.com/get x-env=prod", "HEAD a.com/", "PURGE a.com/"]
    others = ["GET other.example/", "PURGE other.example/"]
    reading = everywhere(Place(hosts={"a.com": (route,)}))
    assert [spoken(request) for request in requests(reading)] == [*listed, *others]
    in_other_letters = [text.replace("a.com", "A.com") for text in listed]
    assert [spoken(request) for request in requests(reading, everywhere(Place(folds=False)))] == [
        *listed,
        *in_other_letters,
        *others,
    ]


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


def test_the_headers_of_a_request_are_in_order() -> None:
    names = ("x-d", "x-b", "x-a", "x-c")
    asked = Condition(GET, None, tuple((name, Pattern("^a")) for name in names))
    (found,) = (it for it in requests(everywhere(Place(otherwise=(asked,)))) if len(it.headers) == len(names))
    assert list(found.headers) == sorted(names)


# --- patterns that are searched in the Host --------------------------------------------------------------


def by_host(place: Place) -> list[str]:
    """The GET requests of the classes, by their letters too, those with which a route holds marked."""
    return [
        f"{request.host}{request.path}"
        + (" +" if first(place.conditions(request.host), request) >= 0 else "")
        for request in requests(everywhere(place), everywhere(EXACT))
        if request.method == "GET"
    ]


EXACT = Place(folds=False)  # with which letters count


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


def test_letters_alone_are_written_otherwise_in_the_other_spellings_of_an_address() -> None:
    place = Place(hosts={"[::ab]": (asks_host("B]$", "/get"),)})
    assert by_host(place) == ["[::ab]/", "[::Ab]/", "[::aB]/", "[::aB]/get +", "other.example/"]


def test_unlisted_hosts_are_no_spellings_of_listed_ones() -> None:
    found = by_host(Place(hosts={"a": ()}, otherwise=(asks_host("^[aA]$"),), folds=False))
    assert found == ["a/", "A/ +", "other.example/"]


def test_patterns_of_the_host_that_cannot_be_decided_are_named() -> None:
    place = Place(otherwise=(asks_host("a(?!b)b"), Condition(GET, Pattern("/get"))))
    found = [part for part in divide(everywhere(place)) if part.witness.destination.version == 4]
    assert [(str(part.witness), part.undecided) for part in found if part.undecided] == [
        (
            "192.0.2.1:1 GET http://other.example/",
            (
                "which hosts the patterns of `host` leave: "
                "look-aheads, back-references or texts to avoid stand against all texts tried"
            ),
        )
    ]
    paths = [part.witness.sends.path for part in found if isinstance(part.witness.sends, HTTPRequest)]
    assert "/get" in paths


def test_what_follows_on_patterns_of_the_host_that_cannot_be_decided_is_tried_too() -> None:
    place = Place(otherwise=(asks_host("[.]org$"), asks_host("a(?!b)b")))
    found = [part for part in divide(everywhere(place)) if part.witness.destination.version == 4]
    sent = [part.witness.sends for part in found if not part.undecided]
    assert {it.host for it in sent if isinstance(it, HTTPRequest)} == {"other.example", ".org"}
    assert len([part for part in found if part.undecided]) == 1


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


def test_a_pattern_that_cannot_be_decided_is_named_where_readings_differ() -> None:
    undecidable, plain = Pattern("a(?!b)b"), Pattern("/get")
    lists = (Condition(GET, undecidable), Condition(GET, plain)), (Condition(GET, plain),)
    found = [part for part in divide(*asking(*lists)) if part.spans[0][0] == 0]
    sent = [part.witness.sends for part in found if not part.undecided]
    paths = [it.path for it in sent if isinstance(it, HTTPRequest) and it.method == "GET"]
    assert paths == ["/", "/get"]
    assert [part.undecided.partition(" stand")[0] for part in found if part.undecided] == [
        "look-aheads, back-references or texts to avoid"
    ]


def test_what_is_shown_already_is_not_decided_once_more() -> None:
    first_ = Condition(GET, Pattern("^/[^b]*ab$"), (("x", Pattern("y")),))
    second = Condition(GET, Pattern("/b|a(?!b)b"))
    assert decided(first_, second) == (["/", "/b", "/ab"], set())


@pytest.mark.parametrize("pattern", ["^/(?!get)", "(a|b)x\\1", "^/(?=.*a)(?=.*b)"])
def test_look_aheads_and_back_references_are_decided_where_they_can_be(pattern: str) -> None:
    paths, undecided = decided(Condition(GET, Pattern(pattern)))
    assert {Pattern(pattern).search(path) for path in paths} == {True, False}
    assert not undecided


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
