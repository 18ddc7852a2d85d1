"""Places are few, and so are the ways between them: what is repeated repeats its distances."""

from __future__ import annotations

import pytest

from fsm_egress.patterns.places import Places, Undecided, places_of
from fsm_egress.patterns.reader import read_pattern
from fsm_egress.patterns.syntax import Chars, Repeat

LETTER = Chars(frozenset(b"a"))


def of(text: str) -> Places:
    return places_of(read_pattern(text))


@pytest.mark.parametrize(
    ("text", "first", "last", "empty"),
    [
        ("", 0b0, 0b0, True),
        ("ab", 0b01, 0b10, False),
        ("a|b", 0b11, 0b11, False),
        ("|a", 0b1, 0b1, True),
        ("a|", 0b1, 0b1, True),
        ("a?b*c", 0b111, 0b100, False),
        ("(a)b?", 0b01, 0b11, False),
        ("(?:a?){3}", 0b001, 0b111, True),
        ("a{2,3}", 0b001, 0b110, False),
        ("a{0}", 0b0, 0b0, True),
        ("(?:)+", 0b0, 0b0, True),
        (r"^\b(?=b)", 0b001, 0b100, False),
    ],
)
def test_a_pattern_begins_at_some_and_ends_behind_some(
    text: str, first: int, last: int, *, empty: bool
) -> None:
    places = of(text)
    assert (places.first, places.last, places.empty) == (first, last, empty)


@pytest.mark.parametrize(
    ("text", "following"),
    [
        ("abc", [0b010, 0b100, 0]),
        ("(?:ab)*", [0b10, 0b01]),
        ("(?:ab)+c", [0b010, 0b101, 0]),
        ("ab?c", [0b110, 0b100, 0]),
        ("a{2,}", [0b10, 0b10]),
        ("(?:a?){2}b", [0b110, 0b100, 0]),
        ("(?:a|b|c)+", [0b111, 0b111, 0b111]),
        ("(?:a|b|c)(?:d|e|f)", [0b111000] * 3 + [0] * 3),
    ],
)
def test_each_place_leads_to_those_that_may_come_next(text: str, following: list[int]) -> None:
    places = of(text)
    assert [places.after(1 << at) for at in range(len(places.each))] == following
    assert places.after((1 << len(places.each)) - 1) == max(following) | min(following) | following[0]


@pytest.mark.parametrize(
    ("text", "distances", "leaps"),
    [
        ("a{99993}", 1, 0),
        ("a{0,40000}", 1, 0),
        ("(?:ab|cd){5000}", 3, 0),
        ("(?:(?:a{3}){2,5}b?){1000}", 8, 0),
        ("(?:a|b|c)(?:d|e|f)", 0, 1),
        ("|".join(["abcdefghijkl"] * 300), 1, 0),
    ],
)
def test_ways_between_them_are_few(text: str, distances: int, leaps: int) -> None:
    places = of(text)
    assert (len(places.steps), len(places.leaps)) == (distances, leaps)


def test_too_many_are_not_laid() -> None:
    assert len(places_of(Repeat(LETTER, 100_000, 100_000)).each) == 100_000
    with pytest.raises(Undecided, match="an automaton would have more than 100000 places"):
        places_of(Repeat(LETTER, 100_001, 100_001))


def test_a_reference_has_no_place() -> None:
    with pytest.raises(Undecided, match="an automaton cannot refer to what a group has matched"):
        of(r"(a)\1")
